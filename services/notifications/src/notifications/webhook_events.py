"""What the seller's systems are told: one event for each change of a subscription that a reader may see, and
for each notice of AWS about an agreement."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson

from chassis.times import parse_rfc3339, rfc3339
from notifications.changes import Change
from notifications.news import News
from notifications.subscription import Status
from notifications.webhook_ids import derived_id, random_id


class EventType(StrEnum):
    """What an event says. More may come: a receiver passes over types that it does not know."""

    PENDING = "subscription.pending"
    ACTIVATED = "subscription.activated"
    CHANGED = "subscription.changed"
    ENTITLEMENTS_CHANGED = "subscription.entitlements_changed"
    ENDING = "subscription.ending"
    ENDED = "subscription.ended"
    FAILED = "subscription.failed"
    # Notices: `agreement.` and what notifications calls them.
    ADVISORY_ISSUED = "agreement.advisory_issued"
    ADVISORY_RESOLVED = "agreement.advisory_resolved"
    AGREEMENT_ENDING = "agreement.ending"
    RENEWAL_TERMS_FINALIZED = "agreement.renewal_terms_finalized"
    RENEWAL_UPCOMING = "agreement.renewal_upcoming"
    CANCELLATION_PENDING_APPROVAL = "agreement.cancellation_pending_approval"
    CANCELLATION_APPROVED = "agreement.cancellation_approved"
    CANCELLATION_REJECTED = "agreement.cancellation_rejected"
    CANCELLATION_CANCELLED = "agreement.cancellation_cancelled"
    CANCELLATION_VALIDATION_FAILED = "agreement.cancellation_validation_failed"
    BILLING_ADJUSTMENT_COMPLETED = "agreement.billing_adjustment_completed"
    BILLING_ADJUSTMENT_FAILED = "agreement.billing_adjustment_failed"
    SPEND_THRESHOLD_REACHED = "agreement.spend_threshold_reached"
    SPEND_VET_SUCCEEDED = "agreement.spend_vet_succeeded"
    SPEND_VET_FAILED = "agreement.spend_vet_failed"
    TEST = "webhook.test"  # by an operator's wish; no endpoint need ask for it


BY_STATUS = {
    Status.PENDING: EventType.PENDING,
    Status.ACTIVE: EventType.ACTIVATED,
    Status.ENDING: EventType.ENDING,
    Status.ENDED: EventType.ENDED,
    Status.FAILED: EventType.FAILED,
}


@dataclass(frozen=True, kw_only=True)
class WebhookEvent:
    """One thing to tell.

    Attributes:
        event_id: the `webhook-id`: the same each time it is sent, to whomever.
        happened_at: when we learnt it; the body's `timestamp`.
        subscription_id: whose; None for a test.
        type: one of EventType; as text, because a newer release may know more of them while both run.
        body: what is sent, to the letter. It is made once, so that each try and each replay sends the same.
    """

    event_id: str
    type: str
    happened_at: datetime
    subscription_id: str | None
    body: str


def of_change(change: Change, shown: Mapping[str, Any], notification_id: str | None) -> WebhookEvent | None:
    """What is told of a change; None where a reader of the subscription learns nothing new.

    Args:
        change: as it is about to be written.
        shown: the subscription after it, as `GET /v1/subscriptions/{subscription_id}` shows it.
        notification_id: the news that made it; None where time passed, or AWS answered a question.
    """
    if change.signal is None:
        return None
    after, before = change.after, change.before
    subscription_id = after.subscription.subscription_id
    return _event(
        # A subscription has each version once, so a step that is repeated tells the same event.
        derived_id("evt", subscription_id, str(after.version)),
        _type_of(change),
        parse_rfc3339(change.signal["time"]),
        subscription_id,
        {
            "subscription": shown,
            "previous_status": before.subscription.status.value if before else None,
            "notification_id": notification_id,
        },
    )


def of_notice(news: News, shown: Mapping[str, Any] | None, now: datetime) -> WebhookEvent | None:
    """What is told of a notice; None where the news is none.

    Args:
        news: what AWS said.
        shown: the subscription of its agreement, as the API shows it; None where it is not known yet.
        now: aware.
    """
    if news.notice is None:
        return None
    # AWS tells as Proposer and as Manufacturer, in two messages: the same words are one notice.
    said = orjson.dumps(dict(news.notice), option=orjson.OPT_SORT_KEYS).decode()
    return _event(
        derived_id("evt", news.subject, news.kind, said if news.notice else rfc3339(news.event_time)),
        EventType[news.kind.name],
        now,
        shown["subscription_id"] if shown else None,
        {
            "agreement_id": news.subject,
            "notice": news.notice,
            "subscription": shown,
            "notification_id": news.notification_id,
        },
    )


def of_body(event_id: str, body: str) -> WebhookEvent:
    """An event as it was told of already: what else is known of it stands in what was told."""
    told = orjson.loads(body)
    shown = told["data"].get("subscription")
    return WebhookEvent(
        event_id=event_id,
        type=told["type"],
        happened_at=parse_rfc3339(told["timestamp"]),
        subscription_id=shown["subscription_id"] if shown else None,
        body=body,
    )


def a_test(endpoint_id: str, now: datetime) -> WebhookEvent:
    """Something to try an endpoint with: it says nothing of any subscription."""
    return _event(random_id("evt"), EventType.TEST, now, None, {"endpoint_id": endpoint_id})


def _type_of(change: Change) -> EventType:
    before, after = change.before, change.after
    status = after.subscription.status
    if before is None or before.subscription.status != status:
        return BY_STATUS[status]
    if before.purchase.entitlements != after.purchase.entitlements:
        return EventType.ENTITLEMENTS_CHANGED
    return EventType.CHANGED


def _event(
    event_id: str, kind: EventType, at: datetime, subscription_id: str | None, data: Mapping[str, Any]
) -> WebhookEvent:
    body = orjson.dumps({"type": kind.value, "timestamp": rfc3339(at), "data": data}).decode()
    return WebhookEvent(
        event_id=event_id, type=kind, happened_at=at, subscription_id=subscription_id, body=body
    )
