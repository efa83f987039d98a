"""The HTTP door. Each function is the operation of the same name in openapi/metering.yaml."""

from typing import TYPE_CHECKING, Any

import flask

from chassis.problems import Problem
from chassis.tables import decode_cursor, encode_cursor
from chassis.web import json_answer, parts
from metering.balance import Balance
from metering.holders import holder_of_customer
from metering.schemas import BalanceSchema, HourOfUsageSchema, MeteringRecordSchema, RefusalSchema

if TYPE_CHECKING:
    from metering.app import Metering


def _metering() -> "Metering":
    found: Metering = parts()
    return found


def post_usage_events(body: Any) -> Any:
    intake = _metering().intake
    match flask.request.mimetype:
        case "application/cloudevents+json":
            accepted, refused = intake.take([body], intake.cloud_event)
        case "application/cloudevents-batch+json":
            accepted, refused = intake.take(body, intake.cloud_event)
        case _:
            accepted, refused = intake.take(body["events"], intake.plain, "/events")
    refusals = RefusalSchema(many=True).dump(refused)
    if not accepted:
        raise Problem(
            400,
            "no-event-accepted",
            "No event of the batch was accepted.",
            "Each is named with its reason; nothing was kept.",
            errors=[{"in": "body", "path": one["path"], "reason": one["detail"]} for one in refusals],
            refused=refusals,
        )
    return json_answer({"accepted": accepted, "refused": refusals}, 207 if refused else 202)


def get_usage(
    subscription_id: str, dimension: str | None = None, limit: int = 50, cursor: str | None = None
) -> Any:
    rows, last = _metering().ledger.page(subscription_id, dimension, limit, decode_cursor(cursor))
    return json_answer({"items": HourOfUsageSchema(many=True).dump(rows), "next_cursor": encode_cursor(last)})


def list_metering_records(
    subscription_id: str | None = None, outcome: str | None = None, limit: int = 50, cursor: str | None = None
) -> Any:
    records, last = _metering().records.page(subscription_id, outcome, limit, decode_cursor(cursor))
    return json_answer(
        {"items": MeteringRecordSchema(many=True).dump(records), "next_cursor": encode_cursor(last)}
    )


def get_balance(subscription_id: str, dimension: str | None = None) -> Any:
    struck = _metering().statements.balances(subscription_id, dimension)
    return json_answer({"subscription_id": subscription_id, "dimensions": _shown(struck)})


def get_customer_balance(customer_id: str, product_code: str) -> Any:
    struck = _metering().statements.balances(holder_of_customer(customer_id, product_code))
    return json_answer(
        {"customer_id": customer_id, "product_code": product_code, "dimensions": _shown(struck)}
    )


def _shown(struck: dict[str, Balance]) -> list[dict[str, Any]]:
    return [{"dimension": name} | BalanceSchema().dump(balance) for name, balance in sorted(struck.items())]
