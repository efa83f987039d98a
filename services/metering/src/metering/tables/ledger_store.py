"""The ledger in DynamoDB. Every write that must happen once is conditional on the row being as it was
read."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pynamodb.connection import Connection
from pynamodb.exceptions import TransactWriteError, UpdateError
from pynamodb.transactions import TransactWrite

from chassis.aws import cause_code
from chassis.tables import read_page
from metering import measures
from metering.corrections import Netting
from metering.entitlements import Allowance, Covering
from metering.hour_fold import HourUsage
from metering.ledger import LedgerRow
from metering.tables.models import AllowanceRow, LedgerRowModel, is_lost_race
from metering.tags import pack, unpack
from metering.usage_pages import HourRange, Place

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

    def book_fold(self, hour: str, usage: Mapping[tuple[str, str], HourUsage], number: int) -> None:
        """Write what a fold of an hour found, but for the rows that a later one has written: it knew as much.

        Args:
            number: the fold's. See `folder.py`.
        """
        for (holder, dimension), found in usage.items():
            actions = [
                LedgerRowModel.metered.set(found.metered),
                LedgerRowModel.corrections.set(found.corrections),
                LedgerRowModel.conflicts.set(found.conflicts),
                LedgerRowModel.fold.set(number),
                _blob(LedgerRowModel.tags, pack(found.tags)),
                # Whether anything is unbilled the planner finds out; here it may only be announced.
                LedgerRowModel.unbilled.set(holder),
            ]
            earlier = LedgerRowModel.fold.does_not_exist() | (LedgerRowModel.fold < number)
            try:
                LedgerRowModel(holder, f"{dimension}#{hour}").update(actions, condition=earlier)
            except UpdateError as error:
                if not is_lost_race(error):
                    raise

    def unbilled(self) -> dict[tuple[str, str], list[LedgerRow]]:
        """All ledger rows that may hold something unbilled or corrections to be netted, by holder and
        dimension."""
        keys = list(_unbilled())
        groups: dict[tuple[str, str], list[LedgerRow]] = defaultdict(list)
        for row in LedgerRowModel.batch_get(keys, consistent_read=True):
            entry = _ledger_row(row)
            groups[entry.holder, entry.dimension].append(entry)
        return groups

    def unbilled_keys(self) -> set[tuple[str, str]]:
        """The holders and dimensions of these, without reading the rows."""
        return {(holder, usage_key.rsplit("#", 1)[0]) for holder, usage_key in _unbilled()}

    def rows(self, holder: str, dimension: str | None = None) -> list[LedgerRow]:
        """All rows of a holder, as they are now."""
        within = _within(holder, dimension)
        return [_ledger_row(row) for row in LedgerRowModel.query(*within, consistent_read=True)]

    def holders(self) -> set[str]:
        """All that have a row. A scan."""
        return {row.holder for row in LedgerRowModel.scan(attributes_to_get=["holder", "usage_key"])}

    def stretch(
        self,
        holder: str,
        dimension: str | None,
        hours: HourRange,
        after: Place | None,
        most: int,
        tags: bool,
    ) -> tuple[list[LedgerRow], bool]:
        """At most so many rows after a place, by dimension and hour, and whether there may be more. One
        Query, and so 1 MB at the most. Of each row only what the fold has found.

        Args:
            dimension: None for all; then `hours` has to be all as well.
            tags: whether how it divides is read too.
        """
        key = LedgerRowModel.usage_key
        found = LedgerRowModel.query(
            holder,
            key.between(*(f"{dimension}#{hour}" for hour in hours)) if dimension else None,
            page_size=most,
            last_evaluated_key=after
            and {"holder": {"S": holder}, "usage_key": {"S": f"{after.dimension}#{after.hour}"}},
            attributes_to_get=[*_SHOWN, "tags"] if tags else _SHOWN,
        )
        rows, last = read_page(found)
        return [_ledger_row(row) for row in rows], last is not None

    def next_dimension(self, holder: str, after: str | None) -> str | None:
        """The first dimension with rows, or the first one after another; None where there is none."""
        # What is greater than each `<dimension>#…`, and less than any other dimension that begins so.
        beyond = LedgerRowModel.usage_key > f"{after}$" if after else None
        found = LedgerRowModel.query(holder, beyond, limit=1, attributes_to_get=["holder", "usage_key"])
        return next((_ledger_row(row).dimension for row in found), None)

    def again(self, rows: Sequence[LedgerRow]) -> list[LedgerRow]:
        """The same rows of one holder and dimension, as they are now."""
        first = rows[0]
        return list(rows_of(first.holder, first.dimension, [row.hour for row in rows]).values())

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
        after = row.writing_off(row.unbilled, reason)
        try:
            _model(row).update(becoming(row, after), condition=unchanged(row))
        except UpdateError as error:
            if not is_lost_race(error):
                raise
            raise Overtaken from None
        measures.WRITTEN_OFF.labels(reason).inc()

    def net(self, netting: Netting) -> None:
        """Take a correction off the usage that it corrects.

        Raises:
            Overtaken: see there.
        """
        with transaction(self._connection) as act:
            for before, after in netting.changes:
                act.update(_model(before), becoming(before, after), condition=unchanged(before))

    def cover(self, covering: Covering) -> None:
        """Let an entitlement pay for usage.

        Raises:
            Overtaken: see there.
        """
        row, before, after = covering.row, covering.allowance, covering.allowance_after
        limit = AllowanceRow.entitled
        with transaction(self._connection) as act:
            act.update(
                AllowanceRow(after.subscription_id, f"{after.dimension}#{after.period}"),
                [
                    AllowanceRow.used.set(after.used),
                    limit.remove() if after.entitled is None else limit.set(after.entitled),
                ],
                condition=_is(AllowanceRow.used, before.used),
            )
            act.update(_model(row), becoming(row, covering.row_after), condition=unchanged(row))

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
        target = rows_of(to, row.dimension, [row.hour])[row.hour]
        received = becoming(target, target.receiving(row))
        with transaction(self._connection) as act:
            act.update(_model(row), becoming(row, row.moving(to)), condition=unchanged(row))
            act.update(_model(target), received, condition=unchanged(target))


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


def _unbilled() -> Iterator[tuple[str, str]]:
    """The keys in the planner's index; it may lag."""
    return ((row.holder, row.usage_key) for row in LedgerRowModel.unbilled_rows.scan())


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


def becoming(before: LedgerRow, after: LedgerRow) -> list[Any]:
    """What is written of a row that changes; never what the fold writes."""
    model = LedgerRowModel
    changed = [name for name in (*_SUMS, *_TAGS) if getattr(after, name) != getattr(before, name)]
    actions: list[Any] = [
        getattr(model, name).set(getattr(after, name)) for name in changed if name in _SUMS
    ] + [_blob(getattr(model, name), pack(getattr(after, name))) for name in changed if name in _TAGS]
    # Whether the planner has to look at it again: a fold that came in between may have another opinion, so
    # none of this is written but on `unchanged`.
    marker = model.unbilled.set(after.holder) if after.needs_work else model.unbilled.remove()
    return [*actions, marker, model.changes.add(1)]


_SUMS = (
    "received",
    "moved",
    "allocated",
    "included",
    "written_off",
    "corrections_received",
    "corrections_moved",
    "corrected",
)
_TAGS = ("received_tags", "spent_tags")
_SHOWN = ["holder", "usage_key", "metered", "corrections", "conflicts"]


def _is(attribute: Any, value: int) -> Any:
    """An attribute that was never written counts as 0."""
    return attribute == value if value else (attribute == 0) | attribute.does_not_exist()


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
        fold=int(row.fold),
    )
