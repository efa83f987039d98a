"""Bearer tokens of the seller's own OpenID provider, and the keys by which they are checked."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

ISSUER, AUDIENCE = "https://seller.example", "marketplane"
_PRIVATE = ec.generate_private_key(ec.SECP256R1())


def key_set() -> bytes:
    """The provider's JWKS."""
    key = json.loads(ECAlgorithm.to_jwk(_PRIVATE.public_key())) | {"kid": "one", "use": "sig", "alg": "ES256"}
    return json.dumps({"keys": [key]}).encode()


def token_of(subject: str, **changes: Any) -> str:
    """A buyer's token, good for five minutes; `changes` take the place of its claims."""
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject,
        "scope": "buyer",
        "exp": datetime.now(UTC) + timedelta(minutes=5),
    } | changes
    return jwt.encode(claims, _PRIVATE, algorithm="ES256", headers={"kid": "one"})
