"""Events on disk until they are decided: a process that is killed leaves them to the next one.

    lock               held by the one reporter that the directory belongs to
    00000001.jsonl     a segment: an event a line, as it is sent
    00000001.done      the lines of it that are decided, by their number from 0, with eight digits
    00000001.rejected  lines of it that could not be read; for a person

A segment whose lines are all decided is deleted. A torn last line of either file is one that was never
finished: `report` had not returned, or an event goes out once more with the same id.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from marketplane.errors import SpoolInUse
from marketplane.events import UsageEvent, event_of

log = logging.getLogger("marketplane")

Sync = Literal["each", "batch"]
MOST_LINES = 1_000  # of a segment, so that what is decided does not stay for long


class Place(NamedTuple):
    """Where an event stands: the segment's number and the line in it."""

    segment: int
    line: int


@dataclass
class _Segment:
    path: Path
    lines: int = 0
    undecided: set[int] = field(default_factory=set)
    writing: int | None = None
    """The descriptor, while it is the one that is written."""

    @property
    def done(self) -> Path:
        return self.path.with_suffix(".done")


class Spool:
    """
    Args:
        directory: made if it is missing.
        sync: when an event is safe from a loss of power. `each`: before `append` returns; `batch`: before it
            is sent. From the death of the process alone it is safe once `append` has returned, either way.

    Raises:
        SpoolInUse: another reporter has the directory.
    """

    def __init__(self, directory: Path | str, sync: Sync = "batch") -> None:
        import fcntl  # here, so that a reporter without a spool can do without POSIX

        if sync not in ("each", "batch"):
            raise ValueError("A spool is synchronised at `each` event, or for a `batch`.")
        self._directory = Path(directory)
        self._sync: Sync = sync
        self._guard = threading.Lock()
        self._segments: dict[int, _Segment] = {}
        self._current = 0
        self._unsynced = False
        # What was used is the seller's and their buyers' affair: others on the machine may not read it.
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise SpoolInUse(f"The spool {self._directory} belongs to another reporter.") from None

    def recover(self) -> list[tuple[UsageEvent, Place]]:
        """What was left undecided, in its order. Call it once, before anything is appended."""
        found: list[tuple[UsageEvent, Place]] = []
        for path in sorted(self._directory.glob("[0-9]*.jsonl")):
            number = int(path.stem)
            segment = self._segments[number] = _Segment(path)
            found += [(event, Place(number, line)) for line, event in _read(segment)]
            self._drop_if_decided(number)
        for path in self._directory.glob("[0-9]*.done"):
            if int(path.stem) not in self._segments:  # killed between the two deletions
                path.unlink(missing_ok=True)
        self._current = max((int(path.stem) for path in self._directory.glob("[0-9]*.*")), default=0)
        return found

    def append(self, event: UsageEvent) -> Place:
        """Write an event down.

        Raises:
            OSError: the disk is full or broken; nothing of the event is left.
        """
        with self._guard:
            segment = self._writable()
            assert segment.writing is not None
            data = event.body + b"\n"
            before = os.fstat(segment.writing).st_size
            try:
                if os.write(segment.writing, data) != len(data):
                    raise OSError("The disk took only a part of the event; it is full.")
                if self._sync == "each":
                    os.fsync(segment.writing)
            except OSError:
                # The caller is told that the event was not taken: it must not turn up at the next start.
                with contextlib.suppress(OSError):
                    os.ftruncate(segment.writing, before)
                    # Nobody comes back to this segment, and what was taken before may not be on the disk yet.
                    os.fsync(segment.writing)
                os.close(segment.writing)
                segment.writing = None
                raise
            self._unsynced = self._sync == "batch"
            place = Place(self._current, segment.lines)
            segment.undecided.add(segment.lines)
            segment.lines += 1
            return place

    def before_sending(self) -> None:
        """What is appended is safe from a loss of power from here on."""
        with self._guard:
            segment = self._segments.get(self._current)
            if self._unsynced and segment is not None and segment.writing is not None:
                os.fsync(segment.writing)
            self._unsynced = False

    def decided(self, places: Iterable[Place]) -> None:
        """These need not be sent again."""
        lines: dict[int, list[int]] = {}
        for place in places:
            lines.setdefault(place.segment, []).append(place.line)
        with self._guard:
            for number, decided in lines.items():
                segment = self._segments[number]
                segment.undecided.difference_update(decided)
                if not self._drop_if_decided(number):
                    _note(segment.done, decided)

    def close(self) -> None:
        """Give the directory back. What is undecided stays in it."""
        with self._guard:
            self.let_go()

    def let_go(self) -> None:
        """Close all files. In a forked child: without a word to the parent, which goes on with them; closing
        there does not unlock."""
        for segment in self._segments.values():
            if segment.writing is not None:
                os.close(segment.writing)
                segment.writing = None
        os.close(self._lock)

    def _writable(self) -> _Segment:
        segment = self._segments.get(self._current)
        if segment is not None and segment.writing is not None:
            if segment.lines < MOST_LINES:
                return segment
            os.fsync(segment.writing)
            os.close(segment.writing)
            segment.writing = None
        number = self._current + 1
        path = self._directory / f"{number:08d}.jsonl"
        writing = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        _sync_folder(self._directory)
        self._current = number
        self._segments[number] = _Segment(path, writing=writing)
        return self._segments[number]

    def _drop_if_decided(self, number: int) -> bool:
        segment = self._segments[number]
        if segment.undecided:
            return False
        if segment.writing is not None:
            os.close(segment.writing)
        del self._segments[number]
        segment.path.unlink(missing_ok=True)
        segment.done.unlink(missing_ok=True)
        return True


def _read(segment: _Segment) -> list[tuple[int, UsageEvent]]:
    """The undecided events of a segment, each with its line; sets aside what cannot be read."""
    *whole, torn = segment.path.read_bytes().split(b"\n")
    if torn:
        log.warning("The last line of %s is torn; it was never finished.", segment.path.name)
    decided = _decided_lines(segment.done)
    found, unreadable = [], []
    for line, body in enumerate(whole):
        if line in decided:
            continue
        try:
            found.append((line, event_of(body)))
        except ValueError:
            unreadable.append(body)
    if unreadable:
        aside = segment.path.with_suffix(".rejected")
        aside.write_bytes(b"\n".join(unreadable) + b"\n")
        log.error("%d lines of the spool cannot be read; a person must look: %s", len(unreadable), aside)
    segment.lines = len(whole)
    segment.undecided = {line for line, _ in found}
    return found


def _decided_lines(path: Path) -> set[int]:
    if not path.exists():
        return set()
    return {int(line) for line in path.read_bytes().split(b"\n") if len(line) == 8 and line.isdigit()}


def _note(path: Path, lines: Iterable[int]) -> None:
    """What cannot be noted is sent once more after a restart, which counts once: no reason to stop."""
    try:
        with open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            # The line break comes first: what follows a torn number must not be read as a part of it.
            file.write(b"".join(b"\n%08d" % line for line in lines))
    except OSError as error:
        log.warning("What is acknowledged could not be noted in the spool (%s).", type(error).__name__)


def _sync_folder(path: Path) -> None:
    with contextlib.suppress(OSError):  # some file systems cannot
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
