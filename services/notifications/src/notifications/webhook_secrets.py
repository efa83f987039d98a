"""The secrets that webhooks are signed with: made here, shown once, kept sealed."""

import base64
import hashlib
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from standardwebhooks.webhooks import Webhook

_BYTES = 32
"""Standard Webhooks: between 24 and 64 random bytes."""


class SecretNotOpened(Exception):
    """A secret was sealed with a key that WEBHOOK_KEY does not name (any more)."""


class Secrets:
    """Makes secrets, seals them for the table, and signs with them.

    Args:
        keys: of at least 128 random bits each. The first seals; all of them open, so that a key can be
            replaced without losing a secret.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        # The keys are random, so one SHA-256 is enough: slowness would protect nothing.
        digests = [hashlib.sha256(f"webhook secrets\n{key}".encode()).digest() for key in keys]
        self._box = MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])

    def make(self) -> tuple[str, str]:
        """A new secret, as its owner is shown it (`whsec_…`), and sealed."""
        shown = "whsec_" + base64.b64encode(secrets.token_bytes(_BYTES)).decode()
        return shown, self._box.encrypt(shown.encode()).decode()

    def sign(self, sealed: Iterable[str], webhook_id: str, at: datetime, body: str) -> str:
        """The `webhook-signature` header: one signature for each secret, so that a receiver may go over from
        the old one to the new one when it likes.

        Args:
            sealed: the secrets that hold now.
            webhook_id: the header of that name.
            at: aware, in UTC; the `webhook-timestamp`.
            body: to the letter as it is sent.

        Raises:
            SecretNotOpened: see there.
        """
        return " ".join(Webhook(self._opened(one)).sign(webhook_id, at, body) for one in sealed)

    def _opened(self, sealed: str) -> str:
        try:
            return self._box.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise SecretNotOpened from None
