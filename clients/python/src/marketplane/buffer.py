"""The events that are not decided yet: bounded, in order, shared by those who report and those who send."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from marketplane.batches import MOST_EVENTS, how_many
from marketplane.errors import BufferFull, Closed, Stopped
from marketplane.events import UsageEvent
from marketplane.spool import Place


@dataclass(frozen=True, eq=False)
class Entry:
    """An event, and where it stands in the spool, if there is one."""

    event: UsageEvent
    place: Place | None = None


class Buffer:
    """
    Args:
        capacity: the most events that may be undecided: waiting, or on their way.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._waiting: deque[Entry] = deque()
        self._undecided = 0
        self._flushing = 0
        self._closed = False
        self._ended = False
        self._stopped: Stopped | None = None
        self._changed = threading.Condition()

    # -- those who report ------------------------------------------------------------------------------------

    def reserve(self, timeout: float | None) -> None:
        """Wait for room for one event, and hold it.

        Args:
            timeout: seconds; None for ever, 0 not at all.

        Raises:
            BufferFull, Closed, Stopped: there is none.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or self._stopped or self._undecided < self._capacity, timeout
            )
            if self._closed:
                raise Closed("The reporter is closed.")
            self._raise_if_stopped()
            if self._undecided >= self._capacity:
                raise BufferFull(f"{self._undecided} events are waiting to be acknowledged.")
            self._undecided += 1

    def release(self) -> None:
        """Give back what was held: there will be no event."""
        with self._changed:
            self._undecided -= 1
            self._changed.notify_all()

    def add(self, entry: Entry) -> None:
        """Put in the event that room is held for."""
        with self._changed:
            self._waiting.append(entry)
            if len(self._waiting) in (1, MOST_EVENTS):  # what senders wait for; each event would be a burden
                self._changed.notify_all()

    def recover(self, entries: Iterable[Entry]) -> None:
        """Put in what an earlier process left; it was within that one's bounds."""
        with self._changed:
            before = len(self._waiting)
            self._waiting.extend(entries)
            self._undecided += len(self._waiting) - before
            self._changed.notify_all()

    def until_decided(self, timeout: float | None) -> int:
        """Have all be sent now and wait until it is done; answers how many events are undecided still.

        Raises:
            Stopped: sending has stopped, and there are such.
        """
        with self._changed:
            self._flushing += 1
            self._changed.notify_all()
            try:
                self._changed.wait_for(lambda: not self._undecided or self._stopped or self._ended, timeout)
            finally:
                self._flushing -= 1
            if self._undecided:
                self._raise_if_stopped()
            return self._undecided

    # -- those who send --------------------------------------------------------------------------------------

    def take(self, linger: float) -> list[Entry]:
        """The next batch; waits for company, `linger` seconds at most, and as long as sending is stopped.
        Empty: there is no more to do."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._ended or (self._waiting and not self._stopped))
                self._changed.wait_for(
                    lambda: self._ended or self._flushing or len(self._waiting) >= MOST_EVENTS, linger
                )
                if self._ended:
                    return []
                if self._waiting and not self._stopped:  # no other sender took them meanwhile, nor failed
                    count = how_many(entry.event for entry in self._waiting)
                    return [self._waiting.popleft() for _ in range(count)]

    def decided(self, count: int) -> None:
        """So many that were taken are decided."""
        with self._changed:
            self._undecided -= count
            self._changed.notify_all()

    def put_back(self, entries: Sequence[Entry], stopped: Stopped | None = None) -> None:
        """These were taken and are undecided. Where a reason is given, sending has stopped, and whoever
        reports next is told of it."""
        with self._changed:
            self._waiting.extendleft(reversed(entries))
            self._stopped = self._stopped or stopped
            self._changed.notify_all()

    # -- both ------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """No event is taken any more; what is here is still given out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def end(self) -> None:
        """No batch is given out any more."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def resume(self) -> None:
        with self._changed:
            self._stopped = None
            self._changed.notify_all()

    def events(self) -> list[UsageEvent]:
        """What is waiting."""
        with self._changed:
            return [entry.event for entry in self._waiting]

    def __len__(self) -> int:
        with self._changed:
            return self._undecided

    def _raise_if_stopped(self) -> None:
        if self._stopped is not None:
            raise Stopped(str(self._stopped)) from self._stopped
