"""The ledger in DynamoDB. Every write that must happen once is conditional on the row being as it was
read."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from pynamodb.connection import Connection
from pynamodb.exceptions import TransactWriteError, UpdateError
from pynamodb.transactions import TransactWrite

from chassis.aws import cause_code
from chassis.tables import read_page
from metering.corrections import CORRECTED, Netting
from metering.entitlements import Allowance, Covering
from metering.fold import HourUsage
from metering.ledger import LedgerRow
from metering.tables.models import AllowanceRow, LedgerRowModel, is_lost_race
from metering.tags import Split, less, merged, pack, part, tagged_only, unpack

# Why a transaction of ours may be cancelled because another worker was quicker, or is at it right now.
_LOST_RACES = {"ConditionalCheckFailed", "TransactionConflict"}


class Overtaken(Exception):
    """Another worker was quicker, or the row has changed: nothing is written, and the next cycle looks
    again."""


class LedgerStore:
    """Reads and writes ledger rows and allowances.

    Args:
        connection: a pynamodb connection, for transactions.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def book_fold(self, hour: str, usage: Mapping[tuple[str, str], HourUsage], segments: int) -> None:
        """Write what a fold of an hour found. It never overwrites a fold that had read more segments."""
        for (holder, dimension), found in usage.items():
            actions = [
                LedgerRowModel.metered.set(found.metered),
                LedgerRowModel.corrections.set(found.corrections),
                LedgerRowModel.conflicts.set(found.conflicts),
                LedgerRowModel.segments.set(segments),
                _blob(LedgerRowModel.tags, pack(found.tags)),
                # Whether anything is unbilled the planner finds out; here it may only be announced.
                LedgerRowModel.unbilled.set(holder),
            ]
            fewer = LedgerRowModel.segments.does_not_exist() | (LedgerRowModel.segments < segments)
            try:
                LedgerRowModel(holder, f"{dimension}#{hour}").update(actions, condition=fewer)
            except UpdateError as error:
                if not is_lost_race(error):
                    raise

    def unbilled(self) -> dict[tuple[str, str], list[LedgerRow]]:
        """All ledger rows that may hold something unbilled or corrections to be netted, by holder and
        dimension."""
        keys = [(row.holder, row.usage_key) for row in LedgerRowModel.unbilled_rows.scan()]
        groups: dict[tuple[str, str], list[LedgerRow]] = defaultdict(list)
        for row in LedgerRowModel.batch_get(keys, consistent_read=True):
            entry = _ledger_row(row)
            groups[entry.holder, entry.dimension].append(entry)
        return groups

    def rows(self, holder: str, dimension: str | None = None) -> list[LedgerRow]:
        """All rows of a holder, as they are now."""
        within = _within(holder, dimension)
        return [_ledger_row(row) for row in LedgerRowModel.query(*within, consistent_read=True)]

    def page(
        self, holder: str, dimension: str | None, limit: int, key: dict[str, Any] | None
    ) -> tuple[list[LedgerRow], dict[str, Any] | None]:
        """One page of them, and where to go on."""
        model: Any = LedgerRowModel
        found = model.query(*_within(holder, dimension), page_size=limit, last_evaluated_key=key)
        rows, last = read_page(found)
        return [_ledger_row(row) for row in rows], last

    def clear_unbilled(self, row: LedgerRow) -> None:
        """Take a row with nothing left to do out of the planner's index, unless it has just changed."""
        try:
            _model(row).update([LedgerRowModel.unbilled.remove()], condition=unchanged(row))
        except UpdateError as error:
            if not is_lost_race(error):
                raise

    def write_off(self, row: LedgerRow, reason: str) -> None:
        """Write off what is unbilled of a row.

        Raises:
            Overtaken: see there.
        """
        try:
            _model(row).update(_written_off(row, row.unbilled, reason), condition=unchanged(row))
        except UpdateError as error:
            if not is_lost_race(error):
                raise
            raise Overtaken from None

    def net(self, netting: Netting) -> None:
        """Take a correction off the usage that it corrects.

        Raises:
            Overtaken: see there.
        """
        correction, usage, quantity = netting.correction, netting.usage, netting.quantity
        corrected = LedgerRowModel.corrected.set(correction.corrected + quantity)
        written_off = _written_off(usage, quantity, CORRECTED)
        with transaction(self._connection) as act:
            if correction.hour == usage.hour:
                act.update(_model(usage), [*written_off, corrected], condition=unchanged(usage))
            else:
                act.update(_model(usage), written_off, condition=unchanged(usage))
                act.update(_model(correction), [corrected, counted()], condition=unchanged(correction))

    def cover(self, covering: Covering) -> None:
        """Let an entitlement pay for usage.

        Raises:
            Overtaken: see there.
        """
        row, allowance, quantity = covering.row, covering.allowance, covering.quantity
        key = AllowanceRow(allowance.subscription_id, f"{allowance.dimension}#{allowance.period}")
        entitled: Any = (
            AllowanceRow.entitled.remove()
            if allowance.entitled is None
            else AllowanceRow.entitled.set(allowance.entitled)
        )
        as_read = AllowanceRow.used == allowance.used
        if allowance.used == 0:
            as_read |= AllowanceRow.used.does_not_exist()
        with transaction(self._connection) as act:
            act.update(key, [AllowanceRow.used.set(allowance.used + quantity), entitled], condition=as_read)
            act.update(
                _model(row),
                [
                    LedgerRowModel.included.set(row.included + quantity),
                    *spending(row, quantity, _first(row, quantity)),
                ],
                condition=unchanged(row),
            )

    def allowances(self, subscription_id: str, dimension: str) -> list[Allowance]:
        """What usage has drawn on, of all periods."""
        found = AllowanceRow.query(
            subscription_id, AllowanceRow.allowance_key.startswith(f"{dimension}#"), consistent_read=True
        )
        return [
            Allowance(
                subscription_id,
                dimension,
                row.allowance_key.rpartition("#")[2],
                None if row.entitled is None else int(row.entitled),
                int(row.used),
            )
            for row in found
        ]

    def move(self, row: LedgerRow, to: str) -> None:
        """Move what is unbilled of a row to another holder, of the same dimension and hour: with its tags,
        and with the corrections that nothing was found for.

        Raises:
            Overtaken: see there.
        """
        quantity, corrections = max(row.unbilled, 0), max(row.open_corrections, 0)
        tags = tagged_only(row.unbilled_by_tags)
        target = rows_of(to, row.dimension, [row.hour])[row.hour]
        leaves = [
            LedgerRowModel.moved.set({**row.moved, to: row.moved.get(to, 0) + quantity}),
            LedgerRowModel.corrections_moved.set(row.corrections_moved + corrections),
            _blob(LedgerRowModel.spent_tags, pack(merged([row.spent_tags, tags]))),
            LedgerRowModel.unbilled.remove(),
            counted(),
        ]
        arrives = [
            LedgerRowModel.received.set(
                {**target.received, row.holder: target.received.get(row.holder, 0) + quantity}
            ),
            LedgerRowModel.corrections_received.set(target.corrections_received + corrections),
            _blob(LedgerRowModel.received_tags, pack(merged([target.received_tags, tags]))),
            LedgerRowModel.unbilled.set(to),
            counted(),
        ]
        with transaction(self._connection) as act:
            act.update(_model(row), leaves, condition=unchanged(row))
            act.update(_model(target), arrives, condition=as_often_changed(target))


