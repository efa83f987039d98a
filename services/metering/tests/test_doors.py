"""The HTTP door, through the contract: shapes, refusals, scopes; only what is durable is acknowledged."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from house import CONCURRENT, CONTRACT, OTHER, House, HousesClock, at
from shelf_marketplace import URL
from wire import Wire, dynamodb_refuses

from chassis.auth import KeyRing
from chassis.times import rfc3339
from metering.group_commit import GroupCommit
from metering.run_now import RequestedRuns
from metering.settings import Settings
from metering.tables.health_store import HealthStore
from metering.tables.models import MeteringKey, SegmentRow
from metering.tables.run_store import RunStore

EVENTS = "/v1/usage-events"
READERS = {"usage:read", "operator", "buyer"}


@pytest.fixture
def client(web: tuple[Any, HousesClock], house: House) -> Any:
    """The web process as if it had just started, on the house's tables and clock."""
    app, clock = web
    clock.house = house
    # What it remembers of the tables was of another test's.
    metering = app.app.extensions["marketplane"].parts
    metering.intake._group_commit = GroupCommit([house.log_writer.append], 0, 10_000)
    metering.record_desk._usage_log = house.usage_log
    return app.test_client()


@pytest.fixture
def keys(house: House) -> dict[str, dict[str, str]]:
    ring = KeyRing(MeteringKey)
    return {
        scope: {"X-API-Key": ring.add(scope, {scope})}
        for scope in ("usage:write", "usage:read", "operator", "buyer")
    }


@pytest.fixture
def post(client: Any, keys: dict[str, dict[str, str]]) -> Callable[..., Any]:
    def send(*events: Any, **more: Any) -> Any:
        return client.post(EVENTS, json={"events": list(events)}, headers=keys["usage:write"], **more)

    return send


@pytest.fixture
def get(client: Any, keys: dict[str, dict[str, str]]) -> Callable[..., Any]:
    def ask(path: str, **query: Any) -> Any:
        return client.get(path, params=query, headers=keys["usage:read"])

    return ask


def slug(answer: Any) -> tuple[int, str]:
    """Status and slug of a problem document."""
    assert answer.headers["content-type"].startswith("application/problem+json"), answer.text
    document = answer.json()
    assert document["status"] == answer.status_code
    assert document["title"]
    return answer.status_code, document["type"].removeprefix("https://marketplane.dev/problems/")


# Usage in
# -------------------------------------------------------------------------------------------------------


def test_all_taken_is_202(house: House, post: Callable[..., Any]) -> None:
    sub = house.buy()
    answer = post(house.event(sub, "0.25"), house.event(sub, quantity=1200))
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2, "refused": []})
    house.clock.advance(hours=2)
    house.run()
    assert house.billed(sub) == "1200.25"


def test_usage_is_named_by_its_licence(house: House, post: Callable[..., Any]) -> None:
    arn = "arn:aws:license-manager::294406891311:license:l-9d01d15f86334a8894365cd7350556ff"
    event = house.event("sub_akqbclolnbr5rol2aljugptsbj")
    by_licence = {name: value for name, value in event.items() if name != "subscription_id"} | {
        "license_arn": arn
    }
    assert post(event, by_licence).status_code == 202
    house.run()
    # Under one id they are one event, whichever way it names its subscription.
    assert house.balance("sub_akqbclolnbr5rol2aljugptsbj").accepted == 1_000_000


def test_cloud_events_are_taken_one_by_one_and_in_batches(
    house: House, client: Any, keys: dict[str, dict[str, str]]
) -> None:
    sub = house.buy()

    def send(form: str, body: Any) -> Any:
        headers = keys["usage:write"] | {"content-type": f"application/{form}+json"}
        return client.post("/v1/usage-events", content=json.dumps(body), headers=headers)

    first, second = house.cloud_event(house.event(sub, "2")), house.cloud_event(house.event(sub, "0.5"))
    answer = send("cloudevents", first | {"traceparent": "an extension attribute"})
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "refused": []})
    answer = send("cloudevents-batch", [first, second])
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2, "refused": []})
    data = second["data"]
    bad = [
        (second | {"specversion": "0.3"}, "invalid_event", "/1/specversion"),
        (second | {"type": "com.example.other"}, "invalid_event", "/2/type"),
        (second | {"time": "2026-11-22T12:00:00Z"}, "time_in_future", "/3/time"),
        (
            second | {"data": data | {"dimension": "tokns"}},
            "unknown_dimension",
            "/4/data/dimension",
        ),
        (second | {"data": data | {"quantity": "1e3"}}, "invalid_event", "/5/data/quantity"),
        (second | {"data": "text"}, "invalid_event", "/6/data"),
    ]
    answer = send("cloudevents-batch", [first, *[event for event, _, _ in bad]])
    assert answer.status_code == 207
    found = [(one["reason"], one["path"]) for one in answer.json()["refused"]]
    assert found == [(reason, path) for _, reason, path in bad]
    assert slug(send("cloudevents", first | {"type": "other"})) == (400, "invalid-request")
    assert slug(send("cloudevents-batch", [])) == (400, "invalid-request")
    assert slug(send("cloudevents", house.cloud_event(house.event(sub, dimension="x")))) == (
        400,
        "no-event-accepted",
    )
    house.clock.advance(hours=2)
    house.run()
    assert house.billed(sub) == "2.5"


