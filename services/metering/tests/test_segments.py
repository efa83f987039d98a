"""A segment gives back exactly what was put in."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.segments import FORMAT, MOST_BYTES_OF_ROWS, Segment, pack, partition_of, shard_of, unpack
from metering.usage_events import UsageEvent

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=128)
EVENTS = st.lists(
    st.builds(
        UsageEvent,
        TEXT,
        TEXT,
        st.sampled_from([f"sub_{letter * 26}" for letter in "abcdefgh"]),
        st.sampled_from(["gpu_hours", "tokens"]),
        st.integers(0, 10**16 - 1),
        st.datetimes(
            NOW.replace(tzinfo=None) - timedelta(hours=3), NOW.replace(tzinfo=None), timezones=st.just(UTC)
        ),
    ),
    max_size=30,
)


def events_of(segments: list[Segment]) -> list[UsageEvent]:
    return [event for segment in segments for event in unpack(segment.format, segment.data)]


@given(EVENTS, st.integers(1, 8))
def test_every_event_comes_back_once_from_its_own_hour_and_shard(
    events: list[UsageEvent], shards: int
) -> None:
    segments = pack(events, shards, NOW, 0)
    assert sorted(events_of(segments)) == sorted(events)
    assert len({(segment.partition, segment.segment_id) for segment in segments}) == len(segments)
    for segment in segments:
        inside = events_of([segment])
        assert len(inside) == segment.events > 0
        for event in inside:
            assert event.hour == segment.hour
            assert segment.partition == partition_of(event.hour, shard_of(event.holder, shards))


def test_a_segment_fits_into_an_item_of_dynamodb() -> None:
    # The worst that the contract lets in: control characters, six bytes each in JSON, and nothing to
    # compress.
    events = [
        UsageEvent(f"{n:04}" + "\x01" * 124, f"{n:04}" + "\x02" * 124, "sub_" + "a" * 26, "d" * 255, n, NOW)
        for n in range(1000)
    ]
    segments = pack(events, 1, NOW, 0)
    assert len(segments) > 1
    assert events_of(sorted(segments, key=lambda segment: segment.segment_id)) == events
    assert all(len(segment.data) < MOST_BYTES_OF_ROWS + 10_000 for segment in segments)


def test_one_request_of_ordinary_events_is_one_segment_for_each_hour_and_shard() -> None:
    events = [
        UsageEvent("gateway", f"{n}", "sub_" + "a" * 26, "gpu_hours", n, NOW - timedelta(hours=n % 2))
        for n in range(1000)
    ]
    assert [segment.events for segment in pack(events, 4, NOW, 0)] == [500, 500]


def test_the_keys_sort_as_the_events_came_even_while_the_clock_stands_still() -> None:
    event = UsageEvent("gateway", "1", "sub_" + "a" * 26, "gpu_hours", 1, NOW)
    keys = [pack([event], 1, NOW, 10**18 + tick)[0].segment_id for tick in range(50)]
    assert keys == sorted(keys)


@pytest.mark.parametrize("unknown", [0, FORMAT + 1])
def test_an_unknown_format_is_refused(unknown: int) -> None:
    with pytest.raises(ValueError, match=f"format {unknown}"):
        unpack(unknown, b"")


def test_a_shard_is_the_same_for_ever() -> None:
    """It decides where the log is read: another answer for what is written already would lose it."""
    assert [shard_of(f"sub_{letter * 26}", 4) for letter in "abcdefgh"] == [2, 3, 0, 3, 0, 3, 2, 2]
    assert partition_of("2026-11-22T10", 3) == "2026-11-22T10#003"
