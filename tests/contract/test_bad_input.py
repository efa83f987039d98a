"""Input that no contract describes well enough to be made from it: bytes, sizes, types, tokens, cursors."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.contract.contracts import SERVICES, Operation, document, operations
from tests.contract.test_guards import call, example_path, well_formed
from tests.contract.world import LEGACY_PRODUCT, LICENSED_PRODUCT, METERED, World

BODY_TAKERS = [operation for operation in operations() if "requestBody" in operation.definition]
# But for what the operation itself reads, and only with a secret of its own.
JSON_TAKERS = [
    operation
    for operation in BODY_TAKERS
    if "application/json" in operation.definition["requestBody"]["content"]
    and operation.id != "doors.receive_event"
]
# A file of AWS's may have any fields.
OWN_FIELDS = [operation for operation in JSON_TAKERS if operation.id != "reconciliations.reconcile"]
PAGED = [operation for operation in operations() if operation.pages]


def send(
    world: World, operation: Operation, content: bytes, content_type: str | None = "application/json"
) -> Any:
    """A raw body from somebody who may send one."""
    headers = world.credentials(operation)
    if content_type is not None:
        headers["Content-Type"] = content_type
    path = example_path(operation)
    return world.request(operation.service, operation.method.upper(), path, headers=headers, content=content)


def problem(answer: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """The problem document of a refusal, which must be of this kind."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"https://marketplane.dev/problems/{slug}", body
    assert body["status"] == status
    assert body["instance"] == answer.headers["x-request-id"]
    return body


# -- bodies --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", JSON_TAKERS, ids=str)
@pytest.mark.parametrize(
    "content",
    [b"", b"{", b'{"a":1,}', b"nonsense", b"\xff\xfe", b'{"a": NaN}', b'{"a": "\xc3\x28"}', b"[" * 60_000],
    ids=["nothing", "cut off", "a comma too many", "a word", "no UTF-8", "NaN", "broken UTF-8", "very deep"],
)
def test_what_is_not_json_is_400(operation: Operation, content: bytes, world: World) -> None:
    body = problem(send(world, operation, content), 400, "invalid-request")
    assert body["errors"][0]["in"] == "body"


@pytest.mark.parametrize("operation", JSON_TAKERS, ids=str)
@pytest.mark.parametrize("content", [b"null", b"[]", b'"text"', b"17"])
def test_another_json_type_is_400(operation: Operation, content: bytes, world: World) -> None:
    problem(send(world, operation, content), 400, "invalid-request")


@pytest.mark.parametrize("operation", OWN_FIELDS, ids=str)
def test_an_unknown_field_is_400_and_named(operation: Operation, world: World) -> None:
    request = well_formed(operation)
    request["json"] = request["json"] | {"surprise": 1}
    headers = world.credentials(operation)
    path = example_path(operation)
    answer = world.request(operation.service, operation.method.upper(), path, headers=headers, **request)
    body = problem(answer, 400, "invalid-request")
    assert any("surprise" in error["reason"] for error in body["errors"]), body


@pytest.mark.parametrize(
    ("operation", "content_type"),
    [
        (operation, content_type)
        for operation in BODY_TAKERS
        for content_type in ("text/plain", "application/xml", "multipart/form-data", "nonsense")
        if content_type not in operation.definition["requestBody"]["content"]
    ],
    ids=str,
)
def test_another_media_type_is_415(operation: Operation, content_type: str, world: World) -> None:
    problem(send(world, operation, b"{}", content_type), 415, "unsupported-media-type")


@pytest.mark.parametrize("operation", BODY_TAKERS, ids=str)
def test_a_body_over_the_limit_is_413(operation: Operation, world: World) -> None:
    media_type = next(iter(operation.definition["requestBody"]["content"]))
    problem(send(world, operation, b" " * (1024 * 1024 + 1), media_type), 413, "too-large")


@pytest.mark.parametrize("operation", BODY_TAKERS, ids=str)
def test_a_chunked_body_over_the_limit_is_413_too(operation: Operation, world: World) -> None:
    headers = world.credentials(operation)
    chunks = (b" " * 65_536 for _ in range(17))
    media_type = next(iter(operation.definition["requestBody"]["content"]))
    answer = world.request(
        operation.service,
        operation.method.upper(),
        example_path(operation),
        headers=headers | {"Content-Type": media_type},
        content=chunks,
    )
    problem(answer, 413, "too-large")


# -- what is not there ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", SERVICES)
def test_an_unknown_path_is_404(service: str, world: World) -> None:
    problem(world.request(service, "GET", "/v1/nothing-here"), 404, "not-found")


