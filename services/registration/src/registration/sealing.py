"""Texts that must pass through other hands: encrypted and signed, with an end in time."""

import base64
import hashlib
from datetime import datetime, timedelta

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class Box:
    """Seals texts so that only who knows a secret can read or make them.

    Args:
        secrets: of at least 128 random bits each. The first seals; all of them open, so that a secret can be
            replaced while sealed texts are under way.
        purpose: a text sealed for one purpose opens for no other.
    """

    def __init__(self, secrets: list[str], purpose: str) -> None:
        # The secrets are random, so one SHA-256 is enough: slowness would protect nothing.
        keys = [hashlib.sha256(f"{purpose}\n{secret}".encode()).digest() for secret in secrets]
        self._fernet = MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])

    def seal(self, text: str, now: datetime) -> str:
        return self._fernet.encrypt_at_time(text.encode(), int(now.timestamp())).decode()

    def open(self, sealed: str, now: datetime, longest: timedelta | None = None) -> str | None:
        """None where it was not sealed here for this purpose, or longer ago than `longest`."""
        try:
            if longest is None:
                return self._fernet.decrypt(sealed.encode()).decode()
            seconds = int(longest.total_seconds())
            return self._fernet.decrypt_at_time(sealed.encode(), seconds, int(now.timestamp())).decode()
        except (InvalidToken, UnicodeError):
            return None
