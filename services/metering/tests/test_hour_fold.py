"""Folding is a set union: order and repetition never change what is billed."""

import random
import uuid
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_fold import fold as fold_plainly

from metering import gathered_events, hour_fold
from metering.hour_fold import HourFold, HourUsage, grouped_sums
from metering.seen_ids import SeenIds
from metering.segments import FORMAT, LoggedSegment, pack
from metering.usage_columns import columns_of
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


class Log:
    """Segments as a reader finds them."""

    def __init__(self) -> None:
        self.segments: dict[tuple[str, str], LoggedSegment] = {}
        self.read_again: list[tuple[str, str]] = []

    def write(self, events: list[UsageEvent], writer: str = "w") -> LoggedSegment:
        """What is written later was accepted later."""
        number = len(self.segments)
        (segment,) = pack(columns_of(events), 1, NOON, number)
        found = LoggedSegment(f"part-{writer}", f"{number:010x}", FORMAT, segment.data)
        self.segments[found.part, found.segment_id] = found
        return found

    def read(self, part: str, segment_id: str) -> LoggedSegment:
        self.read_again.append((part, segment_id))
        return self.segments[part, segment_id]

    def fold(self) -> HourFold:
        return HourFold(self.read)


def usage_of(folded: HourFold) -> dict[tuple[str, str], HourUsage]:
    return {row: folded.usage(row) for row in folded.rows()}


def fold(events: list[UsageEvent], size: int = 3) -> dict[tuple[str, str], HourUsage]:
    """By segments of a few events each."""
    log = Log()
    folded = log.fold()
    for start in range(0, len(events), size):
        folded.add(log.write(events[start : start + size]))
    folded.settle()
    return usage_of(folded)


FEW = st.builds(
    UsageEvent,
    st.sampled_from(["x", "y"]),
    st.sampled_from(["1", "2", "3", str(uuid.UUID(int=5)), str(uuid.UUID(int=6))]),
    st.sampled_from([A, B]),
    st.sampled_from(["gpu", "cpu"]),
    st.sampled_from([-(10**16) + 1, -1, 0, 1, 5, 10**16 - 1]),
    st.sampled_from([NOON, NOON + timedelta(microseconds=1)]),
    st.sampled_from([(), (("team", "a"),), (("team", "b"), ("zone", "1"))]),
)


@given(
    st.lists(st.lists(FEW, min_size=1, max_size=6), max_size=12),
    st.randoms(use_true_random=False),
)
def test_whatever_is_read_when_the_answer_is_that_of_reading_all_at_once(
    writes: list[list[UsageEvent]], chance: random.Random
) -> None:
    """Segments are read in any order, and any number of them before each answer. What has changed is said."""
    log = Log()
    segments = [log.write(events) for events in writes]
    order = list(range(len(writes)))
    chance.shuffle(order)
    folded = log.fold()
    booked: dict[tuple[str, str], HourUsage] = {}
    read: list[int] = []
    changed: set[tuple[str, str]] = set()
    for place in order:
        changed |= folded.add(segments[place])
        read.append(place)
        if chance.random() < 0.5:
            changed |= folded.settle()
            booked |= {row: folded.usage(row) for row in changed}
            changed.clear()
            should = fold_plainly(event for place in sorted(read) for event in writes[place])
            assert booked == usage_of(folded) == should
    changed |= folded.settle()
    booked |= {row: folded.usage(row) for row in changed}
    assert booked == usage_of(folded) == fold_plainly(event for events in writes for event in events)
    assert folded.segments == len(writes)


def test_the_same_holds_where_little_is_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hour_fold, "EVENTS_AT_ONCE", 20)
    monkeypatch.setattr(hour_fold, "SUSPECTS_AT_ONCE", 3)
    chance = random.Random(7)
    events = [
        event(f"{chance.randrange(60)}", chance.randrange(3), chance.choice([A, B])) for _ in range(400)
    ]
    assert fold(events, 7) == fold_plainly(events)
    assert sum(found.conflicts for found in fold(events, 7).values()) > 50


def test_ids_that_share_a_hash_are_two_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """All ids have the same hash here: whether they are the same is for the log to say."""
    entries_of = gathered_events.entries_of
    monkeypatch.setattr(
        gathered_events,
        "entries_of",
        lambda words, *rest: entries_of(np.zeros_like(words), *rest) * np.uint64(0) + rest[1],
    )
    chance = random.Random(8)
    events = [
        event(f"{chance.randrange(20)}", chance.randrange(2), source=chance.choice("xy")) for _ in range(60)
    ]
    assert fold(events, 4) == fold_plainly(events)


def test_what_comes_once_is_never_read_again() -> None:
    log = Log()
    folded = log.fold()
    for _ in range(20):
        folded.add(log.write([event(str(uuid.uuid4()), 1) for _ in range(100)]))
        folded.settle()
    assert log.read_again == []
    assert folded.events == 2000
    again = log.write(log.segments["part-w", f"{3:010x}"].columns.events())
    folded.add(again)
    assert folded.settle() == {(A, "gpu")}
    assert log.read_again == [("part-w", f"{3:010x}")]
    assert folded.events == 2000
    assert usage_of(folded) == {(A, "gpu"): HourUsage(2000)}


def test_the_fingerprint_says_which_segments_were_read() -> None:
    log = Log()
    first, second = log.write([event("1", 1)]), log.write([event("1", 1)], writer="v")
    one, other, both, turned = log.fold(), log.fold(), log.fold(), log.fold()
    one.add(first)
    other.add(second)
    both.add(first)
    both.add(second)
    turned.add(second)
    turned.add(first)
    assert len({log.fold().reading, one.reading, other.reading, both.reading}) == 4
    assert len({fold.reading.fingerprint for fold in (log.fold(), one, other, both)}) == 4
    assert both.reading == turned.reading


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-(2**62), 2**62)), min_size=1))
def test_sums_are_exact_beyond_64_bits(rows: list[tuple[int, int]]) -> None:
    should: dict[int, int] = {}
    for group, number in rows:
        should[group] = should.get(group, 0) + number
    groups, numbers = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    assert dict(grouped_sums(groups, numbers)) == should


def test_entries_are_replaced_in_their_buckets() -> None:
    seen = SeenIds()
    assert len(seen.add(np.array([5 << 24 | 1, 2**63 | 1], np.uint64))) == 0
    suspects = seen.add(np.array([5 << 24 | 2, 2**63 | 2, 9 << 24 | 2], np.uint64))
    assert suspects.tolist() == [5 << 24 | 1, 5 << 24 | 2, 2**63 | 1, 2**63 | 2]
    seen.replace(suspects >> np.uint64(24), [5 << 24 | 1, 2**63 | 1])
    assert len(seen) == 3
    assert seen.add(np.array([9 << 24 | 3], np.uint64)).tolist() == [9 << 24 | 2, 9 << 24 | 3]


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
