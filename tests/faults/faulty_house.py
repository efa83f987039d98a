"""The whole house with the fault proxy between every service and the engine."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import httpx

from tests.journeys.back_end import SellersBackEnd
from tests.journeys.house import (
    ENVIRONMENT,
    NEWS_QUEUE,
    PROCESS_ENVIRONMENT,
    REGISTRATION_SIGNALS_QUEUE,
    SIGNALS_QUEUE,
    House,
)
from tools.stack import Stack

DEEP = os.environ.get("FAULTS_DEEP") == "1"
"""Whether all combinations are played (`make faults`). `make test` plays each step and each way of failing
that our own code sees."""

ATTEMPTS = 2
READ_TIMEOUT_SECONDS = 2.0
SLOW_SECONDS = READ_TIMEOUT_SECONDS + 1

# A fault that comes ATTEMPTS times gets through to our own code.
FAULTY_ENVIRONMENT = {**ENVIRONMENT, "AWS_ATTEMPTS": str(ATTEMPTS)}
# Where tests wait for the time-out. Not of the workers: their queue polls take five seconds.
IMPATIENT = {"AWS_READ_TIMEOUT_SECONDS": str(READ_TIMEOUT_SECONDS)}
FAULTY_PROCESS_ENVIRONMENT = {
    **PROCESS_ENVIRONMENT,
    "registration-web": IMPATIENT,
    "registration-worker": {"SWEEP_SECONDS": "1"},
    # Two threads would share the faults of one call between them, and then each try again by itself.
    "notifications-worker": {"WORKER_THREADS": "1"},
    "metering-web": IMPATIENT,
    # An audit reads the tables that the cycle reads, and would draw its faults upon itself.
    "metering-worker": {"AUDIT_EVERY_MINUTES": "525600"},
}

# A loop that failed so often since its start pauses for seconds before it begins again.
LOOP_FAILURES_BORNE = 2


def by_turns(cases: Iterable[str], ways: Sequence[str]) -> list[tuple[str, str]]:
    """Each case by one of the ways, by turns; where all combinations are played, by each."""
    if DEEP:
        return list(itertools.product(cases, ways))
    return list(zip(cases, itertools.cycle(ways), strict=False))


class FaultyHouse(House):
    """Faults are set past the services, and what they do is observed past the proxy."""

    def __init__(self, stack: Stack, back_end: SellersBackEnd) -> None:
        super().__init__(stack, back_end)
        self._read: dict[str, int] = {}

    def fail(self, kind: str, operation: str = "", resource: str = "", **more: Any) -> None:
        """Adds a fault; see fault_proxy.py."""
        wish = {"kind": kind, "operation": operation, "resource": resource, **more}
        answer = self.http.post(
            self._proxy, json={name: value for name, value in wish.items() if value != ""}
        )
        assert answer.status_code == 201, answer.text

    def faults(self) -> list[dict[str, Any]]:
        return list(self.http.get(self._proxy).json()["faults"])

    def fired(self) -> bool:
        """Whether every fault came to pass as often as it was to."""
        return all(fault["fired"] >= (fault["count"] or 1) for fault in self.faults())

    def mend(self) -> None:
        """Forgets all faults."""
        self.http.delete(self._proxy).raise_for_status()

    def until_quiet(self) -> None:
        """Waits until nobody has anything to do before the clock moves. Else what the test before has set
        going would draw the next fault upon itself."""
        news = self.engine.queue(NEWS_QUEUE)
        signals = [self.engine.queue(name) for name in (SIGNALS_QUEUE, REGISTRATION_SIGNALS_QUEUE)]

        def quiet() -> bool:
            # In the order in which one sets the next going.
            if news.depth():
                return False
            questions = self.engine.rows("marketplane-subscriptions", having="private_ask_at")
            asked_at = [datetime.fromisoformat(row["private_ask_at"]) for row in questions]
            return (
                all(moment > self.now() for moment in asked_at)
                and self.all_told()
                and not any(queue.depth() for queue in signals)
                and self.at_rest(self.engine.rows("marketplane-registration-outbox"))
            )

        self.until(quiet, "a quiet house")

    def rest(self, worker: str) -> None:
        """Starts a worker anew whose loops failed so often that they begin again after long pauses only."""
        text = self.stack.logs(worker)
        failures = text[self._read.get(worker, 0) :].count("A loop failed; it begins again.")
        if failures >= LOOP_FAILURES_BORNE:
            self._read[worker] = len(text)
            self.stack.kill(worker)
            self.stack.start(worker)

    @property
    def _proxy(self) -> str:
        return self.stack.urls["fault-proxy"] + "/_faults/"


def assert_unavailable(answer: httpx.Response) -> None:
    """503, in words that a program or a person can go by."""
    assert answer.status_code == 503, (answer.status_code, answer.text)
    assert int(answer.headers["Retry-After"]) > 0
    if answer.headers["content-type"].startswith("text/html"):
        assert "try again in a moment" in answer.text
    else:
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["type"] == "https://marketplane.dev/problems/unavailable"
        assert problem["status"] == 503
        assert problem["instance"] == answer.headers["X-Request-Id"]
