"""Folds the open hours of the log into the ledger, reading and writing only what is new.

Any number of workers may fold the same hour, and what one remembers of it may be lost at any instant: from
nothing it comes to the same answer. Each fold that has something to book takes a number, after it has read,
and only if no other fold took one since it began. So whoever has a greater number began to read when all that
a lesser one knows was in the log, and knows it too. A ledger row says by which fold it was written, and is
overwritten by a later one only: it never knows less than before.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import RLock

from metering.hour_fold import HourFold, Row
from metering.tables.ledger_store import LedgerStore
from metering.usage_log import HourOfLog, UsageLog


@dataclass
class _Remembered:
    """Of one hour.

    Attributes:
        fold: of all that was read.
        read_until: the last segment that was read of each part that a writer has to itself.
        read: of the other parts, which were.
        unbooked: the rows that changed since they were booked. Of all others the ledger knows as much as this
            worker, or more.
    """

    fold: HourFold
    read_until: dict[str, str] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    unbooked: set[Row] = field(default_factory=set)


class Folder:
    """Folds hours and books what it finds; for one thread at a time. Who comes second waits, and then has a
    fold of its own: it must find what was accepted before it asked.

    Args:
        usage_log: what was used.
        ledger: where it is booked.
        most_events: so many events of all hours together are remembered, in eight bytes each; of what goes
            beyond, the hours are read from their beginning when they change.
    """

    def __init__(self, usage_log: UsageLog, ledger: LedgerStore, most_events: int) -> None:
        self._usage_log = usage_log
        self._ledger = ledger
        self._most_events = most_events
        self._hours: OrderedDict[str, _Remembered] = OrderedDict()
        # Re-entrant, because made-up months let a worker's cycle begin in the midst of a call of its own.
        self._lock = RLock()

    def fold(self, hour: str) -> None:
        """Book what came to an hour; and let it go, where nothing more can come.

        When this returns, all that was in the log when it began is in the ledger, whoever booked it.

        Raises:
            ValueError: the hour has a segment that cannot be read; nothing of the hour may be sealed.
        """
        with self._lock:
            # Who is overtaken reads on: that is short, and the one who overtook it has got its number.
            while not self._fold(hour):
                pass

    def _fold(self, hour: str) -> bool:
        """False where another fold took a number in the meantime, and may not know all that this one does."""
        last = self._usage_log.gets_no_more(hour)
        late = self._usage_log.is_late_enough(hour)
        found = self._usage_log.hour(hour)
        if found.folded and found.quiet_since == found.announcements and not last:
            return True
        # Out of the memory until all of it went well: half a reading is not to be gone on with.
        remembered = self._hours.pop(hour, None) or _Remembered(HourFold(self._usage_log.segment))
        self._read(remembered, found)
        booked = self._book(remembered, found, late)
        if booked and last:
            self._usage_log.retire(found)
        else:
            self._hours[hour] = remembered
            self._forget_what_is_too_much()
        return booked

    def _read(self, remembered: _Remembered, found: HourOfLog) -> None:
        fold, changed = remembered.fold, remembered.unbooked
        for part in found.parts:
            for segment in self._usage_log.segments(part, after=remembered.read_until.get(part, "")):
                changed |= fold.add(segment)
                remembered.read_until[part] = segment.segment_id
        for part in found.shared_parts:
            for segment in self._usage_log.segments(part):
                if segment.name not in remembered.read:
                    changed |= fold.add(segment)
                    remembered.read.add(segment.name)
        changed |= fold.settle()

    def _book(self, remembered: _Remembered, found: HourOfLog, late: bool) -> bool:
        """See `_fold`."""
        fold = remembered.fold
        if not found.folded:  # nobody has booked all of it, or a person wants it booked anew
            remembered.unbooked |= set(fold.rows())
        elif fold.reading == found.folded_reading:  # another worker has booked exactly this
            remembered.unbooked.clear()
        becomes_quiet = late and found.quiet_since != found.announcements
        if not (remembered.unbooked or becomes_quiet):
            return True
        number = self._usage_log.take_number(found)
        if number is None:
            return False
        usage = {row: fold.usage(row) for row in remembered.unbooked}
        self._ledger.book_fold(found.hour, usage, number)
        remembered.unbooked.clear()
        self._usage_log.mark_folded(found, number, fold.reading, late)
        return True

    def _forget_what_is_too_much(self) -> None:
        events = sum(one.fold.events for one in self._hours.values())
        while events > self._most_events:
            _, forgotten = self._hours.popitem(last=False)
            events -= forgotten.fold.events