@pytest.mark.parametrize(
    "operation", [one for one in operations() if one.method == "get" and "{" in one.path], ids=str
)
@pytest.mark.parametrize("value", ["%0A", "a%0Ab", "%00", "%C3%28", "a%2Fb", "%F0%9F%A6%86"], ids=str)
def test_an_odd_id_is_400_or_404(operation: Operation, value: str, world: World) -> None:
    path = operation.path.split("{")[0] + value
    answer = world.request(operation.service, "GET", path, headers=world.credentials(operation))
    assert answer.status_code in (400, 404), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("service", SERVICES)
def test_the_contract_that_is_served_is_the_one_in_the_repository(service: str, world: World) -> None:
    served = world.request(service, "GET", "/openapi.json", headers={}).json()
    written = document(service)
    assert served["info"] == written["info"]
    assert {path: set(item) for path, item in served["paths"].items()} == {
        path: set(item) for path, item in written["paths"].items()
    }
    assert served["components"]["schemas"].keys() == written["components"]["schemas"].keys()


@pytest.mark.parametrize("service", SERVICES)
def test_the_rendered_documentation_is_there(service: str, world: World) -> None:
    answer = world.request(service, "GET", "/docs/", headers={})
    assert answer.status_code == 200
    assert "html" in answer.headers["content-type"]


# -- lists ---------------------------------------------------------------------------------------------------


# An answer may be empty and still go on: they look for days on which something came.
DAY_BY_DAY = {"list_notifications", "webhooks.list_deliveries"}


def path_of(operation: Operation, world: World) -> str:
    """Its path, with the ids of what has such a list."""
    of_billing = operation.service == "metering"
    there = {
        "subscription_id": world.licensed.subscription_id,
        "reconciliation_id": world.billing_reconciliation_id if of_billing else world.reconciliation_id,
        "metering_record_id": f"{world.licensed.subscription_id}.gpu_hours.2026-11-22T10",
    }
    return operation.path.format_map(there)


def required(operation: Operation, world: World) -> dict[str, str]:
    """The query parameters without which a list answers nothing."""
    names = {one["name"] for one in operation.parameters if one["in"] == "query" and one.get("required")}
    return {
        name: value
        for name, value in {"subscription_id": world.licensed.subscription_id}.items()
        if name in names
    }


@pytest.mark.parametrize("operation", PAGED, ids=str)
def test_walking_a_list_page_by_page_finds_each_item_once(operation: Operation, world: World) -> None:
    query = required(operation, world)
    whole = world.request(
        operation.service, "GET", path_of(operation, world), params=query | {"limit": "100"}
    ).json()
    assert whole["next_cursor"] is None or operation.id in DAY_BY_DAY
    found: list[Any] = []
    cursor: dict[str, str] = {}
    for _ in range(500):
        page = world.request(
            operation.service, "GET", path_of(operation, world), params=query | {"limit": "1"} | cursor
        ).json()
        assert len(page["items"]) <= 1
        found += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    else:
        pytest.fail("the list has no end")
    assert found, "an empty list proves nothing"
    by_text = [repr(item) for item in found]
    assert len(set(by_text)) == len(by_text)
    assert set(by_text) >= {repr(item) for item in whole["items"]}


@pytest.mark.parametrize("operation", PAGED, ids=str)
@pytest.mark.parametrize("cursor", ["nonsense", "e30", "bnVsbA", "eyJhIjp7IlMiOiJiIn19", "%", "ÿ", "W10"])
def test_a_cursor_that_nobody_gave_is_400(operation: Operation, cursor: str, world: World) -> None:
    query = required(operation, world) | {"cursor": cursor}
    problem(
        world.request(operation.service, "GET", path_of(operation, world), params=query),
        400,
        "invalid-request",
    )


@pytest.mark.parametrize("operation", PAGED, ids=str)
def test_the_cursor_of_another_list_is_400(operation: Operation, world: World) -> None:
    donors = [one for one in PAGED if one.id != operation.id]
    for donor in donors:
        query = required(donor, world) | {"limit": "1"}
        page = world.request(donor.service, "GET", path_of(donor, world), params=query).json()
        if page["next_cursor"] is None:
            continue
        query = required(operation, world) | {"cursor": page["next_cursor"]}
        problem(
            world.request(operation.service, "GET", path_of(operation, world), params=query),
            400,
            "invalid-request",
        )


@pytest.mark.parametrize("operation", PAGED, ids=str)
@pytest.mark.parametrize("limit", ["0", "101", "-1", "1.5", "many", ""])
def test_a_limit_out_of_bounds_is_400(operation: Operation, limit: str, world: World) -> None:
    query = required(operation, world) | {"limit": limit}
    body = problem(
        world.request(operation.service, "GET", path_of(operation, world), params=query),
        400,
        "invalid-request",
    )
    assert "limit" in repr(body)


# -- usage ---------------------------------------------------------------------------------------------------


def event(world: World, number: str, **changed: Any) -> dict[str, Any]:
    good = {
        "source": "contract-tests",
        "id": number,
        "subscription_id": world.licensed.subscription_id,
        "dimension": METERED,
        "quantity": "0.5",
        "time": "2026-11-22T13:15:00Z",
    }
    return good | changed


