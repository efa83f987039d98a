"""Workers and writers at one hour, step by step, in any order; and any worker may die anywhere. No ledger row
ever loses what it had, what a fold promises is true when it ends, and in the end each row has all that is in
the log.

Log and ledger stand on a shelf here, with the same conditions as in `tables/`; `test_folder.py` and
`test_exactly_once.py` have these on real tables.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import plain_fold
from hypothesis import example, given, settings
from hypothesis import strategies as st
from in_turns import Act, stand_still

from chassis.clock import Clock, FrozenClock
from metering.auditor import Auditor
from metering.folder import Folder
from metering.hour_fold import HourFold, HourUsage, Reading, Row
from metering.hours import end_of, start_of
from metering.ledger import LedgerRow
from metering.log_writer import part_of
from metering.segments import FORMAT, LoggedSegment, pack
from metering.tables.ledger_store import LedgerStore
from metering.tables.log_hours import LATE
from metering.tables.record_store import RecordStore
from metering.usage_columns import columns_of
from metering.usage_events import AgeLimits, UsageEvent
from metering.usage_log import HourOfLog, UsageLog

TEN = "2026-11-22T10"
WORKERS, WRITERS = 3, 2
HOLDERS = ("a", "b", "c")
LIMITS = AgeLimits(timedelta(hours=24), timedelta(minutes=5))

MOST_BITS = 2**40
"""Below this, each event is a bit of its own: a sum says which events are in it. Above is what may lose its
place to another event of its id that came before it."""


class ShelfLog(UsageLog):
    """One hour of it."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(None, clock, LIMITS)
        self._row = HourOfLog(TEN, [], [], 0, 0, 0, Reading(0, ""), 0)
        self._open = True
        self._segments: dict[str, list[LoggedSegment]] = defaultdict(list)

    # What writers do

    def announce(self, writer: str) -> None:
        stand_still()
        parts = sorted({*self._row.parts, part_of(TEN, 0, writer)})
        self._row = self._row._replace(parts=parts, announcements=self._row.announcements + 1)
        self._open = True

    def append(self, writer: str, event: UsageEvent, number: int) -> None:
        stand_still()
        (segment,) = pack(columns_of([event]), 1, self._clock.now(), number)
        part = part_of(TEN, 0, writer)
        self._segments[part].append(LoggedSegment(part, f"{number:010x}", FORMAT, segment.data))

    # What folds do

    def open_hours(self) -> list[str]:
        return [TEN] if self._open else []

    def hour(self, hour: str) -> HourOfLog:
        stand_still()
        return self._row

    def segments(self, part: str, after: str = "") -> Iterator[LoggedSegment]:
        stand_still()
        return iter([segment for segment in self._segments[part] if segment.segment_id > after])

    def segment(self, part: str, segment_id: str) -> LoggedSegment:
        return next(segment for segment in self._segments[part] if segment.segment_id == segment_id)

    def take_number(self, found: HourOfLog) -> int | None:
        stand_still()
        if self._row.folds != found.folds:
            return None
        self._row = self._row._replace(folds=found.folds + 1)
        return self._row.folds

    def mark_folded(self, found: HourOfLog, number: int, reading: Reading, late: bool) -> None:
        stand_still()
        if self._row.folded < number:
            quiet_since = found.announcements if late else found.quiet_since
            self._row = self._row._replace(folded=number, folded_reading=reading, quiet_since=quiet_since)

    def retire(self, found: HourOfLog) -> None:
        stand_still()
        self._open = self._open and self._row.announcements != found.announcements


class ShelfLedger(LedgerStore):
    """
    Attributes:
        lost: what rows had once, and then had no more.
    """

    def __init__(self) -> None:
        self._rows: dict[Row, LedgerRow] = {}
        self.lost: list[str] = []

    def book_fold(self, hour: str, usage: Mapping[Row, HourUsage], number: int) -> None:
        for (holder, dimension), found in usage.items():
            stand_still()
            before = self._rows.get((holder, dimension), LedgerRow(holder, dimension, hour))
            if before.fold < number:
                if before.metered % MOST_BITS & ~found.metered:
                    self.lost.append(f"{holder} had {before.metered:b}, and has {found.metered:b}.")
                self._rows[holder, dimension] = replace(
                    before,
                    metered=found.metered,
                    corrections=found.corrections,
                    conflicts=found.conflicts,
                    fold=number,
                )

    def holders(self) -> set[str]:
        return {holder for holder, _ in self._rows}

    def rows(self, holder: str, dimension: str | None = None) -> list[LedgerRow]:
        return [row for row in self._rows.values() if row.holder == holder]

    def usage(self) -> dict[Row, HourUsage]:
        return {
            key: HourUsage(row.metered, row.corrections, row.conflicts) for key, row in self._rows.items()
        }

    def has(self, holder: str, bits: int) -> bool:
        return sum(row.metered for row in self.rows(holder)) & bits == bits


class NoRecords:
    def records(self, *_: Any) -> list[Any]:
        return []


