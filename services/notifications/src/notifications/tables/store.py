"""What is written, and how: every write of this service is in this file, and every one is conditional."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist, PutError, TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.transactions import TransactWrite

from chassis.aws import cause_code
from notifications.changes import Change, Outcome, Published, merged
from notifications.history import Cause
from notifications.inbox import Entry
from notifications.news import News
from notifications.subject_log import LogEntry, entry_of_change
from notifications.tables.log_rows import fact_of, log_entry, log_row
from notifications.tables.models import InboxRow, LogRow, SubscriptionRow
from notifications.tables.rows import inbox_row, published, subscription_row
from notifications.tables.webhook_rows import shown

SHORT = 4
"""How many entries of a log are asked for along with other logs. One that is not there costs a read unit too;
a call for each log takes more time than all else about its message."""


class AlreadyReceived(Exception):
    """This message has been taken before, whole: nothing was written."""


class Overtaken(Exception):
    """Another worker wrote about the same subject since we read it: nothing was written. Read again."""


@dataclass(frozen=True)
class Decision:
    """What a message is to become.

    Attributes:
        subscription_id: the one that the notification is shown with.
        changes: rows.
        entries: what is added to logs; each rests on all entries before it.
    """

    outcome: Outcome
    subscription_id: str | None = None
    changes: Sequence[Change] = ()
    entries: Sequence[LogEntry] = ()


class Store:
    """The tables of news.

    Args:
        connection: what transactions go through.
        retention: how long the inbox keeps a message.
    """

    def __init__(self, connection: Connection, retention: timedelta) -> None:
        self._connection = connection
        self._retention = retention

    def has_received(self, notification_id: str) -> bool:
        """Spares a doubled message its transaction; that the transaction's own condition holds is what
        counts."""
        try:
            InboxRow.get(notification_id, consistent_read=True, attributes_to_get=["notification_id"])
        except DoesNotExist:
            return False
        return True

    def received(self, notification_ids: Iterable[str]) -> set[str]:
        """The same of several messages: those that have been taken."""
        keys = list(set(notification_ids))
        rows = InboxRow.batch_get(keys, consistent_read=True, attributes_to_get=["notification_id"])
        return {row.notification_id for row in rows}

    def log_of(self, subject: str) -> list[LogEntry]:
        """All entries about a subject, in the order of their numbers."""
        return [log_entry(row) for row in LogRow.query(subject, consistent_read=True)]

    def news_of(self, subject: str) -> tuple[list[News], int]:
        """All facts of a subject, in the order in which they came, and the last number of its log."""
        return _news(LogRow.query(subject, consistent_read=True))

    def news_of_each(self, subjects: Iterable[str]) -> dict[str, tuple[list[News], int]]:
        """The same of up to twenty-five subjects, by one call for those whose log is short, as most are."""
        logs: dict[str, list[LogRow]] = {subject: [] for subject in subjects}
        first = [(subject, number) for subject in logs for number in range(1, SHORT + 1)]
        for row in LogRow.batch_get(first, consistent_read=True):
            logs[row.subject].append(row)
        return {subject: self._news_from(subject, rows) for subject, rows in logs.items()}

    def _news_from(self, subject: str, rows: list[LogRow]) -> tuple[list[News], int]:
        rows.sort(key=lambda row: row.number)
        # They are not read at one moment: of two that were written meanwhile it may be the second that is
        # there.
        without_gaps = [row.number for row in rows] == list(range(1, len(rows) + 1))
        return _news(rows) if without_gaps and len(rows) < SHORT else self.news_of(subject)

    def published(self, subscription_ids: Iterable[str]) -> dict[str, Published]:
        """The rows that there are, by subscription id."""
        rows = SubscriptionRow.batch_get(list(set(subscription_ids)), consistent_read=True)
        return {row.subscription_id: published(row) for row in rows}

    def last_hours_over(self, now: datetime) -> list[str]:
        """The ids of the subscriptions that are `ending` though their last hour is over, as of a moment
        ago."""
        over = SubscriptionRow.in_last_hour.scan(SubscriptionRow.private_ending_until <= now)
        return [row.subscription_id for row in over]

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
        """Put a message into the inbox, what it adds to logs, and the rows that it changes: all of it, or
        nothing.

        Args:
            entry: the message.
            decision: what it is to become.
            now: aware.
            instead_of: how it was kept, where it is taken once more; None: it is new.

        Raises:
            AlreadyReceived, Overtaken: see there. Overtaken too where a log has more entries by now than the
                decision rests on.
        """
        received_at = instead_of.received_at if instead_of else now
        message = inbox_row(entry, decision.outcome, decision.subscription_id, received_at, self._retention)
        new = InboxRow.notification_id.does_not_exist()
        condition = InboxRow.outcome == instead_of.outcome if instead_of else new
        if not decision.entries and not decision.changes:
            # Alone it needs no transaction, which would cost twice as much.
            _save(message, condition, Overtaken if instead_of else AlreadyReceived)
            return
        with (
            _refusals(inbox_first=instead_of is None),
            TransactWrite(connection=self._connection) as transaction,
        ):
            transaction.save(message, condition=condition)
            for addition in decision.entries:
                transaction.save(log_row(addition), condition=_is_next())
            for change in decision.changes:
                transaction.save(subscription_row(change.after), condition=_still(change.before))

    def take_together(self, taken: Sequence[tuple[Entry, Decision]], now: datetime) -> None:
        """Take several new messages: all of them, or none. Each decision must rest on those before it.

        Raises:
            Overtaken: see there. Also where one of them was received before.
        """
        with _refusals(), TransactWrite(connection=self._connection) as transaction:
            for entry, decision in taken:
                message = inbox_row(entry, decision.outcome, decision.subscription_id, now, self._retention)
                transaction.save(message, condition=InboxRow.notification_id.does_not_exist())
                for addition in decision.entries:
                    transaction.save(log_row(addition), condition=_is_next())
            for change in merged(change for _, decision in taken for change in decision.changes):
                transaction.save(subscription_row(change.after), condition=_still(change.before))

    def replace(self, change: Change, cause: Cause, now: datetime) -> None:
        """Write one row without news, because time has passed or AWS has answered; and where readers see a
        new version, the entry of it, in one transaction.

        Raises:
            Overtaken: see there.
        """
        row, condition = subscription_row(change.after), _still(change.before)
        if not change.is_published:
            _save(row, condition, Overtaken)
            return
        number = _last_number(change.after.subscription.subject) + 1
        addition = entry_of_change(change, number, cause, now, shown)
        with _refusals(), TransactWrite(connection=self._connection) as transaction:
            transaction.save(row, condition=condition)
            transaction.save(log_row(addition), condition=_is_next())


def _news(log: Iterable[LogRow]) -> tuple[list[News], int]:
    facts, last_number = [], 0
    for row in log:
        last_number = int(row.number)
        if (fact := fact_of(row)) is not None:
            facts.append(fact)
    return facts, last_number


def _last_number(subject: str) -> int:
    """0 where the log has no entry."""
    last = LogRow.query(
        subject, consistent_read=True, scan_index_forward=False, limit=1, attributes_to_get=["number"]
    )
    return next((int(row.number) for row in last), 0)


def _is_next() -> Condition:
    """That nobody else has written the entry of this number."""
    return LogRow.subject.does_not_exist()


def _save(row: InboxRow | SubscriptionRow, condition: Condition, refused: Callable[[], Exception]) -> None:
    try:
        row.save(condition=condition)
    except PutError as error:
        if cause_code(error) == "ConditionalCheckFailedException":
            raise refused() from error
        if cause_code(error) == "TransactionConflictException":
            raise Overtaken from error
        raise


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
