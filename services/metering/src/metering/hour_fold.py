"""The hour fold: a set union over event ids, then a sum. Folding twice gives the same answer.

That is where "exactly once" comes from: the log may hold an event many times, the fold counts it once. It
takes segments in any order and any number at a time, and after each `settle` has the same answer as if it had
read all of them at once.

Every event is summed first, many at a time. Then those whose id was there before are looked up in their
segments, compared, and taken off again; they are few, and only they are ever looked at one by one.
"""

import hashlib
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from metering.gathered_events import GatheredEvents
from metering.packed_columns import Numbers
from metering.seen_ids import MOST_SEGMENTS, SeenIds, Words, among, hashes, ordinals
from metering.segments import LoggedSegment
from metering.tags import UNTAGGED, Split, TagSet
from metering.usage_events import UsageEvent

EVENTS_AT_ONCE = 250_000
"""So many are gathered before they are summed; some 60 MB."""

SUSPECTS_AT_ONCE = 50_000
"""So many are compared at a time; some 50 MB."""

_MOST_OF_TWO_BYTES = 0xFFFF

Row = tuple[str, str]
"""A holder and a dimension."""


class Reading(NamedTuple):
    """Which segments a fold has read.

    Attributes:
        segments: how many.
        fingerprint: of all of them; in which order they were read makes no difference.
    """

    segments: int
    fingerprint: str


@dataclass(frozen=True)
class HourUsage:
    """What one holder used of one dimension in the folded hour, in micro-units.

    Attributes:
        metered: the sum of what is above zero.
        corrections: the sum of what is below, as a positive number.
        conflicts: events that came again under the same id with another content.
        tags: how it divides by tag sets, less corrections with the same tags; without what is untagged.
    """

    metered: int = 0
    corrections: int = 0
    conflicts: int = 0
    tags: Split = field(default_factory=dict)


class _Sums:
    """Of one row, with all that was summed and not taken off again."""

    def __init__(self) -> None:
        self.metered = self.corrections = self.conflicts = 0
        self.tags: dict[TagSet, int] = {}

    def add(self, event: UsageEvent, times: int) -> None:
        if event.quantity > 0:
            self.metered += times * event.quantity
        else:
            self.corrections -= times * event.quantity
        if event.tags != UNTAGGED:
            self.tags[event.tags] = self.tags.get(event.tags, 0) + times * event.quantity


class _Found(NamedTuple):
    """An event in the log; sorts by when it was accepted."""

    order: str
    place: int
    ordinal: int
    event: UsageEvent


