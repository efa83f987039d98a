"""Segment format 3: events of one hour as a header, columns of fixed width, and their ids.

    2 x 4 bytes   length of the header and of the columns, little-endian
    header        zstandard over JSON: {"order", "hour", "events", "sources", "holders", "dimensions", "tags",
                  "ids", "widths", "ticks"}
    columns       zstandard over one after the other, in the order of `widths`
    ids           16 bytes each, where all are UUIDs in their usual spelling; else they stand in the header

A text that many events share (source, holder, dimension, tag set) stands in the header once; a column says
which of them is each event's. `widths` gives the bytes of a number in each column; 0 where all are 0, and the
column takes no room. The bytes of a column are laid out by significance (all lowest bytes, then all second
ones), which compresses better; so does what is alike beside what is alike, which is why there are three
parts. Quantities are whole micro-units, zigzag (below zero they are corrections); times are multiples of
`ticks` microseconds since the hour began.

Nothing here is ever a float.
"""

import hashlib
import struct
import threading
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import zstandard

from metering.hours import start_of
from metering.tags import TagSet
from metering.usage_columns import UsageColumns
from metering.usage_events import UsageEvent

Numbers = npt.NDArray[np.integer[Any]]

_NUMBERED = ("sources", "holders", "dimensions", "tags")
_COLUMNS = (*_NUMBERED, "offsets", "quantities")
_UUID_CHARACTERS, _UUID_BYTES = 36, 16
_DASHES = (8, 13, 18, 23)
_LENGTHS = struct.Struct("<II")


class _OfThread(threading.local):
    """Neither may be shared, and making one takes as long as a small segment."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor()
        self.decompressor = zstandard.ZstdDecompressor()


_of_thread = _OfThread()


class PackedColumns:
    """Events of one hour, as the log keeps them. What nobody asks for is not unpacked.

    Attributes:
        order: sorts segments by when they were accepted.
        hour: of all events.
        sources, holders, dimensions, tags: the texts that occur.
        uuids: 16 bytes for each event; None where the ids are not all UUIDs.

    Raises:
        ValueError: not what `pack_columns` made.
    """

    def __init__(self, packed: bytes) -> None:
        of_header, of_columns = _LENGTHS.unpack_from(packed)
        columns = _LENGTHS.size + of_header
        ids = columns + of_columns
        decompress = _of_thread.decompressor.decompress
        header = orjson.loads(decompress(packed[_LENGTHS.size : columns]))
        self._packed_columns = decompress(packed[columns:ids])
        self._events: int = header["events"]
        self._ticks: int = header["ticks"]
        self.order: str = header["order"]
        self.hour: str = header["hour"]
        self.sources: list[str] = header["sources"]
        self.holders: list[str] = header["holders"]
        self.dimensions: list[str] = header["dimensions"]
        self._tags: list[list[list[str]]] = header["tags"]
        self._ids: list[str] | None = header["ids"]
        self.uuids: bytes | None = packed[ids:] if self._ids is None else None
        self._columns: dict[str, tuple[int, int]] = {}
        start = 0
        for name, width in zip(_COLUMNS, header["widths"], strict=True):
            self._columns[name] = (start, width)
            start += width * self._events
        if start != len(self._packed_columns) or len(self.uuids or b"") not in (
            0,
            _UUID_BYTES * self._events,
        ):
            raise ValueError("A segment has not as much in its columns as its header says.")

    @property
    def tags(self) -> list[TagSet]:
        return [tuple((key, value) for key, value in tags) for tags in self._tags]

    def source(self) -> Numbers:
        """Of each event, which of the sources; so the next three."""
        return self._numbers("sources")

    def holder(self) -> Numbers:
        return self._numbers("holders")

    def dimension(self) -> Numbers:
        return self._numbers("dimensions")

    def tag_set(self) -> Numbers:
        return self._numbers("tags")

    def offsets(self) -> Numbers:
        """Microseconds since the hour began."""
        return self._numbers("offsets").astype(np.int64) * self._ticks

    def quantities(self) -> Numbers:
        """Micro-units."""
        return unzigzag(self._numbers("quantities").astype(np.int64))

    def ids(self) -> list[str]:
        """As they were reported."""
        return _spelled(self.uuids or b"") if self._ids is None else self._ids

    def __len__(self) -> int:
        return self._events

    def id_bytes(self) -> bytes:
        """Of each event 16 bytes that stand for its id: the UUID itself, or a hash."""
        return self.uuids or b"".join(_uuids([one]) or _digest(one) for one in self.ids())

    def planes(self, name: str) -> list[bytes]:
        """Of a column the lowest byte of each event's number, then the second ones, and so on."""
        start, width = self._columns[name]
        starts = range(start, start + width * self._events, self._events)
        return [self._packed_columns[at : at + self._events] for at in starts]

    def events(self) -> list[UsageEvent]:
        """All of them."""
        return self.events_at(range(len(self)))

    def events_at(self, places: Sequence[int]) -> list[UsageEvent]:
        """Those at some places, in that order."""
        start, ids, tags = start_of(self.hour), self.ids(), self.tags
        columns = (
            self.source(),
            self.holder(),
            self.dimension(),
            self.quantities(),
            self.offsets(),
            self.tag_set(),
        )
        return [
            UsageEvent(
                self.sources[source],
                ids[place],
                self.holders[holder],
                self.dimensions[dimension],
                quantity,
                start + timedelta(microseconds=offset),
                tags[tag_set],
            )
            for place, source, holder, dimension, quantity, offset, tag_set in zip(
                places, *(column[places].tolist() for column in columns), strict=True
            )
        ]

    def _numbers(self, name: str) -> Numbers:
        start, width = self._columns[name]
        if width == 1:
            return np.frombuffer(self._packed_columns, np.uint8, self._events, start)
        as_bytes = np.zeros((self._events, 8), dtype=np.uint8)
        if width:
            planes = np.frombuffer(self._packed_columns, np.uint8, width * self._events, start)
            as_bytes[:, :width] = planes.reshape(width, self._events).T
        return as_bytes.view("<i8").reshape(self._events)


