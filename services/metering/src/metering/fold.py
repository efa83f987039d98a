"""The hour fold: a set union over event ids, then a sum. Folding twice gives the same answer.

That is where "exactly once" comes from: the log may hold an event many times, the fold counts it once.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from metering.usage_events import UsageEvent


@dataclass(frozen=True)
class HourUsage:
    """What one subscription used of one dimension in the folded hour, in micro-units."""

    metered: int = 0
    conflicts: int = 0


def fold(events: Iterable[UsageEvent]) -> dict[tuple[str, str], HourUsage]:
    """Fold all events of one hour, in the order of the log.

    The same (source, id) with the same content is one event. With another content it is a conflict: the first
    one counts, and the conflict is counted where the first one was booked.

    Returns:
        for each (subscription id, dimension) that any event names, its usage. Where all its events lost to
        earlier ones that is nothing, and has to be booked as such: a fold that had not seen the earlier ones
        yet (their writer was slow) booked them, and they would be billed under both names.
    """
    first: dict[tuple[str, str], UsageEvent] = {}
    conflicting: set[UsageEvent] = set()
    metered: dict[tuple[str, str], int] = {}
    conflicts: dict[tuple[str, str], int] = {}
    for event in events:
        known = first.get((event.source, event.id))
        if known is None:
            first[event.source, event.id] = event
            booked = (event.subscription_id, event.dimension)
            metered[booked] = metered.get(booked, 0) + event.quantity
        elif known != event and event not in conflicting:
            conflicting.add(event)
            metered.setdefault((event.subscription_id, event.dimension), 0)
            booked = (known.subscription_id, known.dimension)
            conflicts[booked] = conflicts.get(booked, 0) + 1
    return {key: HourUsage(quantity, conflicts.get(key, 0)) for key, quantity in metered.items()}