class Scene:
    """One hour, and those who are at work on it."""

    def __init__(self) -> None:
        self._clock = FrozenClock(start_of(TEN) + timedelta(minutes=30))
        self._log, self._ledger = ShelfLog(self._clock), ShelfLedger()
        self._folders = [self._new_folder() for _ in range(WORKERS)]
        self._at_work: dict[str, Act] = {}
        self._numbers = itertools.count(1)
        self._acknowledged: dict[str, int] = defaultdict(int)

    def _new_folder(self) -> Folder:
        return Folder(self._log, self._ledger, 1000)

    # Whose turn it is

    def fold(self, worker: int, steps: int = -1) -> None:
        """A worker folds, or goes on with it."""
        name = f"worker {worker}"
        if name not in self._at_work:
            due = dict(self._acknowledged)

            def fold() -> None:
                self._folders[worker].fold(TEN)
                # Else it would be planned, and the hour sealed, without it.
                assert all(self._ledger.has(holder, bits) for holder, bits in due.items())

            self._at_work[name] = Act(fold)
        self._go_on(name, steps)

    def kill(self, worker: int) -> None:
        """What it remembers is lost; another begins in its place."""
        if act := self._at_work.pop(f"worker {worker}", None):
            act.kill()
        self._folders[worker] = self._new_folder()

    def write(self, writer: int, holder: str, kind: str, steps: int = -1) -> None:
        """A writer announces an event and writes it, or goes on with it."""
        name = f"writer {writer}"
        if name not in self._at_work:
            number = next(self._numbers)
            event = UsageEvent("test", f"e{number}", holder, "gpu_hours", 2**number, start_of(TEN))
            if kind == "rival":
                event = event._replace(id="same", quantity=MOST_BITS * number)
            elif kind == "correction":
                event = event._replace(quantity=-event.quantity)

            def write() -> None:
                self._log.announce(name)
                self._log.append(name, event, number)
                if self._clock.now() >= end_of(TEN) + LATE:
                    self._log.announce(name)
                if kind == "plain":
                    self._acknowledged[holder] |= event.quantity

            self._at_work[name] = Act(write)
        self._go_on(name, steps)

    def hours_pass(self, hours: int) -> None:
        self._clock.advance(hours=hours)

    def _go_on(self, name: str, steps: int) -> None:
        act = self._at_work[name]
        act.go_on(steps)
        if act.over:
            del self._at_work[name]

    # What has to be true

    def judge(self) -> None:
        """At any time."""
        assert self._ledger.lost == []
        records = cast(RecordStore, NoRecords())
        assert Auditor(self._log, self._ledger, records, self._clock)._read_all() == set()

    def end(self, last: int) -> None:
        """All is written. One worker ends what it is at, and folds once more, while the others stand still;
        then these go on."""
        for name in [name for name in self._at_work if "writer" in name]:
            self._go_on(name, -1)
        if f"worker {last}" in self._at_work:
            self.fold(last)
        self.fold(last)
        self._is_complete()
        for name in list(self._at_work):
            self._go_on(name, -1)
        self._is_complete()

    def _is_complete(self) -> None:
        self.judge()
        assert self._ledger.usage() == plain_fold.fold(event for _, event in self._log.events(TEN))
        found, everything = self._log.hour(TEN), HourFold(self._log.segment)
        for segment in self._log.all_segments(found):
            everything.add(segment)
        assert found.folded_reading == everything.reading or not everything.segments

    def close(self) -> None:
        for act in self._at_work.values():
            act.kill()


def turn(what: str, *of: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.tuples(st.just(what), *of)


ALL = 99
KINDS = ("plain", "plain", "plain", "rival", "correction")
workers, steps = st.integers(0, WORKERS - 1), st.sampled_from([1, 2, 3, 4, 5, ALL, ALL, ALL])
folds = turn("fold", workers, steps)
writes = turn("write", st.integers(0, WRITERS - 1), st.sampled_from(HOLDERS), st.sampled_from(KINDS), steps)
seldom = st.one_of(turn("kill", workers), turn("judge"), turn("hours_pass", st.sampled_from([1, 3, 25])))
stories = st.lists(st.one_of(folds, folds, folds, writes, writes, seldom), min_size=30, max_size=100)


READ_LESS_BUT_MORE_SEGMENTS = [
    ("write", 0, "a", "plain", ALL),
    ("write", 1, "b", "plain", ALL),
    ("fold", 0, ALL),
    ("fold", 1, 2),
    ("write", 0, "a", "plain", ALL),  # into a part that worker 1 has read
    ("fold", 0, ALL),
    ("write", 1, "b", "plain", ALL),  # into one that it has not
    ("write", 1, "b", "plain", ALL),
    ("fold", 1, ALL),
    ("kill", 1),
]
READ_BEFORE_ONE_WITH_A_LESSER_NUMBER = [
    ("write", 0, "a", "plain", ALL),
    ("fold", 0, 3),  # where a fold had its number before it read all
    ("fold", 1, 4),
    ("write", 0, "a", "plain", ALL),
    ("fold", 0, ALL),
    ("fold", 1, ALL),
]


@settings(max_examples=100, deadline=None)
@given(stories, workers)
@example(READ_LESS_BUT_MORE_SEGMENTS, 0)
@example(READ_BEFORE_ONE_WITH_A_LESSER_NUMBER, 0)
def test_no_row_goes_back_whoever_folds_and_dies(story: list[tuple[Any, ...]], last: int) -> None:
    scene = Scene()
    try:
        for what, *of in story:
            getattr(scene, what)(*of)
        scene.end(last)
    finally:
        scene.close()
