"""Metering records in DynamoDB: frozen with their allocations, attempted, settled. The first outcome
stands."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist, UpdateError

from chassis.tables import read_page
from metering import allocations
from metering.ledger import LedgerRow
from metering.records import Decision, Identity, MeteringRecord, Outcome, Resolution, Send, Source
from metering.tables.ledger_store import (
    Overtaken,
    becoming,
    row_key,
    rows_of,
    transaction,
    unchanged,
)
from metering.tables.models import LedgerRowModel, RecordRow, SendMap, SourceMap, is_lost_race

MOST_SENDS = 50
"""Of a record's sendings that are kept; in a long outage there are thousands."""


class Attempt(NamedTuple):
    """One hand-over of a record to AWS: its number, and whether an earlier one left the record in doubt."""

    number: int
    was_in_doubt: bool


class RecordStore:
    """Reads and writes metering records.

    Args:
        connection: the models' pynamodb connection, for transactions and for writes of single records.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def taken_hours(self, subscription_id: str, dimension: str, since: str) -> set[str]:
        """The hours, from `since` on, that already have a record."""
        rows = RecordRow.query(
            subscription_id,
            RecordRow.slot.between(f"{dimension}#{since}", f"{dimension}#~"),
            consistent_read=True,
            attributes_to_get=["slot"],
        )
        return {row.slot.rsplit("#", 1)[1] for row in rows}

    def freeze(self, record: MeteringRecord, rows: Mapping[str, LedgerRow]) -> None:
        """Write a planned record and its allocations as one act, before AWS is called.

        Args:
            record: the record.
            rows: the ledger row of each of its sources, by hour, as the plan saw them.

        Raises:
            Overtaken: the slot was taken or a row changed meanwhile.
        """
        with transaction(self._connection) as act:
            act.save(_record_row(record), condition=RecordRow.slot.does_not_exist())
            for source in record.sources:
                row = rows[source.hour]
                after = row.allocating(source.quantity, source.tags)
                act.update(
                    LedgerRowModel(row.holder, row_key(row)), becoming(row, after), condition=unchanged(row)
                )

    def due(self) -> list[MeteringRecord]:
        """The records that AWS has not answered for, as they are now."""
        keys = [(row.subscription_id, row.slot) for row in RecordRow.due_records.scan()]
        found = (_record(row) for row in RecordRow.batch_get(keys, consistent_read=True))
        return [record for record in found if record.outcome is Outcome.PLANNED]

    def record(self, subscription_id: str, dimension: str, hour: str) -> MeteringRecord | None:
        """One record, as it is now."""
        try:
            return _record(RecordRow.get(subscription_id, f"{dimension}#{hour}", consistent_read=True))
        except DoesNotExist:
            return None

    def at_slots(self, slots: Iterable[tuple[str, str, str]]) -> list[MeteringRecord]:
        """The records in these slots (subscription, dimension, hour), as they are now."""
        keys = [(subscription_id, f"{dimension}#{hour}") for subscription_id, dimension, hour in slots]
        return [_record(row) for row in RecordRow.batch_get(keys, consistent_read=True)] if keys else []

    def every(self) -> Iterator[MeteringRecord]:
        """All records there are: a scan of the whole table."""
        return (_record(row) for row in RecordRow.scan(consistent_read=True))

    def begin_attempt(self, record: MeteringRecord, now: datetime) -> Attempt | None:
        """Note, before AWS is called, that the record may reach it. None where it is settled already, or
        where another worker has just begun one too."""
        number = record.attempts + 1
        actions = [RecordRow.attempts.set(number)]
        if number <= MOST_SENDS:
            send: Any = SendMap(number=number, at=now)  # type: ignore[no-untyped-call]
            actions.append(RecordRow.sends.set(RecordRow.sends.append([send])))
        still = (RecordRow.outcome == Outcome.PLANNED.value) & (RecordRow.attempts == record.attempts)
        certain = still & (RecordRow.in_doubt == False)  # noqa: E712
        if self._changed(record, [*actions, RecordRow.in_doubt.set(True)], certain):
            return Attempt(number, was_in_doubt=False)
        if self._changed(record, actions, still):
            return Attempt(number, was_in_doubt=True)
        return None

    def certainly_not_counted(self, record: MeteringRecord, attempt: Attempt, answer: str) -> None:
        """Clear the doubt that an attempt raised. Doubt of an earlier attempt or another worker's stays."""
        if not attempt.was_in_doubt:
            self._changed(
                record,
                [RecordRow.in_doubt.set(False), *_answered(attempt, answer)],
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
        attempt: Attempt | None = None,
        answer: str = "",
    ) -> bool:
        """Write a record's outcome. The first outcome stands; False where there is one already.

        Args:
            attempt: the one that AWS answered; None where it was never asked again.
            answer: AWS's word.

        An expired record gives its quantity back to the ledger in the same act: it was never sent. An answer
        to an attempt that was in no doubt is no outcome, unless AWS has billed it, once another worker has
        begun one too: that one may have been counted. The record stays due, in doubt.
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
        if attempt:
            actions += _answered(attempt, answer)
        planned = RecordRow.outcome == Outcome.PLANNED.value
        if attempt and not attempt.was_in_doubt and outcome is not Outcome.BILLED:
            planned &= RecordRow.attempts == attempt.number
        if outcome is not Outcome.EXPIRED:
            return self._changed(record, actions, planned)
        # Another worker may have begun an attempt meanwhile: what may have been counted is never released.
        never_sent = planned & (RecordRow.in_doubt == False)  # noqa: E712
        return self._release(record, actions, never_sent)

    def resolve(self, record: MeteringRecord, resolution: Resolution) -> bool:
        """Write what a person has decided; what is to be billed again goes back to the ledger in the same
        act. False where somebody has decided meanwhile, or the ledger has just changed: look again."""
        actions: list[Any] = [
            RecordRow.decision.set(resolution.decision.value),
            RecordRow.decided_because.set(resolution.reason),
            RecordRow.decided_by.set(resolution.by),
            RecordRow.decided_at.set(resolution.at),
        ]
        undecided = (RecordRow.outcome == record.outcome.value) & RecordRow.decision.does_not_exist()
        if resolution.decision is Decision.BILL_AGAIN:
            return self._release(record, actions, undecided)
        return self._changed(record, actions, undecided)

    def _changed(self, record: MeteringRecord, actions: list[Any], condition: Any) -> bool:
        """Update a record; False where the condition does not hold."""
        meta: Any = RecordRow.Meta
        try:
            # Not by the model, which has the whole row sent back: a third of what a write costs here.
            self._connection.update_item(
                meta.table_name, record.subscription_id, _slot(record), actions=actions, condition=condition
            )
        except UpdateError as error:
            if not is_lost_race(error):
                raise
            return False
        return True

    def _release(self, record: MeteringRecord, actions: list[Any], condition: Any) -> bool:
        """Write a record and give its quantity back to the ledger, as one act. False where another worker was
        quicker."""
        rows = rows_of(record.subscription_id, record.dimension, [source.hour for source in record.sources])
        try:
            with transaction(self._connection) as act:
                act.update(_key_of(record), actions, condition=condition)
                for source in record.sources:
                    row = rows[source.hour]
                    after = row.releasing(source.quantity, source.tags)
                    act.update(
                        LedgerRowModel(row.holder, row_key(row)),
                        becoming(row, after),
                        condition=unchanged(row),
                    )
        except Overtaken:
            return False
        return True

    def records(self, subscription_id: str, dimension: str | None = None) -> list[MeteringRecord]:
        """All records of a subscription, as they are now."""
        within = (
            [subscription_id, RecordRow.slot.startswith(f"{dimension}#")] if dimension else [subscription_id]
        )
        return [_record(row) for row in RecordRow.query(*within, consistent_read=True)]

    def page(
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


def _answered(attempt: Attempt, answer: str) -> list[Any]:
    """Note AWS's word beside the sending that it answers."""
    if attempt.number > MOST_SENDS:
        return []
    send: Any = RecordRow.sends[attempt.number - 1]
    return [send["answer"].set(answer)]