def test_the_balance_of_a_customers_usage_is_told(
    house: House, post: Callable[..., Any], get: Callable[..., Any]
) -> None:
    customer = house.register(house.buy(), house.buy())
    assert post(house.customers_event(customer, "1.5")).status_code == 202
    house.run()
    answer = get("/v1/customer-balance", customer_id=customer, product_code=CONCURRENT).json()
    assert (answer["customer_id"], answer["product_code"]) == (customer, CONCURRENT)
    (row,) = answer["dimensions"]
    assert (row["accepted"], row["held"], row["balanced"]) == ("1.5", "1.5", True)
    assert row["reasons"] == [{"kind": "held", "reason": "several_subscriptions", "quantity": "1.5"}]
    assert get("/v1/customer-balance", customer_id=customer, product_code=OTHER).json()["dimensions"] == []


def test_what_is_taken_while_the_product_is_unknown_is_not_taken_for_ever(
    house: House, post: Callable[..., Any]
) -> None:
    sub = house.buy(CONTRACT, known=False)

    def seats() -> dict[str, Any]:
        return house.event(sub, dimension="seats") | {"time": rfc3339(house.clock.now())}

    assert post(seats()).status_code == 202
    house.publish(sub)
    answer = post(seats())
    assert (answer.status_code, answer.json()["refused"][0]["reason"]) == (400, "not_metered")


def test_a_good_event_beside_bad_ones_is_207_and_they_are_named(
    house: House, post: Callable[..., Any]
) -> None:
    sub, contract = house.buy(), house.buy(CONTRACT)
    good = house.event(sub)
    by_customer = house.customers_event("cus_" + "a" * 26)
    bad = [
        (good | {"dimension": "tokns"}, "unknown_dimension", "/dimension"),
        (good | {"time": "2026-11-22T12:00:00Z"}, "time_in_future", "/time"),
        (good | {"time": "2026-11-01T12:00:00Z"}, "too_old", "/time"),
        (good | {"time": "2026-11-22T10:00:00"}, "invalid_event", "/time"),
        (good | {"time": "yesterday"}, "invalid_event", "/time"),
        (good | {"subscription_id": contract, "dimension": "seats"}, "not_metered", "/subscription_id"),
        (good | {"subscription_id": "sub_x"}, "invalid_event", "/subscription_id"),
        (good | {"quantity": 0.5}, "invalid_event", "/quantity"),
        (good | {"quantity": 1.0}, "invalid_event", "/quantity"),
        (good | {"quantity": True}, "invalid_event", "/quantity"),
        (good | {"quantity": "1e3"}, "invalid_event", "/quantity"),
        (good | {"quantity": "1.0000001"}, "invalid_event", "/quantity"),
        (good | {"quantity": "--1"}, "invalid_event", "/quantity"),
        (good | {"license_arn": "arn:aws:license-manager::1:license:l-1"}, "invalid_event", ""),
        (good | {"product_code": CONCURRENT}, "invalid_event", ""),
        (good | {"tags": {"team": ""}}, "invalid_event", "/tags/team"),
        (good | {"tags": {"team": "r{d}"}}, "invalid_event", "/tags/team"),
        (good | {"tags": {"a b>": "x"}}, "invalid_event", "/tags"),
        (good | {"tags": {"k" * 101: "x"}}, "invalid_event", "/tags"),
        (good | {"tags": {str(n): "x" for n in range(6)}}, "invalid_event", "/tags"),
        (by_customer | {"product_code": "74nobodys"}, "unknown_product", "/product_code"),
        (by_customer | {"product_code": CONTRACT}, "not_metered", "/product_code"),
        (by_customer | {"product_code": OTHER}, "subscription_not_named", "/customer_id"),
        ({name: value for name, value in by_customer.items() if name != "product_code"}, "invalid_event", ""),
        (good | {"quantity": None}, "invalid_event", "/quantity"),
        (good | {"id": ""}, "invalid_event", "/id"),
        (good | {"source": "x" * 129}, "invalid_event", "/source"),
        (good | {"nobody": "knows"}, "invalid_event", ""),
        ({name: value for name, value in good.items() if name != "id"}, "invalid_event", ""),
        ([], "invalid_event", ""),
        (None, "invalid_event", ""),
        ("text", "invalid_event", ""),
    ]
    answer = post(good, *[event for event, _, _ in bad])
    assert answer.status_code == 207
    body = answer.json()
    assert body["accepted"] == 1
    assert [(one["index"], one["reason"], one["path"]) for one in body["refused"]] == [
        (place, reason, f"/events/{place}{path}") for place, (_, reason, path) in enumerate(bad, start=1)
    ]
    assert body["refused"][0].items() >= {"source": good["source"], "id": good["id"]}.items()
    assert all(one["detail"] for one in body["refused"])


