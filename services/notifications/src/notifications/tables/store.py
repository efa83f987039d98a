"""What is written, and how: every write of this service is in this file, and every one is conditional."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist, TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.transactions import TransactWrite

from notifications.changes import Change, Outcome, Published
from notifications.inbox import Entry
from notifications.news import News
from notifications.tables.models import InboxRow, NewsRow, SignalOutbox, SubscriptionRow
from notifications.tables.rows import inbox_row, news_of, news_row, published, subscription_row


class AlreadyReceived(Exception):
    """This message has been taken before, whole: nothing was written."""


class Overtaken(Exception):
    """Another worker wrote about the same subject since we read it: nothing was written. Read again."""


class Store:
    """The tables of news.

    Args:
        connection: what transactions go through.
        signal_queues: names of the queues that each signal goes to.
        retention: how long the inbox keeps a message.
    """

    def __init__(self, connection: Connection, signal_queues: Sequence[str], retention: timedelta) -> None:
        self._connection = connection
        self._signal_queues = signal_queues
        self._retention = retention

    def has_received(self, notification_id: str) -> bool:
        """Spares a doubled message its transaction; that the transaction's own condition holds is what
        counts."""
        try:
            InboxRow.get(notification_id, consistent_read=True, attributes_to_get=["notification_id"])
        except DoesNotExist:
            return False
        return True

    def news_of(self, subject: str) -> list[News]:
        """All facts of a subject, in the order in which they came."""
        return [news_of(row) for row in NewsRow.query(subject, consistent_read=True)]

    def published(self, subscription_ids: Iterable[str]) -> dict[str, Published]:
        """The rows that there are, by subscription id."""
        rows = {}
        for subscription_id in subscription_ids:
            try:
                rows[subscription_id] = published(SubscriptionRow.get(subscription_id, consistent_read=True))
            except DoesNotExist:
                continue
        return rows

    def in_last_hour(self) -> Iterable[Published]:
        """Every subscription that is `ending`, as of a moment ago."""
        return (published(row) for row in SubscriptionRow.in_last_hour.scan())

    def due_questions(self, now: datetime) -> list[str]:
        """The ids of the subscriptions about which AWS is to be asked by `now`, as of a moment ago."""
        due = SubscriptionRow.to_ask_about.scan(SubscriptionRow.private_ask_at <= now)
        return [row.subscription_id for row in due]

    def all_published(self) -> Iterable[Published]:
        """The whole table, page by page."""
        return (published(row) for row in SubscriptionRow.scan())

    def keep(self, entry: Entry, outcome: Outcome, received_at: datetime) -> None:
        """Put a message into the inbox that is no news to us.

        Raises:
            AlreadyReceived, Overtaken: see there.
        """
        self._write(entry, outcome, None, received_at, None, [])

    def apply(
        self,
        entry: Entry,
        outcome: Outcome,
        subscription_id: str | None,
        received_at: datetime,
        known: int,
        changes: Sequence[Change],
    ) -> None:
        """Put a message into the inbox, its fact to the subject's facts, and what it changes into rows and
        outbox: all of it, or nothing.

        Args:
            entry: the message; it is news.
            outcome, subscription_id: what it became.
            received_at: aware.
            known: how many facts the decision rests on. If there are more by now, it was made on half of the
                facts.
            changes: the decision.

        Raises:
            AlreadyReceived, Overtaken: see there.
        """
        assert entry.news is not None
        self._write(entry, outcome, subscription_id, received_at, news_row(entry.news, known + 1), changes)

    def replace(self, change: Change) -> None:
        """Write one row and its signal without news, because time has passed or AWS has answered.

        Raises:
            Overtaken: see there.
        """
        with _refusals(), TransactWrite(connection=self._connection) as transaction:
            self._put(transaction, change)

    def _write(
        self,
        entry: Entry,
        outcome: Outcome,
        subscription_id: str | None,
        received_at: datetime,
        fact: NewsRow | None,
        changes: Sequence[Change],
    ) -> None:
        with _refusals(inbox_first=True), TransactWrite(connection=self._connection) as transaction:
            transaction.save(
                inbox_row(entry, outcome, subscription_id, received_at, self._retention),
                condition=InboxRow.notification_id.does_not_exist(),
            )
            if fact is not None:
                transaction.save(fact, condition=NewsRow.subject.does_not_exist())
            for change in changes:
                self._put(transaction, change)

    def _put(self, transaction: TransactWrite, change: Change) -> None:
        transaction.save(subscription_row(change.after), condition=_still(change.before))
        if change.signal:
            for queue in self._signal_queues:
                transaction.save(SignalOutbox.of(queue, change.signal))


def _still(before: Published | None) -> Condition:
    """That the row is the one that was read. The version too: an older release counts no revision, and both
    run while one replaces the other."""
    if before is None:
        return SubscriptionRow.subscription_id.does_not_exist()
    version = SubscriptionRow.version == before.version
    revision = SubscriptionRow.private_revision
    return version & (revision == before.revision if before.revision else revision.does_not_exist())


@contextmanager
def _refusals(inbox_first: bool = False) -> Iterator[None]:
    """Gives the reasons for which DynamoDB refuses a transaction our names. They come in the order of its
    items."""
    try:
        yield
    except TransactWriteError as error:
        codes = [reason.code if reason else None for reason in error.cancellation_reasons]
        if inbox_first and codes[:1] == ["ConditionalCheckFailed"]:
            raise AlreadyReceived from error
        if {"ConditionalCheckFailed", "TransactionConflict"} & set(codes):
            raise Overtaken from error
        raise
