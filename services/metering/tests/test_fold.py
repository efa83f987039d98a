"""Folding is a set union: order and repetition never change what is billed."""

import random
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from metering.fold import HourUsage, fold
from metering.usage_events import UsageEvent

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
A, B = "sub_a", "sub_b"

UNIQUE = st.lists(
    st.builds(
        UsageEvent,
        st.sampled_from(["x", "y"]),
        st.integers(0, 50).map(str),
        st.sampled_from([A, B]),
        st.sampled_from(["gpu", "cpu"]),
        st.integers(0, 10**16 - 1),
        st.just(NOON),
    ),
    unique_by=lambda event: (event.source, event.id),
    max_size=40,
)


def event(
    event_id: str, quantity: int, sub: str = A, dimension: str = "gpu", source: str = "x"
) -> UsageEvent:
    return UsageEvent(source, event_id, sub, dimension, quantity, NOON)


@given(UNIQUE, st.randoms(use_true_random=False), st.integers(1, 4))
def test_prior_art_10_order_and_repetition_never_change_the_sum(
    events: list[UsageEvent], chance: random.Random, times: int
) -> None:
    repeated = events * times
    chance.shuffle(repeated)
    usage = fold(repeated)
    assert sum(found.metered for found in usage.values()) == sum(one.quantity for one in events)
    assert usage == fold(events)
    assert all(found.conflicts == 0 for found in usage.values())


@given(UNIQUE, UNIQUE)
def test_with_conflicts_the_first_of_each_id_counts(
    first: list[UsageEvent], second: list[UsageEvent]
) -> None:
    counted: dict[tuple[str, str], UsageEvent] = {}
    for one in first + second:
        counted.setdefault((one.source, one.id), one)
    usage = fold(first + second)
    assert sum(found.metered for found in usage.values()) == sum(one.quantity for one in counted.values())
    losers = {one for one in second if counted[one.source, one.id] != one}
    assert sum(found.conflicts for found in usage.values()) == len(losers)


def test_a_conflict_is_counted_once_where_the_first_was_booked() -> None:
    usage = fold([event("1", 10), event("1", 99), event("1", 99), event("1", 10), event("1", 7)])
    assert usage == {(A, "gpu"): HourUsage(metered=10, conflicts=2)}


def test_one_id_of_two_sources_is_two_events() -> None:
    usage = fold([event("1", 10), event("1", 20, source="y")])
    assert usage == {(A, "gpu"): HourUsage(30)}


def test_who_loses_everything_is_booked_with_nothing() -> None:
    """Else what an earlier fold, which had not seen the winner, booked for the loser would be billed too."""
    loser = event("1", 10, sub=B, dimension="cpu")
    assert fold([loser]) == {(B, "cpu"): HourUsage(10)}
    assert fold([event("1", 5), loser]) == {(A, "gpu"): HourUsage(5, conflicts=1), (B, "cpu"): HourUsage(0)}


def test_nothing_folds_to_nothing() -> None:
    assert fold([]) == {}