def test_none_taken_is_400_and_nothing_is_kept(house: House, post: Callable[..., Any]) -> None:
    event = house.event(house.buy(), dimension="tokns")
    answer = post(event, event)
    assert slug(answer) == (400, "no-event-accepted")
    assert [error["path"] for error in answer.json()["errors"]] == [
        "/events/0/dimension",
        "/events/1/dimension",
    ]
    assert list(SegmentRow.scan()) == []


def test_usage_of_an_unknown_subscription_is_taken(house: House, post: Callable[..., Any]) -> None:
    assert post(house.event(house.buy(known=False))).status_code == 202


def test_an_unknown_subscription_is_asked_for_once_a_batch(
    house: House, post: Callable[..., Any], wire: Wire
) -> None:
    sub = house.buy(known=False)
    post(house.event(sub))
    wire.operations.clear()
    assert post(*[house.event(sub) for _ in range(200)]).status_code == 202
    assert wire.operations == ["GetItem", "BatchWriteItem"]


def test_a_thousand_are_taken_and_one_more_is_not(house: House, post: Callable[..., Any]) -> None:
    event = house.event(house.buy())
    assert post(*[event | {"id": str(number)} for number in range(1000)]).json()["accepted"] == 1000
    assert slug(post(*[event] * 1001)) == (400, "invalid-request")
    assert slug(post()) == (400, "invalid-request")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"events": {}}',
        b'{"events": [1], "more": 1}',
        b"{}",
        b"\xff",
        b'{"events": [NaN]}',
    ],
)
def test_what_is_no_batch_is_400(client: Any, keys: dict[str, dict[str, str]], body: bytes) -> None:
    answer = client.post(
        EVENTS, content=body, headers=keys["usage:write"] | {"content-type": "application/json"}
    )
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("application/problem+json")


def test_another_content_type_is_415(client: Any, keys: dict[str, dict[str, str]]) -> None:
    headers = keys["usage:write"] | {"content-type": "text/plain"}
    assert slug(client.post(EVENTS, content=b'{"events": []}', headers=headers)) == (
        415,
        "unsupported-media-type",
    )


def test_too_large_a_body_is_413(client: Any, keys: dict[str, dict[str, str]], settings: Settings) -> None:
    headers = keys["usage:write"] | {"content-type": "application/json"}
    answer = client.post(EVENTS, content=b" " * (settings.max_body_bytes + 1), headers=headers)
    assert slug(answer) == (413, "too-large")


# Who may
# --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "scopes"),
    [
        ("POST", EVENTS, {"usage:write"}),
        ("GET", "/v1/usage?subscription_id=sub_aaaaaaaaaaaaaaaaaaaaaaaaab", READERS),
        ("GET", "/v1/metering-records", READERS),
        ("GET", "/v1/balance?subscription_id=sub_aaaaaaaaaaaaaaaaaaaaaaaaab", READERS),
        ("GET", "/v1/held-usage", {"usage:read", "operator"}),
    ],
)
def test_prior_art_23_every_operation_is_guarded_by_its_scope(
    client: Any, house: House, keys: dict[str, dict[str, str]], method: str, path: str, scopes: set[str]
) -> None:
    body = {"json": {"events": [house.event(house.buy())]}} if method == "POST" else {}
    assert slug(client.request(method, path, **body)) == (401, "unauthorized")
    assert slug(client.request(method, path, headers={"X-API-Key": "mpk_a_b"}, **body)) == (
        401,
        "unauthorized",
    )
    for scope, headers in keys.items():
        answer = client.request(method, path, headers=headers, **body)
        if scope in scopes:
            assert answer.status_code in (200, 202)
        else:
            assert slug(answer) == (403, "forbidden")


