"""The audit: what was accepted, computed anew from the log, against what the ledger and the records say.

The ledger is made from the log once, and changed step by step after. Every step is meant to keep its sums;
the audit finds out whether one did not. It writes nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from metering.balance import place_of
from metering.hour_fold import HourUsage
from metering.ledger import LedgerRow
from metering.quantities import to_text
from metering.records import MeteringRecord

Logged = Mapping[tuple[str, str], HourUsage]
"""What the log says of one holder, by dimension and hour."""


@dataclass(frozen=True)
class Imbalance:
    """One hour of use of one holder and dimension that does not add up.

    Attributes:
        wrong: what does not, in words.
        micro_units: by how much: what stands in the books less what should.
        advice: what a person is to do.
    """

    holder: str
    dimension: str
    hour: str
    wrong: str
    micro_units: int
    advice: str

    def __str__(self) -> str:
        return (
            f"{self.holder}, {self.dimension}, {self.hour}: {self.wrong} "
            f"(off by {to_text(self.micro_units)}). {self.advice}"
        )


_FOLD_AGAIN = (
    "Nothing is lost: the log has every event. Set `folded` of the hour in usage-hours to 0; the next cycle "
    "books all rows of the hour again."
)
_LOOK_AT_RECORDS = (
    "Compare the subscription's metering records with the ledger row before anything of this hour is billed "
    "again; what AWS has counted its records say."
)
_TAKEN_BACK = (
    "An event that came late took the place of one that was billed under another subscription or dimension. "
    "What is billed too much here only a refund in AWS Marketplace mends."
)


def imbalances(
    holder: str,
    rows: Iterable[LedgerRow],
    records: Sequence[MeteringRecord],
    logged: Logged,
    hours: Mapping[str, int],
) -> set[Imbalance]:
    """What does not add up of one holder.

    Args:
        rows: all its ledger rows.
        records: all its metering records.
        logged: what the log says of it.
        hours: those whose newest complete fold had read what `logged` has, each with that fold's number; of
            the others the ledger's last fold stands. A row that a later fold has written is not compared.
    """
    in_records: dict[tuple[str, str], int] = defaultdict(int)
    found: set[Imbalance] = set()
    for record in records:
        if place_of(record)[0] is None:
            continue
        for source in record.sources:
            in_records[record.dimension, source.hour] += source.quantity
        off = record.quantity - sum(source.quantity for source in record.sources)
        if off:
            wrong = "a metering record's quantity is not that of the hours it came from"
            found.add(
                Imbalance(record.subscription_id, record.dimension, record.hour, wrong, off, _LOOK_AT_RECORDS)
            )
    by_hour = {(row.dimension, row.hour): row for row in rows}
    missing = {
        (dimension, hour): LedgerRow(holder, dimension, hour)
        for dimension, hour in logged
        if (dimension, hour) not in by_hour
    }
    for (dimension, hour), row in (missing | by_hour).items():
        allocated = in_records.pop((dimension, hour), 0)
        should = logged.get((dimension, hour), HourUsage())
        checks = [
            (row.allocated - allocated, "the ledger and its metering records disagree", _LOOK_AT_RECORDS),
            (min(row.unbilled, 0), "more was billed than accepted", _TAKEN_BACK),
        ]
        if row.fold <= hours.get(hour, -1):
            checks += [
                (row.metered - should.metered, "the ledger's usage is not the log's", _FOLD_AGAIN),
                (row.corrections - should.corrections, "its corrections are not the log's", _FOLD_AGAIN),
            ]
        found |= {
            Imbalance(holder, dimension, hour, wrong, off, advice) for off, wrong, advice in checks if off
        }
    for (dimension, hour), allocated in in_records.items():
        wrong = "a metering record came from an hour that the ledger does not have"
        found.add(Imbalance(holder, dimension, hour, wrong, -allocated, _LOOK_AT_RECORDS))
    return found


Move = tuple[str, str, str, str]
"""From a holder to another, of a dimension and an hour."""


def moves_that_differ(rows: Iterable[LedgerRow]) -> set[Move]:
    """Where one holder gave more, or less, than another received.

    Args:
        rows: of all holders.
    """
    given: dict[Move, int] = defaultdict(int)
    for row in rows:
        for to, quantity in row.moved.items():
            given[row.holder, to, row.dimension, row.hour] += quantity
        for holder, quantity in row.received.items():
            given[holder, row.holder, row.dimension, row.hour] -= quantity
    return {move for move, off in given.items() if off}


def of_move(given: LedgerRow, received: LedgerRow) -> set[Imbalance]:
    """Whether what one row gave to another arrived there."""
    off = given.moved.get(received.holder, 0) - received.received.get(given.holder, 0)
    wrong = f"what was given to {received.holder} did not arrive as it left"
    return (
        {Imbalance(given.holder, given.dimension, given.hour, wrong, off, _LOOK_AT_RECORDS)} if off else set()
    )
