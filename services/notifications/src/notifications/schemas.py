"""What the API shows: the bridges from rows to JSON."""

from typing import Any, ClassVar

from marshmallow import Schema, fields

from chassis.times import rfc3339
from notifications.news import Door


class Moment(fields.Field[Any]):
    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else rfc3339(value)


class EntitlementAnswer(Schema):
    dimension = fields.String()
    type = fields.String()
    value = fields.String()
    expires_at = Moment()


class SubscriptionAnswer(Schema):
    subscription_id = fields.String()
    product_code = fields.String()
    generation = fields.String()
    status = fields.String()
    access = fields.String()
    customer_identifier = fields.String()
    license_arn = fields.String()
    agreement_id = fields.String()
    customer_aws_account_id = fields.String()
    offer_id = fields.String()
    free_trial = fields.Boolean()
    trial_ends_at = Moment()
    agreement_ends_at = Moment()
    entitlements = fields.List(fields.Nested(EntitlementAnswer))
    entitlements_as_of = Moment()
    active_since = Moment()
    ended_at = Moment()
    end_reason = fields.String()
    meter_until = Moment()
    previous_subscription_id = fields.String()
    next_subscription_id = fields.String()
    version = fields.Integer()
    changed_at = Moment()
    changed_by = fields.String()


OF_THE_SELLER = ("changed_by",)
"""What buyers are not shown of a subscription: by which message of AWS it changed."""


class BuyersSubscriptionAnswer(SubscriptionAnswer):
    class Meta:
        exclude = OF_THE_SELLER


class NotificationAnswer(Schema):
    notification_id = fields.String()
    source = fields.String()
    door = fields.Function(lambda row: row.door or Door.QUEUE.value)
    name = fields.String()
    event_time = Moment()
    received_at = Moment()
    subject = fields.String()
    outcome = fields.String()
    subscription_id = fields.String()


class HistoryAnswer(Schema):
    version = fields.Integer()
    recorded_at = Moment()
    cause = fields.String(attribute="cause.kind")
    notification_id = fields.String(attribute="cause.notification_id")
    name = fields.String(attribute="cause.name")
    event_time = Moment(attribute="cause.event_time")
    changes = fields.Raw()
    notice = fields.Raw()


class BuyersHistoryAnswer(HistoryAnswer):
    """Without the messages of AWS."""

    class Meta:
        exclude = ("notification_id", "name", "notice")

    changes = fields.Function(
        lambda one: [change for change in one.changes if change["attribute"] not in OF_THE_SELLER]
    )


class DeadLetterAnswer(Schema):
    dead_letter_id = fields.String()
    reason = fields.String()
    door = fields.Function(lambda letter: letter.door.value)
    encoding = fields.String()
    body = fields.String()
    sent_at = Moment()


class ReconciliationAnswer(Schema):
    reconciliation_id = fields.String()
    state = fields.String()
    step = fields.String()
    requested_at = Moment()
    requested_by = fields.String()
    started_at = Moment()
    finished_at = Moment()
    agreements_read = fields.Integer()
    subscriptions_compared = fields.Integer()
    not_told = fields.Integer()
    differences = fields.Integer()
    healed = fields.Integer()
    last_failure = fields.String()


class DifferenceAnswer(Schema):
    kind = fields.String()
    agreement_id = fields.String()
    subscription_id = fields.String()
    product_code = fields.String()
    ours = fields.String()
    theirs = fields.String()
    action = fields.String()
    notification_ids = fields.List(fields.String())
    found_at = Moment()


class WholeNotificationAnswer(NotificationAnswer):
    body = fields.String(attribute="whole_body")


class WebhookSecretAnswer(Schema):
    created_at = Moment()
    expires_at = Moment()


class WebhookEndpointAnswer(Schema):
    """The secrets only by their times: each is shown once, when it is made."""

    endpoint_id = fields.String()
    url = fields.String()
    description = fields.String()
    event_types = fields.List(fields.String())
    enabled = fields.Boolean()
    disabled_reason = fields.String()
    secrets = fields.List(fields.Nested(WebhookSecretAnswer))
    created_at = Moment()
    updated_at = Moment()
    version = fields.Integer()


class WebhookAttemptAnswer(Schema):
    at = Moment()
    reason = fields.String()
    status = fields.Integer()
    duration_ms = fields.Integer()
    excerpt = fields.String()


class WebhookDeliveryAnswer(Schema):
    delivery_id = fields.String()
    endpoint_id = fields.String()
    webhook_id = fields.String(attribute="event_id")
    event_type = fields.String()
    subscription_id = fields.String()
    replay_id = fields.String()
    state = fields.String()
    tries = fields.Integer()
    created_at = Moment()
    next_attempt_at = Moment()
    concluded_at = Moment()


class WholeWebhookDeliveryAnswer(WebhookDeliveryAnswer):
    attempts = fields.List(fields.Nested(WebhookAttemptAnswer))


class WebhookReplayAnswer(Schema):
    class Meta:
        # No name for a class's attribute.
        include: ClassVar = {"from": Moment(attribute="since")}

    replay_id = fields.String()
    endpoint_id = fields.String()
    to = Moment(attribute="until")
    event_types = fields.List(fields.String())
    state = fields.String()
    done_until = Moment()
    deliveries = fields.Integer()
    created_at = Moment()
    finished_at = Moment()
