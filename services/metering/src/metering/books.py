"""The books in DynamoDB: ledger and metering records. Every write that must happen once is conditional."""

from collections import defaultdict
from datetime import datetime
from typing import Any, NamedTuple

from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist, TransactWriteError, UpdateError
from pynamodb.transactions import TransactWrite

from chassis.aws import error_code
from chassis.tables import read_page
from metering.fold import HourUsage
from metering.ledger import LedgerRow
from metering.records import Identity, MeteringRecord, Outcome, Source
from metering.subscriptions import Subscription
from metering.tables import LedgerRowModel, RecordRow, SourceMap, SubscriptionRow, is_lost_race

# Why a transaction of ours may be cancelled because another worker was quicker, or is at it right now.
_LOST_RACES = {"ConditionalCheckFailed", "TransactionConflict"}


class Attempt(NamedTuple):
    """One hand-over of a record to AWS: its number, and whether an earlier one left the record in doubt."""

    number: int
    was_in_doubt: bool


class Books:
    """Reads and writes ledger rows and metering records.

    Args:
        connection: a pynamodb connection, for transactions.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # The ledger ----------------------------------------------------------------------------------------

    def book_fold(self, hour: str, usage: dict[tuple[str, str], HourUsage], segments: int) -> None:
        """Write what a fold of an hour found. It never overwrites a fold that had read more segments."""
        for (subscription_id, dimension), found in usage.items():
            key = f"{dimension}#{hour}"
            try:
                LedgerRowModel(subscription_id, key).update(
                    [
                        LedgerRowModel.metered.set(found.metered),
                        LedgerRowModel.conflicts.set(found.conflicts),
                        LedgerRowModel.segments.set(segments),
                        # Whether anything is unbilled the planner finds out; here it may only be announced.
                        LedgerRowModel.unbilled.set(subscription_id),
                    ],
                    condition=LedgerRowModel.segments.does_not_exist() | (LedgerRowModel.segments < segments),
                )
            except UpdateError as error:
                if not is_lost_race(error):
                    raise

    def unbilled(self) -> dict[tuple[str, str], list[LedgerRow]]:
        """All ledger rows that may hold something unbilled, by subscription and dimension."""
        keys = [(row.subscription_id, row.usage_key) for row in LedgerRowModel.unbilled_rows.scan()]
        groups: dict[tuple[str, str], list[LedgerRow]] = defaultdict(list)
        for row in LedgerRowModel.batch_get(keys, consistent_read=True):
            entry = _ledger_row(row)
            groups[entry.subscription_id, entry.dimension].append(entry)
        return groups

    def ledger(self, subscription_id: str, dimension: str | None = None) -> list[LedgerRow]:
        """All ledger rows of a subscription, as they are now."""
        rows = _all_within(LedgerRowModel, LedgerRowModel.usage_key, subscription_id, dimension)
        return [_ledger_row(row) for row in rows]

    def ledger_page(
        self, subscription_id: str, dimension: str | None, limit: int, key: dict[str, Any] | None
    ) -> tuple[list[LedgerRow], dict[str, Any] | None]:
        """One page of them, and where to go on."""
        within = _within(subscription_id, dimension, LedgerRowModel.usage_key)
        model: Any = LedgerRowModel
        rows, last = read_page(model.query(*within, page_size=limit, last_evaluated_key=key))
        return [_ledger_row(row) for row in rows], last

    def clear_unbilled(self, row: LedgerRow) -> None:
        """Take a row with nothing left to bill out of the planner's index, unless it has just changed."""
        try:
            LedgerRowModel(row.subscription_id, f"{row.dimension}#{row.hour}").update(
                [LedgerRowModel.unbilled.remove()], condition=_unchanged(row)
            )
        except UpdateError as error:
            if not is_lost_race(error):
                raise

    def write_off(self, row: LedgerRow, reason: str) -> bool:
        """Write off what is unbilled of a row. False where the row has changed meanwhile."""
        try:
            LedgerRowModel(row.subscription_id, f"{row.dimension}#{row.hour}").update(
                [
                    LedgerRowModel.written_off.set(row.written_off + row.unbilled),
                    LedgerRowModel.written_off_reason.set(reason),
                    LedgerRowModel.unbilled.remove(),
                ],
                condition=_unchanged(row),
            )
        except UpdateError as error:
            if not is_lost_race(error):
                raise
            return False
        return True

    # Metering records ----------------------------------------------------------------------------------

    def taken_hours(self, subscription_id: str, dimension: str, since: str) -> set[str]:
        """The hours, from `since` on, that already have a record."""
        rows = RecordRow.query(
            subscription_id,
            RecordRow.slot.between(f"{dimension}#{since}", f"{dimension}#~"),
            consistent_read=True,
            attributes_to_get=["slot"],
        )
        return {row.slot.rsplit("#", 1)[1] for row in rows}

    def freeze(self, record: MeteringRecord, rows: dict[str, LedgerRow]) -> bool:
        """Write a planned record and its allocations as one act, before AWS is called.

        Args:
            record: the record.
            rows: the ledger row of each of its sources, by hour, as the plan saw them.

        Returns:
            False where the slot was taken or a row changed meanwhile: nothing is written, the next cycle
            plans anew.
        """
        try:
            with TransactWrite(connection=self._connection) as act:
                act.save(_record_row(record), condition=RecordRow.slot.does_not_exist())
                for source in record.sources:
                    row = rows[source.hour]
                    actions: list[Any] = [LedgerRowModel.allocated.set(row.allocated + source.quantity)]
                    if source.quantity == row.unbilled:
                        actions.append(LedgerRowModel.unbilled.remove())
                    act.update(
                        LedgerRowModel(row.subscription_id, f"{row.dimension}#{row.hour}"),
                        actions=actions,
                        condition=_unchanged(row),
                    )
        except TransactWriteError as error:
            if not _lost_to_another(error):
                raise
            return False
        return True

    def due(self) -> list[MeteringRecord]:
        """The records that AWS has not answered for, as they are now."""
        keys = [(row.subscription_id, row.slot) for row in RecordRow.due_records.scan()]
        found = (_record(row) for row in RecordRow.batch_get(keys, consistent_read=True))
        return [record for record in found if record.outcome is Outcome.PLANNED]

    def begin_attempt(self, record: MeteringRecord) -> Attempt | None:
        """Note, before AWS is called, that the record may reach it. None where it is settled already."""
        row = _key_of(record)
        count = RecordRow.attempts.set(RecordRow.attempts + 1)
        planned = RecordRow.outcome == Outcome.PLANNED.value
        without_doubt = planned & (RecordRow.in_doubt == False)  # noqa: E712
        if _changed(row, [count, RecordRow.in_doubt.set(True)], without_doubt):
            return Attempt(int(row.attempts), was_in_doubt=False)
        if _changed(row, [count], planned):
            return Attempt(int(row.attempts), was_in_doubt=True)
        return None

    def certainly_not_counted(self, record: MeteringRecord, attempt: Attempt) -> None:
        """Clear the doubt that an attempt raised. Doubt of an earlier attempt or another worker's stays."""
        if not attempt.was_in_doubt:
            _changed(
                _key_of(record),
                [RecordRow.in_doubt.set(False)],
                (RecordRow.outcome == Outcome.PLANNED.value) & (RecordRow.attempts == attempt.number),
            )

    def settle(
        self,
        record: MeteringRecord,
        outcome: Outcome,
        now: datetime,
        *,
        reason: str | None = None,
        aws_metering_record_id: str | None = None,
    ) -> bool:
        """Write a record's outcome. The first outcome stands; False where there is one already.

        An expired record gives its quantity back to the ledger in the same act: it was never sent.
        """
        actions: list[Any] = [
            RecordRow.outcome.set(outcome.value),
            RecordRow.settled_at.set(now),
            RecordRow.due.remove(),
        ]
        if reason:
            actions.append(RecordRow.reason.set(reason))
        if aws_metering_record_id:
            actions.append(RecordRow.aws_metering_record_id.set(aws_metering_record_id))
        planned = RecordRow.outcome == Outcome.PLANNED.value
        if outcome is not Outcome.EXPIRED:
            return _changed(_key_of(record), actions, planned)
        try:
            with TransactWrite(connection=self._connection) as act:
                # Another worker may have begun an attempt meanwhile: what may have been counted is never
                # released.
                never_sent = planned & (RecordRow.in_doubt == False)  # noqa: E712
                act.update(_key_of(record), actions=actions, condition=never_sent)
                for source in record.sources:
                    act.update(
                        LedgerRowModel(record.subscription_id, f"{record.dimension}#{source.hour}"),
                        actions=[
                            LedgerRowModel.allocated.set(LedgerRowModel.allocated - source.quantity),
                            LedgerRowModel.unbilled.set(record.subscription_id),
                        ],
                    )
        except TransactWriteError as error:
            if not _lost_to_another(error):
                raise
            return False
        return True

    def records(self, subscription_id: str, dimension: str | None = None) -> list[MeteringRecord]:
        """All records of a subscription, as they are now."""
        return [_record(row) for row in _all_within(RecordRow, RecordRow.slot, subscription_id, dimension)]

    def record_page(
        self, subscription_id: str | None, outcome: str | None, limit: int, key: dict[str, Any] | None
    ) -> tuple[list[MeteringRecord], dict[str, Any] | None]:
        """One page of records, of one subscription or of all, and where to go on."""
        only = RecordRow.outcome == outcome if outcome else None
        if subscription_id:
            found: Any = RecordRow.query(
                subscription_id, filter_condition=only, page_size=limit, last_evaluated_key=key
            )
        else:
            found = RecordRow.scan(filter_condition=only, page_size=limit, last_evaluated_key=key)
        rows, last = read_page(found)
        return [_record(row) for row in rows], last

    # Subscriptions -------------------------------------------------------------------------------------

    def subscription(self, subscription_id: str) -> Subscription | None:
        """The published row of a subscription as it is now; None where notifications has not heard of it."""
        try:
            row = SubscriptionRow.get(subscription_id, consistent_read=True)
        except DoesNotExist:
            return None
        return Subscription(
            subscription_id=row.subscription_id,
            product_code=row.product_code,
            generation=row.generation,
            status=row.status,
            customer_identifier=row.customer_identifier,
            license_arn=row.license_arn,
            customer_aws_account_id=row.customer_aws_account_id,
            active_since=row.active_since,
            meter_until=row.meter_until,
        )


