"""Credentials that are none, asked of every operation of every contract: nobody's, another house's, and those
without the scope. Whom each scope lets in, and to what, is asked by test_authorisation.py."""

from __future__ import annotations

import itertools
from typing import Any

import httpx
import pytest

from tests.contract.contracts import SCOPES, SERVICES, Operation, operations
from tests.contract.test_tables import inside
from tests.contract.token_issuer import ISSUER
from tests.contract.world import (
    A_BILLING_RECONCILIATION,
    AN_ENDPOINT,
    AN_OUTBOX_ITEM,
    ANOTHER_PERSON,
    SIGNED_IN,
    Buyer,
    World,
    by_cookie,
)
from tools.stack import LOCAL_SECRET

GUARDED = [operation for operation in operations() if operation.takes_key]
EXAMPLES = {
    "registration_id": "reg_2fzk5j3w7v6c4b2a5d7e3f6g4h",
    "customer_id": "cus_5d7e3f6g4h2fzk5j3w7v6c4b2a",
    "subscription_id": "sub_akqbclolnbr5rol2aljugptsbj",
    "notification_id": "b1f5e1f4-0000-4000-8000-000000000002",
    "outbox_id": AN_OUTBOX_ITEM,
    "product_code": "74azexampleendpoints00000",
    "provider": "oidc",
    "metering_record_id": "sub_akqbclolnbr5rol2aljugptsbj.gpu_hours.2026-11-22T10",
    "metering_run_id": "run_2fzk5j3w7v6c4b2a5d7e3f6g4h",
    "reconciliation_id": "rec_2fzk5j3w7v6c4b2a5d7e3f6g4h",
    "endpoint_id": "whe_2fzk5j3w7v6c4b2a5d7e3f6g4h",
    "delivery_id": "whd_3f6g4h2fzk5j3w7v6c4b2a5d7e",
    "replay_id": "whr_4b2a5d7e3f6g4h2fzk5j3w7v6c",
}
# Where a service calls something else by the same name.
OF_SERVICE = {"metering": {"endpoint_id": AN_ENDPOINT, "reconciliation_id": A_BILLING_RECONCILIATION}}
# Whoever holds the session of the landing page.
BY_COOKIE = [one for one in operations() if {"registrationCookie": []} in one.security]


def well_formed(operation: Operation) -> dict[str, Any]:
    """A request that fits the contract, about things that do not exist, so that it changes nothing when it is
    let in."""
    query = {
        parameter["name"]: EXAMPLES[parameter["name"]]
        for parameter in operation.parameters
        if parameter["in"] == "query" and parameter.get("required")
    }
    request: dict[str, Any] = {"params": query}
    if "requestBody" in operation.definition:
        media_type, content = next(iter(operation.definition["requestBody"]["content"].items()))
        example = content.get("example") or next(iter(content["examples"].values()))["value"]
        request["json" if media_type == "application/json" else "data"] = example
    return request


def call(world: World, operation: Operation, headers: dict[str, str]) -> httpx.Response:
    return world.request(
        operation.service,
        operation.method.upper(),
        example_path(operation),
        headers=headers,
        **well_formed(operation),
    )


def example_path(operation: Operation) -> str:
    """An operation's path, with examples for what it names."""
    return operation.path.format_map(EXAMPLES | OF_SERVICE.get(operation.service, {}))


def bearer(world: World, *scopes: str, **claims: Any) -> dict[str, str]:
    """The header of somebody's token with these scopes."""
    return {"Authorization": f"Bearer {world.side.issuer.token('somebody', *scopes, **claims)}"}


@pytest.fixture(scope="session")
def key_of(world: World) -> Any:
    """A key of one service with these scopes. All that are ever asked for are made at once, by one process of
    each service: a process for each key would take long."""
    keys: dict[tuple[str, ...], str] = {}
    for service in SERVICES:
        sets = sorted({other_scopes(one) for one in GUARDED if one.service == service})
        made = inside(service, "make_keys", sets, world, prefix="marketplane-")
        keys |= {(service, *some): key for some, key in zip(sets, made, strict=True)}
    return lambda *words: keys[words]


def other_scopes(operation: Operation) -> tuple[str, ...]:
    """All that do not suffice."""
    return tuple(scope for scope in SCOPES if scope not in operation.scopes)


@pytest.mark.parametrize("operation", GUARDED, ids=str)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": ""},
        {"X-API-Key": "mpk_abcdefgh_abcdefghijklmnopqrstuvwxyz234567"},
        {"X-API-Key": "nonsense"},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic YTpi"},
    ],
    ids=["nothing", "empty key", "unknown key", "no key", "no token", "another scheme"],
)
def test_without_good_credentials_it_is_401(
    operation: Operation, headers: dict[str, str], world: World
) -> None:
    answer = call(world, operation, headers)
    assert answer.status_code == 401, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "https://marketplane.dev/problems/unauthorized"
    assert answer.headers["www-authenticate"]


