"""Several messages, taken in one transaction.

It reads as the store does, but for all at once; and what it has taken is laid over what it read, so that each
decision rests on those before it, as if they had been written.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from notifications.changes import Published
from notifications.folding import subscription_ids_of
from notifications.inbox import Entry
from notifications.news import News
from notifications.tables.store import Decision, Store

MOST_ITEMS = 100
"""DynamoDB takes no more in one transaction."""


class UnitOfWork:
    """Reads for these messages, and holds what becomes of them until it is written.

    Args:
        store: the tables.
        entries: new messages, or received before, or the same one twice; all of them news.
    """

    def __init__(self, store: Store, entries: Sequence[Entry]) -> None:
        self._store = store
        self._received = store.received(entry.notification_id for entry in entries)
        self._taken: list[tuple[Entry, Decision]] = []
        self._items = 0
        new = [entry.news for entry in entries if entry.news and not self.has_received(entry.notification_id)]
        self._logs = store.news_of_each({news.subject for news in new})
        # Before the first decision, or each would read its own.
        named = subscription_ids_of([*new, *(fact for facts, _ in self._logs.values() for fact in facts)])
        self._rows: dict[str, Published | None] = dict.fromkeys(named) | store.published(named)

    def has_received(self, notification_id: str) -> bool:
        """Whether the message was taken before, or here."""
        return notification_id in self._received

    def news_of(self, subject: str) -> tuple[list[News], int]:
        """See the store."""
        if subject not in self._logs:
            self._logs[subject] = self._store.news_of(subject)
        facts, last_number = self._logs[subject]
        return list(facts), last_number

    def published(self, subscription_ids: Iterable[str]) -> dict[str, Published]:
        """See the store."""
        wanted = set(subscription_ids)
        if unread := wanted - self._rows.keys():
            self._rows |= dict.fromkeys(unread) | self._store.published(unread)
        return {one: row for one in wanted if (row := self._rows[one])}

    def take(self, entry: Entry, decision: Decision) -> bool:
        """Take a message along. False where it is better taken by itself: it needs no transaction, or there
        is no room for it in this one."""
        items = 1 + len(decision.entries) + len(decision.changes)
        if not decision.entries or self._items + items > MOST_ITEMS:
            return False
        self._items += items
        self._taken.append((entry, decision))
        self._received.add(entry.notification_id)
        for addition in decision.entries:
            facts, _ = self.news_of(addition.subject)
            new = [addition.fact] if addition.fact else []
            self._logs[addition.subject] = [*facts, *new], addition.number
        for change in decision.changes:
            self._rows[change.after.subscription.subscription_id] = change.after
        return True

    def commit(self, now: datetime) -> None:
        """Write all that was taken, or nothing.

        Raises:
            Overtaken: see the store.
        """
        if self._taken:
            self._store.take_together(self._taken, now)