def _lost_to_another(error: TransactWriteError) -> bool:
    """True where another worker's write cancelled a transaction.

    Any other reason must not pass in silence: a record that DynamoDB never takes would be planned anew in
    each cycle, and never billed.
    """
    if error.cause is None or error_code(error.cause) != "TransactionCanceledException":
        return False
    return all(reason is None or reason.code in _LOST_RACES for reason in error.cancellation_reasons)


def _changed(row: RecordRow, actions: list[Any], condition: Any) -> bool:
    """Update a record, and its row object with it; False where the condition does not hold."""
    try:
        row.update(actions, condition=condition)
    except UpdateError as error:
        if not is_lost_race(error):
            raise
        return False
    return True


def _all_within(model: Any, range_key: Any, subscription_id: str, dimension: str | None) -> Any:
    return model.query(*_within(subscription_id, dimension, range_key), consistent_read=True)


def _within(subscription_id: str, dimension: str | None, range_key: Any) -> Any:
    """Key conditions for all rows of a subscription, or of one dimension of it."""
    return [subscription_id, range_key.startswith(f"{dimension}#")] if dimension else [subscription_id]


def _unchanged(row: LedgerRow) -> Any:
    """True in DynamoDB while a ledger row is as it was read."""
    return (
        (LedgerRowModel.metered == row.metered)
        & _is(LedgerRowModel.allocated, row.allocated)
        & _is(LedgerRowModel.written_off, row.written_off)
    )


