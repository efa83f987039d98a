"""Audits the books on a schedule, and says what a person must know. It never writes to ledger or records."""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from chassis import tracing
from chassis.clock import Clock
from chassis.worker import Loop
from metering import measures
from metering.audit import Imbalance, Logged, imbalances, moves_that_differ, of_move
from metering.hour_fold import HourFold, HourUsage
from metering.ledger import LedgerRow
from metering.records import Outcome
from metering.resolutions import OPEN_TO_DECISIONS, waits_for_a_person
from metering.tables.ledger_store import LedgerStore, rows_of
from metering.tables.record_store import RecordStore
from metering.usage_log import UsageLog

log = structlog.get_logger()

READINGS = 2
"""What is wrong in one reading only was on its way: a record was frozen, or an hour folded, in between."""

LOOK_AT_THE_CLOCK_SECONDS = 5.0


class Auditor:
    """Compares log, ledger and records. Any number may run; each reads what it needs.

    Args:
        usage_log, ledger, records: what is audited.
        clock: the one clock.
        note: told at an audit's end how many hours of use do not add up. Where it fails, the audit has not.
    """

    def __init__(
        self,
        usage_log: UsageLog,
        ledger: LedgerStore,
        records: RecordStore,
        clock: Clock,
        note: Callable[[int], None] = lambda imbalances: None,
    ) -> None:
        self._usage_log = usage_log
        self._ledger = ledger
        self._records = records
        self._clock = clock
        self._note = note
        self._waiting: Counter[Outcome] = Counter()

    def audit(self) -> set[Imbalance]:
        """What does not add up; it is logged and measured. It reads the whole ledger, all records of who has
        a row there, and the open hours of the log."""
        begun = self._clock.now()
        found = self._read_all()
        for _ in range(READINGS - 1):
            if found:
                found &= self._read_all()
        measures.IMBALANCES.set(len(found))
        measures.LAST_AUDIT.set(time.time())
        for outcome in OPEN_TO_DECISIONS:
            measures.WAITING.labels(outcome.value).set(self._waiting[outcome])
        for one in sorted(found, key=str):
            log.error(
                f"The books do not balance: {one}",
                subscription_id=one.holder,
                dimension=one.dimension,
                hour=one.hour,
                micro_units=one.micro_units,
            )
        if not found:
            log.info("The books balance.", as_of=begun.isoformat())
        try:
            self._note(len(found))
        except Exception:
            log.exception(
                "That the books were audited cannot be noted; whoever asks is told of an earlier audit."
            )
        for sentence in measures.standing_still(time.time()):
            log.error(sentence)
        return found

    def _read_all(self) -> set[Imbalance]:
        """All that does not add up in one reading."""
        logged, hours = self._read_log()
        self._waiting.clear()
        found: set[Imbalance] = set()
        moved: list[LedgerRow] = []
        for holder in self._ledger.holders() | logged.keys():
            records = self._records.records(holder)
            self._waiting.update(record.outcome for record in records if waits_for_a_person(record))
            rows = self._ledger.rows(holder)
            found |= imbalances(holder, rows, records, logged.get(holder, {}), hours)
            moved += [row for row in rows if row.moved or row.received]
        for giver, to, dimension, hour in moves_that_differ(moved):
            # The two were read far apart; usage was perhaps moved in between.
            given = rows_of(giver, dimension, [hour])[hour]
            found |= of_move(given, rows_of(to, dimension, [hour])[hour])
        return found

    def _read_log(self) -> tuple[dict[str, Logged], dict[str, int]]:
        """What the log says now, by holder, and of which hours: the open ones whose newest complete fold had
        read the same, each with that fold's number."""
        logged: dict[str, dict[tuple[str, str], HourUsage]] = defaultdict(dict)
        hours: dict[str, int] = {}
        for hour in self._usage_log.open_hours():
            found = self._usage_log.hour(hour)
            fold = HourFold(self._usage_log.segment)
            for segment in self._usage_log.all_segments(found):
                fold.add(segment)
            fold.settle()
            if found.folded and fold.reading == found.folded_reading:
                hours[hour] = found.folded
                for holder, dimension in fold.rows():
                    logged[holder][dimension, hour] = fold.usage((holder, dimension))
        return dict(logged), hours


def audit_loop(auditor: Auditor, clock: Clock, every: timedelta) -> dict[str, Loop]:
    """The worker's loop that audits at its start, and then as often as told by the one clock.

    An audit that failed waits for its next time as well: begun again at once, it would read everything again
    and again from a table that cannot keep up.
    """
    due: datetime | None = None

    def run(stop: threading.Event) -> None:
        nonlocal due
        while not stop.is_set():
            now = clock.now()
            if due is None or not timedelta() < due - now <= every:  # later, or a clock set back
                due = now + every
                with tracing.of_round("audit"):
                    auditor.audit()
            stop.wait(LOOK_AT_THE_CLOCK_SECONDS)

    return {"audit": run}
