"""Who may call what, asked of every operation of every contract: no credentials, nobody's credentials, a key
without the scope, a key of each scope that suffices."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import httpx
import pytest

from tests.contract.contracts import SCOPES, SERVICES, Operation, operations
from tests.contract.world import World

GUARDED = [operation for operation in operations() if operation.takes_key]
EXAMPLES = {
    "registration_id": "reg_2fzk5j3w7v6c4b2a5d7e3f6g4h",
    "customer_id": "cus_5d7e3f6g4h2fzk5j3w7v6c4b2a",
    "subscription_id": "sub_akqbclolnbr5rol2aljugptsbj",
    "notification_id": "b1f5e1f4-0000-4000-8000-000000000002",
}


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
        content = operation.definition["requestBody"]["content"]["application/json"]
        request["json"] = content.get("example") or next(iter(content["examples"].values()))["value"]
    return request


def call(world: World, operation: Operation, headers: dict[str, str]) -> httpx.Response:
    path = operation.path.format_map(EXAMPLES)
    return world.request(
        operation.service, operation.method.upper(), path, headers=headers, **well_formed(operation)
    )


@pytest.fixture(scope="session")
def key_of(world: World) -> Any:
    """A key of one service with these scopes; made once."""

    @cache
    def make(service: str, *scopes: str) -> str:
        return world.stack.api_key(service, scopes, name="+".join(scopes))

    return make


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
    others = [scope for scope in SCOPES if scope not in operation.scopes]
    answer = call(world, operation, {"X-API-Key": key_of(operation.service, *others)})
    assert answer.status_code == 403, answer.text
    assert answer.json()["type"] == "https://marketplane.dev/problems/forbidden"


@pytest.mark.parametrize(
    ("operation", "scope"),
    [(operation, scope) for operation in GUARDED for scope in operation.scopes],
    ids=lambda value: str(value),
)
def test_any_one_scope_of_its_list_suffices(
    operation: Operation, scope: str, world: World, key_of: Any
) -> None:
    answer = call(world, operation, {"X-API-Key": key_of(operation.service, scope)})
    assert answer.status_code in (*operation.successes, 404), answer.text


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
