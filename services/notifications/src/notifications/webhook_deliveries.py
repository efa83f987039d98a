"""One event on its way to one endpoint: when it is tried, and what becomes of it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from notifications.webhook_endpoints import Endpoint
from notifications.webhook_events import WebhookEvent
from notifications.webhook_ids import derived_id

_SECONDS, _MINUTES, _HOURS = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours"))
DELAYS = (
    5 * _SECONDS,
    30 * _SECONDS,
    2 * _MINUTES,
    10 * _MINUTES,
    1 * _HOURS,
    3 * _HOURS,
    6 * _HOURS,
    12 * _HOURS,
    24 * _HOURS,
    24 * _HOURS,
)
"""How long after each failed try the next one is made: eleven tries in a good three days, so that a receiver
that breaks on a Friday evening still hears on Monday."""

JITTER = 0.2
"""Each delay is made longer by up to so much of itself: what failed together must not come back together."""

LONGEST_WISH = timedelta(hours=24)
"""A `Retry-After` is granted up to here."""

LEASE = timedelta(seconds=60)
"""A try belongs to the process that began it for so long (it takes 10 s at most). If nothing was heard of it
by then, the process was killed, and another takes over."""

MOST_ATTEMPTS_KEPT = 50


class State(StrEnum):
    PENDING = "pending"  # still to be sent
    DELIVERED = "delivered"  # answered with 2xx
    DEAD = "dead"  # given up; an operator can have it sent again


class Reason(StrEnum):
    """What became of a try."""

    DELIVERED = "delivered"
    STATUS = "status"  # answered, but not with 2xx
    GONE = "gone"  # 410: the endpoint is disabled
    TIMEOUT = "timeout"
    NOT_RESOLVED = "not_resolved"  # DNS knows no such name
    ADDRESS_REFUSED = "address_refused"  # the name leads inside
    NOT_CONNECTED = "not_connected"
    TLS_FAILED = "tls_failed"
    BROKEN_ANSWER = "broken_answer"  # the connection broke, or what came is no HTTP
    # Without a try:
    ENDPOINT_DELETED = "endpoint_deleted"
    EVENT_FORGOTTEN = "event_forgotten"  # its retention time is over


HOPELESS = frozenset({Reason.GONE, Reason.ENDPOINT_DELETED, Reason.EVENT_FORGOTTEN})


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try.

    Attributes:
        status: the HTTP status, where there was one.
        excerpt: how the answer began, where it was no success.
    """

    at: datetime
    reason: Reason
    duration_ms: int
    status: int | None = None
    excerpt: str | None = None


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One event on its way to one endpoint.

    Attributes:
        event_home: where the event is kept.
        replay_id: the replay that sends it again; None for the first time.
        tries: since it was last begun; a redelivery begins anew.
        attempts: the newest of all tries, the oldest first.
        next_attempt_at: None unless pending.
        concluded_at: when it was delivered or given up.
        revision: one more with each write; each is conditional on it.
        traceparent: of what it is sent for, where that is traced.
    """

    delivery_id: str
    endpoint_id: str
    event_id: str
    event_home: str
    event_type: str
    subscription_id: str | None
    replay_id: str | None = None
    state: State = State.PENDING
    tries: int = 0
    attempts: tuple[Attempt, ...] = ()
    created_at: datetime
    next_attempt_at: datetime | None
    concluded_at: datetime | None = None
    revision: int = 1
    traceparent: str | None = None

    def is_due(self, now: datetime) -> bool:
        return self.next_attempt_at is not None and self.next_attempt_at <= now

    def claimed(self, now: datetime) -> "Delivery":
        """A process is about to try it. Whoever wrote this first has it; no other tries it meanwhile."""
        return replace(self, next_attempt_at=now + LEASE, revision=self.revision + 1)

    def tried(
        self, attempt: Attempt, now: datetime, chance: float, retry_after: timedelta | None = None
    ) -> "Delivery":
        """After a try.

        Args:
            attempt: what came of it.
            chance: between 0 and 1, for the jitter.
            retry_after: how long the receiver asks us to wait.
        """
        tries = self.tries + 1
        logged = replace(self.noted(attempt), tries=tries)
        if attempt.reason == Reason.DELIVERED:
            return replace(logged, state=State.DELIVERED, next_attempt_at=None, concluded_at=now)
        if attempt.reason in HOPELESS or tries > len(DELAYS):
            return replace(logged, state=State.DEAD, next_attempt_at=None, concluded_at=now)
        delay = DELAYS[tries - 1] * (1 + JITTER * chance)
        wish = min(retry_after or timedelta(0), LONGEST_WISH)
        return replace(logged, next_attempt_at=now + max(delay, wish))

    def noted(self, attempt: Attempt) -> "Delivery":
        """The same with one more try in the log, and nothing decided by it."""
        attempts = (*self.attempts, attempt)[-MOST_ATTEMPTS_KEPT:]
        return replace(self, attempts=attempts, revision=self.revision + 1)

    def given_up(self, reason: Reason, now: datetime) -> "Delivery":
        """Without a try, because none could help."""
        return self.tried(Attempt(at=now, reason=reason, duration_ms=0), now, 0)

    def begun_anew(self, now: datetime) -> "Delivery":
        """Due at once, with all tries before it, whatever became of it before."""
        return replace(
            self,
            state=State.PENDING,
            tries=0,
            next_attempt_at=now,
            concluded_at=None,
            revision=self.revision + 1,
        )


def delivery(
    event: WebhookEvent,
    event_home: str,
    endpoint: Endpoint,
    now: datetime,
    replay_id: str | None = None,
    traceparent: str | None = None,
) -> Delivery:
    """An event's way to an endpoint. Its id is derived: a step that is repeated makes the same one."""
    return Delivery(
        delivery_id=derived_id("whd", endpoint.endpoint_id, event.event_id, replay_id or ""),
        endpoint_id=endpoint.endpoint_id,
        event_id=event.event_id,
        event_home=event_home,
        event_type=event.type,
        subscription_id=event.subscription_id,
        replay_id=replay_id,
        created_at=now,
        next_attempt_at=now,
        traceparent=traceparent,
    )
