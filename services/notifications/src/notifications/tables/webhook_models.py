"""The tables of webhooks; all of them private.

| table | one item is | only ever |
|---|---|---|
| notifications-webhook-endpoints | one of the seller's systems, its secrets sealed | replaced; gone a while after it was deleted |
| notifications-webhook-events | one thing to tell, its body whole | created before its deliveries; gone after a retention time |
| notifications-webhook-deliveries | one event on its way to one endpoint | created, replaced try by try; gone after a retention time once it is concluded |
| notifications-webhook-replays | a range that is sent again, and how far it has come | replaced page by page; gone after a retention time |

As in `models.py`, no index has a key that is the same for many rows: an hour's events and an endpoint's due deliveries are spread over `webhook_ids.SHARDS` keys.
"""  # noqa: E501

from typing import Any

from pynamodb.attributes import (
    BinaryAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    TTLAttribute,
    UnicodeAttribute,
)
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model

from chassis.tables import TimeAttribute


class SecretMap(MapAttribute[str, Any]):
    sealed = UnicodeAttribute()
    created_at = TimeAttribute()
    expires_at = TimeAttribute(null=True)


class WebhookEndpointRow(Model):
    class Meta:
        table_name = "notifications-webhook-endpoints"

    endpoint_id = UnicodeAttribute(hash_key=True)
    url = UnicodeAttribute(null=True)
    description = UnicodeAttribute(null=True)
    event_types: ListAttribute[Any] = ListAttribute(null=True)
    disabled_reason = UnicodeAttribute(null=True)
    secrets: ListAttribute[SecretMap] = ListAttribute(of=SecretMap)
    created_at = TimeAttribute()
    updated_at = TimeAttribute()
    deleted_at = TimeAttribute(null=True)
    version = NumberAttribute()
    forget_at = TTLAttribute(null=True)


class WebhookEventRow(Model):
    """`home` is the hour and a shard of it, so that a range of time can be read again without an index.

    The body is compressed: it shows the whole subscription, and one with thousands of entitlements must fit
    into an item (400 KB) here as its row does.
    """

    class Meta:
        table_name = "notifications-webhook-events"

    home = UnicodeAttribute(hash_key=True)
    event_id = UnicodeAttribute(range_key=True)
    type = UnicodeAttribute()
    happened_at = TimeAttribute()
    subscription_id = UnicodeAttribute(null=True)
    body = BinaryAttribute(legacy_encoding=False)
    forget_at = TTLAttribute()


class DeliveriesOfDay(GlobalSecondaryIndex["WebhookDeliveryRow"]):
    """The newest first without a key that all deliveries share: each day has its own."""

    class Meta:
        index_name = "of_day"
        projection = AllProjection()

    created_on = UnicodeAttribute(hash_key=True)
    created_at = TimeAttribute(range_key=True)


class DeliveriesOfSubscription(GlobalSecondaryIndex["WebhookDeliveryRow"]):
    class Meta:
        index_name = "of_subscription"
        projection = AllProjection()

    subscription_id = UnicodeAttribute(hash_key=True)
    created_at = TimeAttribute(range_key=True)


class DueDeliveries(GlobalSecondaryIndex["WebhookDeliveryRow"]):
    """Sparse: what is still to be sent, by endpoint, so that a long backlog of one endpoint is never read on
    the way to another's."""

    class Meta:
        index_name = "due"
        projection = KeysOnlyProjection()

    due_lane = UnicodeAttribute(hash_key=True)
    next_attempt_at = TimeAttribute(range_key=True)


class AttemptMap(MapAttribute[str, Any]):
    at = TimeAttribute()
    reason = UnicodeAttribute()
    duration_ms = NumberAttribute()
    status = NumberAttribute(null=True)
    excerpt = UnicodeAttribute(null=True)


class WebhookDeliveryRow(Model):
    class Meta:
        table_name = "notifications-webhook-deliveries"

    delivery_id = UnicodeAttribute(hash_key=True)
    endpoint_id = UnicodeAttribute()
    event_id = UnicodeAttribute()
    event_home = UnicodeAttribute()
    event_type = UnicodeAttribute()
    subscription_id = UnicodeAttribute(null=True)
    replay_id = UnicodeAttribute(null=True)
    state = UnicodeAttribute()
    tries = NumberAttribute()
    attempts: ListAttribute[AttemptMap] = ListAttribute(of=AttemptMap)
    created_at = TimeAttribute()
    created_on = UnicodeAttribute()
    next_attempt_at = TimeAttribute(null=True)
    due_lane = UnicodeAttribute(null=True)
    concluded_at = TimeAttribute(null=True)
    revision = NumberAttribute()
    forget_at = TTLAttribute(null=True)
    traceparent = UnicodeAttribute(null=True)

    of_day = DeliveriesOfDay()
    of_subscription = DeliveriesOfSubscription()
    due = DueDeliveries()


class RunningReplays(GlobalSecondaryIndex["WebhookReplayRow"]):
    """Sparse: the few that are not done."""

    class Meta:
        index_name = "running"
        projection = KeysOnlyProjection()

    running_since = TimeAttribute(hash_key=True)


class WebhookReplayRow(Model):
    class Meta:
        table_name = "notifications-webhook-replays"

    replay_id = UnicodeAttribute(hash_key=True)
    endpoint_id = UnicodeAttribute()
    since = TimeAttribute()
    until = TimeAttribute()
    event_types: ListAttribute[Any] = ListAttribute(null=True)
    state = UnicodeAttribute()
    hour = TimeAttribute()
    shard = NumberAttribute()
    after = UnicodeAttribute(null=True)
    deliveries = NumberAttribute()
    created_at = TimeAttribute()
    finished_at = TimeAttribute(null=True)
    running_since = TimeAttribute(null=True)
    revision = NumberAttribute()
    forget_at = TTLAttribute()

    running = RunningReplays()
