"""A segment gives back exactly what was put in."""

import random
import struct
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from metering.hour_fold import HourFold
from metering.segments import FORMAT, MOST_BYTES, LoggedSegment, Segment, pack, shard_of
from metering.usage_columns import columns_of
from metering.usage_events import UsageEvent

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
SUB = "sub_" + "a" * 26
TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=128)
IDS = (
    TEXT
    | st.uuids().map(str)
    | st.uuids().map(lambda one: str(one).upper())
    | st.uuids().map(lambda one: one.hex)
)
TAGS = st.dictionaries(TEXT, TEXT, max_size=5).map(lambda tags: tuple(sorted(tags.items())))
EVENTS = st.lists(
    st.builds(
        UsageEvent,
        TEXT,
        IDS,
        st.sampled_from([f"sub_{letter * 26}" for letter in "abcdefgh"]),
        st.sampled_from(["gpu_hours", "tokens"]),
        st.integers(1 - 10**16, 10**16 - 1),
        st.datetimes(
            NOW.replace(tzinfo=None) - timedelta(hours=3), NOW.replace(tzinfo=None), timezones=st.just(UTC)
        ),
        TAGS,
    ),
    max_size=30,
)


def logged(segment: Segment) -> LoggedSegment:
    return LoggedSegment("part", "1", FORMAT, segment.data)


def packed(events: list[UsageEvent], shards: int = 1, nanoseconds: int = 0) -> list[Segment]:
    return pack(columns_of(events), shards, NOW, nanoseconds)


def events_of(segments: list[Segment]) -> list[UsageEvent]:
    return [event for segment in segments for event in logged(segment).columns.events()]


@given(EVENTS, st.integers(1, 8))
def test_every_event_comes_back_once_from_its_own_hour_and_shard(
    events: list[UsageEvent], shards: int
) -> None:
    segments = packed(events, shards)
    assert sorted(events_of(segments)) == sorted(events)
    assert len({logged(segment).order for segment in segments}) == len(segments)
    for segment in segments:
        inside = events_of([segment])
        assert len(inside) == segment.events > 0
        for event in inside:
            assert event.hour == segment.hour
            assert shard_of(event.holder, shards) == segment.shard


@given(st.lists(st.uuids(), min_size=1, max_size=40), st.data())
def test_uuids_are_kept_in_16_bytes_and_come_back_as_they_were_spelled(
    uuids: list[uuid.UUID], data: st.DataObject
) -> None:
    ids = [str(one) for one in uuids]
    (segment,) = packed([UsageEvent("gateway", one, SUB, "tokens", 1, NOW) for one in ids])
    assert logged(segment).columns.uuids == b"".join(one.bytes for one in uuids)
    # One that is no UUID in the usual spelling, of the same length or not, and all are kept as text.
    strange = data.draw(st.sampled_from([f"{ids[0][:-2]} a", f"{ids[0][:-1]}-", f"{{{ids[0][1:-1]}}}", "x"]))
    ids.append(strange)
    (segment,) = packed([UsageEvent("gateway", one, SUB, "tokens", 1, NOW) for one in ids])
    assert logged(segment).columns.uuids is None
    assert [event.id for event in events_of([segment])] == ids


def test_a_segment_fits_into_an_item_of_dynamodb() -> None:
    chance = random.Random(1)
    # The worst that the contract lets in: nothing to compress, no two texts alike.
    events = [
        UsageEvent(
            chance.randbytes(64).hex(), chance.randbytes(64).hex(), SUB, chance.randbytes(127).hex(), n, NOW
        )
        for n in range(4000)
    ]
    segments = packed(events)
    assert len(segments) > 1
    assert events_of(sorted(segments, key=lambda segment: logged(segment).order)) == events
    assert all(len(segment.data) <= MOST_BYTES for segment in segments)


def test_one_write_of_ordinary_events_is_one_segment_for_each_hour_and_shard() -> None:
    events = [
        UsageEvent("gateway", f"{n}", SUB, "gpu_hours", n, NOW - timedelta(hours=n % 2)) for n in range(1000)
    ]
    assert [segment.events for segment in packed(events, 4)] == [500, 500]


def test_segments_sort_as_the_events_came_even_while_the_clock_stands_still() -> None:
    event = UsageEvent("gateway", "1", SUB, "gpu_hours", 1, NOW)
    orders = [logged(packed([event], nanoseconds=10**18 + tick)[0]).order for tick in range(50)]
    assert orders == sorted(orders)
    assert logged(packed([event])[0]).accepted_at == "2026-11-22T10:30:00.000000Z"


def test_what_older_releases_wrote_is_read() -> None:
    tagged = ["gateway", "1", SUB, "gpu_hours", 2, "2026-11-22T10:30:00Z", [["team", "research"]]]
    first = LoggedSegment(
        "part", "2026-11-22T10:31:00Z#1#0#a", 1, zstandard.compress(orjson.dumps([tagged[:6]]))
    )
    second = LoggedSegment(
        "part", "2026-11-22T10:32:00Z#1#0#a", 2, zstandard.compress(orjson.dumps([tagged]))
    )
    untagged = UsageEvent("gateway", "1", SUB, "gpu_hours", 2, NOW)
    assert first.columns.events() == [untagged]
    assert second.columns.events() == [untagged._replace(tags=(("team", "research"),))]
    assert first.order < second.order
    assert second.accepted_at == "2026-11-22T10:32:00Z"


@pytest.mark.parametrize("unknown", [0, FORMAT + 1])
def test_an_unknown_format_is_refused(unknown: int) -> None:
    with pytest.raises(ValueError, match=f"format {unknown}"):
        _ = LoggedSegment("part", "1", unknown, b"").columns


def spoiled(by: Callable[[dict[str, Any]], None]) -> LoggedSegment:
    """A segment of two events whose header says something else."""
    data = pack(
        columns_of([UsageEvent("gateway", one, SUB, "gpu_hours", 2, NOW) for one in "12"]), 1, NOW, 1
    )[0].data
    of_header, of_columns = struct.unpack_from("<II", data)
    header = orjson.loads(zstandard.decompress(data[8 : 8 + of_header]))
    by(header)
    changed = zstandard.compress(orjson.dumps(header))
    return LoggedSegment(
        "part", "1", FORMAT, struct.pack("<II", len(changed), of_columns) + changed + data[8 + of_header :]
    )


@pytest.mark.parametrize(
    "by",
    [
        lambda header: header.update(events=3),
        lambda header: header["widths"].__setitem__(-1, 2),
        lambda header: header["holders"].clear(),
    ],
)
def test_a_segment_that_says_two_things_is_billed_from_no_guess(by: Callable[[dict[str, Any]], None]) -> None:
    folded = HourFold(lambda part, segment_id: spoiled(by))

    def fold() -> None:
        folded.add(spoiled(by))
        folded.settle()

    with pytest.raises(ValueError, match="header"):
        fold()


def test_a_shard_is_the_same_for_ever() -> None:
    """It decides where the log is read: another answer for what is written already would lose it."""
    assert [shard_of(f"sub_{letter * 26}", 4) for letter in "abcdefgh"] == [2, 3, 0, 3, 0, 3, 2, 2]
