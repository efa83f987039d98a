"""What one piece of news changes: which rows are written anew, and what the siblings are told."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from chassis.times import rfc3339
from notifications.subscription import Status, Subscription


class Outcome(StrEnum):
    """What became of a message."""

    APPLIED = "applied"  # it changed a subscription
    NO_CHANGE = "no_change"  # known already by other news, or too late to matter
    WAITING = "waiting"  # kept until a licence event says which subscription its agreement is
    IGNORED = "ignored"  # of a kind that means nothing to us
    UNKNOWN_PRODUCT = "unknown_product"  # of a product that the catalogue does not name
    OTHER_GENERATION = (
        "other_generation"  # by the road of the other generation; the product's own road tells it too
    )


@dataclass(frozen=True)
class Published:
    """A subscription as it stands in the published table."""

    subscription: Subscription
    version: int


@dataclass(frozen=True)
class Change:
    """A row to be written.

    Attributes:
        after: what it will say.
        replaces: the version that it replaces; None where there is no row yet.
        signal: what the siblings are told; None where a reader learns nothing new.
    """

    after: Subscription
    replaces: int | None
    signal: dict[str, Any] | None

    @property
    def version(self) -> int:
        return (self.replaces or 0) + 1


def changes(before: Mapping[str, Published], after: Iterable[Subscription], now: datetime) -> list[Change]:
    """The rows that no longer say what is true."""
    return [
        change
        for subscription in after
        if (change := _change(before.get(subscription.subscription_id), subscription, now))
    ]


def outcome(after: list[Subscription], changed: list[Change]) -> Outcome:
    """What became of a message that was taken for news."""
    if not after:
        return Outcome.WAITING
    return Outcome.APPLIED if any(change.signal for change in changed) else Outcome.NO_CHANGE


def _change(before: Published | None, after: Subscription, now: datetime) -> Change | None:
    if before is None:
        return Change(after, None, _signal(None, after, 1, now))
    over = before.subscription.meter_until
    if before.subscription.status == Status.ENDED and over is not None:
        # Another worker's clock was ahead of ours: a last hour that was found over stays so.
        after = after.expired(max(now, over))
    if before.subscription == after:
        return None
    silent = after.says_the_same_as(before.subscription)
    signal = None if silent else _signal(before.subscription.status, after, before.version + 1, now)
    return Change(after, before.version, signal)


SIGNAL_OF = {
    Status.ACTIVE: "subscription.activated",
    Status.ENDING: "subscription.ending",
    Status.ENDED: "subscription.ended",
    Status.FAILED: "subscription.failed",
}


def _signal(was: Status | None, after: Subscription, version: int, now: datetime) -> dict[str, Any]:
    """openapi/events/subscription-signal.schema.json. It only says "look now": the truth is in the table."""
    changed_status = after.status != was
    return {
        "id": str(uuid.uuid4()),
        "type": SIGNAL_OF.get(after.status, "subscription.changed")
        if changed_status
        else "subscription.changed",
        "time": rfc3339(now),
        "subscription_id": after.subscription_id,
        "version": version,
    }
