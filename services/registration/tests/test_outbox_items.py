"""Outbox items: whose hands they are in, and when they are tried again."""

from datetime import timedelta

import pytest
from samples import LATER, NOW

from registration.outbox_items import LEASE, Kind, new_item

ITEM = new_item(Kind.HAND_OVER, "sub_a-1", "sub_a", None, NOW, {"email": "ada@example.com"})


@pytest.mark.parametrize(
    ("kind", "outbox_id"),
    [
        (Kind.HAND_OVER, "hand-over-x"),
        (Kind.WELCOME_LETTER, "welcome-letter-x"),
        (Kind.ACCESS_LETTER, "access-letter-x"),
        (Kind.DEPLOYMENT_PARAMETER, "deployment-parameter-x"),
    ],
)
def test_the_same_cause_has_the_same_id(kind: Kind, outbox_id: str) -> None:
    assert new_item(kind, "x", "sub_a", "cus_a", NOW).outbox_id == outbox_id
    assert new_item(kind, "x", "sub_a", "cus_a", LATER).outbox_id == outbox_id


def test_a_new_item_is_due_at_once_unless_its_writer_tries_it() -> None:
    assert (ITEM.due_at, ITEM.attempts, ITEM.last_error) == (NOW, 0, None)
    in_hand = new_item(Kind.HAND_OVER, "sub_a-1", "sub_a", None, NOW, in_hand=True)
    assert (in_hand.due_at, in_hand.attempts, in_hand.created_at) == (NOW + LEASE, 1, NOW)
    assert in_hand.payload == {}


def test_taking_counts_and_keeps_others_away_for_the_lease() -> None:
    taken = ITEM.taken(LATER)
    assert (taken.due_at, taken.attempts) == (LATER + LEASE, 1)
    assert (taken.created_at, taken.payload, taken.outbox_id) == (NOW, ITEM.payload, ITEM.outbox_id)
    assert taken.taken(LATER).attempts == 2


@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [(0, 1), (1, 1), (2, 2), (3, 4), (4, 8), (11, 1024), (12, 1800), (13, 1800), (5000, 1800)],
)
def test_each_pause_is_twice_the_last_up_to_half_an_hour(attempts: int, seconds: int) -> None:
    item = ITEM
    for _ in range(attempts):
        item = item.taken(NOW)
    failed = item.failed("away", LATER)
    assert failed.due_at == LATER + timedelta(seconds=seconds)
    assert (failed.last_error, failed.attempts) == ("away", attempts)


@pytest.mark.parametrize(
    ("age", "state", "pause"),
    [
        (timedelta(days=3) - timedelta(microseconds=1), "waiting", timedelta(minutes=30)),
        (timedelta(days=3), "stuck", timedelta(hours=1)),
        (timedelta(days=300), "stuck", timedelta(hours=1)),
    ],
)
def test_after_three_days_it_is_stuck_and_tried_each_hour(
    age: timedelta, state: str, pause: timedelta
) -> None:
    item = ITEM
    for _ in range(20):
        item = item.taken(NOW)
    assert item.state(NOW + age) == state
    assert item.failed("away", NOW + age).due_at == NOW + age + pause


def test_hurried_it_is_due_at_once_with_short_pauses_again() -> None:
    hurried = ITEM.taken(NOW).taken(NOW).failed("away", NOW).hurried(LATER)
    assert (hurried.due_at, hurried.attempts, hurried.last_error) == (LATER, 0, "away")
    assert hurried.created_at == NOW
    assert hurried.taken(LATER).failed("away", LATER).due_at == LATER + timedelta(seconds=1)


def test_the_lease_is_longer_than_a_hand_overs_call() -> None:
    # One that is over while its holder still waits for the back end lets another ask the same at once.
    from registration.settings import Settings

    most = [one.le for one in Settings.model_fields["hand_over_seconds"].metadata if getattr(one, "le", None)]
    assert most
    assert timedelta(seconds=max(most)) < LEASE
