"""The proof that a browser or a frontend is the one that brought the registration token.

A session is a registration's id and a secret. It travels signed, in a cookie or a header; at rest only the
secret's hash is kept, so that who reads the table cannot act as a buyer.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from itsdangerous import BadSignature, Signer

from registration.random_ids import Random

_SECRET_BYTES = 32


@dataclass(frozen=True)
class Session:
    registration_id: str
    secret: str = field(repr=False)

    def csrf_token(self) -> str:
        """What our own form must carry. Derived, so nothing more is kept; useless without the cookie."""
        return _base64(hmac.digest(self.secret.encode(), b"registration form", "sha256"))

    def wrote(self, csrf_token: str) -> bool:
        """Whether a form with this token was shown in this session."""
        return hmac.compare_digest(self.csrf_token().encode(), csrf_token.encode())

    def secret_hash(self) -> str:
        # The secret has 256 random bits, so one SHA-256 is enough: there is nothing to guess that slowness
        # would protect.
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def opens(self, secret_hash: str) -> bool:
        """Whether this session's secret is the one whose hash was kept."""
        return hmac.compare_digest(self.secret_hash(), secret_hash)


class SessionSeal:
    """Signs sessions, so that a forged one is refused without a look at the table.

    Args:
        session_secrets: known to every process of this service, to nobody else. The first signs; all of them
            open, so that a secret can be replaced while sessions are open.
    """

    def __init__(self, session_secrets: list[str]) -> None:
        self._signer = Signer(
            session_secrets[::-1],  # the newest last, as itsdangerous has it
            salt="marketplane registration session",
            digest_method=hashlib.sha256,
        )

    def seal(self, session: Session) -> str:
        return self._signer.sign(f"{session.registration_id}.{session.secret}").decode()

    def unseal(self, sealed: str) -> Session | None:
        """None where the text was not signed here."""
        try:
            registration_id, _, secret = self._signer.unsign(sealed).decode().partition(".")
        except (BadSignature, UnicodeError):
            return None
        return Session(registration_id, secret)


def new_session(registration_id: str, random: Random = secrets.token_bytes) -> Session:
    return Session(registration_id, _base64(random(_SECRET_BYTES)))


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
