"""An hour without usage is told to AWS, but never so early that it could keep usage out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from house import CONCURRENT, CONTRACT, ZEROS, ZEROS_CONTRACT, House, at
from shelf_marketplace import Fault, Refused

from metering.planning import Limits
from metering.roll import Roll
from metering.tables.models import EntitlementMap
from metering.zero_records import closing_hours

TEN = at("22T10:00")
# AWS closes the hour of ten o'clock a day later, we five minutes before; zeros are told in the quarter of an
# hour before that.
TOO_EARLY, CLOSING, CLOSED = "23T09:39", "23T09:41", "23T09:56"


def run_at(house: House, *moments: str) -> None:
    for moment in moments:
        house.clock.advance(seconds=(at(moment) - house.clock.now()).total_seconds())
        house.run()


def test_prior_art_16_a_zero_waits_until_nothing_can_fill_its_hour(house: House) -> None:
    """Usage that comes before the hour closes fills it; an hour that nothing fills is told with 0."""
    late, idle = house.buy(ZEROS, since=TEN), house.buy(ZEROS, since=TEN)
    run_at(house, "22T11:10", "22T20:00", TOO_EARLY)
    assert house.aws.requests == []
    house.use(late, "2", time=at("22T10:30"))
    run_at(house, CLOSING, CLOSED)
    assert (house.hours(late), house.hours(idle)) == ({"22T10": "2"}, {"22T10": "0"})
    (record,) = house.records(idle)
    assert (record.outcome, record.quantity, record.sources) == ("billed", 0, ())
    house.must_be_exact()


def test_prior_art_16_usage_that_comes_after_the_zero_is_carried_forward(house: House) -> None:
    sub = house.buy(ZEROS, since=TEN)
    run_at(house, CLOSING)
    house.use(sub, "2", time=at("22T10:30"))
    run_at(house, "23T09:42")
    assert house.hours(sub) == {"22T10": "0", "22T11": "2"}
    house.must_be_exact()


def test_prior_art_16_what_is_planned_may_yet_be_carried_into_the_hour(house: House) -> None:
    """AWS throttles until the usage's own hour is closed; then it goes into the next one, no zero does."""
    sub = house.buy(ZEROS, since=TEN)
    house.use(sub, "2")
    house.aws.always = Fault(before=Refused("ThrottlingException"))
    run_at(house, "22T11:10", CLOSING, "23T10:41")
    house.aws.always = None
    run_at(house, "23T10:42")
    assert house.hours(sub) == {"22T11": "2"}
    run_at(house, "23T11:41")
    assert house.hours(sub) == {"22T11": "2", "22T12": "0"}
    house.must_be_exact()


def test_prior_art_16_a_customers_usage_that_is_held_may_yet_be_for_any_subscription(house: House) -> None:
    subs = [house.buy(ZEROS, since=TEN) for _ in range(2)]
    customer = house.register(*subs)
    house.report(house.customers_event(customer, "3", ZEROS))
    run_at(house, "22T11:10", CLOSING)
    assert house.aws.requests == []
    # The other one turns out to be a trial run of the seller's: one is left.
    house.publish(subs[1], status="failed")
    run_at(house, "23T09:42", "23T09:43")
    assert house.hours(subs[0]) == {"22T10": "3"}
    house.must_be_exact()


def test_what_is_held_keeps_the_zero_back(house: House) -> None:
    """A dimension that AWS is not told of yet may be mended in the catalogue; the row stays unbilled."""
    sub = house.buy(ZEROS, since=TEN)
    house.use(sub, "2", time=at("22T09:30"))
    run_at(house, "22T11:10", CLOSING)
    assert house.balance(sub).reasons == {("held", "before_activation"): 2_000_000}
    assert house.records(sub) == []


