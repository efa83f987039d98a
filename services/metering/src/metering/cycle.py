"""The metering cycle: meter what runs, fold the open hours, plan what is unbilled, send what is due.

Any number of workers may run it at the same time, and any of them may be killed at any instant:

0. Meter running endpoints. The same part is always the same usage event (`endpoint_life.py`).
1. Fold. The usage log is read, not changed; a newer fold is never overwritten by an older one.
2. Plan. Each record is frozen with its allocations in one transaction. Killed before: the usage is still
   unbilled. Killed after: the record is due, and whoever comes next sends it.
3. Send. Only ever the frozen record. Killed between AWS's answer and ours in the books: the identical record
   is sent again, which AWS counts once.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

import structlog

from chassis import tracing
from chassis.clock import Clock
from metering import measures
from metering.each import Stop, never, try_each
from metering.endpoint_tracker import EndpointTracker, Turn
from metering.folder import Folder
from metering.planner import Planner
from metering.records import Outcome
from metering.sender import Sender
from metering.usage_log import UsageLog

log = structlog.get_logger()


@dataclass
class Round:
    """What came of one round.

    Attributes:
        settled: how many records got which outcome.
        due: how many AWS has not answered for; None where they could not even be listed.
        ended_well: the steps of which nothing failed and nothing is left (`health.STEPS`).
        left: what the next round has to do although nothing failed, in sentences.
        failures: what failed; the rest was done.
    """

    settled: Counter[Outcome] = field(default_factory=Counter)
    ended_well: list[str] = field(default_factory=list)
    due: int | None = None
    left: list[str] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)


class MeteringCycle:
    """One round of metering.

    Args:
        tracker: meters what runs, before all else.
        usage_log: what was used.
        folder: takes the first step.
        planner: takes the second step.
        sender: takes the third.
        clock: the one clock.
        note: told at a round's end which steps ended well, for whoever asks how metering is. Nothing that is
            billed rests on it: where it fails, the round has not.
    """

    def __init__(
        self,
        tracker: EndpointTracker,
        usage_log: UsageLog,
        folder: Folder,
        planner: Planner,
        sender: Sender,
        clock: Clock,
        note: Callable[[list[str]], None] = lambda steps: None,
    ) -> None:
        self._tracker = tracker
        self._usage_log = usage_log
        self._folder = folder
        self._planner = planner
        self._sender = sender
        self._clock = clock
        self._note = note

    def run(self, stop: Stop = never, woken_by: Iterable[str] = ()) -> list[str]:
        """Take the three steps. A failure of one hour, subscription or call does not hold up the others.

        Args:
            stop: see there; what is in hand is finished.
            woken_by: see `chassis.tracing.of_round`.

        Returns:
            what is left to the next cycle although nothing failed, in sentences: AWS asked us to wait, or
            `stop` was true.

        Raises:
            ExceptionGroup: the failures, after everything was tried.
        """
        with tracing.of_round("cycle", woken_by):
            done = self.go_round(stop)
            if done.failures:
                raise ExceptionGroup("The metering cycle could not do everything.", done.failures)
        if not stop():
            measures.LAST_CYCLE.set(time.time())
        return done.left

    def go_round(self, stop: Stop = never, subscription_id: str | None = None) -> Round:
        """The same, as a value.

        Args:
            stop: see there.
            subscription_id: plan and send for this one only; endpoints are metered and hours folded for all.
                That says nothing of how the whole is, so those two steps are not said to have ended well.
        """
        # The moment before the fold: what was accepted until then is in it. So no hour is sealed on half.
        now = self._clock.now()
        done = Round()
        turn = Turn()
        try:
            turn = self._tracker.turn(now, stop)
            done.failures += turn.failures
            if not (turn.failures or stop()):
                done.ended_well.append("endpoints")
        except Exception as error:
            log.exception("Endpoints cannot be metered; the last hours of subscriptions that end wait.")
            done.failures.append(error)
        try:
            not_folded = self.fold_open_hours(stop)
            done.failures += not_folded.values()
            if not (not_folded or stop()):
                done.ended_well.append("fold")
            if not stop():
                not_planned = self._planner.plan(now, not_folded, stop, subscription_id, turn.may_be_used)
                done.failures += not_planned
                if not (not_planned or stop() or subscription_id):
                    done.ended_well.append("plan")
        except Exception as error:
            # Not even the list of what is to do could be read. What was frozen must go out all the same.
            log.exception("The metering cycle cannot fold or plan; what is due is sent.")
            done.failures.append(error)
        try:
            not_sent = self._sender.send_due(stop, subscription_id)
            done.failures += not_sent
            if not (not_sent or self._sender.left or stop() or subscription_id):
                done.ended_well.append("send")
            done.left += self._sender.left
            done.settled += self._sender.settled
            done.due = self._sender.due
        except Exception as error:
            log.exception("The metering cycle cannot list what is due.")
            done.failures.append(error)
        if stop():
            done.left.append("The cycle was told to stop; the next one goes on from there.")
        self._say_what_ended_well(done.ended_well)
        return done

    def fold_open_hours(self, stop: Stop = never) -> dict[str, Exception]:
        """Fold each open hour that has new segments, and book what was found. Returns what failed."""
        return {
            hour: failure
            for hour in self._usage_log.open_hours()
            for failure in try_each([hour], self._folder.fold, stop=stop)
        }

    def plan_unbilled(self, not_folded: Collection[str] = ()) -> list[Exception]:
        """See `Planner.plan`; at the present moment."""
        return self._planner.plan(self._clock.now(), not_folded)

    def _say_what_ended_well(self, steps: list[str]) -> None:
        for step in steps:
            measures.step_done(step)
        try:
            self._note(steps)
        except Exception:
            log.exception("That steps ended well cannot be noted; whoever asks is told of earlier ones.")