def _is(attribute: Any, value: int) -> Any:
    """An attribute that was never written counts as 0."""
    return (attribute == value) | attribute.does_not_exist() if value == 0 else attribute == value


def _ledger_row(row: LedgerRowModel) -> LedgerRow:
    dimension, hour = row.usage_key.rsplit("#", 1)
    return LedgerRow(
        subscription_id=row.subscription_id,
        dimension=dimension,
        hour=hour,
        metered=int(row.metered),
        allocated=int(row.allocated),
        written_off=int(row.written_off),
        written_off_reason=row.written_off_reason,
        conflicts=int(row.conflicts),
    )


def _key_of(record: MeteringRecord) -> RecordRow:
    return RecordRow(record.subscription_id, f"{record.dimension}#{record.hour}")


def _record_row(record: MeteringRecord) -> RecordRow:
    return RecordRow(
        record.subscription_id,
        f"{record.dimension}#{record.hour}",
        timestamp=record.timestamp,
        quantity=record.quantity,
        product_code=record.identity.product_code,
        customer_identifier=record.identity.customer_identifier,
        license_arn=record.identity.license_arn,
        customer_aws_account_id=record.identity.customer_aws_account_id,
        sources=[_source_map(source) for source in record.sources],
        created_at=record.created_at,
        outcome=record.outcome.value,
        due=record.subscription_id,
    )


def _source_map(source: Source) -> SourceMap:
    return SourceMap(hour=source.hour, quantity=source.quantity)  # type: ignore[no-untyped-call]


def _record(row: RecordRow) -> MeteringRecord:
    dimension, hour = row.slot.rsplit("#", 1)
    return MeteringRecord(
        subscription_id=row.subscription_id,
        dimension=dimension,
        hour=hour,
        timestamp=row.timestamp,
        quantity=int(row.quantity),
        identity=Identity(
            row.product_code, row.customer_identifier, row.license_arn, row.customer_aws_account_id
        ),
        sources=tuple(Source(source.hour, int(source.quantity)) for source in row.sources),
        created_at=row.created_at,
        outcome=Outcome(row.outcome),
        reason=row.reason,
        in_doubt=bool(row.in_doubt),
        attempts=int(row.attempts),
        aws_metering_record_id=row.aws_metering_record_id,
        settled_at=row.settled_at,
    )
