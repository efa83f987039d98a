"""What people meet: every refusal of a page is a page too, and a problem document for who asks for one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.contract.contracts import Operation, operations
from tests.contract.test_guards import BY_COOKIE, EXAMPLES
from tests.contract.world import World, by_cookie

OPERATIONS = {one.id: one for one in operations("registration")}
PAGES = [one for one in OPERATIONS.values() if one.id.startswith("landing.")]
FORMS = [one for one in PAGES if "requestBody" in one.definition]
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Refused:
    """A request that is refused: by which operation, with what status and problem, and what is sent."""

    operation: Operation
    status: int
    slug: str
    request: Callable[[World], dict[str, Any]]

    def __str__(self) -> str:
        return f"{self.operation.id} {self.status} {self.slug}"


def with_session(world: World) -> dict[str, str]:
    return by_cookie(world.cookie)


def claimed(world: World) -> dict[str, Any]:
    """The form of a browser whose purchase somebody else has registered since."""
    token = world.buy()["registration_token"]
    cookie, csrf_token = world.landed_with(token)
    opened = world.ask("registration", "POST", "/v1/registrations", {"registration_token": token})
    path = f"/v1/registrations/{opened['registration_id']}/customer"
    world.ask("registration", "PUT", path, {"email": "first@example.com"})
    return {"headers": by_cookie(cookie), "data": {"email": "ada@example.com", "csrf_token": csrf_token}}


def wrong_entry(world: World) -> dict[str, Any]:
    cookie, csrf_token = world.landed()
    return {"headers": by_cookie(cookie), "data": {"email": "nonsense", "csrf_token": csrf_token}}


REFUSED = [
    *(Refused(one, 401, "unauthorized", lambda world: {}) for one in BY_COOKIE),
    *(
        Refused(
            one, 413, "too-large", lambda world: {"content": b" " * 70_000, "headers": {"Content-Type": FORM}}
        )
        for one in FORMS
    ),
    *(
        Refused(
            one,
            415,
            "unsupported-media-type",
            lambda world: {"content": b"{}", "headers": with_session(world) | {"Content-Type": "text/plain"}},
        )
        for one in FORMS
    ),
    Refused(OPERATIONS["landing.receive_buyer"], 400, "invalid-token", lambda world: {"data": {}}),
    Refused(
        OPERATIONS["landing.receive_buyer"],
        400,
        "expired-token",
        lambda world: {"data": {"x-amzn-marketplace-token": world.old_token}},
    ),
    Refused(OPERATIONS["landing.submit_customer"], 409, "subscription-already-claimed", claimed),
    *(
        Refused(
            OPERATIONS[name], 403, "foreign-form", lambda world: {"headers": with_session(world), "data": {}}
        )
        for name in ("landing.submit_customer", "landing.sign_out")
    ),
    Refused(
        OPERATIONS["landing.finish_sign_in"],
        400,
        "sign-in-refused",
        lambda world: {"headers": with_session(world), "params": {"code": "made-up", "state": "made-up"}},
    ),
]


def ask(refused: Refused, accept: str, world: World) -> httpx.Response:
    request = refused.request(world)
    request["headers"] = {"Accept": accept} | request.get("headers", {})
    path = refused.operation.path.format_map(EXAMPLES)
    return world.request("registration", refused.operation.method.upper(), path, **request)


@pytest.mark.parametrize("refused", REFUSED, ids=str)
def test_a_browser_gets_a_page(refused: Refused, world: World) -> None:
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    answer = ask(refused, accept, world)
    assert answer.status_code == refused.status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<h1" in answer.text


@pytest.mark.parametrize("refused", REFUSED, ids=str)
def test_who_asks_for_the_document_gets_it(refused: Refused, world: World) -> None:
    for accept in ("application/problem+json", "application/json"):
        answer = ask(refused, accept, world)
        assert answer.status_code == refused.status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == f"https://marketplane.dev/problems/{refused.slug}"
        assert answer.json()["instance"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("refused", REFUSED, ids=str)
def test_a_refusal_is_one_that_the_contract_names(refused: Refused) -> None:
    promised = refused.operation.resolve(refused.operation.definition["responses"][str(refused.status)])
    assert promised["content"].keys() == {"text/html", "application/problem+json"}


def test_a_wrong_entry_brings_the_form_back(world: World) -> None:
    answer = world.request("registration", "POST", "/register/customer", **wrong_entry(world))
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "csrf_token" in answer.text