@pytest.mark.parametrize("operation", GUARDED, ids=str)
def test_a_key_of_all_other_scopes_is_403(operation: Operation, world: World, key_of: Any) -> None:
    answer = call(world, operation, {"X-API-Key": key_of(operation.service, *other_scopes(operation))})
    assert answer.status_code == 403, answer.text
    assert answer.json()["type"] == "https://marketplane.dev/problems/forbidden"


@pytest.mark.parametrize("operation", GUARDED, ids=str)
def test_a_token_of_all_other_scopes_is_403(operation: Operation, world: World) -> None:
    answer = call(world, operation, bearer(world, *other_scopes(operation)))
    assert answer.status_code == 403, answer.text
    assert answer.json()["type"] == "https://marketplane.dev/problems/forbidden"


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    "claims",
    [{"iss": "https://id.elsewhere.example"}, {"aud": "another"}, {"exp": 1_700_000_000}, {"sub": None}],
    ids=["another issuer", "another audience", "expired", "nobody"],
)
def test_a_token_for_another_house_or_time_is_401(service: str, claims: dict[str, Any], world: World) -> None:
    operation = next(one for one in GUARDED if one.service == service)
    assert call(world, operation, bearer(world, *operation.scopes)).status_code != 401
    assert call(world, operation, bearer(world, *operation.scopes, **claims)).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-EventBridge-Secret": ""},
        {"X-EventBridge-Secret": "nonsense"},
        {"X-EventBridge-Secret": f"{LOCAL_SECRET},"},
        {"X-EventBridge-Secret": LOCAL_SECRET[:-1]},
        {"Authorization": f"Bearer {LOCAL_SECRET}"},
        {"X-API-Key": LOCAL_SECRET},
    ],
    ids=["nothing", "empty", "nonsense", "a list", "cut off", "another header", "a key"],
)
def test_an_event_without_the_secret_is_401(headers: dict[str, str], world: World) -> None:
    (operation,) = [one for one in operations("notifications") if one.id == "doors.receive_event"]
    key_of_all_scopes = {} if "X-API-Key" in headers else {"X-API-Key": world.keys["notifications"]}
    for more in ({}, key_of_all_scopes):
        answer = call(world, operation, headers | more)
        assert answer.status_code == 401, answer.text
        assert answer.json()["type"] == "https://marketplane.dev/problems/unauthorized"


@pytest.mark.parametrize(("home", "abroad"), list(itertools.permutations(SERVICES, 2)), ids=str)
def test_a_key_of_one_service_is_nobody_at_another(home: str, abroad: str, world: World) -> None:
    operation = next(one for one in GUARDED if one.service == abroad)
    assert call(world, operation, {"X-API-Key": world.keys[home]}).status_code == 401


@pytest.mark.parametrize("operation", [one for one in operations() if one.is_public], ids=str)
def test_what_is_public_asks_for_nothing(operation: Operation, world: World) -> None:
    answer = world.request(operation.service, operation.method.upper(), operation.path, headers={})
    assert answer.status_code not in (401, 403), answer.text


def test_a_registration_session_opens_its_own_registration_only(world: World) -> None:
    mine, other = world.arrived(), world.arrived()
    path = f"/v1/registrations/{mine.registration_id}"

    def read(secret: str) -> httpx.Response:
        return world.request("registration", "GET", path, headers={"X-Registration-Session": secret})

    assert read(mine.session_secret).json()["registration_id"] == mine.registration_id
    assert read(other.session_secret).status_code == 404
    assert read("nonsense").status_code == 401


def test_a_registration_session_opens_no_customer(world: World) -> None:
    buyer = world.registered()
    path = f"/v1/customers/{buyer.customer_id}"
    answer = world.request(
        "registration", "GET", path, headers={"X-Registration-Session": buyer.session_secret}
    )
    assert answer.status_code == 401


# -- two proofs at once --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def arrived(world: World) -> Buyer:
    return world.arrived()


def connect(world: World, registration_id: str, headers: dict[str, str]) -> httpx.Response:
    path = f"/v1/registrations/{registration_id}/signed-in-customer"
    return world.request("registration", "PUT", path, {"email": "ada@example.com"}, headers=headers)


@pytest.mark.parametrize(
    "left_out", [("X-Registration-Session",), ("Authorization",), ("X-Registration-Session", "Authorization")]
)
def test_a_purchase_without_a_person_is_401_and_so_is_a_person_without_a_purchase(
    left_out: tuple[str, ...], arrived: Buyer, world: World
) -> None:
    proofs = world.proofs(arrived.session_secret)
    some = {name: value for name, value in proofs.items() if name not in left_out}
    answers = [
        connect(world, arrived.registration_id, headers)
        for headers in (
            some,
            proofs | dict.fromkeys(left_out, "nonsense"),
            # A key opens much, but it is neither.
            some | {"X-API-Key": world.keys["registration"]},
        )
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}


def test_a_person_who_is_no_buyer_is_403(arrived: Buyer, world: World) -> None:
    proofs = world.proofs(arrived.session_secret, "", "operator", "usage:read", "usage:write")
    answer = connect(world, arrived.registration_id, proofs)
    assert answer.status_code == 403
    assert answer.json()["type"] == "https://marketplane.dev/problems/forbidden"


