"""Texts that must pass through other hands: encrypted and signed, with an end in time."""

import base64
import hashlib
from datetime import datetime, timedelta

from cryptography.fernet import Fernet, InvalidToken


class Box:
    """Seals texts so that only who knows the secret can read or make them.

    Args:
        secret: of at least 128 random bits.
        purpose: a text sealed for one purpose opens for no other.
    """

    def __init__(self, secret: str, purpose: str) -> None:
        # The secret is random, so one SHA-256 is enough: slowness would protect nothing.
        key = hashlib.sha256(f"{purpose}\n{secret}".encode()).digest()
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

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
