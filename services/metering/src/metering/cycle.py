"""The metering cycle: fold the open hours, plan what is unbilled, send what is due.

Any number of workers may run it at the same time, and any of them may be killed at any instant:

1. Fold. The usage log is read, not changed; a newer fold is never overwritten by an older one.
2. Plan. Each record is frozen with its allocations in one transaction. Killed before: the usage is still
   unbilled. Killed after: the record is due, and whoever comes next sends it.
3. Send. Only ever the frozen record. Killed between AWS's answer and ours in the books: the identical record
   is sent again, which AWS counts once.
"""

import time
from collections.abc import Collection
from datetime import datetime

import structlog

from chassis.clock import Clock
from metering import measures
from metering.each import Stop, never, try_each
from metering.fold import fold
from metering.planner import Planner
from metering.sender import Sender
from metering.tables.ledger_store import LedgerStore
from metering.usage_log import UsageLog

log = structlog.get_logger()


class MeteringCycle:
    """One round of metering.

    Args:
        usage_log: what was used.
        ledger: where folds are booked.
        planner: takes the second step.
        sender: takes the third.
        clock: the one clock.
    """

    def __init__(
        self, usage_log: UsageLog, ledger: LedgerStore, planner: Planner, sender: Sender, clock: Clock
    ) -> None:
        self._usage_log = usage_log
        self._ledger = ledger
        self._planner = planner
        self._sender = sender
        self._clock = clock

    def run(self, stop: Stop = never) -> list[str]:
        """Take the three steps. A failure of one hour, subscription or call does not hold up the others.

        Args:
            stop: see there; what is in hand is finished.

        Returns:
            what is left to the next cycle although nothing failed, in sentences: AWS asked us to wait, or
            `stop` was true.

        Raises:
            ExceptionGroup: the failures, after everything was tried.
        """
        # The moment before the fold: what was accepted until then is in it. So no hour is sealed on half.
        now = self._clock.now()
        failures: list[Exception] = []
        try:
            not_folded = self.fold_open_hours(stop)
            failures += not_folded.values()
            if not (not_folded or stop()):
                measures.step_done("fold")
            if not stop():
                not_planned = self.plan_unbilled(now, not_folded, stop)
                failures += not_planned
                if not (not_planned or stop()):
                    measures.step_done("plan")
        except Exception as error:
            # Not even the list of what is to do could be read. What was frozen must go out all the same.
            log.exception("The metering cycle cannot fold or plan; what is due is sent.")
            failures.append(error)
        try:
            not_sent = self._sender.send_due(stop)
            failures += not_sent
            if not (not_sent or self._sender.left or stop()):
                measures.step_done("send")
        except Exception as error:
            log.exception("The metering cycle cannot list what is due.")
            failures.append(error)
        if failures:
            raise ExceptionGroup("The metering cycle could not do everything.", failures)
        if stop():
            return [*self._sender.left, "The cycle was told to stop; the next one goes on from there."]
        measures.LAST_CYCLE.set(time.time())
        return self._sender.left

    def fold_open_hours(self, stop: Stop = never) -> dict[str, Exception]:
        """Fold each open hour that has new segments, and book what was found. Returns what failed."""
        return {
            hour: failure
            for hour in self._usage_log.open_hours()
            for failure in try_each([hour], self._fold_hour, stop=stop)
        }

    def plan_unbilled(
        self, now: datetime | None = None, not_folded: Collection[str] = (), stop: Stop = never
    ) -> list[Exception]:
        """See `Planner.plan`; at the present moment where none is given."""
        return self._planner.plan(now or self._clock.now(), not_folded, stop)

    def _fold_hour(self, hour: str) -> None:
        gets_no_more = self._usage_log.gets_no_more(hour)
        found = self._usage_log.read(hour)
        if found.segments > found.folded_segments:
            self._ledger.book_fold(hour, fold(found.events), found.segments)
            self._usage_log.mark_folded(hour, found.segments)
        if gets_no_more:
            self._usage_log.retire(hour, found.announcements)