def test_a_person_with_another_purchase_s_session_is_404(arrived: Buyer, world: World) -> None:
    answer = connect(world, arrived.registration_id, world.proofs(world.arrived().session_secret))
    assert answer.status_code == 404


def test_both_proofs_connect_the_purchase_to_the_person(world: World) -> None:
    first, second, strangers = world.arrived(), world.arrived(), world.arrived()
    mine, theirs = (f"{first.subscription_id}-{who}" for who in ("me", "them"))

    def connected(buyer: Buyer, person: str) -> tuple[int, str]:
        answer = connect(world, buyer.registration_id, world.proofs(buyer.session_secret, person))
        return answer.status_code, answer.json().get("customer_id", "")

    made, customer_id = connected(first, mine)
    assert made == 201
    assert connected(second, mine) == (200, customer_id)
    other, other_customer_id = connected(strangers, theirs)
    assert other == 201
    assert other_customer_id != customer_id
    exported = world.ask("registration", "GET", f"/v1/customers/{customer_id}/export")
    assert [(one["issuer"], one["subject"]) for one in exported["identities"]] == [(ISSUER, mine)]
    assert len(exported["subscriptions"]) == 2


# -- what is a buyer's own -----------------------------------------------------------------------------------


def test_a_buyer_s_endpoint_is_theirs_alone(world: World) -> None:
    """Known by the token's issuer and subject, and by nothing that is said beside them."""

    def ask(method: str, path: str, body: Any = None, subject: str = SIGNED_IN) -> httpx.Response:
        headers = {"Authorization": f"Bearer {world.side.issuer.token(subject, 'buyer')}"}
        return world.request("metering", method, f"/v1/endpoints{path}", body, headers=headers)

    wish = {"name": "Mine", "repository": "acme/model", "accelerator": "CPU"}
    made = ask("POST", "", wish)
    assert made.status_code == 201, made.text
    endpoint = made.json()
    assert endpoint["owner"] == world.signed_in.customer_id
    assert endpoint["subscription_id"] == world.signed_in.subscription_id
    assert endpoint["dimension"] == "cpu_hours"
    place = f"/{endpoint['endpoint_id']}"
    listed = [one["endpoint_id"] for one in ask("GET", "?limit=100").json()["items"]]
    assert endpoint["endpoint_id"] in listed

    for stranger in (ANOTHER_PERSON, "nobody"):
        answers = [
            ask(method, place, body, stranger)
            for method, body in (("GET", None), ("PATCH", {"name": "Mine"}), ("DELETE", None))
        ]
        assert [answer.status_code for answer in answers] == [404, 404, 404]
        assert ask("GET", "", subject=stranger).json()["items"] == []
        named = wish | {"subscription_id": world.signed_in.subscription_id}
        assert ask("POST", "", named, stranger).status_code == 404

    assert ask("PATCH", place, {"name": "Still mine"}).json()["name"] == "Still mine"
    assert ask("DELETE", place).status_code == 204
    assert ask("GET", place).json()["ended_because"] == "deleted_by_owner"


# -- the landing page's session ------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", BY_COOKIE, ids=str)
@pytest.mark.parametrize(
    "headers",
    [{}, by_cookie("nonsense"), {"Cookie": "registration=nonsense"}, {"X-Registration-Session": "nonsense"}],
    ids=["nothing", "nonsense", "nonsense of plain http", "a header"],
)
def test_without_a_session_it_is_401(operation: Operation, headers: dict[str, str], world: World) -> None:
    answer = call(world, operation, headers | {"Accept": "application/problem+json"})
    assert answer.status_code == 401, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"]


@pytest.mark.parametrize("operation", BY_COOKIE, ids=str)
def test_a_session_outside_of_its_own_cookie_is_401(operation: Operation, world: World) -> None:
    """Behind https a cookie without the `__Host-` prefix could be another host's; a key is no session."""
    for headers in (
        {"Cookie": f"registration={world.cookie}"},
        {"X-Registration-Session": world.cookie},
        {"X-API-Key": world.keys["registration"]},
    ):
        assert call(world, operation, headers).status_code == 401


@pytest.mark.parametrize("operation", [one for one in BY_COOKIE if "requestBody" in one.definition], ids=str)
@pytest.mark.parametrize("token", ["", "nonsense", None, "of another session"])
def test_a_form_that_this_session_was_not_shown_is_403(
    operation: Operation, token: str | None, world: World
) -> None:
    cookie, _ = world.landed()
    _, anothers = world.landed()
    form = {"email": "ada@example.com"}
    if token is not None:
        form["csrf_token"] = anothers if token == "of another session" else token
    headers = by_cookie(cookie) | {"Accept": "application/problem+json"}
    answer = world.request(operation.service, "POST", operation.path, headers=headers, data=form)
    assert answer.status_code == 403, answer.text
    assert answer.json()["type"] == "https://marketplane.dev/problems/foreign-form"
