"""The worker's door to the seller's systems: what happened is turned into deliveries, and these are tried."""

import random
import threading
from collections.abc import Callable, Container, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog
from prometheus_client import Counter, Gauge

from chassis import tracing
from chassis.clock import Clock
from notifications.tables.telling_store import TellingStore
from notifications.tables.webhook_rows import home_of
from notifications.tables.webhook_store import WebhookStore
from notifications.webhook_call import Answer, WebhookCall
from notifications.webhook_deliveries import Attempt, Delivery, Reason, State, delivery
from notifications.webhook_endpoints import Endpoint, NoSuchEndpoint, alter
from notifications.webhook_events import WebhookEvent
from notifications.webhook_replays import Replay, ReplayState
from notifications.webhook_secrets import Secrets

log = structlog.get_logger()

MOST_WAITING = 100
"""How many deliveries to one endpoint a process takes up at a time; the rest waits in the table."""

PAUSE_SECONDS = 1.0
_FOR_EVER = timedelta(days=365)

T = TypeVar("T")

ATTEMPTS = Counter("marketplane_webhook_attempts_total", "Tries to deliver a webhook.", ["outcome"])
DEAD = Counter("marketplane_webhook_deliveries_dead_total", "Webhook deliveries that were given up.")
OVERDUE = Gauge(
    "marketplane_webhook_overdue_seconds",
    "How long the webhook delivery that waits longest should have been tried already, as the last look at "
    "what is due saw it; 0 where none waits.",
)


class FanOut:
    """Turns what happened into deliveries. Safe to run in any number of processes.

    Args:
        store: the tables of webhooks.
        clock: says when a delivery is due: at once.
        telling_store: says what is not among the events yet; a replay would pass it over.
    """

    def __init__(self, store: WebhookStore, clock: Clock, telling_store: TellingStore) -> None:
        self._store = store
        self._clock = clock
        self._telling_store = telling_store

    def endpoints(self) -> list[Endpoint]:
        """Those that are enabled."""
        return [endpoint for endpoint in self._store.endpoints() if endpoint.enabled]

    def keep(self, events: Iterable[WebhookEvent]) -> set[str]:
        """Keep events. Returns the ids of those that are kept: all; or none where one of them cannot be, for
        then each is kept by itself."""
        wanted = list(events)
        try:
            self._store.keep_events(wanted)
        except Exception as error:
            log.warning("Events could not be kept together.", error=repr(error))
            return set()
        return {event.event_id for event in wanted}

    def fan_out(
        self,
        event: WebhookEvent,
        endpoints: Iterable[Endpoint],
        kept: Container[str] = frozenset(),
        traceparent: str | None = None,
    ) -> None:
        """Keep an event, unless it is kept, then make a delivery of it to each endpoint that wants it. Killed
        in between and taken again, it makes what is missing: the id of a delivery is derived, so one that is
        there already is left alone.

        Args:
            event: it.
            endpoints: those that are enabled.
            kept: the ids of events that are kept already.
            traceparent: of what the event is told for.
        """
        if event.event_id not in kept:
            self._store.keep_event(event)
        for endpoint in endpoints:
            if endpoint.wants(event.type):
                made = delivery(event, home_of(event), endpoint, self._clock.now(), traceparent=traceparent)
                self._store.create_delivery(made)

    def replay(self) -> int:
        """One page of each replay that is running. Returns how many deliveries were made.

        1. Read a page of the range, once all of the range is told. 2. Make its deliveries, with derived ids.
        3. Write how far the replay has come, if nobody else did. Killed before 3: the same page makes the
        same deliveries.
        """
        return _each(self._store.running_replays(), self._go_on)

    def _go_on(self, replay_id: str) -> int:
        replay = self._store.replay(replay_id)
        if replay is None or replay.state != ReplayState.RUNNING:
            return 0
        now = self._clock.now()
        endpoint = self._store.endpoint(replay.endpoint_id)
        if endpoint is None or not endpoint.enabled:
            self._store.replace_replay(replay, replay.stopped(now))
            return 0
        if self._telling_store.has_events_untold(replay.since, min(replay.until, replay.created_at)):
            return 0
        home = replay.home
        events, last = self._store.events_of(home, replay.after)
        wanted = [event for event in events if _is_replayed(event, replay, endpoint)]
        for event in wanted:
            self._store.create_delivery(delivery(event, home, endpoint, now, replay_id))
        self._store.replace_replay(replay, replay.advanced(len(wanted), last, now))
        return len(wanted)


