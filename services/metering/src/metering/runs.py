"""Metering runs that a person asked for: the cycle, now, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

TAKEN_OVER_AFTER = timedelta(minutes=10)
"""A run that its worker has not ended by then is run by another: the worker is gone, or both do what any
number of workers may do at once."""

KEPT = timedelta(days=90)

MOST_SENTENCES = 20
"""Of what is left, and of what failed; each is in the worker's log too."""


class RunState(StrEnum):
    """How far a run has come. The contract says each in a sentence."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"


@dataclass(frozen=True)
class MeteringRun:
    """One run.

    Attributes:
        subscription_id: what it is for; None: for all.
        outcomes: how many records it settled, by outcome.
        due: how many records of what it is for AWS had not answered for when it ended.
        left: why, where nothing failed; in sentences.
        failures: what failed, in sentences.
    """

    metering_run_id: str
    requested_at: datetime
    requested_by: str
    subscription_id: str | None = None
    state: RunState = RunState.WAITING
    started_at: datetime | None = None
    finished_at: datetime | None = None
    outcomes: Mapping[str, int] = field(default_factory=dict)
    due: int | None = None
    left: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
