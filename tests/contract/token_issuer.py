"""An issuer of bearer tokens, as a seller's own OpenID provider would be one: a key, its JWKS, and tokens of
any scope.

The local identity provider cannot stand for it: it gives people what they may have, and these tests need
tokens of any scope, age and audience. Written out, because nothing in the tests' environment signs.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from typing import Any

ISSUER, AUDIENCE = "https://id.seller.example", "marketplane-contract-tests"

_BITS = 2048
_EXPONENT = 65_537
_KEY_ID = "contract-tests"
# Of SHA-256, before the digest (RFC 8017 §9.2, note 1).
_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
_ROUNDS = 24  # of Miller and Rabin's test; for primes of random choice far fewer would do


class TokenIssuer:
    """Makes its key when it is made."""

    def __init__(self) -> None:
        p, q = _prime(), _prime()
        self._modulus = p * q
        self._private = pow(_EXPONENT, -1, (p - 1) * (q - 1))

    def jwks(self) -> dict[str, Any]:
        size = _BITS // 8
        key = {"kty": "RSA", "kid": _KEY_ID, "alg": "RS256", "use": "sig"}
        numbers = {"n": self._modulus.to_bytes(size), "e": _EXPONENT.to_bytes(3)}
        return {"keys": [key | {name: _base64(number) for name, number in numbers.items()}]}

    def token(self, subject: str, *scopes: str, **claims: Any) -> str:
        """A token of somebody, good for a day.

        Args:
            subject: who.
            scopes: what they may do.
            claims: in the place of the usual ones.
        """
        now = int(time.time())
        usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 86_400}
        header = {"alg": "RS256", "typ": "JWT", "kid": _KEY_ID}
        body = usual | {"scope": " ".join(scopes)} | claims
        signed = ".".join(_base64(json.dumps(part).encode()) for part in (header, body))
        return f"{signed}.{_base64(self._signature(signed.encode()))}"

    def _signature(self, message: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 §8.2.1)."""
        size = _BITS // 8
        told = _DIGEST_INFO + hashlib.sha256(message).digest()
        padded = b"\x00\x01" + b"\xff" * (size - len(told) - 3) + b"\x00" + told
        return pow(int.from_bytes(padded), self._private, self._modulus).to_bytes(size)


def _prime() -> int:
    half = _BITS // 2
    while True:
        # The two highest bits are set, so that the product of two has all of its bits.
        candidate = secrets.randbits(half) | (0b11 << (half - 2)) | 1
        if candidate % _EXPONENT != 1 and _is_prime(candidate):
            return candidate


def _is_prime(number: int) -> bool:
    if any(number % small == 0 for small in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47)):
        return False
    odd = number - 1
    twos = (odd & -odd).bit_length() - 1
    odd >>= twos
    for _ in range(_ROUNDS):
        power = pow(2 + secrets.randbelow(number - 3), odd, number)
        if power in (1, number - 1):
            continue
        for _ in range(twos - 1):
            power = power * power % number
            if power == number - 1:
                break
        else:
            return False
    return True


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
