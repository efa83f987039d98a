"""What the API shows: the bridges from rows to JSON."""

from typing import Any

from marshmallow import Schema, fields

from chassis.times import rfc3339


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
    version = fields.Integer()
    changed_at = Moment()
    changed_by = fields.String()


class NotificationAnswer(Schema):
    notification_id = fields.String()
    source = fields.String()
    name = fields.String()
    event_time = Moment()
    received_at = Moment()
    subject = fields.String()
    outcome = fields.String()
    subscription_id = fields.String()


class WholeNotificationAnswer(NotificationAnswer):
    body = fields.String()
