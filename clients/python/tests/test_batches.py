"""What goes into one request."""

from __future__ import annotations

import json

from made_up import events

from marketplane.batches import MOST_BYTES, body_of, halves, how_many


def test_a_batch_has_a_thousand_events_at_most() -> None:
    assert how_many(events(1001)) == 1000
    assert how_many(events(3)) == 3
    assert how_many([]) == 0


def test_a_batch_fills_its_bytes_and_no_more() -> None:
    many = events(1000, dimension="d" * 2000)
    count = how_many(many)
    assert len(body_of(many[:count])) <= MOST_BYTES < len(body_of(many[: count + 1]))


def test_an_event_that_is_too_large_goes_alone() -> None:
    assert how_many(events(2), most_bytes=10) == 1


def test_the_body_is_the_batch_of_the_contract() -> None:
    two = events(2)
    assert json.loads(body_of(two)) == {"events": [one.members for one in two]}


def test_halves_keep_the_order() -> None:
    five = events(5)
    first, rest = halves(five)
    assert [*first, *rest] == five
    assert (len(first), len(rest)) == (2, 3)
