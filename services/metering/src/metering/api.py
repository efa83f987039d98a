"""The HTTP door. Each function is the operation of the same name in openapi/metering.yaml."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import flask

from chassis.problems import NotFound, Problem
from chassis.tables import decode_cursor, encode_cursor, foreign_cursor
from chassis.times import parse_rfc3339, rfc3339
from chassis.validation import invalid_body
from chassis.web import caller, json_answer, parts
from metering import usage_pages
from metering.allocations import allocations
from metering.balance import Balance
from metering.callers import Sight, sight_of
from metering.held_decisions import HeldDecision, Wish
from metering.holders import holder_of_customer
from metering.hours import hour_of
from metering.present_caller import present_asker
from metering.problems import names_errors
from metering.records import Decision
from metering.schemas import (
    BalanceSchema,
    BuyersBalanceSchema,
    BuyersMeteringRecordSchema,
    DecidedUsageSchema,
    FateSchema,
    HealthSchema,
    HeldUsageSchema,
    HourOfUsageSchema,
    LoggedEventSchema,
    MeteringRecordSchema,
    MeteringRunSchema,
    PlannedRecordSchema,
    RefusalSchema,
    SendSchema,
    quantities_by_tags,
)

if TYPE_CHECKING:
    from metering.app import Metering


MOST_NAMED = 1_000
"""Of each list of a dry run."""


def _metering() -> "Metering":
    found: Metering = parts()
    return found


def _sight() -> Sight:
    """What the present caller may see."""
    return sight_of(present_asker(), _metering().published.customer_of)


def _record_schema(sight: Sight) -> MeteringRecordSchema:
    return MeteringRecordSchema() if sight.all_usage else BuyersMeteringRecordSchema()


async def post_usage_events(body: Any, content_type: str) -> flask.Response:
    """Answered in the event loop: see `chassis.async_operations`."""
    intake = _metering().intake
    match content_type:
        case "application/cloudevents+json":
            rows, form, place = [body], intake.cloud_event, ""
        case "application/cloudevents-batch+json":
            rows, form, place = body, intake.cloud_event, ""
        case _:
            rows, form, place = body["events"], intake.plain, "/events"
    accepted, refused = await intake.take_with_others(rows, form, place)
    refusals = RefusalSchema(many=True).dump(refused) if refused else []
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
    subscription_id: str,
    dimension: str | None = None,
    until: str | None = None,
    by: str = "hour",
    tags: bool = False,
    limit: int = 50,
    cursor: str | None = None,
    **others: Any,
) -> Any:
    since = others.get("from")  # no argument can be called so
    try:
        hours = usage_pages.hour_range(_moment("from", since), _moment("until", until))
    except usage_pages.BadRange as error:
        raise invalid_body([{"in": "query", "path": error.end, "reason": error.reason}]) from None
    question = usage_pages.Question(subscription_id, dimension, hours, usage_pages.By(by), tags)
    after = _ledger_place_of(decode_cursor(cursor), subscription_id)
    if not _sight().shows_usage_of(subscription_id):
        return json_answer({"items": [], "next_cursor": None})
    try:
        found, end = usage_pages.page(_metering().ledger, question, limit, after)
    except usage_pages.WrongPlace:
        raise foreign_cursor() from None
    last = end and {"holder": {"S": subscription_id}, "usage_key": {"S": f"{end.dimension}#{end.hour}"}}
    return json_answer(
        {"items": HourOfUsageSchema(many=True).dump(found), "next_cursor": encode_cursor(last)}
    )


def _moment(name: str, text: str | None) -> datetime | None:
    try:
        return None if text is None else parse_rfc3339(text)
    except ValueError as error:
        raise invalid_body([{"in": "query", "path": name, "reason": str(error)}]) from None


def _ledger_place_of(key: dict[str, Any] | None, holder: str) -> usage_pages.Place | None:
    if key is None:
        return None
    try:
        dimension, separator, hour = key["usage_key"]["S"].rpartition("#")
        if key["holder"]["S"] != holder or not (dimension and separator and hour):
            raise foreign_cursor()
    except KeyError:
        raise foreign_cursor() from None
    return usage_pages.Place(dimension, hour)


def list_metering_records(
    subscription_id: str | None = None, outcome: str | None = None, limit: int = 50, cursor: str | None = None
) -> Any:
    sight = _sight()
    desk = _metering().record_desk
    records, last = desk.page(sight, subscription_id, outcome, limit, decode_cursor(cursor))
    return json_answer(
        {"items": _record_schema(sight).dump(records, many=True), "next_cursor": encode_cursor(last)}
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
    sight = _sight()
    record = _metering().record_desk.shown(sight, metering_record_id)
    explained = {
        "metering_record": _record_schema(sight).dump(record),
        "allocations": quantities_by_tags(allocations(record)),
        "tags_left_out": record.tags_left_out,
    }
    if sight.all_usage:
        explained["sends"] = SendSchema(many=True).dump(record.sends)
    return json_answer(explained)


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


def get_metering_health() -> Any:
    return json_answer(HealthSchema().dump(_metering().health.read()))


def get_balance(subscription_id: str, dimension: str | None = None) -> Any:
    sight = _sight()
    is_shown = sight.shows_usage_of(subscription_id)
    struck = _metering().statements.balances(subscription_id, dimension) if is_shown else {}
    return json_answer({"subscription_id": subscription_id, "dimensions": _shown(struck, sight)})


def get_customer_balance(customer_id: str, product_code: str) -> Any:
    sight = _sight()
    holder = holder_of_customer(customer_id, product_code)
    struck = _metering().statements.balances(holder) if sight.shows_usage_by(customer_id) else {}
    names = {"customer_id": customer_id, "product_code": product_code}
    return json_answer(names | {"dimensions": _shown(struck, sight)})


def _shown(struck: dict[str, Balance], sight: Sight) -> list[dict[str, Any]]:
    schema = BalanceSchema() if sight.all_usage else BuyersBalanceSchema()
    return [{"dimension": name} | schema.dump(balance) for name, balance in sorted(struck.items())]