class HourFold:
    """What one hour's usage comes to.

    The same (source, id) with the same content is one event. With another content it is a conflict: the first
    one counts, and the conflict is counted where the first one is booked. A row whose events all lost to
    earlier ones is there, and is nothing: a fold that had not seen the earlier ones yet (their writer was
    slow) booked them, and they would be billed under both names.

    Args:
        read: reads a segment again, by its partition and its id there.
    """

    def __init__(self, read: Callable[[str, str], LoggedSegment]) -> None:
        self._read = read
        self._seen = SeenIds()
        self._rows: dict[Row, _Sums] = defaultdict(_Sums)
        self._gathered = GatheredEvents()
        self._parts: dict[str, int] = {}
        self._part_of = array("I")
        self._segment_ids: list[str] = []
        self._window: dict[int, LoggedSegment] = {}
        self._fingerprint = 0

    @property
    def segments(self) -> int:
        """How many it has read."""
        return len(self._part_of)

    @property
    def reading(self) -> Reading:
        return Reading(self.segments, f"{self._fingerprint:016x}")

    @property
    def events(self) -> int:
        """How many ids it knows: what its memory grows with."""
        return len(self._seen)

    def rows(self) -> Iterator[Row]:
        """All that any event names, whether or not it counts."""
        return iter(self._rows)

    def usage(self, row: Row) -> HourUsage:
        """Of a row, as of the last `settle`."""
        sums = self._rows[row]
        tagged = {tags: quantity for tags, quantity in sums.tags.items() if quantity > 0}
        return HourUsage(sums.metered, sums.corrections, sums.conflicts, tagged)

    def add(self, segment: LoggedSegment) -> set[Row]:
        """Take a segment that was not taken before. It counts from the next `settle` on.

        Returns:
            the rows that changed, where this settled what had gathered.

        Raises:
            ValueError: a segment that cannot be read; this fold may not be used any more.
        """
        if self.segments >= MOST_SEGMENTS:
            raise ValueError(f"An hour of more than {MOST_SEGMENTS} segments cannot be folded.")
        self._gathered.take(segment.unpack(), self.segments)
        self._window[self.segments] = segment
        self._part_of.append(self._parts.setdefault(segment.part, len(self._parts)))
        self._segment_ids.append(segment.segment_id)
        self._fingerprint ^= fingerprint_of(segment.part, segment.segment_id)
        return self.settle() if self._gathered.events >= EVENTS_AT_ONCE else set()

    def settle(self) -> set[Row]:
        """Let all segments count that were taken. Returns the rows that changed."""
        if not self._window:
            return set()
        first_new = min(self._window)
        changed = self._sum()
        suspects = self._seen.add(self._gathered.entries())
        self._gathered.clear()
        start = 0
        while start < len(suspects):
            # Never in the middle of a hash.
            end = start + SUSPECTS_AT_ONCE
            if end < len(suspects):
                end = int(np.searchsorted(hashes(suspects), hashes(suspects[end : end + 1])[0], "right"))
            changed |= self._compare(suspects[start:end], first_new)
            start = end
        self._window.clear()
        return changed

    def _sum(self) -> set[Row]:
        """Add up every event that was gathered, also those that were there before."""
        gathered, changed = self._gathered, set()
        holders, dimensions, tag_sets = gathered.texts()
        numbers, tags, quantities = gathered.columns()

        def row(number: int) -> Row:
            holder, dimension = divmod(number, len(dimensions))
            return holders[holder], dimensions[dimension]

        above = np.maximum(quantities, 0)
        for number, metered, corrections in grouped_sums(numbers, above, above - quantities):
            sums = self._rows[row(number)]
            sums.metered += metered
            sums.corrections += corrections
            changed.add(row(number))
        tagged = np.flatnonzero(tags)
        if len(tagged):
            pairs = numbers[tagged] * len(tag_sets) + tags[tagged]
            for pair, quantity in grouped_sums(pairs, quantities[tagged]):
                number, tag_number = divmod(pair, len(tag_sets))
                split = self._rows[row(number)].tags
                tag_set = tag_sets[tag_number]
                split[tag_set] = split.get(tag_set, 0) + quantity
        return changed

    def _compare(self, suspects: Words, first_new: int) -> set[Row]:
        """Take off again what was summed of events that were there before.

        Args:
            suspects: all entries of some hashes.
            first_new: from this segment on they were summed just now.
        """
        of = np.unique(hashes(suspects))
        occurrences: dict[tuple[str, str], list[_Found]] = defaultdict(list)
        hash_of_id: dict[tuple[str, str], int] = {}
        for ordinal in np.unique(ordinals(suspects)).tolist():
            segment = self._window.get(ordinal) or self._read_again(ordinal)
            columns = segment.unpack()
            its_hashes = hashes(self._gathered.entries_again(columns, ordinal))
            places = np.flatnonzero(among(its_hashes, of)).tolist()
            for place, event in zip(places, columns.events_at(places), strict=True):
                occurrences[event.source, event.id].append(_Found(columns.order, place, ordinal, event))
                hash_of_id[event.source, event.id] = int(its_hashes[place])
        changed: set[Row] = set()
        kept: set[int] = set()
        for event_id, found in occurrences.items():
            if len(found) > 1:
                found.sort()
                changed |= self._count_once(found, first_new)
            # Of each content the earliest one stays known: it alone can ever win against another.
            earliest: dict[UsageEvent, int] = {}
            for one in found:
                earliest.setdefault(one.event, one.ordinal)
            kept |= {hash_of_id[event_id] * MOST_SEGMENTS + ordinal for ordinal in earliest.values()}
        self._seen.replace(of, kept)
        return changed

    def _count_once(self, found: list[_Found], first_new: int) -> set[Row]:
        """
        Args:
            found: all occurrences of one id, the earliest first.
        """
        before = [one for one in found if one.ordinal < first_new]
        now = [one.event for one in found if one.ordinal >= first_new]
        for event in now:
            self._rows[event.holder, event.dimension].add(event, -1)
        if before:
            self._count(before, -1)
        self._count(found, 1)
        return {(one.event.holder, one.event.dimension) for one in found} if now else set()

    def _count(self, found: list[_Found], times: int) -> None:
        """Let the first of one id count, and its conflicts; or, with `times` -1, count no more."""
        winner = found[0].event
        sums = self._rows[winner.holder, winner.dimension]
        sums.add(winner, times)
        sums.conflicts += times * (len({one.event for one in found}) - 1)

    def _read_again(self, ordinal: int) -> LoggedSegment:
        part = next(part for part, number in self._parts.items() if number == self._part_of[ordinal])
        return self._read(part, self._segment_ids[ordinal])


def fingerprint_of(part: str, segment_id: str) -> int:
    """A number that no two segments share."""
    return int.from_bytes(hashlib.blake2b(f"{part}#{segment_id}".encode(), digest_size=8).digest())


def grouped_sums(groups: Numbers, *columns: Numbers) -> Iterator[tuple[int, ...]]:
    """Exact sums, whatever their size: a sum of 64-bit numbers may need more bits.

    Args:
        groups: of each row its group, from 0.
        columns: what is summed.

    Yields:
        each group with the sum of each column.
    """
    # Numbers of two bytes are sorted by counting, many times faster than larger ones.
    narrow = groups.astype(np.uint16) if groups.max() <= _MOST_OF_TWO_BYTES else groups
    order = np.argsort(narrow, kind="stable")
    ordered = groups[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    sums: list[list[int]] = []
    for column in columns:
        sorted_column = column[order]
        high = np.add.reduceat(sorted_column >> 32, starts).tolist()
        low = np.add.reduceat(sorted_column & 0xFFFFFFFF, starts).tolist()
        sums.append([(over << 32) + under for over, under in zip(high, low, strict=True)])
    yield from zip(ordered[starts].tolist(), *sums, strict=True)
