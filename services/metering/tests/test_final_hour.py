"""The last hour of a subscription: it goes at once, and what comes after is written off in sight of all."""

from datetime import timedelta

import pytest
from house import CONCURRENT, LEGACY, House, at
from shelf_marketplace import Fault, Refused


@pytest.mark.parametrize("product_code", [LEGACY, CONCURRENT])
def test_the_running_hour_is_sealed_at_once(house: House, product_code: str) -> None:
    sub, other = house.buy(product_code), house.buy(product_code)
    house.use(sub, "1")
    house.use(other, "1")
    house.clock.advance(minutes=59)
    house.use(sub, "2")
    house.clock.advance(minutes=2)
    house.use(sub, "4")
    house.use(other, "4")
    house.end(sub, at("22T12:01"))
    house.run()
    assert house.hours(sub) == {"22T10": "3", "22T11": "4"}
    assert house.hours(other) == {}
    house.must_be_exact()


def test_usage_of_the_final_hour_after_its_seal_has_the_next_hour(house: House) -> None:
    sub = house.buy()
    house.clock.advance(minutes=30)
    house.use(sub, "1")
    house.end(sub, at("22T11:30"))
    house.run()
    house.clock.advance(minutes=10)
    house.use(sub, "2")
    house.run()
    assert house.hours(sub) == {"22T10": "1"}
    house.clock.advance(minutes=25)
    house.run()
    assert house.hours(sub) == {"22T10": "1", "22T11": "2"}
    house.must_be_exact()


def test_what_comes_after_the_final_hour_is_written_off_by_name(house: House) -> None:
    sub = house.buy()
    house.use(sub, "1")
    house.clock.advance(minutes=30)
    house.end(sub, at("22T11:30"))
    house.run()
    house.clock.advance(minutes=50)
    house.use(sub, "2")
    house.clock.advance(minutes=10)
    house.run()
    assert house.hours(sub) == {"22T10": "1"}
    assert house.balance(sub).reasons == {("written_off", "after_final_hour"): 2_000_000}
    house.must_be_exact()
    # Later still: more is written off, on the same row.
    house.use(sub, "4", time=at("22T11:20"))
    house.run()
    assert house.balance(sub).reasons == {("written_off", "after_final_hour"): 6_000_000}
    house.must_be_exact()


def test_the_final_hour_goes_before_all_others(house: House) -> None:
    """One call only gets through: it is the one that could not go later."""
    others = [house.buy() for _ in range(30)]
    sub = house.buy(LEGACY)
    house.report(*[house.event(one, "1") for one in [*others, sub]])
    house.clock.advance(hours=2)
    house.use(sub, "2")
    house.end(sub, at("22T13:00"))
    house.aws.next_calls(Fault(), Fault(before=Refused("ThrottlingException")))
    house.run()
    assert house.hours(sub) == {"22T10": "1", "22T12": "2"}
    assert {house.billed(one) for one in others} == {"0"}
    house.must_be_exact()


def test_a_worker_that_was_away_for_the_final_hour_writes_off_what_it_missed(house: House) -> None:
    sub = house.buy()
    house.use(sub, "1")
    house.end(sub, at("22T11:00"))
    house.clock.advance(hours=3)
    house.run()
    assert house.aws.requests == []
    assert house.balance(sub).reasons == {("written_off", "after_final_hour"): 1_000_000}
    house.must_be_exact()


def test_a_record_frozen_in_time_and_sent_too_late_is_not_subscribed(house: House) -> None:
    sub = house.buy()
    house.use(sub, "1")
    house.end(sub, at("22T11:00"))
    house.aws.next_calls(Fault(before=Refused("ThrottlingException")))
    house.run()
    house.clock.advance(hours=1)
    house.run()
    assert house.outcomes(sub) == ["not_subscribed"]
    house.must_be_exact()


def test_a_buyer_who_comes_back_is_billed_on(house: House) -> None:
    """A legacy buyer subscribes again within the hour: the same subscription."""
    sub = house.buy(LEGACY)
    house.use(sub, "1")
    house.end(sub, at("22T11:00"))
    house.run()
    house.aws.buyers[house.identities[sub]].until = None
    house.clock.advance(minutes=20)
    house.publish(sub, active_since=house.clock.now())
    house.use(sub, "2")
    house.run()
    assert house.hours(sub) == {"22T10": "1"}
    house.clock.advance(hours=1)
    house.use(sub, "4")
    house.clock.advance(hours=1)
    house.run()
    assert house.hours(sub) == {"22T10": "1", "22T11": "6"}
    house.must_be_exact()


def test_aws_whose_clock_is_behind_ours_does_not_lose_the_final_hour(house: House) -> None:
    """A timestamp that is still to come for AWS is out of bounds for it. It soon is not; nothing expires."""
    sub = house.buy()
    house.clock.advance(hours=1, seconds=20)
    house.use(sub, "1")
    house.end(sub, at("22T12:00"))
    behind = type(house.clock)(house.clock.now() - timedelta(seconds=40))
    house.aws.clock = behind
    house.run()
    assert house.outcomes(sub) == ["planned"]
    house.must_be_exact()
    behind.advance(minutes=1)
    house.run()
    assert house.hours(sub) == {"22T11": "1"}
    house.must_be_exact()