def _slot(record: MeteringRecord) -> str:
    return f"{record.dimension}#{record.hour}"


def _key_of(record: MeteringRecord) -> RecordRow:
    return RecordRow(record.subscription_id, _slot(record))


def _record_row(record: MeteringRecord) -> RecordRow:
    return RecordRow(
        record.subscription_id,
        _slot(record),
        timestamp=record.timestamp,
        quantity=record.quantity,
        product_code=record.identity.product_code,
        customer_identifier=record.identity.customer_identifier,
        license_arn=record.identity.license_arn,
        customer_aws_account_id=record.identity.customer_aws_account_id,
        sources=[_source_map(source) for source in record.sources],
        tags=allocations.pack(record.sources),
        tags_left_out=record.tags_left_out,
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
        sources=allocations.unpack(
            [Source(source.hour, int(source.quantity)) for source in row.sources], row.tags
        ),
        tags_left_out=bool(row.tags_left_out),
        created_at=row.created_at,
        outcome=Outcome(row.outcome),
        reason=row.reason,
        in_doubt=bool(row.in_doubt),
        attempts=int(row.attempts),
        aws_metering_record_id=row.aws_metering_record_id,
        settled_at=row.settled_at,
        resolution=Resolution(
            Decision(row.decision), row.decided_because or "", row.decided_by or "", row.decided_at
        )
        if row.decision and row.decided_at
        else None,
        sends=tuple(Send(int(one.number), one.at, one.answer) for one in row.sends),
    )
