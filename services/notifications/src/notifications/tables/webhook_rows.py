"""The bridges between rows of webhooks' tables and the values that rules work with."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from notifications.changes import Published
from notifications.schemas import SubscriptionAnswer
from notifications.tables.packing import pack, unpack
from notifications.tables.rows import subscription_row
from notifications.tables.webhook_models import (
    AttemptMap,
    SecretMap,
    WebhookDeliveryRow,
    WebhookEndpointRow,
    WebhookEventRow,
    WebhookReplayRow,
)
from notifications.webhook_deliveries import Attempt, Delivery, Reason, State
from notifications.webhook_endpoints import DisabledReason, Endpoint, Secret
from notifications.webhook_events import WebhookEvent
from notifications.webhook_ids import SHARDS, shard_of
from notifications.webhook_replays import Replay, ReplayState, homes

TOMBSTONE_STAYS = timedelta(days=7)
"""How long a deleted endpoint's row stays, so that a delivery that was being made as it was deleted is seen
to."""


_SUBSCRIPTION = SubscriptionAnswer()


def forgotten_at(moment: datetime, kept: timedelta) -> datetime:
    """When DynamoDB may forget what is of this moment. It goes by its own time: where the house lives by the
    simulator's, which may be far behind, rows would else be gone as soon as they are written."""
    return max(moment, datetime.now(UTC)) + kept


def shown(row: Published) -> dict[str, Any]:
    """A subscription as the API shows it: what is told of it says the same in the same words."""
    answer: dict[str, Any] = _SUBSCRIPTION.dump(subscription_row(row))
    return answer


def home_of(event: WebhookEvent) -> str:
    """Where the event is kept."""
    return homes(event.happened_at)[shard_of(event.event_id)]


def event_row(event: WebhookEvent, kept: timedelta) -> WebhookEventRow:
    return WebhookEventRow(
        home=home_of(event),
        event_id=event.event_id,
        type=str(event.type),
        happened_at=event.happened_at,
        subscription_id=event.subscription_id,
        body=pack(event.body),
        forget_at=forgotten_at(event.happened_at, kept),
    )


def event_of(row: WebhookEventRow) -> WebhookEvent:
    return WebhookEvent(
        event_id=row.event_id,
        type=row.type,
        happened_at=row.happened_at,
        subscription_id=row.subscription_id,
        body=unpack(row.body),
    )


def endpoint_row(endpoint: Endpoint) -> WebhookEndpointRow:
    deleted = endpoint.deleted_at
    values = asdict(endpoint) | {
        "url": endpoint.url or None,
        "event_types": None if endpoint.event_types is None else list(endpoint.event_types),
        "disabled_reason": endpoint.disabled_reason and endpoint.disabled_reason.value,
        "secrets": [SecretMap(**asdict(one)) for one in endpoint.secrets],
        "forget_at": None if deleted is None else forgotten_at(deleted, TOMBSTONE_STAYS),
    }
    return WebhookEndpointRow(**values)


def endpoint_of(row: WebhookEndpointRow) -> Endpoint:
    return Endpoint(
        endpoint_id=row.endpoint_id,
        url=row.url or "",
        description=row.description,
        event_types=None if row.event_types is None else tuple(row.event_types),
        disabled_reason=DisabledReason(row.disabled_reason) if row.disabled_reason else None,
        secrets=tuple(
            Secret(sealed=one.sealed, created_at=one.created_at, expires_at=one.expires_at)
            for one in row.secrets
        ),
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
        version=int(row.version),
    )


def due_lanes(endpoint_id: str) -> list[str]:
    """The keys under which an endpoint's due deliveries are found."""
    return [f"{endpoint_id}/{shard}" for shard in range(SHARDS)]


def delivery_row(delivery: Delivery, kept: timedelta) -> WebhookDeliveryRow:
    """One that is pending is never forgotten."""
    concluded, due = delivery.concluded_at, delivery.next_attempt_at is not None
    lane = due_lanes(delivery.endpoint_id)[shard_of(delivery.delivery_id)]
    values = asdict(delivery) | {
        "event_type": str(delivery.event_type),
        "state": delivery.state.value,
        "attempts": [AttemptMap(**asdict(one) | {"reason": one.reason.value}) for one in delivery.attempts],
        "created_on": delivery.created_at.date().isoformat(),
        "due_lane": lane if due else None,
        "forget_at": None if concluded is None else forgotten_at(concluded, kept),
    }
    return WebhookDeliveryRow(**values)


def delivery_of(row: WebhookDeliveryRow) -> Delivery:
    return Delivery(
        delivery_id=row.delivery_id,
        endpoint_id=row.endpoint_id,
        event_id=row.event_id,
        event_home=row.event_home,
        event_type=row.event_type,
        subscription_id=row.subscription_id,
        replay_id=row.replay_id,
        state=State(row.state),
        tries=int(row.tries),
        attempts=tuple(_attempt_of(one) for one in row.attempts),
        created_at=row.created_at,
        next_attempt_at=row.next_attempt_at,
        concluded_at=row.concluded_at,
        revision=int(row.revision),
        traceparent=row.traceparent,
    )


def replay_row(replay: Replay, kept: timedelta) -> WebhookReplayRow:
    running = replay.state == ReplayState.RUNNING
    values = asdict(replay) | {
        "event_types": None if replay.event_types is None else list(replay.event_types),
        "state": replay.state.value,
        "running_since": replay.created_at if running else None,
        "forget_at": forgotten_at(replay.created_at, kept),
    }
    return WebhookReplayRow(**values)


def replay_of(row: WebhookReplayRow) -> Replay:
    return Replay(
        replay_id=row.replay_id,
        endpoint_id=row.endpoint_id,
        since=row.since,
        until=row.until,
        event_types=None if row.event_types is None else tuple(row.event_types),
        state=ReplayState(row.state),
        hour=row.hour,
        shard=int(row.shard),
        after=row.after,
        deliveries=int(row.deliveries),
        created_at=row.created_at,
        finished_at=row.finished_at,
        revision=int(row.revision),
    )


def _attempt_of(one: AttemptMap) -> Attempt:
    return Attempt(
        at=one.at,
        reason=Reason(one.reason),
        duration_ms=int(one.duration_ms),
        status=None if one.status is None else int(one.status),
        excerpt=one.excerpt,
    )
