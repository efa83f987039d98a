"""Why an hour was billed so much: the events behind it, and which of them count."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from metering.segments import LoggedSegment
from metering.usage_events import UsageEvent


class Counts(StrEnum):
    """What an event in the log is worth. The contract says each in a sentence."""

    COUNTED = "counted"
    REPEATED = "repeated"
    CONFLICTING = "conflicting"


@dataclass(frozen=True)
class LoggedEvent:
    """An event, the segment that it lies in, and what it is worth."""

    segment: LoggedSegment
    event: UsageEvent
    counts: Counts


def explain(
    logged: Iterable[tuple[LoggedSegment, UsageEvent]], holders: Collection[str], dimension: str
) -> Iterator[LoggedEvent]:
    """The events of some holders and one dimension, by the rule of the fold: the first of each id counts.

    Args:
        logged: all events of one hour with their segments, in the order of the log.
    """
    first: dict[tuple[str, str], UsageEvent] = {}
    for segment, event in logged:
        known = first.setdefault((event.source, event.id), event)
        if event.holder in holders and event.dimension == dimension:
            counts = Counts.CONFLICTING if event != known else Counts.REPEATED
            yield LoggedEvent(segment, event, Counts.COUNTED if known is event else counts)
