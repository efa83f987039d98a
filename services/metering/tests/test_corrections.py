"""A negative quantity is taken off what is not billed yet, and never below zero."""

from dataclasses import replace

import pytest
from house import House, at
from hypothesis import given
from hypothesis import strategies as st

from metering.corrections import next_netting
from metering.ledger import LedgerRow

HOURS = [f"2026-11-22T{hour}" for hour in range(10, 16)]


@given(
    st.lists(
        st.tuples(st.sampled_from(HOURS), st.integers(0, 9), st.integers(0, 9)),
        unique_by=lambda one: one[0],
        max_size=6,
    )
)
def test_everything_that_can_be_netted_is_and_nothing_more(found: list[tuple[str, int, int]]) -> None:
    rows = {
        hour: LedgerRow("sub", "gpu", hour, metered, corrections=corrections)
        for hour, metered, corrections in found
    }
    usage, corrections = sum(one[1] for one in found), sum(one[2] for one in found)
    while netting := next_netting(rows.values()):
        assert netting.quantity > 0
        rows |= {after.hour: after for _, after in netting.changes}
    assert all(row.unbilled >= 0 and row.open_corrections >= 0 for row in rows.values())
    assert sum(row.unbilled for row in rows.values()) == max(usage - corrections, 0)
    assert sum(row.open_corrections for row in rows.values()) == max(corrections - usage, 0)


def test_a_correction_takes_from_its_own_hour_first_then_from_the_oldest() -> None:
    rows = [LedgerRow("sub", "gpu", hour, 5, corrections=3 if hour == HOURS[2] else 0) for hour in HOURS[:4]]
    found = next_netting(rows)
    assert found
    assert (found.usage.hour, found.quantity) == (HOURS[2], 3)
    rows[2] = replace(rows[2], metered=0)
    found = next_netting(rows)
    assert found
    assert (found.correction.hour, found.usage.hour) == (HOURS[2], HOURS[0])


def test_a_correction_before_the_hour_is_billed(house: House) -> None:
    sub = house.buy()
    house.use(sub, "5", tags={"team": "a"})
    house.use(sub, "2")
    house.use(sub, "-3.5", tags={"team": "a"})
    house.clock.advance(hours=2)
    house.run()
    assert house.billed(sub) == "3.5"
    ((record,),) = house.aws.sent()
    assert [one["AllocatedUsageQuantityAsDecimal"] for one in record["UsageAllocations"]] == ["2", "1.5"]
    assert house.balance(sub).reasons == {("written_off", "corrected"): 3_500_000}
    house.must_be_exact()


def test_a_correction_of_what_is_billed_waits_for_usage_in_sight(house: House) -> None:
    sub = house.buy()
    house.use(sub, "5")
    house.clock.advance(hours=1, minutes=5)
    house.run()
    house.use(sub, "-4", time=at("22T10:30"))
    house.run(2)
    assert house.billed(sub) == "5"
    assert house.balance(sub).corrections_waiting == 4_000_000
    house.must_be_exact()
    # Three of the four go off the next hour's usage, which leaves nothing to bill; the last off the third's.
    house.use(sub, "3")
    house.clock.advance(hours=1)
    house.run(2)
    assert house.billed(sub) == "5"
    assert house.balance(sub).corrections_waiting == 1_000_000
    house.use(sub, "3")
    house.clock.advance(hours=1)
    house.run(2)
    assert house.hours(sub) == {"22T10": "5", "22T12": "2"}
    assert house.balance(sub).corrections_waiting == 0
    house.must_be_exact()


def test_a_correction_sent_twice_counts_once(house: House) -> None:
    sub = house.buy()
    house.use(sub, "5")
    correction = house.use(sub, "-1")
    house.report(correction, correction)
    house.run()
    house.report(correction)
    house.clock.advance(hours=2)
    house.run()
    assert house.billed(sub) == "4"
    house.must_be_exact()


def test_a_correction_of_another_dimension_or_subscription_takes_nothing(house: House) -> None:
    sub, other = house.buy(), house.buy()
    house.use(sub, "5")
    house.use(sub, "-1", dimension="requests")
    house.use(other, "-1")
    house.clock.advance(hours=2)
    house.run()
    assert house.billed(sub) == "5"
    assert house.balance(other).corrections_waiting == house.balance(sub, "requests").corrections_waiting
    house.must_be_exact()


@pytest.mark.parametrize("cycles", [1, 3])
def test_corrections_over_several_hours_at_once(house: House, cycles: int) -> None:
    sub = house.buy()
    for hour in (10, 11, 12):
        house.clock.advance(seconds=(at(f"22T{hour}:30") - house.clock.now()).total_seconds())
        house.use(sub, "2")
        house.use(sub, "-3" if hour == 12 else "-0.5")
    house.clock.advance(hours=2)
    house.run(cycles)
    assert house.hours(sub) == {"22T10": "0.5", "22T11": "1.5"}
    house.must_be_exact()
