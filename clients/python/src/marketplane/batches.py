"""Which events go into one request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from marketplane.events import UsageEvent

MOST_EVENTS = 1_000  # openapi/metering.yaml, UsageEventBatch
MOST_BYTES = 1_000_000  # the service's default is 1 MiB

_HEAD, _COMMA, _TAIL = b'{"events":[', b",", b"]}"


def how_many(events: Iterable[UsageEvent], most: int = MOST_EVENTS, most_bytes: int = MOST_BYTES) -> int:
    """How many of the first events fit into one request; never none, if there is one."""
    count, size = 0, len(_HEAD) + len(_TAIL)
    for event in events:
        size += len(event.body) + len(_COMMA)
        if count == most or (count and size > most_bytes):
            break
        count += 1
    return count


def body_of(events: Sequence[UsageEvent]) -> bytes:
    return _HEAD + _COMMA.join(event.body for event in events) + _TAIL


def halves(events: Sequence[UsageEvent]) -> tuple[Sequence[UsageEvent], Sequence[UsageEvent]]:
    """The first half, and the rest."""
    middle = len(events) // 2
    return events[:middle], events[middle:]