# Nothing durable, nothing acknowledged
# --------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["UpdateItem", "BatchWriteItem", "GetItem"])
@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url=URL),
        ReadTimeoutError(endpoint_url=URL),
        "ProvisionedThroughputExceededException",
        "InternalServerError",
    ],
)
def test_prior_art_10_without_the_log_nothing_is_acknowledged(
    house: House, post: Callable[..., Any], wire: Wire, operation: str, error: Exception | str
) -> None:
    sub = house.buy()
    event = house.event(sub)

    def fail(name: str, call: Callable[[], Any]) -> Any:
        if name != operation:
            return call()
        if isinstance(error, Exception):
            raise error
        return dynamodb_refuses(error)

    wire.meddle = fail
    answer = post(event)
    assert slug(answer) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    wire.meddle = None
    assert list(SegmentRow.scan()) == []
    assert post(event).status_code == 202
    house.clock.advance(hours=2)
    house.run()
    assert house.billed(sub) == "1"


@pytest.mark.parametrize("path", ["/v1/usage", "/v1/metering-records", "/v1/balance"])
def test_reading_without_the_tables_is_503(
    house: House, get: Callable[..., Any], wire: Wire, path: str
) -> None:
    sub = house.buy()
    get(path, subscription_id=sub)

    def away(name: str, call: Callable[[], Any]) -> Any:
        raise EndpointConnectionError(endpoint_url=URL)

    wire.meddle = away
    assert slug(get(path, subscription_id=sub)) == (503, "unavailable")


def test_readiness_names_the_part_that_is_away(client: Any, house: House, wire: Wire) -> None:
    assert client.get("/readyz").status_code == 200

    def away(name: str, call: Callable[[], Any]) -> Any:
        raise EndpointConnectionError(endpoint_url=URL)

    wire.meddle = away
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert set(answer.json()["parts"]) == {"usage log", "ledger", "subscriptions", "clock"}
    assert client.get("/healthz").status_code == 200


# Reading
# --------------------------------------------------------------------------------------------------------


@pytest.fixture
def five_hours(house: House) -> Iterator[str]:
    """A subscription with five billed hours, its usage of each one more than of the one before."""
    sub = house.buy()
    for hour in range(5):
        house.use(sub, str(hour + 1))
        house.clock.advance(hours=1)
    house.clock.advance(minutes=5)
    house.run()
    return sub


