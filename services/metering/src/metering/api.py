"""The HTTP door. Each function is the operation of the same name in openapi/metering.yaml."""

from typing import TYPE_CHECKING, Any

import flask

from chassis.problems import NotFound, Problem
from chassis.tables import decode_cursor, encode_cursor, foreign_cursor
from chassis.times import parse_rfc3339, rfc3339
from chassis.web import caller, json_answer, parts
from metering.allocations import allocations
from metering.balance import Balance
from metering.held_decisions import HeldDecision, Wish
from metering.holders import holder_of_customer
from metering.hours import hour_of
from metering.problems import names_errors
from metering.records import Decision
from metering.schemas import (
    AllocationSchema,
    BalanceSchema,
    DecidedUsageSchema,
    FateSchema,
    HeldUsageSchema,
    HourOfUsageSchema,
    LoggedEventSchema,
    MeteringRecordSchema,
    MeteringRunSchema,
    PlannedRecordSchema,
    RefusalSchema,
    SendSchema,
)

if TYPE_CHECKING:
    from metering.app import Metering


MOST_NAMED = 1_000
"""Of each list of a dry run."""


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


def list_held_usage(limit: int = 50, cursor: str | None = None) -> Any:
    found, more = _metering().held_usage.page(_place_of(decode_cursor(cursor)), limit)
    after = None
    if more:
        last, _ = found[-1]
        after = {"holder": {"S": last.holder}, "dimension": {"S": last.dimension}, "hour": {"S": last.hour}}
    return json_answer({"items": HeldUsageSchema(many=True).dump(found), "next_cursor": encode_cursor(after)})


def _place_of(key: dict[str, Any] | None) -> tuple[str, str, str] | None:
    if key is None:
        return None
    try:
        return key["holder"]["S"], key["dimension"]["S"], key["hour"]["S"]
    except KeyError:
        raise foreign_cursor() from None


def decide_held_usage(body: dict[str, Any]) -> Any:
    result = _metering().held_usage.decide(
        Wish(
            holder=body.get("subscription_id")
            or holder_of_customer(body["customer_id"], body["product_code"]),
            decision=HeldDecision(body["decision"]),
            reason=body["reason"],
            by=caller().name,
            dimension=body.get("dimension"),
            first_hour=_hour_in(body, "first_hour"),
            last_hour=_hour_in(body, "last_hour"),
            to=body.get("to_subscription_id"),
        )
    )
    return json_answer(
        {
            "decided": DecidedUsageSchema(many=True).dump(result.decided),
            "left": HeldUsageSchema(many=True).dump(result.left),
            "more": result.more,
        }
    )


def _hour_in(body: dict[str, Any], name: str) -> str | None:
    try:
        return hour_of(parse_rfc3339(body[name])) if name in body else None
    except ValueError:
        raise Problem(
            400,
            "invalid-request",
            "The request does not fit the contract.",
            "1 place is wrong.",
            errors=[{"in": "body", "path": f"/{name}", "reason": "not a moment of the years 1 to 9999"}],
        ) from None


def list_held_usage_decisions(
    subscription_id: str | None = None, limit: int = 50, cursor: str | None = None
) -> Any:
    found, last = _metering().decisions.page(subscription_id, limit, decode_cursor(cursor))
    return json_answer(
        {"items": DecidedUsageSchema(many=True).dump(found), "next_cursor": encode_cursor(last)}
    )


@names_errors
def get_metering_record(metering_record_id: str) -> Any:
    record = _metering().record_desk.record(metering_record_id)
    buckets = allocations(record)
    return json_answer(
        {
            "metering_record": MeteringRecordSchema().dump(record),
            "allocations": AllocationSchema(many=True).dump(sorted(buckets.items())),
            "tags_left_out": record.tags_left_out,
            "sends": SendSchema(many=True).dump(record.sends),
        }
    )


@names_errors
def list_record_usage_events(metering_record_id: str, limit: int = 50, cursor: str | None = None) -> Any:
    start = _start_of(decode_cursor(cursor))
    events, more = _metering().record_desk.events(metering_record_id, start, limit)
    after = {"place": {"N": str(start + limit)}} if more else None
    return json_answer(
        {"items": LoggedEventSchema(many=True).dump(events), "next_cursor": encode_cursor(after)}
    )


def _start_of(key: dict[str, Any] | None) -> int:
    if key is None:
        return 0
    place = key.get("place", {}).get("N", "")
    if not place.isdecimal() or len(place) > 12:
        raise foreign_cursor()
    return int(place)


@names_errors
def resolve_metering_record(metering_record_id: str, body: dict[str, Any]) -> Any:
    decision = Decision(body["decision"])
    record = _metering().record_desk.resolve(
        metering_record_id, decision, body["reason"], caller().name, _metering().clock.now()
    )
    return json_answer(MeteringRecordSchema().dump(record))


def start_metering_run(body: dict[str, Any]) -> Any:
    subscription_id = body.get("subscription_id")
    if body["mode"] == "send":
        run = _metering().runs.ask(subscription_id, caller().name, _metering().clock.now())
        return json_answer(MeteringRunSchema().dump(run), 202)
    found = _metering().dry_run.look(subscription_id)
    named = (found.frozen, found.due, found.rest)
    return json_answer(
        {
            "as_of": rfc3339(found.as_of),
            "records": PlannedRecordSchema(many=True).dump(found.frozen[:MOST_NAMED]),
            "due": MeteringRecordSchema(many=True).dump(found.due[:MOST_NAMED]),
            "rest": FateSchema(many=True).dump(found.rest[:MOST_NAMED]),
            "more": any(len(one) > MOST_NAMED for one in named),
        }
    )


def get_metering_run(metering_run_id: str) -> Any:
    run = _metering().runs.run(metering_run_id)
    if run is None:
        raise NotFound("There is no metering run of this id.")
    return json_answer(MeteringRunSchema().dump(run))


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
