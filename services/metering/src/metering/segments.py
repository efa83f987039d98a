"""Segments: how the usage log keeps events. One item of the log is one segment and carries many events.

Format 2 is zstandard over a JSON list of rows [source, id, holder, dimension, micro-units, time], and after
them the tags, where there are any: [[key, value], …]. Format 1 is the same without tags. A segment is never
updated. Its key sorts by the moment it was accepted, because of two events with the same id the first one
counts. Our clock may stand still or be coarse (a simulated hour), so within one moment of it the machine's
own nanoseconds decide, and within one request the segment's place.
"""

import hashlib
import secrets
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import orjson
import zstandard

from chassis.times import parse_rfc3339, rfc3339
from metering.tags import TagSet
from metering.usage_events import UsageEvent

FORMAT = 2
READABLE = frozenset({1, 2})

# DynamoDB takes items of 400 KB; compression never makes a segment notably larger than its rows.
MOST_BYTES_OF_ROWS = 350_000


@dataclass(frozen=True)
class Segment:
    """One item of the log: `partition` is the hour and the shard, `segment_id` is unique within it."""

    partition: str
    segment_id: str
    hour: str
    events: int
    data: bytes
    format: int = FORMAT


def shard_of(holder: str, shards: int) -> int:
    """The shard of a holder: all its events of an hour lie in one, so an hour can be read in parts."""
    return int.from_bytes(hashlib.blake2b(holder.encode(), digest_size=4).digest()) % shards


def partition_of(hour: str, shard: int) -> str:
    return f"{hour}#{shard:03d}"


def pack(events: list[UsageEvent], shards: int, now: datetime, nanoseconds: int) -> list[Segment]:
    """Pack events into as few segments as their hours, shards and size allow.

    Args:
        events: of one request, in their order.
        shards: into how many shards an hour is spread.
        now: the moment of acceptance by the one clock.
        nanoseconds: the machine's own, for the order of requests within one moment of that clock.
    """
    groups: dict[tuple[str, int], list[UsageEvent]] = defaultdict(list)
    for event in events:
        groups[event.hour, shard_of(event.holder, shards)].append(event)
    sized = [(hour, shard, rows) for (hour, shard), group in groups.items() for rows in _sized(group)]
    moment = f"{rfc3339(now)}#{nanoseconds:016x}"
    return [
        Segment(
            partition=partition_of(hour, shard),
            segment_id=f"{moment}#{place:04x}#{secrets.token_hex(8)}",
            hour=hour,
            events=len(rows),
            data=zstandard.compress(b"[" + b",".join(rows) + b"]"),
        )
        for place, (hour, shard, rows) in enumerate(sized)
    ]


def unpack(segment_format: int, data: bytes) -> list[UsageEvent]:
    """The events of a segment.

    Raises:
        ValueError: a format that this release cannot read; nothing may be billed from a guess.
    """
    if segment_format not in READABLE:
        raise ValueError(f"Segment format {segment_format} is not one that this release reads.")
    return [
        UsageEvent(source, event_id, holder, dimension, quantity, parse_rfc3339(time), _tags(*tags))
        for source, event_id, holder, dimension, quantity, time, *tags in orjson.loads(
            zstandard.decompress(data)
        )
    ]


def _tags(tags: list[list[str]] | None = None) -> TagSet:
    return tuple((key, value) for key, value in tags or ())


def _sized(events: list[UsageEvent]) -> Iterator[list[bytes]]:
    rows: list[bytes] = []
    size = 0
    for event in events:
        tags = [event.tags] if event.tags else []
        row = orjson.dumps([*event[:5], rfc3339(event.time), *tags])
        if rows and size + len(row) > MOST_BYTES_OF_ROWS:
            yield rows
            rows, size = [], 0
        rows.append(row)
        size += len(row) + 1
    yield rows