def _each(things: list[T], step: Callable[[T], int]) -> int:
    """Take a step for each; one that fails holds up no other. Returns the sum.

    Raises:
        the last error, after all others were seen to: the loop pauses, and begins again.
    """
    total, failure = 0, None
    for one in things:
        try:
            total += step(one)
        except Exception as error:
            log.warning("A step of webhooks failed; it is taken again.", error=repr(error))
            failure = error
    if failure:
        raise failure
    return total


def _is_replayed(event: WebhookEvent, replay: Replay, endpoint: Endpoint) -> bool:
    if event.subscription_id is None and not event.type.startswith("agreement."):
        return False  # a test
    asked_for = replay.event_types is not None or endpoint.wants(event.type)
    return asked_for and replay.covers(event.type, event.happened_at)


class Sender:
    """Tries what is due. Safe to run in any number of processes: a try belongs to who claimed it.

    Args:
        store: the tables of webhooks.
        call: speaks to the receivers.
        secrets: signs.
        clock: says what is due, and when it is tried next.
        at_once: how many calls to one endpoint may be under way in this process. Each endpoint has threads
            of its own, so one that is slow or dead holds up nobody.
        system_now: the time that receivers live in, also where the house lives by the simulator's clock: they
            refuse a signature that is older than some minutes.
        chance: between 0 and 1, for the jitter.
    """

    def __init__(
        self,
        store: WebhookStore,
        call: WebhookCall,
        secrets: Secrets,
        clock: Clock,
        at_once: int,
        system_now: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._call = call
        self._secrets = secrets
        self._clock = clock
        self._at_once = at_once
        self._system_now = system_now
        self._chance = chance

    def run(self, stop: threading.Event) -> None:
        """Send until told to stop; then what is under way is finished, and what waits stays in the table."""
        lanes: dict[str, _Lane] = {}
        try:
            while not stop.is_set():
                self.send_what_is_due(lanes)
                stop.wait(PAUSE_SECONDS)
        finally:
            for lane in lanes.values():
                lane.close()

    def send_what_is_due(self, lanes: "dict[str, _Lane]") -> int:
        """Hand what is due to each endpoint's own threads, and wait for none of them. Returns how many."""
        handed = 0
        now = self._clock.now()
        endpoints = self._store.endpoints()
        for endpoint in endpoints:
            if endpoint.deleted_at is not None:
                self._bury(endpoint, now)
            elif endpoint.enabled:
                lane = lanes.setdefault(endpoint.endpoint_id, _Lane(self._at_once))
                if room := MOST_WAITING - lane.waiting():
                    due = self._store.due_deliveries(endpoint.endpoint_id, now, room)
                    lane.due_since = min((one.due_at for one in due), default=None)
                    handed += sum(
                        lane.take(one.delivery_id, partial(self.attempt, one.delivery_id)) for one in due
                    )
        enabled = {endpoint.endpoint_id for endpoint in endpoints if endpoint.enabled}
        for endpoint_id in lanes.keys() - enabled:
            if lanes[endpoint_id].waiting() == 0:
                lanes.pop(endpoint_id).close()
        waiting = [lanes[name].due_since for name in lanes.keys() & enabled]
        OVERDUE.set(max(((now - since).total_seconds() for since in waiting if since), default=0))
        return handed

    def attempt(self, delivery_id: str) -> Delivery | None:
        """Try one delivery. None where it is not due any more, or somebody else's.

        1. Claim it: it is not due again before the lease is over. Killed before: it stays due.
        2. Call the endpoint, with the event's body to the letter and one signature for each secret in force.
           Killed here, or before 4: it is tried again once the lease is over, with the same `webhook-id`.
        3. Was the answer 410, disable the endpoint. Killed after: nothing more goes there, and the delivery
           waits.
        4. Write what became of it, and when it is tried next.
        """
        now = self._clock.now()
        read = self._store.delivery(delivery_id)
        if read is None or not read.is_due(now):
            return None
        endpoint = self._store.endpoint(read.endpoint_id)
        if endpoint is None or not endpoint.enabled:
            return None
        claimed = read.claimed(now)
        if not self._store.replace_delivery(read, claimed):
            return None
        event = self._store.event(read.event_home, read.event_id)
        if event is None:
            return self._conclude(claimed, lambda one: one.given_up(Reason.EVENT_FORGOTTEN, now))
        with tracing.of_call("webhook", read.traceparent) as span:
            answer = self._send(endpoint, event, span)
        ATTEMPTS.labels(answer.reason.value).inc()
        if answer.reason == Reason.GONE:
            self._disable(endpoint)
        done = self._clock.now()
        attempt = Attempt(
            at=now,
            reason=answer.reason,
            duration_ms=answer.duration_ms,
            status=answer.status,
            excerpt=answer.excerpt,
        )
        chance = self._chance()
        return self._conclude(
            claimed,
            # If it was begun anew meanwhile, or another process has it since: the try is only noted.
            lambda one: (
                one.tried(attempt, done, chance, answer.retry_after)
                if one.revision == claimed.revision
                else one.noted(attempt)
            ),
        )

    def _send(self, endpoint: Endpoint, event: WebhookEvent, span: tracing.Span) -> Answer:
        at = self._system_now()
        signatures = self._secrets.sign(endpoint.signing(self._clock.now()), event.event_id, at, event.body)
        headers = {
            "content-type": "application/json",
            "user-agent": "Marketplane-Webhooks/1",
            "webhook-id": event.event_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signatures,
            **span.headers,
        }
        answer = self._call.post(endpoint.url, headers, event.body.encode())
        if answer.status is not None:
            span.answered(answer.status)
        if answer.reason is not Reason.DELIVERED:
            span.failed(answer.reason.value)
        return answer

    def _conclude(self, claimed: Delivery, how: Callable[[Delivery], Delivery]) -> Delivery | None:
        before: Delivery | None = claimed
        while before is not None:
            after = how(before)
            if self._store.replace_delivery(before, after):
                _tell(after)
                return after
            before = self._store.delivery(claimed.delivery_id)
        return None

    def _disable(self, endpoint: Endpoint) -> None:
        try:
            alter(self._store, endpoint.endpoint_id, None, lambda one: one.gone(self._clock.now()))
        except NoSuchEndpoint:
            return
        log.warning("An endpoint answered that it is gone; it is disabled.", endpoint_id=endpoint.endpoint_id)

    def _bury(self, endpoint: Endpoint, now: datetime) -> None:
        """What was still to be sent to an endpoint that was deleted."""
        for due in self._store.due_deliveries(endpoint.endpoint_id, now + _FOR_EVER, MOST_WAITING):
            one = self._store.delivery(due.delivery_id)
            if one is not None and one.state == State.PENDING:
                buried = one.given_up(Reason.ENDPOINT_DELETED, now)
                if self._store.replace_delivery(one, buried):
                    _tell(buried)


class _Lane:
    """One endpoint's own threads.

    Attributes:
        due_since: when the delivery that waits longest was to be tried, as of the last look; None where none
            waits.
    """

    def __init__(self, at_once: int) -> None:
        self.due_since: datetime | None = None
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="webhook")
        self._taken: dict[str, Future[object]] = {}

    def waiting(self) -> int:
        self._taken = {name: future for name, future in self._taken.items() if not future.done()}
        return len(self._taken)

    def take(self, delivery_id: str, attempt: Callable[[], object]) -> bool:
        """False where this process has it in hand already."""
        if delivery_id in self._taken:
            return False
        self._taken[delivery_id] = self._threads.submit(_logged, delivery_id, attempt)
        return True

    def wait(self) -> None:
        for future in list(self._taken.values()):
            future.result()

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)


def _logged(delivery_id: str, attempt: Callable[[], object]) -> None:
    with structlog.contextvars.bound_contextvars(delivery_id=delivery_id):
        try:
            attempt()
        except Exception:
            # It stays due, at the latest when its lease is over.
            log.exception("A webhook could not be tried.")


def _tell(after: Delivery) -> None:
    fields = {
        "delivery_id": after.delivery_id,
        "endpoint_id": after.endpoint_id,
        "webhook_id": after.event_id,
        "subscription_id": after.subscription_id,
        "reason": after.attempts[-1].reason.value,
        "status_code": after.attempts[-1].status,
        "tries": after.tries,
    }
    if after.state == State.DEAD:
        DEAD.inc()
        log.error("A webhook is given up; it can be sent again by hand.", **fields)
    elif after.state == State.PENDING:
        log.warning("A webhook was not taken; it is tried again.", **fields)
    else:
        log.info("A webhook was delivered.", **fields)