class transaction(TransactWrite):
    """A transaction that raises Overtaken where another worker's write cancelled it.

    Any other reason must not pass in silence: a record that DynamoDB never takes would be planned anew in
    each cycle, and never billed.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection=connection)

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        try:
            super().__exit__(kind, value, trace)
        except TransactWriteError as error:
            if _lost_to_another(error):
                raise Overtaken from None
            raise


def rows_of(holder: str, dimension: str, hours: Iterable[str]) -> dict[str, LedgerRow]:
    """The rows of some hours as they are now, by hour; one that was never written is there, and empty."""
    keys = [(holder, f"{dimension}#{hour}") for hour in hours]
    found = (_ledger_row(row) for row in LedgerRowModel.batch_get(keys, consistent_read=True))
    empty = {hour: LedgerRow(holder, dimension, hour) for hour in hours}
    return empty | {row.hour: row for row in found}


def row_key(row: LedgerRow) -> str:
    return f"{row.dimension}#{row.hour}"


def unchanged(row: LedgerRow) -> Any:
    """True in DynamoDB while a ledger row is as it was read."""
    model = LedgerRowModel
    return (
        _is(model.metered, row.metered)
        & _is(model.corrections, row.corrections)
        & _is(model.changes, row.changes)
    )


def spending(row: LedgerRow, quantity: int, tags: Split) -> list[Any]:
    """The rest of what is written with a sum that leaves less unbilled.

    Args:
        quantity: how much less.
        tags: what of it has tags.
    """
    spent = merged([row.spent_tags, tags])
    actions = [_blob(LedgerRowModel.spent_tags, pack(spent)), counted()]
    if quantity == row.unbilled and row.open_corrections <= 0:
        actions.append(LedgerRowModel.unbilled.remove())
    return actions


def giving_back(row: LedgerRow, tags: Split) -> list[Any]:
    """The rest of what is written with a sum that leaves more unbilled."""
    spent = less(row.spent_tags, tags)
    return [
        _blob(LedgerRowModel.spent_tags, pack(spent)),
        counted(),
        LedgerRowModel.unbilled.set(row.holder),
    ]


def _first(row: LedgerRow, quantity: int) -> dict[Any, int]:
    """What has tags of so much that leaves a row."""
    return tagged_only(part(row.unbilled_by_tags, quantity))


def _written_off(row: LedgerRow, quantity: int, reason: str) -> list[Any]:
    sums = {**row.written_off, reason: row.written_off.get(reason, 0) + quantity}
    return [LedgerRowModel.written_off.set(sums), *spending(row, quantity, _first(row, quantity))]


def _is(attribute: Any, value: int) -> Any:
    """An attribute that was never written counts as 0."""
    return attribute == value if value else (attribute == 0) | attribute.does_not_exist()


def as_often_changed(row: LedgerRow) -> Any:
    """True in DynamoDB while nobody but the fold has written a ledger row since it was read."""
    return _is(LedgerRowModel.changes, row.changes)


def counted() -> Any:
    return LedgerRowModel.changes.add(1)


def _blob(attribute: Any, packed: bytes | None) -> Any:
    return attribute.remove() if packed is None else attribute.set(packed)


def _within(holder: str, dimension: str | None) -> list[Any]:
    """Key conditions for all rows of a holder, or of one dimension of it."""
    return [holder, LedgerRowModel.usage_key.startswith(f"{dimension}#")] if dimension else [holder]


def _model(row: LedgerRow) -> LedgerRowModel:
    return LedgerRowModel(row.holder, row_key(row))


def _lost_to_another(error: TransactWriteError) -> bool:
    if cause_code(error) != "TransactionCanceledException":
        return False
    return all(reason is None or reason.code in _LOST_RACES for reason in error.cancellation_reasons)


def _ledger_row(row: LedgerRowModel) -> LedgerRow:
    dimension, hour = row.usage_key.rsplit("#", 1)
    return LedgerRow(
        holder=row.holder,
        dimension=dimension,
        hour=hour,
        metered=int(row.metered),
        received=row.received or {},
        moved=row.moved or {},
        allocated=int(row.allocated),
        included=int(row.included),
        written_off=row.written_off or {},
        corrections=int(row.corrections),
        corrections_received=int(row.corrections_received),
        corrections_moved=int(row.corrections_moved),
        corrected=int(row.corrected),
        conflicts=int(row.conflicts),
        metered_tags=unpack(row.tags),
        received_tags=unpack(row.received_tags),
        spent_tags=unpack(row.spent_tags),
        changes=int(row.changes),
    )
