"""`accepted = open + planned + billed + held + conflicting + written_off`, and when it is not."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from metering.balance import PART_OF_OUTCOME, balance
from metering.ledger import LedgerRow
from metering.records import Identity, MeteringRecord, Outcome, Source

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TEN, ELEVEN = "2026-11-22T10", "2026-11-22T11"


def row(hour: str = TEN, metered: int = 10, **more: int) -> LedgerRow:
    return LedgerRow("sub", "gpu", hour, metered, **more)


def record(outcome: Outcome, quantity: int = 10, hour: str = TEN) -> MeteringRecord:
    return MeteringRecord(
        "sub", "gpu", hour, NOON, quantity, Identity("5"), (Source(hour, quantity),), NOON, outcome=outcome
    )


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_its_place(outcome: Outcome) -> None:
    allocated = 0 if outcome is Outcome.EXPIRED else 10
    found = balance([row(allocated=allocated)], [record(outcome)], [])
    assert found.balanced
    assert found.accepted == 10
    part = PART_OF_OUTCOME.get(outcome, "open")
    assert getattr(found, part) == 10
    assert found.reasons == ({("held", outcome.value): 10} if part == "held" else {})


def test_what_is_held_and_written_off_is_named() -> None:
    held = row(TEN, 10)
    rows = [held, replace(row(ELEVEN, 7), written_off={"after_final_hour": 7})]
    found = balance(rows, [], [(held, "before_activation")])
    assert (found.held, found.written_off, found.open, found.balanced) == (10, 7, 0, True)
    assert found.reasons == {("held", "before_activation"): 10, ("written_off", "after_final_hour"): 7}


@pytest.mark.parametrize(
    ("rows", "records"),
    [
        ([row(allocated=10)], []),
        ([row(allocated=0)], [record(Outcome.BILLED)]),
        ([row(allocated=9)], [record(Outcome.BILLED)]),
        ([row(metered=5, allocated=10)], [record(Outcome.BILLED)]),
        ([row()], [record(Outcome.BILLED, hour=ELEVEN)]),
        ([row(allocated=10)], [record(Outcome.BILLED), record(Outcome.BILLED, hour=ELEVEN)]),
    ],
)
def test_a_disagreement_shows(rows: list[LedgerRow], records: list[MeteringRecord]) -> None:
    found = balance(rows, records, [])
    assert not found.balanced
    # The contract knows no negative quantity.
    assert min(found.open, found.planned, found.billed, found.held, found.conflicting, found.written_off) >= 0
