"""Who is subscribed: all subscriptions that notifications knows, read now and then."""

from collections.abc import Callable
from datetime import datetime, timedelta

from metering.subscriptions import Subscription

READ_EVERY = timedelta(hours=1)
"""Reading them is a scan of a table: too dear for each cycle."""


class Roll:
    """Remembers all subscriptions for an hour.

    Args:
        read: all of them, as they are now.
    """

    def __init__(self, read: Callable[[], list[Subscription]]) -> None:
        self._read = read
        self._known: list[Subscription] = []
        self._read_at: datetime | None = None

    def subscriptions(self, now: datetime) -> list[Subscription]:
        """As they were at most an hour ago: whoever acts on one reads it again."""
        if self._read_at is None or not timedelta() <= now - self._read_at < READ_EVERY:
            self._known = self._read()
            self._read_at = now
        return self._known
