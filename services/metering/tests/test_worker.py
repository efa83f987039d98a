"""The worker's door: a signal wakes the cycle, and nothing a signal does can stop it."""

import json
import threading
from collections.abc import Callable

import pytest
from house import Clients, House

from chassis.queues import Message, Unreadable
from metering import measures
from metering.app import build_cycle
from metering.worker import fold_loop, loops, read_signal

SIGNAL = {
    "id": "1",
    "type": "subscription.ending",
    "time": "2026-11-22T10:00:00Z",
    "subscription_id": "sub_a",
    "version": 2,
}


def test_a_signal_is_read_and_may_say_more_than_we_know() -> None:
    assert read_signal(json.dumps(SIGNAL | {"new": "member"}))["subscription_id"] == "sub_a"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        "{}",
        json.dumps(SIGNAL | {"type": 1}),
        json.dumps(SIGNAL | {"id": None}),
    ],
)
def test_what_is_no_signal_is_unreadable(body: str) -> None:
    with pytest.raises(Unreadable):
        read_signal(body)


class QueueOnAShelf:
    """Gives out its messages one by one, then stops the loop."""

    name = "signals"

    def __init__(self, bodies: list[str], stop: threading.Event) -> None:
        self._bodies, self._stop = bodies, stop
        self.deleted: list[str] = []
        self.buried: list[str] = []

    def receive(self, wait_seconds: int) -> list[Message]:
        if not self._bodies:
            self._stop.set()
            return []
        return [Message("id", self._bodies.pop(0), "receipt")]

    def delete(self, messages: list[Message]) -> None:
        self.deleted += [message.body for message in messages]

    def bury(self, message: Message, reason: str) -> None:
        self.buried.append(message.body)


class NobodyAsks:
    """No run is asked for."""

    def take_all(self, stop: object) -> None: ...


class Counter:
    """A cycle that only counts, and ends after so many."""

    def __init__(self, runs: int, stop: threading.Event) -> None:
        self.left, self._stop = runs, stop

    def run(self, *_: object) -> None:
        self.left -= 1
        if self.left <= 0:
            self._stop.set()


def test_a_signal_wakes_the_cycle_before_its_beat() -> None:
    """With a beat of a day, only the signal can bring about the second cycle."""
    stop, signals_end = threading.Event(), threading.Event()
    good, bad = json.dumps(SIGNAL), "not a signal"
    queue = QueueOnAShelf([bad, good], signals_end)
    cycle = Counter(2, stop)
    both = loops(cycle, NobodyAsks(), queue, pause_seconds=86_400)  # type: ignore[arg-type]
    thread = threading.Thread(target=both["cycle"], args=(stop,), daemon=True)
    thread.start()
    both["signals"](signals_end)
    # The cycle may not have begun to wait when the signal came; then the signal is remembered.
    thread.join(timeout=60)
    assert not thread.is_alive()
    assert (queue.deleted, queue.buried) == ([good], [bad])


def test_the_assembled_cycle_bills(house: House, clients: Clients) -> None:
    """As `python -m metering worker` puts it together; only AWS Marketplace is another."""
    sub = house.buy()
    house.use(sub, "2")
    house.clock.advance(hours=2)
    build_cycle(house.settings, house.clock, clients.marketplace).run()
    assert house.billed(sub) == "2"


def test_an_ending_subscription_is_sealed_by_the_cycle_that_its_signal_woke(house: House) -> None:
    sub = house.buy()
    house.use(sub, "2")
    house.end(sub, house.clock.now().replace(hour=11))
    stop = threading.Event()

    class Once:
        def run(self, *_: object) -> None:
            house.run()
            stop.set()

    loops(Once(), NobodyAsks(), QueueOnAShelf([], stop), pause_seconds=1)["cycle"](stop)  # type: ignore[arg-type]
    assert house.billed(sub) == "2"


def test_the_fold_loop_folds_again_and_again_whatever_could_not_be_folded() -> None:
    stop = threading.Event()
    folds: list[int] = []

    class Folds:
        def fold_open_hours(self, told_to_stop: Callable[[], bool]) -> dict[str, Exception]:
            folds.append(len(folds))
            if len(folds) == 3:
                stop.set()
            assert told_to_stop() is stop.is_set()
            return {"2026-11-22T10": ValueError("A segment cannot be read.")}

    fold_loop(Folds(), beat_seconds=0.001)["fold"](stop)  # type: ignore[arg-type]
    assert folds == [0, 1, 2]


@pytest.mark.parametrize(("took", "paused"), [(0.0, 5.0), (2.0, 3.0), (4.5, 1.0), (60.0, 1.0)])
def test_folds_begin_at_each_beat_but_never_without_a_pause(took: float, paused: float) -> None:
    moment = 100.0
    pauses: list[float] = []

    class Stop:
        def is_set(self) -> bool:
            return bool(pauses)

        def wait(self, seconds: float) -> None:
            pauses.append(seconds)

    class Folds:
        def fold_open_hours(self, told_to_stop: Callable[[], bool]) -> dict[str, Exception]:
            nonlocal moment
            moment += took
            return {}

    fold_loop(Folds(), 5.0, lambda: moment)["fold"](Stop())  # type: ignore[arg-type]
    assert pauses == [paused]


def test_the_fold_loop_shows_usage_and_bills_nothing(house: House) -> None:
    sub = house.buy()
    house.use(sub, "2")
    house.clock.advance(hours=2)
    stop = threading.Event()
    fold, steps = house.cycle.fold_open_hours, dict(measures._last_step)

    def once(told_to_stop: Callable[[], bool]) -> dict[str, Exception]:
        failures = fold(told_to_stop)
        stop.set()
        return failures

    house.cycle.fold_open_hours = once  # type: ignore[method-assign, assignment]
    fold_loop(house.cycle, beat_seconds=86_400)["fold"](stop)
    assert [(row.hour, row.metered) for row in house.ledger.rows(sub)] == [("2026-11-22T10", 2_000_000)]
    assert house.records(sub) == []
    assert measures._last_step == steps, "that a cycle has folded only a cycle may say"
