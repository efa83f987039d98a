"""Loops that outlive every error, a clean stop, and health that tells of a dead loop."""

import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY

from chassis.worker import LONGEST_PAUSE_SECONDS, every, repeat

Launch = Callable[..., Any]


class Pauses(threading.Event):
    """Notes each pause instead of waiting, and is set after so many of them."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.taken: list[float | None] = []
        self._most = most

    def wait(self, timeout: float | None = None) -> bool:
        self.taken.append(timeout)
        if len(self.taken) == self._most:
            self.set()
        return self.is_set()


def test_a_loop_begins_again_after_every_error_with_growing_pauses(
    log_lines: Callable[[], list[Any]],
) -> None:
    stop = Pauses(9)

    def loop(_stop: threading.Event) -> None:
        raise RuntimeError("no")

    repeat("failing", loop, stop)
    assert stop.taken == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert LONGEST_PAUSE_SECONDS == 30
    assert REGISTRY.get_sample_value("marketplane_loop_failures_total", {"loop": "failing"}) == 9
    lines = log_lines()
    assert len(lines) == 9
    assert (lines[0]["loop"], lines[0]["pause_seconds"]) == ("failing", 0.5)
    assert "RuntimeError: no" in lines[0]["exception"]


def test_a_loop_that_was_well_for_long_begins_with_a_short_pause_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr("chassis.worker.time.monotonic", lambda: now[0])
    stop = Pauses(5)

    def loop(_stop: threading.Event) -> None:
        if len(stop.taken) == 3:
            now[0] += LONGEST_PAUSE_SECONDS + 1
        raise RuntimeError("no")

    repeat("failing", loop, stop)
    assert stop.taken == [0.5, 1, 2, 0.5, 1]


def test_a_failure_after_a_good_round_is_a_first_one_again() -> None:
    stop = Pauses(8)
    rounds = iter([0, 0, 0, 2, 0, 0, 1, 0])  # good ones before each failure

    def loop(stop: threading.Event) -> None:
        good = next(rounds)
        while not stop.is_set():
            if good == 0:
                raise RuntimeError("no")
            good -= 1

    repeat("now and then", loop, stop)
    assert stop.taken == [0.5, 1, 2, 0.5, 1, 2, 0.5, 1]


@pytest.mark.parametrize("shape", ["every", "waits first"])
def test_a_loop_shows_its_good_rounds_whatever_its_shape(shape: str) -> None:
    stop = Pauses(9)
    taken: list[int] = []

    def step() -> None:
        taken.append(1)
        if len(taken) in (1, 2, 4, 5):
            raise RuntimeError("no")

    def waits_first(stop: threading.Event) -> None:
        while not stop.wait(7):
            step()

    repeat(shape, every(7, step) if shape == "every" else waits_first, stop)
    assert [pause for pause in stop.taken if pause != 7] == [0.5, 1, 0.5, 1]


def test_a_loop_can_end_all_by_the_event_that_it_is_given() -> None:
    stop = threading.Event()
    repeat("the last", lambda given: given.set(), stop)
    assert stop.is_set()


def test_a_step_is_taken_again_after_each_pause_and_its_success_is_counted() -> None:
    taken: list[int] = []

    def settle_hour() -> None:
        taken.append(1)

    stop = Pauses(3)
    every(7, settle_hour)(stop)
    assert (taken, stop.taken) == ([1, 1, 1], [7, 7, 7])
    assert REGISTRY.get_sample_value(
        "marketplane_loop_last_success_timestamp_seconds", {"loop": "settle_hour"}
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_serves_its_health_and_stops_cleanly(launch: Launch, number: int) -> None:
    worker = launch("worker", ready="/readyz")
    assert worker.get("/healthz") == (200, {"status": "alive", "service": "sample-worker"})
    assert worker.get("/readyz") == (
        200,
        {"status": "ready", "service": "sample-worker", "parts": {"shelf": "ready"}},
    )
    assert "marketplane_loop_last_success_timestamp_seconds" in worker.text("/metrics")
    assert worker.get("/elsewhere")[0] == 404
    worker.process.send_signal(number)
    out, err = worker.process.communicate(timeout=20)
    assert (worker.process.returncode, err) == (0, "")
    assert '"event": "The worker is at work."' in out
    assert '"event": "The worker has stopped."' in out


def test_health_tells_a_loop_whose_thread_has_died(launch: Launch) -> None:
    worker = launch("worker", ready="/metrics", TABLE_PREFIX="dying-")
    assert worker.get_until("/healthz", 503) == {"status": "dead", "service": "sample-worker"}
    worker.process.terminate()
    worker.process.communicate(timeout=20)
    assert worker.process.returncode == 0
