"""Under which id registration keeps a person's sign-in: see openapi/tables/identities.schema.json."""

from base64 import b32encode
from hashlib import sha256


def identity_id(issuer: str, subject: str) -> str:
    """
    Args:
        issuer: who vouches for the person; `iss` of their token.
        subject: what the issuer calls them; `sub`.
    """
    text = f"{len(issuer)} {issuer} {subject}".encode()
    return b32encode(sha256(text).digest()).decode().rstrip("=").lower()
