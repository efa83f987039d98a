"""The worker's door to those who hear of changes: what the log says is told to the siblings' queues, and made
into deliveries to the seller's systems."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from threading import Event
from typing import TypeVar

import structlog
from prometheus_client import Gauge

from chassis import metrics
from chassis.aws import is_outage
from chassis.clock import Clock
from notifications.queues import SignalQueue
from notifications.tables.telling_store import WEBHOOKS, Mark, TellingStore, Untold
from notifications.worker.webhooks import FanOut

log = structlog.get_logger()

AT_ONCE = 50
"""Entries that are read and told together; killed in between, so many are told again."""

PAUSE_SECONDS = 0.5
"""Between rounds, also where there was something to tell: what comes meanwhile is told together."""

SHORTEST_PUT_OFF, LONGEST_PUT_OFF = 0.5, 30.0
"""Seconds after which an entry that could not be told is tried again; twice as long each time."""

T = TypeVar("T")

OLDEST = Gauge(
    "marketplane_notifications_untold_seconds",
    "Age of the oldest change of which somebody is still to be told; 0 where all are.",
)


@dataclass(frozen=True)
class _PutOff:
    """Seconds: when an entry is tried again, and how long that is after the last try."""

    until: float
    pause: float


class Teller:
    """Tells what the log says is to be told. Safe to run in any number of processes: two may tell the same,
    which consumers bear, and deliveries have derived ids.

    Args:
        store: the marks of the log.
        queues: each hears every signal.
        fan_out: makes deliveries of what the seller's systems are told.
        clock: what ages are counted by.
        monotonic: seconds, by which a failure is put off.
    """

    def __init__(
        self,
        store: TellingStore,
        queues: Sequence[SignalQueue],
        fan_out: FanOut,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._queues = {queue.name: queue for queue in queues}
        self._fan_out = fan_out
        self._clock = clock
        self._monotonic = monotonic
        self._put_off: dict[Mark, _PutOff] = {}

    def run(self, stop: Event) -> None:
        """Tell until told to stop."""
        while not stop.is_set():
            self.tell()
            stop.wait(PAUSE_SECONDS)

    def tell(self) -> int:
        """One round. Returns how many entries everybody has been told of.

        1. Read the marks, the oldest first, then some of the entries. They were marked in the transaction
           that wrote them. Killed here or later: they still are.
        2. Send their signals to each queue. Killed here or later: a signal goes out twice, under one id.
        3. Keep their events and make a delivery of each to each endpoint that wants it. No endpoint is called
           here. Killed here or later: the ids are derived, so what is there already is left alone.
        4. Remove the marks. Where somebody could not be told, note instead who was, so that they do not hear
           it again and again; the entry is tried again later, and holds up no other.
        """
        marks = self._store.marks()
        metrics.OUTBOX_PENDING.set(len(marks))
        self._put_off = {mark: self._put_off[mark] for mark in marks if mark in self._put_off}
        now = self._monotonic()
        due = [mark for mark in marks if mark not in self._put_off or self._put_off[mark].until <= now]
        away: set[str] = set()
        done = sum(self._tell(some, away) for some in _some(due, AT_ONCE))
        OLDEST.set(max((self._clock.now() - marks[0].since).total_seconds(), 0) if marks else 0)
        return done

    def _tell(self, marks: Sequence[Mark], away: set[str]) -> int:
        entries = self._store.read(marks)
        for mark in set(marks) - {one.mark for one in entries}:
            self._try_later(mark)
        told: dict[Mark, set[str]] = defaultdict(set)
        for name in self._queues:
            for mark in self._send(name, entries, away):
                told[mark].add(name)
        for mark in self._make_deliveries(entries):
            told[mark].add(WEBHOOKS)
        return sum(self._conclude(one, told[one.mark]) for one in entries)

    def _send(self, name: str, entries: Iterable[Untold], away: set[str]) -> set[Mark]:
        """Those whose signals, if they have any, the queue has."""
        wanting = [one for one in entries if name not in one.told_to]
        signals = [(one, signal) for one in wanting for signal in one.entry.signals]
        missed: set[Mark] = set()
        for some in _some(signals, SignalQueue.AT_ONCE):
            sent: set[int] = set()
            # A queue that is away is not tried with each lot: each try would take the time of all attempts.
            if name not in away:
                try:
                    sent = self._queues[name].send(
                        [signal for _, signal in some], [one.traceparent for one, _ in some]
                    )
                except Exception as error:
                    log.warning("Signals could not be sent; they stay.", queue=name, error=repr(error))
                    if is_outage(error):
                        away.add(name)
            metrics.OUTBOX_SENT.labels(name).inc(len(sent))
            missed |= {one.mark for place, (one, _) in enumerate(some) if place not in sent}
        return {one.mark for one in wanting} - missed

    def _make_deliveries(self, entries: Iterable[Untold]) -> set[Mark]:
        """Those of whose events, if they have any, the deliveries are made."""
        wanting = [one for one in entries if WEBHOOKS not in one.told_to]
        done = {one.mark for one in wanting if not one.entry.events}
        if len(done) == len(wanting):
            return done
        try:
            # Read after the entries: who was there when it happened is among them.
            endpoints = self._fan_out.endpoints()
        except Exception as error:
            log.warning("Endpoints cannot be read; events stay.", error=repr(error))
            return done
        kept = self._fan_out.keep(event for one in wanting for event in one.entry.events)
        for one in wanting:
            try:
                for event in one.entry.events:
                    self._fan_out.fan_out(event, endpoints, kept, one.traceparent)
            except Exception as error:
                log.warning(
                    "An event's deliveries could not be made; it stays.",
                    subject=one.mark.subject,
                    number=one.mark.number,
                    error=repr(error),
                )
            else:
                done.add(one.mark)
        return done

    def _conclude(self, one: Untold, told: set[str]) -> bool:
        """Whether everybody has been told."""
        missing = {*self._queues, WEBHOOKS} - one.told_to - told
        try:
            if not missing:
                self._store.all_told(one.mark)
                self._put_off.pop(one.mark, None)
                return True
            if told:
                self._store.told_to(one.mark, told)
        except Exception as error:
            log.warning("It could not be noted who was told; they hear it again.", error=repr(error))
        self._try_later(one.mark)
        return False

    def _try_later(self, mark: Mark) -> None:
        before = self._put_off.get(mark)
        pause = min(before.pause * 2, LONGEST_PUT_OFF) if before else SHORTEST_PUT_OFF
        self._put_off[mark] = _PutOff(self._monotonic() + pause, pause)


def _some(things: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(things), most):
        yield things[start : start + most]