def post(world: World, *events: Any) -> httpx.Response:
    return world.request("metering", "POST", "/v1/usage-events", {"events": list(events)})


BAD_EVENTS: dict[str, dict[str, Any]] = {
    "unknown dimension": {"dimension": "tokns"},
    "a quantity with an exponent": {"quantity": "1e3"},
    "seven decimals": {"quantity": "0.0000001"},
    "a quantity as a fraction of JSON": {"quantity": 0.1},
    "eleven digits": {"quantity": "10000000000"},
    "a time without a zone": {"time": "2026-11-22T13:15:00"},
    "a time to come": {"time": "2027-11-22T12:15:00Z"},
    "a time long ago": {"time": "2025-11-22T12:15:00Z"},
    "no subscription id": {"subscription_id": "sub_1"},
    "an unknown field": {"surprise": 1},
    "an empty id": {"id": ""},
}


@pytest.mark.parametrize("changed", BAD_EVENTS.values(), ids=BAD_EVENTS)
def test_a_good_event_is_never_refused_for_a_bad_neighbour(changed: dict[str, Any], world: World) -> None:
    answer = post(world, event(world, "good-1"), event(world, "bad", **changed), event(world, "good-2"))
    assert answer.status_code == 207, answer.text
    assert answer.json()["accepted"] == 2
    (refused,) = answer.json()["refused"]
    assert refused["index"] == 1
    assert refused["path"].startswith("/events/1")
    assert refused["reason"] in ("invalid_event", "unknown_dimension", "time_in_future", "too_old")


@pytest.mark.parametrize("changed", BAD_EVENTS.values(), ids=BAD_EVENTS)
def test_a_batch_of_bad_events_only_is_400(changed: dict[str, Any], world: World) -> None:
    problem(post(world, event(world, "bad", **changed)), 400, "no-event-accepted")


@pytest.mark.parametrize("row", [None, 17, "text", [], [{}], {}], ids=repr)
def test_a_row_that_is_no_event_is_named_too(row: Any, world: World) -> None:
    answer = post(world, row, event(world, "good-3"))
    assert answer.status_code == 207, answer.text
    assert [one["index"] for one in answer.json()["refused"]] == [0]


def test_more_than_a_thousand_events_are_400(world: World) -> None:
    problem(post(world, *[event(world, f"many-{number}") for number in range(1001)]), 400, "invalid-request")


# -- tokens --------------------------------------------------------------------------------------------------


def register(world: World, token: str) -> httpx.Response:
    return world.request(
        "registration", "POST", "/v1/registrations", {"registration_token": token}, headers={}
    )


def test_an_invalid_token_is_400(world: World) -> None:
    body = problem(register(world, "EXAMPLE-not-a-token"), 400, "invalid-token")
    assert "EXAMPLE-not-a-token" not in repr(body)


def test_an_expired_token_is_400(world: World) -> None:
    body = problem(register(world, world.old_token), 400, "expired-token")
    assert world.old_token not in repr(body)


@pytest.mark.parametrize("product_code", [LEGACY_PRODUCT, LICENSED_PRODUCT])
def test_a_repeated_token_is_welcome_and_changes_nothing(product_code: str, world: World) -> None:
    token = world.buy(product_code)["registration_token"]
    first, second = register(world, token).json(), register(world, token).json()
    assert first["subscription_id"] == second["subscription_id"]
    assert first["registration_id"] != second["registration_id"]

    def say_who(opened: dict[str, Any], email: str) -> httpx.Response:
        path = f"/v1/registrations/{opened['registration_id']}/customer"
        headers = {"X-Registration-Session": opened["session_secret"]}
        return world.request("registration", "PUT", path, {"email": email}, headers=headers)

    email = f"{first['subscription_id'].replace('_', '-')}@example.com"
    made = say_who(first, email)
    assert made.status_code == 201
    again = say_who(first, email)
    assert again.status_code == 200
    assert again.json() == made.json()
    # An address that somebody enters proves nothing, and whether it is the right one is not told.
    refusals = [
        problem(say_who(second, whose), 409, "subscription-already-claimed")
        for whose in (email, "somebody-else@example.com")
    ]
    same = [{name: value for name, value in one.items() if name != "instance"} for one in refusals]
    assert same[0] == same[1]
    assert email not in repr(refusals)


def test_a_token_of_a_product_that_is_not_served_is_400(world: World) -> None:
    world.list_product("elsewhere00000000000000000")
    token = world.buy("elsewhere00000000000000000")["registration_token"]
    problem(register(world, token), 400, "unknown-product")


@pytest.mark.parametrize(
    "operation", [one for one in operations("registration") if one.id == "get_registration"], ids=str
)
def test_nothing_says_whether_a_registration_exists(operation: Operation, world: World) -> None:
    assert call(world, operation, {}).status_code == 401
