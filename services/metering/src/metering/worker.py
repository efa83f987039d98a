"""The worker's door: signals come in from the queue; the cycle, and the fold alone, run on a beat each."""

import threading
import time
from collections import deque
from collections.abc import Callable

import orjson
import structlog

from chassis import tracing
from chassis.queues import Message, Queue, Unreadable, consume
from chassis.worker import Loop
from metering.cycle import MeteringCycle
from metering.run_now import RequestedRuns

log = structlog.get_logger()

MOST_LINKS = 32
"""Of a cycle's span to signals that woke it; of more, those that came last."""


def loops(
    cycle: MeteringCycle, requested: RequestedRuns, signals: Queue, pause_seconds: float
) -> dict[str, Loop]:
    """The loops of the signals and of the cycle.

    A signal only says "look now": it wakes the cycle, so that a final hour goes out at once. A signal that is
    lost or doubled costs time, never money, because the cycle runs on its beat all the same.

    Args:
        cycle: the metering cycle.
        requested: the runs that a person asked for; a beat begins with them.
        signals: the queue on which notifications says that a subscription has changed.
        pause_seconds: the beat, in real seconds.
    """
    wake = threading.Event()
    woken_by: deque[str] = deque(maxlen=MOST_LINKS)

    def on_signal(message: Message) -> None:
        signal = read_signal(message.body)
        log.info(
            "A subscription has changed.", signal=signal["type"], subscription_id=signal["subscription_id"]
        )
        if (traceparent := tracing.traceparent()) is not None:
            woken_by.append(traceparent)
        wake.set()

    def run_cycles(stop: threading.Event) -> None:
        while not stop.is_set():
            wake.clear()
            with tracing.of_round("requested runs"):
                requested.take_all(stop.is_set)
            cycle.run(stop.is_set, [woken_by.popleft() for _ in range(len(woken_by))])
            _wait(wake, stop, pause_seconds)

    return {"signals": lambda stop: consume(signals, on_signal, stop), "cycle": run_cycles}


def fold_loop(
    cycle: MeteringCycle, beat_seconds: float, monotonic: Callable[[], float] = time.monotonic
) -> dict[str, Loop]:
    """The worker's loop that only folds, so that what was accepted is soon there to be read, however long
    the cycle is at planning and sending. Nothing that is billed rests on it: each cycle folds for itself.

    An hour that cannot be folded is logged there and waits for the next beat; that it is not folded is for
    the cycle to count.

    Args:
        cycle: its first step.
        beat_seconds: from the beginning of one fold to that of the next, in real seconds. A fold that takes
            longer than four fifths of it is followed by a fifth of it all the same, for others.
        monotonic: real seconds.
    """

    def run(stop: threading.Event) -> None:
        while not stop.is_set():
            began = monotonic()
            with tracing.of_round("fold"):
                cycle.fold_open_hours(stop.is_set)
            stop.wait(max(began + beat_seconds - monotonic(), beat_seconds / 5))

    return {"fold": run}


def read_signal(body: str) -> dict[str, str]:
    """A signal as openapi/events/subscription-signal.schema.json has it; unknown members are let be.

    Raises:
        Unreadable: it is not one.
    """
    try:
        signal = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"Not JSON: {error}") from None
    if not isinstance(signal, dict) or not all(
        isinstance(signal.get(name), str) for name in ("id", "type", "time", "subscription_id")
    ):
        raise Unreadable("Not a subscription signal.")
    return signal


def _wait(wake: threading.Event, stop: threading.Event, seconds: float) -> None:
    """Until woken or told to stop, at the most so long."""
    for _ in range(max(1, round(seconds / 0.1))):
        if stop.is_set() or wake.wait(timeout=min(0.1, seconds)):
            return
