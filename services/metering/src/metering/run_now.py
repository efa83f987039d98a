"""Runs now what a person asked for: the worker's part."""

from dataclasses import replace

import structlog

from chassis.clock import Clock
from metering.cycle import MeteringCycle, Round
from metering.each import Stop, never
from metering.runs import MOST_SENTENCES, MeteringRun
from metering.tables.run_store import RunStore

log = structlog.get_logger()


class RequestedRuns:
    """Takes the runs that wait.

    Killed at any instant, a run stays `running`, and is taken over once its time is up. To run twice is to
    run once: a run is the metering cycle, which any number of workers may be at.

    Args:
        runs: where they are asked for.
        cycle: what is run.
        clock: the one clock.
    """

    def __init__(self, runs: RunStore, cycle: MeteringCycle, clock: Clock) -> None:
        self._runs = runs
        self._cycle = cycle
        self._clock = clock

    def take_all(self, stop: Stop = never) -> None:
        """Run what waits, the oldest first.

        Args:
            stop: see there. A run that is stopped says so, and ends.
        """
        while not stop() and (run := self._runs.take_next(self._clock.now())):
            done = self._cycle.go_round(stop, run.subscription_id)
            ended = self._ended(run, done)
            self._runs.finish(ended)
            log.info(
                "A metering run that was asked for has ended.",
                metering_run_id=run.metering_run_id,
                subscription_id=run.subscription_id,
                by=run.requested_by,
                settled=sum(ended.outcomes.values()),
                failures=len(done.failures),
            )

    def _ended(self, run: MeteringRun, done: Round) -> MeteringRun:
        return replace(
            run,
            finished_at=self._clock.now(),
            outcomes={outcome.value: records for outcome, records in done.settled.items()},
            due=done.due,
            left=tuple(done.left[:MOST_SENTENCES]),
            failures=tuple(f"{type(one).__name__}: {one}" for one in done.failures[:MOST_SENTENCES]),
        )
