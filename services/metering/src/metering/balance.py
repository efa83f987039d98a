"""The balance: where every accepted unit of a subscription and dimension is now."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from metering.ledger import LedgerRow
from metering.records import Decision, MeteringRecord, Outcome

# In which part of the equation a record's quantity stands. An expired record holds nothing: it was released.
PART_OF_OUTCOME = {
    Outcome.PLANNED: "planned",
    Outcome.BILLED: "billed",
    Outcome.DUPLICATE_CONFLICT: "conflicting",
    Outcome.NOT_SUBSCRIBED: "held",
    Outcome.REJECTED: "held",
    Outcome.UNKNOWN: "held",
}


@dataclass
class Balance:
    """`accepted = open + planned + billed + included + held + conflicting + written_off`, in micro-units.

    `included` is what a contract has paid for. `corrections_waiting` is outside of the equation: nothing
    unbilled was found yet that it could be taken off. `balanced` is false where the equation does not hold,
    where the ledger's allocations are not the records' sources, or where more was allocated than metered.
    """

    accepted: int = 0
    open: int = 0
    planned: int = 0
    billed: int = 0
    included: int = 0
    held: int = 0
    conflicting: int = 0
    written_off: int = 0
    corrections_waiting: int = 0
    balanced: bool = True
    reasons: dict[tuple[str, str], int] = field(default_factory=dict)


PART_OF_DECISION = {Decision.WRITE_OFF: "written_off", Decision.BILLED: "billed"}
"""The same where a person has decided. What is billed again was released."""


def balance(
    rows: Iterable[LedgerRow], records: Iterable[MeteringRecord], held: Iterable[tuple[LedgerRow, str]]
) -> Balance:
    """Strike the balance of one holder and dimension.

    Args:
        rows: all its ledger rows.
        records: all its metering records.
        held: the rows whose unbilled usage the plan of this moment holds, with the reason.
    """
    result = Balance()
    reasons: dict[tuple[str, str], int] = defaultdict(int)
    in_records: dict[str, int] = defaultdict(int)
    for record in records:
        part, reason = place_of(record)
        if part is None:
            continue
        setattr(result, part, getattr(result, part) + record.quantity)
        if part in ("held", "written_off"):
            reasons[part, reason] += record.quantity
        for source in record.sources:
            in_records[source.hour] += source.quantity
    for row, reason in held:
        result.held += row.unbilled
        reasons["held", reason] += row.unbilled
    held_hours = {row.hour for row, _ in held}
    for row in rows:
        result.accepted += row.accepted
        result.included += row.included
        result.corrections_waiting += max(row.open_corrections, 0)
        for reason, quantity in row.written_off.items():
            result.written_off += quantity
            reasons["written_off", reason] += quantity
        if row.hour not in held_hours:
            result.open += max(row.unbilled, 0)
        if row.allocated != in_records.pop(row.hour, 0) or row.unbilled < 0:
            result.balanced = False
    parts = (
        result.open
        + result.planned
        + result.billed
        + result.included
        + result.held
        + result.conflicting
        + result.written_off
    )
    if in_records or parts != result.accepted:
        result.balanced = False
    result.reasons = dict(reasons)
    return result


def place_of(record: MeteringRecord) -> tuple[str | None, str]:
    """In which part of the equation a record stands, and why; in none where its quantity was released."""
    if record.resolution:
        return PART_OF_DECISION.get(record.resolution.decision), f"decided_after_{record.outcome}"
    return PART_OF_OUTCOME.get(record.outcome), record.outcome.value
