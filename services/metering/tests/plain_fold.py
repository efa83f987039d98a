"""The fold as plainly as it can be written: what `hour_fold.py` has to agree with."""

from collections import defaultdict
from collections.abc import Iterable

from metering.hour_fold import HourUsage
from metering.tags import UNTAGGED, TagSet
from metering.usage_events import UsageEvent


def fold(events: Iterable[UsageEvent]) -> dict[tuple[str, str], HourUsage]:
    """Fold all events of one hour, in the order of the log.

    The same (source, id) with the same content is one event. With another content it is a conflict: the first
    one counts, and the conflict is counted where the first one was booked.

    Returns:
        for each (holder, dimension) that any event names, its usage.
    """
    first: dict[tuple[str, str], UsageEvent] = {}
    conflicting: set[UsageEvent] = set()
    metered: dict[tuple[str, str], int] = {}
    corrections: dict[tuple[str, str], int] = defaultdict(int)
    conflicts: dict[tuple[str, str], int] = defaultdict(int)
    tags: dict[tuple[str, str], dict[TagSet, int]] = defaultdict(lambda: defaultdict(int))
    for event in events:
        known = first.get((event.source, event.id))
        if known is None:
            first[event.source, event.id] = event
            booked = (event.holder, event.dimension)
            metered[booked] = metered.get(booked, 0) + max(event.quantity, 0)
            if event.quantity < 0:
                corrections[booked] -= event.quantity
            if event.tags != UNTAGGED:
                tags[booked][event.tags] += event.quantity
        elif known != event and event not in conflicting:
            conflicting.add(event)
            metered.setdefault((event.holder, event.dimension), 0)
            conflicts[known.holder, known.dimension] += 1
    return {
        key: HourUsage(
            quantity,
            corrections.get(key, 0),
            conflicts.get(key, 0),
            {tag_set: tagged for tag_set, tagged in tags.get(key, {}).items() if tagged > 0},
        )
        for key, quantity in metered.items()
    }
