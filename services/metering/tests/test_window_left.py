"""How long AWS still takes what is not billed."""

import math
from datetime import timedelta

import pytest
from house import at

from metering.hours import AwsWindow
from metering.ledger import LedgerRow
from metering.window_left import seconds_left, unplanned_seconds_left

EXACT = AwsWindow(margin=timedelta())
NOON = at("22T12:00")
HOUR = 3600.0


def row(hour: str, **more: int) -> LedgerRow:
    return LedgerRow("sub_a", "gpu_hours", hour, **{"metered": 1, **more})  # type: ignore[arg-type]


def test_the_first_moment_counts_also_when_it_is_past() -> None:
    assert seconds_left([], NOON) == math.inf
    assert seconds_left([at("22T13:00"), at("22T12:30")], NOON) == HOUR / 2
    assert seconds_left([at("22T13:00"), at("22T11:59")], NOON) == -60


@pytest.mark.parametrize(
    ("rows", "hours"),
    [
        ([row("2026-11-22T10")], 22),
        ([row("2026-11-22T10"), row("2026-11-21T13")], 1),
        ([row("2026-11-22T10", metered=5, allocated=5)], math.inf),
        ([row("2026-11-22T10", metered=0, corrections=1)], math.inf),
        # AWS takes these no more: they go out under a later hour.
        ([row("2026-11-21T12"), row("2026-11-01T00"), row("2026-11-22T10")], 22),
    ],
    ids=["fresh", "the oldest", "billed", "a correction alone", "too old"],
)
def test_hours_that_no_record_holds(rows: list[LedgerRow], hours: float) -> None:
    assert unplanned_seconds_left(rows, EXACT, NOON) == hours * HOUR


def test_the_margin_is_ours() -> None:
    assert unplanned_seconds_left([row("2026-11-22T10")], AwsWindow(), NOON) == 22 * HOUR - 300


def test_at_the_end_of_a_month_there_are_six_hours() -> None:
    new_year = at("30T23:30") + timedelta(hours=1)
    assert unplanned_seconds_left([row("2026-11-30T23")], EXACT, new_year) == 5.5 * HOUR