def pack_columns(columns: UsageColumns, order: str) -> bytes:
    """
    Args:
        columns: at least one event, all of one hour.
        order: see there.
    """
    header: dict[str, Any] = {"order": order, "hour": columns.hours[0], "events": len(columns)}
    numbers: list[Numbers] = []
    for name in _NUMBERED:
        texts, which = _numbered(getattr(columns, name))
        header[name] = texts
        numbers.append(which)
    offsets = np.array(columns.offsets, dtype=np.int64)
    header["ticks"] = ticks = int(np.gcd.reduce(offsets)) or 1
    numbers += [offsets // ticks, zigzag(np.array(columns.quantities, dtype=np.int64))]
    uuids = _uuids(columns.ids)
    header["ids"] = columns.ids if uuids is None else None
    header["widths"] = widths = [(int(column.max()).bit_length() + 7) // 8 for column in numbers]
    planes = b"".join(_planes(column, width) for column, width in zip(numbers, widths, strict=True))
    compress = _of_thread.compressor.compress
    parts = compress(orjson.dumps(header)), compress(planes)
    return b"".join([_LENGTHS.pack(*map(len, parts)), *parts, uuids or b""])


def zigzag(numbers: Numbers) -> Numbers:
    """Numbers without a sign, small where these are near zero."""
    return (numbers << 1) ^ (numbers >> 63)


def unzigzag(numbers: Numbers) -> Numbers:
    """Numbers below zero have odd ones."""
    return (numbers >> 1) ^ -(numbers & 1)


def _numbered(texts: list[Any]) -> tuple[list[Any], Numbers]:
    """Each text once, and for each event which it is."""
    if texts.count(texts[0]) == len(texts):
        return texts[:1], np.zeros(len(texts), dtype=np.int64)
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    return list(places), np.array([places[text] for text in texts], dtype=np.int64)


def _planes(numbers: Numbers, width: int) -> bytes:
    if width == 0:
        return b""
    return numbers.astype("<u8").view(np.uint8).reshape(len(numbers), 8)[:, :width].T.tobytes()


def _uuids(ids: list[str]) -> bytes | None:
    """UUIDs as 16 bytes each; None where any is something else, or spelled in another way."""
    if set(map(len, ids)) != {_UUID_CHARACTERS}:
        return None
    text = "".join(ids)
    dashes = "-" * len(ids)
    if any(text[place::_UUID_CHARACTERS] != dashes for place in _DASHES) or text != text.lower():
        return None
    try:
        uuids = bytes.fromhex(text.replace("-", ""))
    except ValueError:
        return None
    # More dashes than four each, or blanks, which `fromhex` passes over: then some are missing.
    return uuids if len(uuids) == _UUID_BYTES * len(ids) else None


def _digest(event_id: str) -> bytes:
    return hashlib.blake2b(event_id.encode(), digest_size=_UUID_BYTES).digest()


def _spelled(uuids: bytes) -> list[str]:
    text = uuids.hex()
    starts: Iterable[int] = range(0, len(text), 2 * _UUID_BYTES)
    return [
        f"{text[at : at + 8]}-{text[at + 8 : at + 12]}-{text[at + 12 : at + 16]}-"
        f"{text[at + 16 : at + 20]}-{text[at + 20 : at + 32]}"
        for at in starts
    ]
