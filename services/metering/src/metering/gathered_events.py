"""Events of many segments, side by side.

A segment is small: a step of numpy for each of its columns would cost more than its events do. So its bytes
are laid beside those of the others first, and read as numbers all at once.
"""

from array import array
from collections.abc import Iterable
from typing import Generic, TypeVar

import numpy as np

from metering.packed_columns import Numbers, PackedColumns, unzigzag
from metering.seen_ids import Words, entries_of
from metering.tags import UNTAGGED, TagSet

T = TypeVar("T")


class GatheredEvents:
    """Takes segments until it is cleared. Texts keep their numbers also then."""

    def __init__(self) -> None:
        self._holders: _Texts[str] = _Texts()
        self._dimensions: _Texts[str] = _Texts()
        self._sources: _Texts[str] = _Texts()
        self._tag_sets: _Texts[TagSet] = _Texts([UNTAGGED])
        self.clear()

    def clear(self) -> None:
        """The events go."""
        self.events = 0
        self._sizes: list[int] = []
        self._ordinals: list[int] = []
        self._ids: list[bytes] = []
        self._quantities = _Column()
        for texts in (self._holders, self._dimensions, self._sources, self._tag_sets):
            texts.clear()

    def take(self, columns: PackedColumns, ordinal: int) -> None:
        """The events of the segment with that number."""
        events = len(columns)
        self._holders.take(columns.holders, columns.planes("holders"), events)
        self._dimensions.take(columns.dimensions, columns.planes("dimensions"), events)
        self._sources.take(columns.sources, columns.planes("sources"), events)
        self._tag_sets.take(columns.tags, columns.planes("tags"), events)
        self._quantities.take(columns.planes("quantities"), events)
        self._ids.append(columns.id_bytes())
        self._sizes.append(events)
        self._ordinals.append(ordinal)
        self.events += events

    def texts(self) -> tuple[list[str], list[str], list[TagSet]]:
        """Holders, dimensions and tag sets, by number."""
        return self._holders.known(), self._dimensions.known(), self._tag_sets.known()

    def columns(self) -> tuple[Numbers, Numbers, Numbers]:
        """Of each event: its row (a number for each holder and dimension), tag set and quantity.

        Raises:
            ValueError: a segment's column names what its header has not.
        """
        rows = self._holders.numbers(self._sizes) * len(self._dimensions.known())
        rows += self._dimensions.numbers(self._sizes)
        return rows, self._tag_sets.numbers(self._sizes), unzigzag(self._quantities.numbers())

    def entries(self) -> Words:
        """Of each event what stands for its id. See `seen_ids.py`."""
        return entries_of(
            np.frombuffer(b"".join(self._ids), np.uint64).reshape(self.events, 2),
            self._sources.numbers(self._sizes).view(np.uint64),
            np.repeat(np.array(self._ordinals, np.uint64), self._sizes),
        )

    def entries_again(self, columns: PackedColumns, ordinal: int) -> Words:
        """The same of one segment that was taken before."""
        sources = self._sources.numbers_of(columns.sources)[columns.source()]
        ids = np.frombuffer(columns.id_bytes(), np.uint64).reshape(len(columns), 2)
        return entries_of(ids, sources.view(np.uint64), np.uint64(ordinal))


class _Column:
    """Numbers of many segments: their lowest bytes, their second ones, and so on."""

    def __init__(self) -> None:
        self._planes: list[list[bytes]] = []
        self._events = 0

    def take(self, planes: list[bytes], events: int) -> None:
        """Those of one segment, whose numbers may be narrower or wider than the others'."""
        while len(self._planes) < len(planes):
            self._planes.append([bytes(self._events)])
        for place, plane in enumerate(self._planes):
            plane.append(planes[place] if place < len(planes) else bytes(events))
        self._events += events

    def numbers(self) -> Numbers:
        as_bytes = np.zeros((self._events, 8), np.uint8)
        for place, plane in enumerate(self._planes):
            as_bytes[:, place] = np.frombuffer(b"".join(plane), np.uint8)
        return as_bytes.view("<i8").reshape(self._events)


class _Numbered(dict[T, int]):
    """A number for each text that is asked for, in their order."""

    def __missing__(self, text: T) -> int:
        self[text] = number = len(self)
        return number


class _Texts(Generic[T]):
    """A column of texts: a number for each that occurs anywhere, and in each segment which of its own is each
    event's."""

    def __init__(self, known: Iterable[T] = ()) -> None:
        self._number_of: _Numbered[T] = _Numbered({text: number for number, text in enumerate(known)})
        self.clear()

    def clear(self) -> None:
        self._which = _Column()
        self._of_segments = array("q")
        self._counts: list[int] = []

    def take(self, texts: list[T], planes: list[bytes], events: int) -> None:
        self._of_segments.extend(map(self._number_of.__getitem__, texts))
        self._counts.append(len(texts))
        self._which.take(planes, events)

    def known(self) -> list[T]:
        """All, by number."""
        return list(self._number_of)

    def numbers_of(self, texts: list[T]) -> Numbers:
        """Of texts that are known."""
        return np.array([self._number_of[text] for text in texts])

    def numbers(self, sizes: list[int]) -> Numbers:
        """Of each event.

        Args:
            sizes: how many events each segment has.

        Raises:
            ValueError: see `GatheredEvents.columns`.
        """
        counts, which = np.array(self._counts), self._which.numbers()
        if (which.view(np.uint64) >= np.repeat(counts, sizes).view(np.uint64)).any():
            raise ValueError("A column of a segment names what its header has not.")
        before = np.cumsum(counts) - counts
        found: Numbers = np.array(self._of_segments)[which + np.repeat(before, sizes)]
        return found
