"""What is written, and how: every write of this service is in this file, and every one is conditional."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist, TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.transactions import TransactWrite

from notifications.changes import Change, Outcome, Published
from notifications.history import Cause, CauseKind, Happening
from notifications.history import published as happening_of
from notifications.inbox import Entry
from notifications.news import News
from notifications.renewals import Joined
from notifications.tables.models import HistoryRow, InboxRow, NewsRow, SignalOutbox, SubscriptionRow
from notifications.tables.rows import (
    history_row,
    inbox_row,
    news_of,
    news_row,
    published,
    subscription_row,
)
from notifications.tables.webhook_rows import event_row, shown
from notifications.webhook_events import WebhookEvent, of_change

MOST_NOTICES_AT_ONCE = 40
"""So many of an agreement's notices are put into the history of a subscription that begins: a transaction has
at most 100 items (DynamoDB)."""


class AlreadyReceived(Exception):
    """This message has been taken before, whole: nothing was written."""


class Overtaken(Exception):
    """Another worker wrote about the same subject since we read it: nothing was written. Read again."""


@dataclass(frozen=True)
class Decision:
    """What a message is to become.

    Attributes:
        joined: the facts that the decision rests on, and those that it adds; None: it is no news to us.
        subscription_id: the one that the notification is shown with.
        changes: rows, and who is told.
        notices: entries of histories beside those of the changes.
        telling: what the seller's systems are told beside the changes.
    """

    outcome: Outcome
    joined: Joined | None = None
    subscription_id: str | None = None
    changes: Sequence[Change] = ()
    notices: Sequence[Happening] = field(default=())
    telling: WebhookEvent | None = None


class Store:
    """The tables of news.

    Args:
        connection: what transactions go through.
        signal_queues: names of the queues that each signal goes to.
        retention: how long the inbox keeps a message.
        history_retention: how long a history keeps an entry.
        webhook_retention: how long what the seller's systems are told is kept.
    """

    def __init__(
        self,
        connection: Connection,
        signal_queues: Sequence[str],
        retention: timedelta,
        history_retention: timedelta,
        webhook_retention: timedelta,
    ) -> None:
        self._connection = connection
        self._signal_queues = signal_queues
        self._retention = retention
        self._history_retention = history_retention
        self._webhook_retention = webhook_retention

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

    def inbox(self, notification_id: str) -> InboxRow | None:
        """A message as it was kept."""
        try:
            return InboxRow.get(notification_id, consistent_read=True)
        except DoesNotExist:
            return None

    def take(
        self, entry: Entry, decision: Decision, now: datetime, instead_of: InboxRow | None = None
    ) -> None:
        """Put a message into the inbox, its fact and what follows from it to the subjects' facts, and what it
        changes into rows, histories and outbox: all of it, or nothing.

        Args:
            entry: the message.
            decision: what it is to become.
            now: aware.
            instead_of: how it was kept, where it is taken once more; None: it is new.

        Raises:
            AlreadyReceived, Overtaken: see there. Overtaken too where there are more facts by now than the
                decision rests on.
        """
        new = InboxRow.notification_id.does_not_exist()
        received_at = instead_of.received_at if instead_of else now
        with (
            _refusals(inbox_first=instead_of is None),
            TransactWrite(connection=self._connection) as transaction,
        ):
            transaction.save(
                inbox_row(entry, decision.outcome, decision.subscription_id, received_at, self._retention),
                condition=InboxRow.outcome == instead_of.outcome if instead_of else new,
            )
            for fact in _facts(decision.joined):
                transaction.save(fact, condition=NewsRow.subject.does_not_exist())
            cause = Cause(CauseKind.NOTIFICATION, entry.notification_id, entry.name, entry.event_time)
            for change in decision.changes:
                self._put(transaction, change, cause, now)
            for notice in decision.notices[:MOST_NOTICES_AT_ONCE]:
                self._record(transaction, notice, now)
            if decision.telling:
                transaction.save(event_row(decision.telling, self._webhook_retention))

    def replace(self, change: Change, cause: Cause, now: datetime) -> None:
        """Write one row, its history and its signal without news, because time has passed or AWS has
        answered.

        Raises:
            Overtaken: see there.
        """
        with _refusals(), TransactWrite(connection=self._connection) as transaction:
            self._put(transaction, change, cause, now)

    def _put(self, transaction: TransactWrite, change: Change, cause: Cause, now: datetime) -> None:
        transaction.save(subscription_row(change.after), condition=_still(change.before))
        happening = happening_of(change, cause)
        if happening:
            self._record(transaction, happening, now)
        # One item, however many endpoints there are: the worker's fan-out sees to each.
        event = of_change(change, shown(change.after), cause.notification_id)
        if event:
            transaction.save(event_row(event, self._webhook_retention))
        if change.signal:
            for queue in self._signal_queues:
                transaction.save(SignalOutbox.of(queue, change.signal))

    def _record(self, transaction: TransactWrite, happening: Happening, now: datetime) -> None:
        row = history_row(happening, now, self._history_retention)
        transaction.save(row, condition=HistoryRow.subscription_id.does_not_exist())


def _facts(joined: Joined | None) -> Iterator[NewsRow]:
    for subject in joined.facts if joined else ():
        for number, news in enumerate(joined.added(subject), joined.known[subject] + 1):
            yield news_row(news, number)


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
