"""Metering runs that a person asked for, in DynamoDB: asked for by the web process, taken by a worker."""

import secrets
from base64 import b32encode
from datetime import datetime

from pynamodb.exceptions import DoesNotExist, UpdateError

from metering.runs import KEPT, TAKEN_OVER_AFTER, MeteringRun, RunState
from metering.tables.models import RunRow, is_lost_race


class RunStore:
    """Reads and writes runs. The table is small: a row for each run that a person asked for lately."""

    def ask(self, subscription_id: str | None, by: str, now: datetime) -> MeteringRun:
        """Ask for a run.

        Args:
            subscription_id: what it is for; None: for all.
            by: who asks.
            now: the present moment.
        """
        run = MeteringRun(
            "run_" + b32encode(secrets.token_bytes(20)).decode().lower()[:26], now, by, subscription_id
        )
        RunRow(
            run.metering_run_id,
            requested_at=now,
            requested_by=by,
            subscription_id=subscription_id,
            state=run.state.value,
            forget_at=now + KEPT,
        ).save()
        return run

    def run(self, metering_run_id: str) -> MeteringRun | None:
        try:
            return _run(RunRow.get(metering_run_id, consistent_read=True))
        except DoesNotExist:
            return None

    def take_next(self, now: datetime) -> MeteringRun | None:
        """The run that was asked for first and that no worker is at, for this one to take; None where there
        is none."""
        unfinished = RunRow.scan(RunRow.state != RunState.FINISHED.value, consistent_read=True)
        for row in sorted(unfinished, key=lambda row: row.requested_at):
            if row.taken_until and row.taken_until > now:
                continue
            unchanged = RunRow.state == row.state
            if row.taken_until:
                unchanged &= RunRow.taken_until == row.taken_until
            try:
                row.update(
                    [
                        RunRow.state.set(RunState.RUNNING.value),
                        RunRow.started_at.set(now),
                        RunRow.taken_until.set(now + TAKEN_OVER_AFTER),
                    ],
                    condition=unchanged,
                )
            except UpdateError as error:
                if not is_lost_race(error):
                    raise
                continue
            return _run(row)
        return None

    def finish(self, run: MeteringRun) -> None:
        """Write what came of a run. Of two workers at the same one, the first to end it stands."""
        row = RunRow(run.metering_run_id)
        try:
            row.update(
                [
                    RunRow.state.set(RunState.FINISHED.value),
                    RunRow.finished_at.set(run.finished_at),
                    RunRow.outcomes.set(dict(run.outcomes)),
                    *([] if run.due is None else [RunRow.due.set(run.due)]),
                    RunRow.left.set(list(run.left)),
                    RunRow.failures.set(list(run.failures)),
                ],
                condition=RunRow.state == RunState.RUNNING.value,
            )
        except UpdateError as error:
            if not is_lost_race(error):
                raise


def _run(row: RunRow) -> MeteringRun:
    return MeteringRun(
        row.metering_run_id,
        row.requested_at,
        row.requested_by,
        row.subscription_id,
        RunState(row.state),
        row.started_at,
        row.finished_at,
        row.outcomes or {},
        None if row.due is None else int(row.due),
        tuple(row.left or ()),
        tuple(row.failures or ()),
    )