def pages(get: Callable[..., Any], path: str, **query: Any) -> list[list[dict[str, Any]]]:
    found = []
    cursor = None
    while True:
        answer = get(path, **query, **({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["items"])
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return found


def test_usage_is_read_page_by_page(five_hours: str, get: Callable[..., Any]) -> None:
    found = pages(get, "/v1/usage", subscription_id=five_hours, limit=2)
    assert all(len(page) <= 2 for page in found)
    rows = [row for page in found for row in page]
    assert [row["quantity"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert rows[0] == {
        "subscription_id": five_hours,
        "dimension": "gpu_hours",
        "hour": "2026-11-22T10:00:00.000000Z",
        "quantity": "1",
        "conflicting_events": 0,
    }


def test_usage_is_read_by_day_with_tags_and_corrections(house: House, get: Callable[..., Any]) -> None:
    sub = house.buy()
    house.use(sub, "5", time=at("22T09:30"), tags={"team": "research"})
    house.use(sub, "2.5")
    house.use(sub, "-1.25")
    house.use(sub, "7", dimension="requests", time=at("21T23:00"))
    house.cycle.fold_open_hours()
    names = {"subscription_id": sub, "conflicting_events": 0}
    assert get("/v1/usage", subscription_id=sub, by="day", tags=True).json() == {
        "items": [
            names
            | {
                "dimension": "gpu_hours",
                "hour": "2026-11-22T00:00:00.000000Z",
                "day": "2026-11-22",
                "quantity": "7.5",
                "corrections": "1.25",
                "by_tags": [
                    {"tags": {}, "quantity": "1.25"},
                    {"tags": {"team": "research"}, "quantity": "5"},
                ],
            },
            names
            | {
                "dimension": "requests",
                "hour": "2026-11-21T00:00:00.000000Z",
                "day": "2026-11-21",
                "quantity": "7",
                "by_tags": [{"tags": {}, "quantity": "7"}],
            },
        ],
        "next_cursor": None,
    }
    nine, ten, eleven = get("/v1/usage", subscription_id=sub).json()["items"]
    assert [one.get("corrections") for one in (nine, ten, eleven)] == [None, "1.25", None]
    assert not {"day", "by_tags"} & (nine.keys() | ten.keys())


@pytest.mark.parametrize("dimension", [{}, {"dimension": "gpu_hours"}])
def test_usage_of_a_range_is_read_page_by_page(
    five_hours: str, get: Callable[..., Any], dimension: dict[str, str]
) -> None:
    span = {"from": "2026-11-22T12:30:00+01:30", "until": "2026-11-22T14:00:00Z"} | dimension
    found = pages(get, "/v1/usage", subscription_id=five_hours, limit=2, **span)
    assert [row["quantity"] for page in found for row in page] == ["2", "3", "4"]
    found = pages(get, "/v1/usage", subscription_id=five_hours, limit=1, by="day", **span)
    assert [row["quantity"] for page in found for row in page] == ["9"]


@pytest.mark.parametrize(
    ("span", "name", "reason"),
    [
        ({"from": "2026-11-22T10:30:00Z"}, "from", "It is not a whole hour."),
        ({"until": "2026-11-22T10:00:01Z"}, "until", "It is not a whole hour."),
        (
            {"from": "2026-11-22T10:00:00Z", "until": "2026-11-22T11:00:00+01:00"},
            "until",
            "It is not the later one.",
        ),
        ({"until": "0001-01-01T00:00:00Z"}, "until", "It is not the later one."),
        (
            {"from": "0001-01-01T00:00:00+01:00"},
            "from",
            "'0001-01-01T00:00:00+01:00' lies outside the years that can be reckoned with.",
        ),
    ],
)
def test_a_range_that_cannot_be_is_400_and_names_its_end(
    house: House, get: Callable[..., Any], span: dict[str, str], name: str, reason: str
) -> None:
    answer = get("/v1/usage", subscription_id=house.buy(), **span)
    assert slug(answer) == (400, "invalid-request")
    assert answer.json()["errors"] == [{"in": "query", "path": name, "reason": reason}]


def test_a_cursor_goes_on_with_its_own_question_only(
    five_hours: str, house: House, get: Callable[..., Any]
) -> None:
    cursor = get("/v1/usage", subscription_id=five_hours, limit=2).json()["next_cursor"]
    for other in (
        {"subscription_id": house.buy()},
        {"subscription_id": five_hours, "dimension": "requests"},
        {"subscription_id": five_hours, "from": "2026-11-22T12:00:00Z"},
        {"subscription_id": five_hours, "until": "2026-11-22T11:00:00Z"},
    ):
        answer = get("/v1/usage", cursor=cursor, **other)
        assert slug(answer) == (400, "invalid-request")
        assert answer.json()["detail"] == "The cursor is not one that this list gave."


def test_records_are_read_page_by_page(five_hours: str, get: Callable[..., Any], house: House) -> None:
    found = pages(get, "/v1/metering-records", subscription_id=five_hours, limit=2)
    rows = [row for page in found for row in page]
    assert [row["hour"][11:13] for row in rows] == ["10", "11", "12", "13", "14"]
    assert [row["outcome"] for row in rows] == ["billed"] * 5
    first = rows[0]
    assert first["metering_record_id"] == f"{five_hours}.gpu_hours.2026-11-22T10"
    assert (
        first["aws_metering_record_id"]
        == house.aws.slots[house.identities[five_hours], "gpu_hours", "2026-11-22T10"][1]
    )
    assert first["sources"] == [{"hour": "2026-11-22T10:00:00.000000Z", "quantity": "1"}]
    assert (first["attempts"], first["reason"], first["quantity"]) == (1, None, "1")


def test_records_of_all_subscriptions_and_of_one_outcome(
    five_hours: str, get: Callable[..., Any], house: House
) -> None:
    other = house.buy()
    del house.aws.buyers[house.identities[other]]
    house.use(other)
    house.clock.advance(hours=2)
    house.run()
    everything = [row for page in pages(get, "/v1/metering-records", limit=4) for row in page]
    assert sorted(row["outcome"] for row in everything) == ["billed"] * 5 + ["not_subscribed"]
    refused = [
        row for page in pages(get, "/v1/metering-records", limit=4, outcome="not_subscribed") for row in page
    ]
    assert [row["subscription_id"] for row in refused] == [other]
    assert slug(get("/v1/metering-records", outcome="lost")) == (400, "invalid-request")


def test_the_balance_is_told(five_hours: str, get: Callable[..., Any], house: House) -> None:
    house.use(five_hours, "7.5")
    house.use(five_hours, "2", dimension="requests", time=at("22T12:00"))
    house.cycle.fold_open_hours()
    answer = get("/v1/balance", subscription_id=five_hours)
    none = dict.fromkeys(
        ("planned", "included", "held", "conflicting", "written_off", "corrections_waiting"), "0"
    )
    assert answer.json() == {
        "subscription_id": five_hours,
        "dimensions": [
            {
                "dimension": "gpu_hours",
                "accepted": "22.5",
                "open": "7.5",
                "billed": "15",
                "balanced": True,
                "reasons": [],
            }
            | none,
            {
                "dimension": "requests",
                "accepted": "2",
                "open": "2",
                "billed": "0",
                "balanced": True,
                "reasons": [],
            }
            | none,
        ],
    }
    one = get("/v1/balance", subscription_id=five_hours, dimension="requests").json()
    assert [row["dimension"] for row in one["dimensions"]] == ["requests"]


def test_a_row_that_cannot_be_billed_is_no_reason_to_fail(house: House, get: Callable[..., Any]) -> None:
    sub = house.buy()
    house.publish(sub, customer_aws_account_id=None)
    house.use(sub, "2")
    house.clock.advance(hours=2)
    house.run()
    (found,) = get("/v1/balance", subscription_id=sub).json()["dimensions"]
    assert found["reasons"] == [{"kind": "held", "reason": "identity_unknown", "quantity": "2"}]


def test_a_subscription_without_usage_has_empty_lists(house: House, get: Callable[..., Any]) -> None:
    sub = house.buy()
    assert get("/v1/usage", subscription_id=sub).json() == {"items": [], "next_cursor": None}
    assert get("/v1/metering-records", subscription_id=sub).json() == {"items": [], "next_cursor": None}
    assert get("/v1/balance", subscription_id=sub).json() == {"subscription_id": sub, "dimensions": []}


def test_a_cursor_of_another_list_is_400(five_hours: str, get: Callable[..., Any]) -> None:
    usage = get("/v1/usage", subscription_id=five_hours, limit=2).json()["next_cursor"]
    records = get("/v1/metering-records", subscription_id=five_hours, limit=2).json()["next_cursor"]
    assert slug(get("/v1/usage", subscription_id=five_hours, cursor=records)) == (400, "invalid-request")
    assert slug(get("/v1/metering-records", subscription_id=five_hours, cursor=usage)) == (
        400,
        "invalid-request",
    )


@pytest.mark.parametrize("cursor", ["x", "bm90IGpzb24", "e30", "W10", "eyJhIjp7IlMiOiJiIn19", "%00", "é"])
def test_what_is_no_cursor_is_400(five_hours: str, get: Callable[..., Any], cursor: str) -> None:
    assert slug(get("/v1/usage", subscription_id=five_hours, cursor=cursor)) == (400, "invalid-request")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v1/usage", {}),
        ("/v1/usage", {"subscription_id": "sub_x"}),
        ("/v1/usage", {"subscription_id": "sub_" + "a" * 26, "limit": 0}),
        ("/v1/usage", {"subscription_id": "sub_" + "a" * 26, "limit": 101}),
        ("/v1/usage", {"subscription_id": "sub_" + "a" * 26, "limit": "many"}),
        ("/v1/usage", {"subscription_id": "sub_" + "a" * 26, "dimension": "a b"}),
        ("/v1/usage", {"subscription_id": "sub_" + "a" * 26, "nobody": "knows"}),
        ("/v1/usage", {"subscription_id": "sub_" + "a" * 26, "by": "week"}),
        ("/v1/usage", {"subscription_id": "sub_" + "a" * 26, "tags": "some"}),
        ("/v1/usage", {"subscription_id": "sub_" + "a" * 26, "from": "yesterday"}),
        ("/v1/usage", {"subscription_id": "sub_" + "a" * 26, "until": "2026-11-22T10:00:00"}),
        ("/v1/balance", {}),
        ("/v1/metering-records", {"limit": 101}),
    ],
)
def test_a_wrong_query_is_400(
    house: House, get: Callable[..., Any], path: str, query: dict[str, Any]
) -> None:
    assert get(path, **query).status_code == 400


def test_a_record_is_explained(five_hours: str, get: Callable[..., Any], house: House) -> None:
    house.use(five_hours, "2.5", tags={"team": "a"}, event_id="tagged")
    house.clock.advance(hours=1, minutes=5)
    house.run()
    rows = get("/v1/metering-records", subscription_id=five_hours, limit=100).json()["items"]
    path = f"/v1/metering-records/{rows[-1]['metering_record_id']}"
    found = get(path).json()
    assert found["metering_record"] == rows[-1]
    assert found["metering_record"]["resolution"] is None
    assert found["allocations"] == [{"tags": {"team": "a"}, "quantity": "2.5"}]
    assert not found["tags_left_out"]
    assert [send["answer"] for send in found["sends"]] == ["Success"]
    (event,) = [event for page in pages(get, path + "/usage-events", limit=1) for event in page]
    assert (event["id"], event["quantity"], event["tags"], event["counts"]) == (
        "tagged",
        "2.5",
        {"team": "a"},
        "counted",
    )
    assert (event["customer_id"], event["hour"]) == (None, rows[-1]["hour"])
    nowhere = f"/v1/metering-records/{five_hours}.gpu_hours.2020-01-01T00"
    assert slug(get(nowhere)) == slug(get(nowhere + "/usage-events")) == (404, "not-found")
    assert slug(get(path + "/usage-events", cursor="eyJwbGFjZSI6eyJOIjoiLTEifX0")) == (400, "invalid-request")


def test_an_operator_decides_about_a_record(
    house: House, client: Any, get: Callable[..., Any], keys: dict[str, dict[str, str]]
) -> None:
    sub = house.buy()
    del house.aws.buyers[house.identities[sub]]
    house.use(sub)
    house.clock.advance(hours=2)
    house.run()
    (record,) = house.records(sub)
    path = f"/v1/metering-records/{record.metering_record_id}/resolution"

    def decide(decision: str, scope: str = "operator", **more: str) -> Any:
        body = {"decision": decision, "reason": "case 1234"} | more
        return client.put(path, json=body, headers=keys[scope])

    assert slug(decide("write_off", "usage:read")) == (403, "forbidden")
    assert slug(decide("forget")) == slug(decide("write_off", reason=" ")) == (400, "invalid-request")
    answer = decide("write_off")
    assert answer.status_code == 200
    resolution = answer.json()["resolution"]
    assert (resolution["decision"], resolution["reason"], resolution["by"]) == (
        "write_off",
        "case 1234",
        "operator",
    )
    assert decide("write_off", reason="another").json()["resolution"] == resolution
    assert slug(decide("bill_again")) == (409, "decided-otherwise")
    row = get("/v1/balance", subscription_id=sub).json()["dimensions"][0]
    assert (row["written_off"], row["held"], row["balanced"]) == ("1", "0", True)
    path = f"/v1/metering-records/{sub}.gpu_hours.2020-01-01T00/resolution"
    assert slug(decide("bill_again")) == (404, "not-found")


def test_a_billed_record_takes_no_decision(
    five_hours: str, client: Any, keys: dict[str, dict[str, str]]
) -> None:
    path = f"/v1/metering-records/{five_hours}.gpu_hours.2026-11-22T10/resolution"
    body = {"decision": "bill_again", "reason": "a mistake"}
    assert slug(client.put(path, json=body, headers=keys["operator"])) == (409, "nothing-to-decide")


def test_a_dry_run_says_what_would_be_sent_and_why_not_the_rest(
    house: House, client: Any, keys: dict[str, dict[str, str]]
) -> None:
    sub = house.buy()
    customer = house.register(sub, house.buy())
    house.use(sub, "2")
    house.clock.advance(hours=1, minutes=5)
    house.use(sub, "1")
    house.report(house.customers_event(customer, "3"))
    house.cycle.fold_open_hours()

    def look(scope: str = "operator", **body: Any) -> Any:
        return client.post("/v1/metering-runs", json={"mode": "dry_run"} | body, headers=keys[scope])

    found = look().json()
    (record,) = found["records"]
    assert (record["subscription_id"], record["quantity"], found["due"]) == (sub, "2", [])
    rest = {one["becomes"]: one for one in found["rest"]}
    assert (rest["waits"]["subscription_id"], rest["waits"]["reason"]) == (sub, "hour_not_over")
    assert (rest["held"]["customer_id"], rest["held"]["product_code"]) == (customer, CONCURRENT)
    assert not found["more"]
    assert [one["becomes"] for one in look(subscription_id=sub).json()["rest"]] == ["waits"]
    assert house.aws.requests == []
    assert slug(look(mode="perhaps")) == (400, "invalid-request")
    assert slug(look("usage:read")) == (403, "forbidden")


def test_a_run_is_asked_for_and_a_worker_tells_what_came_of_it(
    house: House, client: Any, keys: dict[str, dict[str, str]]
) -> None:
    sub = house.buy()
    house.use(sub, "2")
    house.clock.advance(hours=1, minutes=5)
    wish = {"mode": "send", "subscription_id": sub}
    answer = client.post("/v1/metering-runs", json=wish, headers=keys["operator"])
    assert answer.status_code == 202
    path = f"/v1/metering-runs/{answer.json()['metering_run_id']}"
    assert client.get(path, headers=keys["operator"]).json() == answer.json()
    assert answer.json()["state"] == "waiting"
    assert house.aws.requests == []
    RequestedRuns(RunStore(), house.new_cycle(), house.clock).take_all()
    run = client.get(path, headers=keys["operator"]).json()
    assert (run["state"], run["subscription_id"], run["due"]) == ("finished", sub, 0)
    assert run["outcomes"] == [{"outcome": "billed", "records": 1}]
    assert house.billed(sub) == "2"
    assert slug(client.get(path, headers=keys["usage:read"])) == (403, "forbidden")
    nobodys = "/v1/metering-runs/run_" + "a" * 26
    assert slug(client.get(nobodys, headers=keys["operator"])) == (404, "not-found")


def test_a_person_decides_about_held_usage(
    house: House, client: Any, keys: dict[str, dict[str, str]]
) -> None:
    sub = house.buy()
    customer = house.register(sub, house.buy())
    house.report(house.customers_event(customer, "3"))
    house.run()
    whose = {"customer_id": customer, "product_code": CONCURRENT}
    where = {"dimension": "gpu_hours", "hour": "2026-11-22T10:00:00.000000Z", "quantity": "3"}
    item = whose | where | {"subscription_id": None, "reason": "several_subscriptions"}
    assert client.get("/v1/held-usage", headers=keys["usage:read"]).json() == {
        "items": [item],
        "next_cursor": None,
    }

    def decide(scope: str = "operator", **body: Any) -> Any:
        wish = {"decision": "give", "reason": "The buyer says so."} | body
        return client.post("/v1/held-usage/decisions", json=wish, headers=keys[scope])

    for body in (
        whose,  # to whom?
        whose | {"to_subscription_id": sub, "decision": "write_off"},
        whose | {"to_subscription_id": sub, "subscription_id": sub},
        {"customer_id": customer, "to_subscription_id": sub},
        whose | {"to_subscription_id": sub, "first_hour": "0001-01-01T00:00:00+23:00"},
        whose | {"to_subscription_id": sub, "first_hour": "ten o'clock"},
    ):
        assert slug(decide(**body)) == (400, "invalid-request"), body
    assert slug(decide("usage:read", **whose, to_subscription_id=sub)) == (403, "forbidden")
    stranger = house.buy()
    assert decide(**whose, to_subscription_id=stranger).json() == {
        "decided": [],
        "left": [item | {"reason": "not_the_customers"}],
        "more": False,
    }
    hour = {"first_hour": "2026-11-22T12:59:00+02:00", "last_hour": "2026-11-22T10:00:00Z"}
    answer = decide(**whose, **hour, to_subscription_id=sub).json()
    assert (answer["left"], answer["more"]) == ([], False)
    (decided,) = answer["decided"]
    assert decided.items() >= (whose | where).items()
    assert (decided["held_because"], decided["to_subscription_id"], decided["reason"]) == (
        "several_subscriptions",
        sub,
        "The buyer says so.",
    )
    kept = client.get("/v1/held-usage/decisions", headers=keys["usage:read"]).json()
    assert kept == {"items": [decided], "next_cursor": None}
    of_sub = client.get(f"/v1/held-usage/decisions?subscription_id={sub}", headers=keys["usage:read"])
    assert of_sub.json()["items"] == []
    assert client.get("/v1/held-usage", headers=keys["usage:read"]).json()["items"] == []


def test_the_list_of_held_usage_pages(house: House, client: Any, keys: dict[str, dict[str, str]]) -> None:
    for _ in range(3):
        house.use(house.buy(known=False))
    house.run()
    seen, cursor = [], ""
    while cursor is not None:
        page = client.get(f"/v1/held-usage?limit=2{cursor}", headers=keys["operator"]).json()
        seen += [one["subscription_id"] for one in page["items"]]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    assert seen == sorted(house.identities)
    others = client.get(f"/v1/usage?limit=1&subscription_id={seen[0]}", headers=keys["operator"]).json()
    foreign = client.get(f"/v1/held-usage?cursor={others['next_cursor']}", headers=keys["operator"])
    assert slug(foreign)[0] == 400


def test_operators_are_told_when_metering_last_ran(
    client: Any, keys: dict[str, dict[str, str]], house: House
) -> None:
    HealthStore(house.clock).note_steps(["fold"])
    HealthStore(house.clock).note_audit(2)
    answer = client.get("/v1/metering-health", headers=keys["operator"])
    now = rfc3339(house.clock.now())
    told = answer.json()
    assert (answer.status_code, told["as_of"], told["audited_at"], told["imbalances"]) == (200, now, now, 2)
    assert {"step": "fold", "ended_well_at": now} in told["steps"]
    assert client.get("/v1/metering-health", headers=keys["usage:read"]).status_code == 403