@pytest.mark.parametrize(
    ("product", "changes"),
    [
        (ZEROS, {"status": "pending"}),
        (ZEROS, {"status": "failed"}),
        (ZEROS, {"status": "ending", "meter_until": at("23T09:45")}),
        (ZEROS, {"status": "ended", "meter_until": at("22T11:00")}),
        (ZEROS, {"active_since": at("22T11:00")}),
        (ZEROS, {"license_arn": None}),
        (CONCURRENT, {}),
        (CONTRACT, {}),
    ],
)
def test_no_zero_of_who_is_not_active_nor_of_what_is_not_metered(
    house: House, product: str, changes: dict[str, Any]
) -> None:
    sub = house.buy(product, since=TEN)
    run_at(house, "23T09:00")
    house.publish(sub, **changes)
    run_at(house, CLOSING, CLOSED)
    assert house.aws.requests == []


def test_who_ends_after_the_roll_was_read_is_told_no_zero(house: House) -> None:
    sub, other = house.buy(ZEROS, since=TEN), house.buy(ZEROS, since=at("22T09:45"))
    run_at(house, "23T09:31")  # The other's hour of activation is closing: the roll is read.
    assert house.hours(other) == {"22T09": "0"}
    house.publish(sub, status="ending", meter_until=at("23T10:30"))
    run_at(house, CLOSING)
    assert (house.hours(sub), house.hours(other)) == ({}, {"22T09": "0", "22T10": "0"})


def test_what_a_contract_has_paid_for_is_told_as_zero_and_the_contracts_own_dimension_never(
    house: House,
) -> None:
    sub = house.buy(ZEROS_CONTRACT, since=TEN)
    paid = EntitlementMap(dimension="plan", type="integer", value="100")  # type: ignore[no-untyped-call]
    house.publish(sub, entitlements=[paid])
    house.use(sub, "5")
    run_at(house, "22T11:10", CLOSING)
    assert house.hours(sub) == {"22T10": "0"}
    assert house.records(sub, "plan") == []
    assert house.balance(sub).included == 5_000_000
    house.must_be_exact()


def test_two_workers_tell_one_zero_once(house: House) -> None:
    sub = house.buy(ZEROS, since=TEN)
    run_at(house, CLOSING)
    house.new_cycle().run()
    house.run()
    assert len(house.aws.requests) == 1
    assert house.hours(sub) == {"22T10": "0"}


def test_an_hour_whose_log_cannot_be_read_gets_no_zero(house: House) -> None:
    sub = house.buy(ZEROS, since=TEN)
    house.clock.advance(seconds=(at(CLOSING) - house.clock.now()).total_seconds())
    house.cycle.plan_unbilled(not_folded=["2026-11-22T10"])
    assert house.records(sub) == []
    house.cycle.plan_unbilled()
    assert len(house.records(sub)) == 1


def test_a_zero_that_cannot_be_sent_expires_without_harm(house: House) -> None:
    sub = house.buy(ZEROS, since=TEN)
    house.aws.always = Fault(before=Refused("ThrottlingException"))
    run_at(house, CLOSING, CLOSED)
    assert house.outcomes(sub) == ["expired"]
    house.must_be_exact()


def test_at_a_months_end_the_whole_last_day_closes_at_six() -> None:
    """Five o'clock: of who was activated in it."""
    assert closing_hours(datetime(2026, 12, 1, 5, 39, tzinfo=UTC), Limits()) == ["2026-11-30T05"]
    assert closing_hours(datetime(2026, 12, 1, 5, 41, tzinfo=UTC), Limits()) == [
        f"2026-11-30T{hour:02d}" for hour in range(5, 24)
    ]


def test_who_is_subscribed_is_read_once_an_hour() -> None:
    reads: list[None] = []
    roll = Roll(lambda: reads.append(None) or [])  # type: ignore[func-returns-value]
    for minutes in (0, 1, 59, 60, 119, 121, 60):  # The last: a clock that was set back.
        roll.subscriptions(TEN + timedelta(minutes=minutes))
    assert len(reads) == 4
