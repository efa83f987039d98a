"""Accepted events, column by column: how many of them travel from the door to the log."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from metering.hours import start_of
from metering.tags import TagSet
from metering.usage_events import UsageEvent

MICROSECOND = timedelta(microseconds=1)


@dataclass
class UsageColumns:
    """Events side by side: the first of each list is the first event's. See `UsageEvent`.

    Attributes:
        hours: in which each was used.
        offsets: how many microseconds of that hour had passed.
    """

    sources: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    holders: list[str] = field(default_factory=list)
    dimensions: list[str] = field(default_factory=list)
    quantities: list[int] = field(default_factory=list)
    hours: list[str] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    tags: list[TagSet] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def append(self, more: "UsageColumns") -> None:
        """Put other events after these."""
        for name, column in vars(self).items():
            column.extend(getattr(more, name))

    def at(self, places: list[int]) -> "UsageColumns":
        """The events at some places, in that order."""
        return UsageColumns(*([column[place] for place in places] for column in vars(self).values()))


def columns_of(events: Iterable[UsageEvent]) -> UsageColumns:
    """Single events, side by side."""
    columns = UsageColumns()
    for event in events:
        hour = event.hour
        columns.sources.append(event.source)
        columns.ids.append(event.id)
        columns.holders.append(event.holder)
        columns.dimensions.append(event.dimension)
        columns.quantities.append(event.quantity)
        columns.hours.append(hour)
        columns.offsets.append((event.time - start_of(hour)) // MICROSECOND)
        columns.tags.append(event.tags)
    return columns
