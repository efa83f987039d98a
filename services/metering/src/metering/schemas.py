"""Values to JSON, as the contract shows them."""

from datetime import datetime
from typing import Any

from marshmallow import Schema, fields, post_dump

from chassis.times import rfc3339
from metering.hours import start_of
from metering.quantities import to_text


class Quantity(fields.Field[int]):
    """Micro-units as exact decimal text."""

    def _serialize(self, value: int | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else to_text(value)


class Moment(fields.Field[datetime]):
    """An aware datetime as RFC 3339."""

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else rfc3339(value)


class Hour(fields.Field[str]):
    """An hour as RFC 3339 of its start."""

    def _serialize(self, value: str | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else rfc3339(start_of(value))


class HourOfUsageSchema(Schema):
    subscription_id = fields.String(attribute="holder")
    dimension = fields.String()
    hour = Hour()
    quantity = Quantity(attribute="metered")
    conflicting_events = fields.Integer(attribute="conflicts")


class SourceSchema(Schema):
    hour = Hour()
    quantity = Quantity()


class MeteringRecordSchema(Schema):
    metering_record_id = fields.String()
    subscription_id = fields.String()
    product_code = fields.String(attribute="identity.product_code")
    dimension = fields.String()
    hour = Hour()
    timestamp = Moment()
    quantity = Quantity()
    outcome = fields.String()
    reason = fields.String()
    attempts = fields.Integer()
    aws_metering_record_id = fields.String()
    created_at = Moment()
    settled_at = Moment()
    sources = fields.List(fields.Nested(SourceSchema))


class BalanceSchema(Schema):
    accepted = Quantity()
    open = Quantity()
    planned = Quantity()
    billed = Quantity()
    included = Quantity()
    held = Quantity()
    conflicting = Quantity()
    written_off = Quantity()
    corrections_waiting = Quantity()
    balanced = fields.Boolean()
    reasons = fields.Method("name_reasons")

    def name_reasons(self, balance: Any) -> list[dict[str, str]]:
        return [
            {"kind": kind, "reason": reason, "quantity": to_text(quantity)}
            for (kind, reason), quantity in sorted(balance.reasons.items())
        ]


class RefusalSchema(Schema):
    index = fields.Integer()
    source = fields.String()
    id = fields.String()
    reason = fields.String()
    detail = fields.String()
    path = fields.String()

    @post_dump
    def leave_out_what_is_not_known(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {name: value for name, value in data.items() if value is not None}
