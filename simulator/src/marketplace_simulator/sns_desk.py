"""Where SNS's settings and key are, for the doors and for the courier."""

from __future__ import annotations

from marketplace_simulator.settings import Settings
from marketplace_simulator.sns import CERTIFICATE_PATH, CONFIRMATION_PATH, SnsKey, SnsSettings
from marketplace_simulator.store import Store


class SnsDesk:
    """Reads and keeps in the event loop's thread; the courier's thread only looks at what is in memory."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._start = SnsSettings(settings.sns_envelope, settings.sns_signature_version)
        self._key: SnsKey | None = None
        self.settings = store.sns_settings() or self._start
        address = settings.public_url or f"http://{settings.host}:{settings.port}"
        self.certificate_url = f"{address.rstrip('/')}/_simulator{CERTIFICATE_PATH}"
        self.confirmation_url = f"{address.rstrip('/')}/_simulator{CONFIRMATION_PATH}"

    @property
    def key(self) -> SnsKey:
        """The key, made at the first use and kept from then on."""
        if self._key is None:
            kept = self._store.sns_key()
            self._key = SnsKey(*kept) if kept else SnsKey.make()
            if kept is None:
                self._store.keep_sns_key(self._key.private_key, self._key.certificate)
        return self._key

    def change(self, settings: SnsSettings) -> None:
        with self._store.transaction():
            self._store.keep_sns_settings(settings)
        self.settings = settings

    def reset(self) -> None:
        """Back to what the environment says; the key stays."""
        self.settings = self._start
