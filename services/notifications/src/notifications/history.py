"""The history of a subscription: for each version that was published, what changed and by what; and the
notices about it. They stand in the log of its subject (`subject_log.py`)."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from chassis.times import rfc3339
from notifications.changes import Change, Published
from notifications.news import Generation
from notifications.purchase import Purchase
from notifications.subscription import Subscription

LARGEST_VALUES = 100_000
"""Bytes. The entitlements of a large contract, before and after, do not fit into one item (DynamoDB: 400
KB)."""

_PURCHASE = [
    field.name for field in fields(Purchase) if field.name not in ("entitlements_as_of", "free_trial")
]
_SUBSCRIPTION = [field.name for field in fields(Subscription)]


class CauseKind(StrEnum):
    """Who made a subscription change."""

    NOTIFICATION = "notification"  # a message of AWS
    ANSWER = "answer"  # AWS, when asked
    TIME = "time"  # a last hour that is over


@dataclass(frozen=True)
class Cause:
    """What made a subscription change.

    Attributes:
        notification_id, name: the message and what AWS calls it; None where no message did.
        event_time: when it happened, as far as AWS tells.
    """

    kind: CauseKind
    notification_id: str | None = None
    name: str | None = None
    event_time: datetime | None = None


ANSWER = Cause(CauseKind.ANSWER)
TIME = Cause(CauseKind.TIME)


@dataclass(frozen=True)
class Happening:
    """One entry of a history.

    Attributes:
        version: of the subscription since then; a notice changes none.
        recorded_at: when we learnt it.
        changes: attribute, value before and value after, as the published table and the API write them.
        notice: what a notice says.
    """

    subscription_id: str
    version: int
    recorded_at: datetime
    cause: Cause
    changes: list[dict[str, Any]]
    notice: Mapping[str, Any] | None = None

    @property
    def entry_id(self) -> str:
        """Sorts by version, and the notices of a version after it in the order in which they happened."""
        place = f"{self.version:012}"
        if self.notice is None or self.cause.event_time is None:
            return place
        return f"{place}/{rfc3339(self.cause.event_time)}/{self.cause.notification_id}"


def published(change: Change, cause: Cause, now: datetime) -> Happening | None:
    """The entry of a change; None where no version was published."""
    if not change.is_published:
        return None
    after = change.after
    old, new = _shown(change.before), _shown(after)
    changes = [
        {"attribute": name, "before": old.get(name), "after": new.get(name)}
        for name in new
        if old.get(name) != new[name]
    ]
    return Happening(
        after.subscription.subscription_id, after.version, now, cause, [_bounded(one) for one in changes]
    )


def _shown(row: Published | None) -> dict[str, Any]:
    """The published attributes as JSON, without what moves with every version or without one."""
    if row is None:
        return {}
    subscription, purchase = row.subscription, row.purchase
    shown: dict[str, Any] = {name: getattr(subscription, name) for name in _SUBSCRIPTION}
    shown["access"] = subscription.access
    if subscription.generation != Generation.LEGACY:
        shown["free_trial"] = purchase.free_trial
    shown |= {name: getattr(purchase, name) for name in _PURCHASE}
    if purchase.entitlements is not None:
        shown["entitlements"] = [asdict(one) for one in purchase.entitlements]
    return {name: _plain(value) for name, value in shown.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return value


def _bounded(change: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(change)) <= LARGEST_VALUES:
        return change
    return {"attribute": change["attribute"], "before": None, "after": None, "left_out": True}
