"""Values to JSON, as the contract shows them."""

from datetime import datetime
from typing import Any

from marshmallow import Schema, fields, post_dump

from chassis.times import rfc3339
from metering.holders import customers_usage
from metering.hours import start_of
from metering.quantities import to_text
from metering.tags import Split


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


def quantities_by_tags(split: Split) -> list[dict[str, Any]]:
    return [{"tags": dict(tags), "quantity": to_text(quantity)} for tags, quantity in sorted(split.items())]


class HourOfUsageSchema(Schema):
    subscription_id = fields.String(attribute="holder")
    dimension = fields.String()
    hour = Hour()
    day = fields.String()
    quantity = Quantity(attribute="metered")
    corrections = fields.Function(lambda used: to_text(used.corrections) if used.corrections else None)
    conflicting_events = fields.Integer(attribute="conflicts")
    by_tags = fields.Function(lambda used: None if used.by_tags is None else quantities_by_tags(used.by_tags))

    @post_dump
    def leave_out_what_is_not_there(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {name: value for name, value in data.items() if value is not None}


class SourceSchema(Schema):
    hour = Hour()
    quantity = Quantity()


class ResolutionSchema(Schema):
    decision = fields.String()
    reason = fields.String()
    by = fields.String()
    at = Moment()


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
    resolution = fields.Nested(ResolutionSchema)
    attempts = fields.Integer()
    aws_metering_record_id = fields.String()
    created_at = Moment()
    settled_at = Moment()
    sources = fields.List(fields.Nested(SourceSchema))


class BuyersMeteringRecordSchema(MeteringRecordSchema):
    """Without what is between AWS and the seller, and who decided what."""

    class Meta:
        exclude = ("reason", "resolution", "attempts")


class SendSchema(Schema):
    number = fields.Integer()
    at = Moment()
    answer = fields.String()


class LoggedEventSchema(Schema):
    segment_id = fields.String(attribute="segment.name")
    accepted_at = fields.String(attribute="segment.accepted_at")
    hour = Hour(attribute="event.hour")
    source = fields.String(attribute="event.source")
    id = fields.String(attribute="event.id")
    customer_id = fields.Method("name_customer")
    quantity = Quantity(attribute="event.quantity")
    time = Moment(attribute="event.time")
    tags = fields.Function(lambda one: dict(one.event.tags))
    counts = fields.String()

    def name_customer(self, one: Any) -> str | None:
        usage = customers_usage(one.event.holder)
        return usage.customer_id if usage else None


class PlannedRecordSchema(Schema):
    subscription_id = fields.String()
    product_code = fields.String(attribute="identity.product_code")
    dimension = fields.String()
    hour = Hour()
    timestamp = Moment()
    quantity = Quantity()
    sources = fields.List(fields.Nested(SourceSchema))


class OfRowSchema(Schema):
    """Of something that has a ledger row."""

    dimension = fields.String(attribute="row.dimension")
    hour = Hour(attribute="row.hour")
    reason = fields.String()

    @post_dump(pass_original=True)
    def name_the_holder(self, data: dict[str, Any], one: Any, **_: Any) -> dict[str, Any]:
        return data | _names_of(one.row.holder)


class FateSchema(OfRowSchema):
    quantity = Quantity()
    becomes = fields.String()


class HeldUsageSchema(OfRowSchema):
    quantity = Quantity(attribute="row.unbilled")


class DecidedUsageSchema(Schema):
    dimension = fields.String()
    hour = Hour()
    quantity = Quantity()
    held_because = fields.String()
    decision = fields.String()
    to_subscription_id = fields.String(attribute="to")
    reason = fields.String()
    by = fields.String()
    at = Moment()

    @post_dump(pass_original=True)
    def name_the_holder(self, data: dict[str, Any], decided: Any, **_: Any) -> dict[str, Any]:
        return data | _names_of(decided.holder)


def _names_of(holder: str) -> dict[str, str | None]:
    usage = customers_usage(holder)
    return {
        "subscription_id": None if usage else holder,
        "customer_id": usage.customer_id if usage else None,
        "product_code": usage.product_code if usage else None,
    }


class MeteringRunSchema(Schema):
    metering_run_id = fields.String()
    subscription_id = fields.String()
    state = fields.String()
    requested_at = Moment()
    requested_by = fields.String()
    started_at = Moment()
    finished_at = Moment()
    outcomes = fields.Function(
        lambda run: [{"outcome": name, "records": count} for name, count in sorted(run.outcomes.items())]
    )
    due = fields.Integer()
    left = fields.List(fields.String())
    failures = fields.List(fields.String())


class HealthSchema(Schema):
    as_of = Moment()
    all_ended_well_at = Moment()
    steps = fields.Function(
        lambda health: [
            {"step": step, "ended_well_at": rfc3339(moment) if moment else None}
            for step, moment in health.steps
        ]
    )
    audited_at = Moment()
    imbalances = fields.Integer()


class EndpointSchema(Schema):
    endpoint_id = fields.String()
    owner = fields.String()
    name = fields.String()
    repository = fields.String()
    accelerator = fields.String()
    subscription_id = fields.String()
    product_code = fields.String()
    dimension = fields.String()
    state = fields.String()
    created_at = Moment()
    deleted_at = Moment()
    ended_because = fields.String()
    metered_until = Moment()


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


class BuyersBalanceSchema(BalanceSchema):
    """Without why, and without our own errors."""

    class Meta:
        exclude = ("balanced", "reasons")


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


class SideSchema(Schema):
    quantity = Quantity()
    says = fields.String()
    region = fields.String()
    aws_metering_record_id = fields.String()
    event_id = fields.String()


class DifferenceSchema(Schema):
    kind = fields.String()
    sentence = fields.String()
    settled = fields.String(attribute="settles")
    metering_record_id = fields.String()
    subscription_id = fields.String()
    product_code = fields.String()
    dimension = fields.String()
    hour = Hour()
    day = fields.Date()
    ours = fields.Nested(SideSchema)
    theirs = fields.Nested(SideSchema)
    place = fields.String()


class CountsSchema(Schema):
    read = fields.Integer()
    passed_over = fields.Integer()
    compared = fields.Integer()
    agreed = fields.Integer()
    differences = fields.Integer()
    settled_as_billed = fields.Integer()
    settled_to_bill_again = fields.Integer()


class ReconciliationSchema(Schema):
    reconciliation_id = fields.String()
    source = fields.String()
    by = fields.String()
    at = Moment()
    finished_at = Moment()
    complete_from = Moment()
    complete_until = Moment()
    counts = fields.Nested(CountsSchema)
