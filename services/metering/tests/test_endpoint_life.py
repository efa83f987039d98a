"""What becomes of an endpoint, and when; and that its parts are the same events whoever meters them."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from house import at
from hypothesis import given
from hypothesis import strategies as st

from metering.endpoint_life import LAST_MOMENTS, Circumstances, EndedBecause, Endpoint, next_state
from metering.quantities import MICRO
from metering.running_time import SECOND, full_second
from metering.subscriptions import Subscription
from metering.usage_events import UsageEvent

CREATED = at("22T10:15:07")
ACTIVE = Subscription("sub_a", "74endpoints", "concurrent_agreements", "active", access="granted")
FOLLOWING = replace(ACTIVE, subscription_id="sub_b")
ENDING = replace(ACTIVE, status="ending", access="denied", meter_until=at("22T12:30"))
RENEWED = replace(ENDING, access="granted", next_subscription_id="sub_b")


def endpoint(created_at: datetime = CREATED) -> Endpoint:
    return Endpoint(
        owner="cus_a",
        endpoint_id="end_a",
        name="A name",
        repository="acme/model",
        accelerator="GPU",
        subscription_id="sub_a",
        product_code="74endpoints",
        dimension="gpu_hours",
        created_at=created_at,
        metered_until=created_at,
        metering_until=created_at,
    )


def turn(one: Endpoint, around: Circumstances, now: datetime) -> tuple[Endpoint, list[UsageEvent]]:
    """All that a worker does of one endpoint at a moment."""
    events = []
    while True:
        if one.is_claimed:
            if event := one.claimed_usage:
                events.append(event)
            one = one.metered()
            if one.subscription_id == "sub_b":
                around = Circumstances(FOLLOWING)
        after = next_state(one, around, now)
        if after is None:
            return one, events
        one = after


def test_nothing_is_metered_of_an_hour_that_is_not_over() -> None:
    assert next_state(endpoint(), Circumstances(ACTIVE), at("22T10:59:59")) is None


def test_an_hour_is_claimed_once_it_is_over_and_then_metered() -> None:
    claimed = next_state(endpoint(), Circumstances(ACTIVE), at("22T11:00"))
    assert claimed
    assert (claimed.metered_until, claimed.metering_until) == (CREATED, at("22T11:00"))
    assert claimed.is_claimed
    assert claimed.claimed_usage
    metered = claimed.metered()
    assert not metered.is_claimed
    assert metered.metered_until == at("22T11:00")
    assert next_state(metered, Circumstances(ACTIVE), at("22T11:00")) is None


def test_what_was_away_catches_up_hour_by_hour() -> None:
    one, events = turn(endpoint(), Circumstances(ACTIVE), at("22T13:10"))
    assert [event.hour[-3:] for event in events] == ["T10", "T11", "T12"]
    assert [event.quantity for event in events[1:]] == [MICRO, MICRO]
    assert one.metered_until == at("22T13:00")


def test_what_is_deleted_is_metered_to_its_end_at_once_and_settled() -> None:
    deleted = endpoint().ended(at("22T10:20:00"), EndedBecause.DELETED_BY_OWNER)
    one, events = turn(deleted, Circumstances(ACTIVE), at("22T10:20:01"))
    assert [event.quantity for event in events] == [293 * MICRO // 3600]
    assert one.is_settled
    assert next_state(one, Circumstances(ACTIVE), at("22T20:00")) is None


def test_what_ends_in_the_second_it_began_in_is_settled_without_usage() -> None:
    deleted = endpoint().ended(CREATED + timedelta(microseconds=999_999), EndedBecause.DELETED_BY_OWNER)
    assert deleted.is_settled
    assert deleted.claimed_usage is None


def test_an_end_is_never_before_what_is_claimed_and_the_first_one_stands() -> None:
    claimed = next_state(endpoint(), Circumstances(ACTIVE), at("22T11:00"))
    assert claimed
    # By the clock of a web process that is behind the worker's.
    deleted = claimed.ended(at("22T10:59:58"), EndedBecause.DELETED_BY_OWNER)
    assert deleted.deleted_at == at("22T11:00")
    assert deleted.claimed_usage == claimed.claimed_usage
    again = deleted.ended(at("22T12:00"), EndedBecause.DELETED_BY_OPERATOR)
    assert again == deleted


@pytest.mark.parametrize(
    ("around", "now", "ended_at", "because"),
    [
        (Circumstances(ENDING), at("22T11:40:03"), at("22T11:40:03"), EndedBecause.SUBSCRIPTION_ENDED),
        (Circumstances(ENDING), at("22T14:00"), at("22T12:30"), EndedBecause.SUBSCRIPTION_ENDED),
        (
            Circumstances(replace(ENDING, status="ended")),
            at("23T14:00"),
            at("22T12:30"),
            EndedBecause.SUBSCRIPTION_ENDED,
        ),
        (
            Circumstances(replace(ENDING, status="failed", meter_until=None)),
            at("22T14:00"),
            at("22T14:00"),
            EndedBecause.SUBSCRIPTION_ENDED,
        ),
        (
            Circumstances(ACTIVE, customer_is_gone=True),
            at("22T10:30"),
            at("22T10:30"),
            EndedBecause.CUSTOMER_DELETED,
        ),
        (
            Circumstances(RENEWED, FOLLOWING, customer_is_gone=True),
            at("22T14:30"),
            at("22T12:30"),
            EndedBecause.CUSTOMER_DELETED,
        ),
        # Renewed, but by nothing that it could go along to: the last moments are for its bill.
        (
            Circumstances(RENEWED),
            at("22T12:30") - LAST_MOMENTS,
            at("22T12:25"),
            EndedBecause.SUBSCRIPTION_ENDED,
        ),
    ],
)
def test_it_stops(around: Circumstances, now: datetime, ended_at: datetime, because: EndedBecause) -> None:
    ended = next_state(endpoint(), around, now)
    assert ended
    assert (ended.deleted_at, ended.ended_because) == (ended_at, because)


@pytest.mark.parametrize(
    "around",
    [
        Circumstances(ACTIVE),
        Circumstances(None),
        Circumstances(RENEWED),
        Circumstances(RENEWED, replace(FOLLOWING, access="denied", status="pending")),
        Circumstances(RENEWED, replace(FOLLOWING, product_code="another")),
        # The next agreement is there already, and this one goes on yet.
        Circumstances(replace(ACTIVE, next_subscription_id="sub_b"), FOLLOWING),
    ],
)
def test_it_goes_on(around: Circumstances) -> None:
    assert next_state(endpoint(), around, at("22T10:59:59")) is None


def test_it_goes_along_with_a_renewal() -> None:
    around = Circumstances(RENEWED, FOLLOWING)
    claimed = next_state(endpoint(), around, at("22T10:40"))
    assert claimed
    assert (claimed.subscription_id, claimed.moves_to) == ("sub_a", "sub_b")
    one, events = turn(endpoint(), around, at("22T10:40"))
    assert one.subscription_id == "sub_b"
    assert one.deleted_at is None
    assert [(event.holder, event.id) for event in events] == [("sub_a", "endpoint/end_a/2026-11-22T10")]
    one, more = turn(one, Circumstances(FOLLOWING), at("22T11:00"))
    assert [(event.holder, event.id) for event in more] == [("sub_b", "endpoint/end_a/2026-11-22T10/sub_b")]
    assert sum(event.quantity for event in events + more) == (45 * 60 - 7) * MICRO // 3600


def test_a_renewal_that_was_heard_of_late_moves_it_at_the_old_ones_last_moment() -> None:
    one, events = turn(
        endpoint(),
        Circumstances(replace(RENEWED, status="ended", access="denied"), FOLLOWING),
        at("22T14:10"),
    )
    assert [(event.holder, event.hour[-2:]) for event in events] == [
        ("sub_a", "10"),
        ("sub_a", "11"),
        ("sub_a", "12"),
        ("sub_b", "12"),
        ("sub_b", "13"),
    ]
    assert events[2].quantity == events[3].quantity == MICRO // 2
    assert one.metered_until == at("22T14:00")


def test_a_deletion_while_it_moves_is_after_the_move() -> None:
    claimed = next_state(endpoint(), Circumstances(RENEWED, FOLLOWING), at("22T10:40"))
    assert claimed
    deleted = claimed.ended(at("22T10:39"), EndedBecause.DELETED_BY_OWNER)
    one, events = turn(deleted, Circumstances(RENEWED, FOLLOWING), at("22T10:41"))
    assert one.is_settled
    assert [event.holder for event in events] == ["sub_a"]


@given(
    st.integers(0, 7_200),
    st.lists(st.tuples(st.integers(1, 4_000), st.integers(-90, 90)), max_size=12),
    st.integers(0, 30_000),
    st.booleans(),
)
def test_whoever_meters_it_and_however_often_all_parts_sum_up_to_the_life(
    start: int, turns: list[tuple[int, int]], lived: int, dies: bool
) -> None:
    """Workers whose clocks are off take turns, some die between claim and end; somebody deletes it."""
    created_at = at("22T10:00") + start * SECOND
    one = endpoint(created_at)
    log: dict[str, UsageEvent] = {}
    now, around = created_at, Circumstances(ACTIVE)

    def emit(events: list[UsageEvent]) -> None:
        for event in events:
            assert log.setdefault(event.id, event) == event, "the same part is always the same event"

    for wait, skew in turns:
        now += wait * SECOND
        if now >= created_at + lived * SECOND and one.deleted_at is None:
            one = one.ended(now, EndedBecause.DELETED_BY_OWNER)
        if dies and not one.is_claimed and (claimed := next_state(one, around, now + skew * SECOND)):
            emit([event for event in [claimed.claimed_usage] if event])
            one = claimed
            continue
        one, events = turn(one, around, now + skew * SECOND)
        emit(events)
    one = one.ended(now, EndedBecause.DELETED_BY_OWNER)
    one, events = turn(one, around, now)
    emit(events)
    assert one.is_settled
    assert one.deleted_at
    assert one.deleted_at == full_second(one.deleted_at)
    assert (
        sum(event.quantity for event in log.values())
        == (one.deleted_at - created_at) // SECOND * MICRO // 3600
    )
