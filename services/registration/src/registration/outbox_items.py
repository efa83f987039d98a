"""What registering sets going elsewhere: kept from the act that decides it until it is done.

An item is written in the same transaction as what it tells of. It is tried until it succeeds, each time a
little later; nothing is given up silently.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

# Whoever takes an item has it to themselves for so long. Longer than the longest call with its repetitions;
# if they crash, another takes it after.
LEASE = timedelta(seconds=60)
_FIRST_PAUSE = timedelta(seconds=1)
_LONGEST_PAUSE = timedelta(minutes=30)
_PAUSE_WHEN_STUCK = timedelta(hours=1)
_STUCK_AFTER = timedelta(days=3)


class Kind(StrEnum):
    HAND_OVER = "hand_over"
    WELCOME_LETTER = "welcome_letter"
    ACCESS_LETTER = "access_letter"
    DEPLOYMENT_PARAMETER = "deployment_parameter"
    RENEWAL_NOTICE = "renewal_notice"


@dataclass(frozen=True)
class OutboxItem:
    """Something to be done elsewhere.

    Args:
        outbox_id: derived from what it is for, so that it exists once; also the idempotency key at the other
            side.
        payload: what doing it needs; may hold personal data, and goes when it is done.
        due_at: not tried before.
        last_error: of the last try, without personal data.
        traceparent: of what set it going, where that is traced.
    """

    outbox_id: str
    kind: Kind
    subscription_id: str
    customer_id: str | None
    created_at: datetime
    due_at: datetime
    payload: Mapping[str, Any] = field(default_factory=dict)
    attempts: int = 0
    last_error: str | None = None
    traceparent: str | None = None

    def state(self, now: datetime) -> Literal["waiting", "stuck"]:
        return "stuck" if now - self.created_at >= _STUCK_AFTER else "waiting"

    def taken(self, now: datetime) -> "OutboxItem":
        """In somebody's hands: not due for anybody else until the lease is over."""
        return replace(self, due_at=now + LEASE, attempts=self.attempts + 1)

    def failed(self, error: str, now: datetime) -> "OutboxItem":
        """To be tried again: after a second, two, four, … half an hour; once stuck, each hour."""
        doublings = min(max(self.attempts - 1, 0), 16)
        pause = min(_FIRST_PAUSE * 2**doublings, _LONGEST_PAUSE)
        if self.state(now) == "stuck":
            pause = _PAUSE_WHEN_STUCK
        return replace(self, due_at=now + pause, last_error=error)

    def hurried(self, now: datetime) -> "OutboxItem":
        """Due at once, with short pauses again: a person has mended something."""
        return replace(self, due_at=now, attempts=0)


def outbox_id_of(kind: Kind, name: str) -> str:
    """The id of the item of this kind for what `name` says."""
    return f"{kind.value.replace('_', '-')}-{name}"


def new_item(
    kind: Kind,
    name: str,
    subscription_id: str,
    customer_id: str | None,
    now: datetime,
    payload: Mapping[str, Any] | None = None,
    *,
    in_hand: bool = False,
) -> OutboxItem:
    """An item that has not been tried.

    Args:
        kind: what is to be done.
        name: with the kind, what it is for.
        subscription_id: whose purchase.
        customer_id: whose, where that is known.
        now: the clock's time.
        payload: what doing it needs.
        in_hand: whoever writes it also tries it first.
    """
    item = OutboxItem(
        outbox_id=outbox_id_of(kind, name),
        kind=kind,
        subscription_id=subscription_id,
        customer_id=customer_id,
        created_at=now,
        due_at=now,
        payload=payload or {},
    )
    return item.taken(now) if in_hand else item
