"""Segments: how the usage log keeps events. One item of the log is one segment and carries many events of
one hour and one shard. A segment is never updated.

Format 3 is columns of numbers (`packed_columns.py`). Format 2 is zstandard over a
JSON list of rows [source, id, holder, dimension, micro-units, time], and after them the tags, where there are
any: [[key, value], …]. Format 1 is the same without tags. What is written is 3; all are read.

Because of two events with the same id the first one counts, a segment says when it was accepted. Our clock
may stand still or be coarse (a simulated hour), so within one moment of it the machine's own nanoseconds
decide, and within one write the segment's place.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any

import orjson
import zstandard

from chassis.times import parse_rfc3339, rfc3339
from metering.packed_columns import PackedColumns, pack_columns
from metering.tags import TagSet
from metering.usage_columns import UsageColumns, columns_of
from metering.usage_events import UsageEvent

FORMAT = 3
READABLE = frozenset({1, 2, 3})

MOST_BYTES = 350_000
"""DynamoDB takes items of 400 KB, keys included."""

_REMEMBERED_SHARDS = 100_000


@dataclass(frozen=True)
class Segment:
    """What is to be written of one hour and one shard."""

    hour: str
    shard: int
    events: int
    data: bytes


@dataclass(frozen=True)
class LoggedSegment:
    """A segment as the log has it.

    Attributes:
        part, segment_id: the keys of its item; the `segment_id` of formats 1 and 2 says when it was accepted.
        segment_format, data: as written.
    """

    part: str
    segment_id: str
    segment_format: int
    data: bytes

    @property
    def name(self) -> str:
        """What tells it from every other one."""
        return f"{self.part}#{self.segment_id}"

    @property
    def order(self) -> str:
        """Sorts segments by when they were accepted."""
        return self.columns.order

    @property
    def accepted_at(self) -> str:
        """RFC 3339."""
        return self.order.partition("#")[0]

    @cached_property
    def columns(self) -> PackedColumns:
        """Its events, kept. See `unpack`."""
        return self.unpack()

    def unpack(self) -> PackedColumns:
        """Its events.

        Raises:
            ValueError: a format that this release cannot read; nothing may be billed from a guess.
        """
        if self.segment_format not in READABLE:
            raise ValueError(f"Segment format {self.segment_format} is not one that this release reads.")
        if self.segment_format == FORMAT:
            return PackedColumns(self.data)
        rows = orjson.loads(zstandard.decompress(self.data))
        return PackedColumns(pack_columns(columns_of(_events_of(rows)), self.segment_id))


@lru_cache(_REMEMBERED_SHARDS)
def shard_of(holder: str, shards: int) -> int:
    """The shard of a holder: all its events of an hour lie in one, so an hour can be read in parts."""
    return int.from_bytes(hashlib.blake2b(holder.encode(), digest_size=4).digest()) % shards


def pack(columns: UsageColumns, shards: int, now: datetime, nanoseconds: int) -> list[Segment]:
    """Pack events into as few segments as their hours, shards and size allow.

    Args:
        columns: the events of one write, in their order.
        shards: into how many shards an hour is spread.
        now: the moment of acceptance by the one clock.
        nanoseconds: the machine's own, for the order of writes within one moment of that clock.
    """
    groups = _grouped(columns, shards)
    moment = f"{rfc3339(now)}#{nanoseconds:016x}"
    segments: list[Segment] = []
    for (hour, number), places in groups.items():
        group = columns if len(groups) == 1 else columns.at(places)
        for events, data in _sized(group, f"{moment}#{len(segments):04x}"):
            segments.append(Segment(hour, number, events, data))
    return segments


def _grouped(columns: UsageColumns, shards: int) -> dict[tuple[str, int], list[int]]:
    """The places of the events of each hour and shard."""
    if shards == 1 and len(set(columns.hours)) == 1:
        return {(columns.hours[0], 0): list(range(len(columns)))}
    shard = {holder: shard_of(holder, shards) for holder in set(columns.holders)}
    groups: dict[tuple[str, int], list[int]] = defaultdict(list)
    for place, (hour, holder) in enumerate(zip(columns.hours, columns.holders, strict=True)):
        groups[hour, shard[holder]].append(place)
    return groups


def _sized(columns: UsageColumns, order: str) -> Iterator[tuple[int, bytes]]:
    """Columns of one hour in parts that fit into an item, each with its number of events."""
    data = pack_columns(columns, order)
    if len(data) <= MOST_BYTES or len(columns) == 1:
        yield len(columns), data
        return
    middle = len(columns) // 2
    yield from _sized(columns.at(list(range(middle))), f"{order}.0")
    yield from _sized(columns.at(list(range(middle, len(columns)))), f"{order}.1")


def _events_of(rows: list[Any]) -> list[UsageEvent]:
    """Of formats 1 and 2."""
    return [
        UsageEvent(source, event_id, holder, dimension, quantity, parse_rfc3339(time), _tags(*tags))
        for source, event_id, holder, dimension, quantity, time, *tags in rows
    ]


def _tags(tags: list[list[str]] | None = None) -> TagSet:
    return tuple((key, value) for key, value in tags or ())
