"""A buyer at registration's contract: what is their own, and that nothing else is there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.contract.test_guards import EXAMPLES
from tests.contract.token_issuer import ISSUER
from tests.contract.world import Buyer, World


@pytest.fixture
def person(world: World) -> tuple[Buyer, str]:
    """A purchase of somebody new who signed in, and what their issuer calls them."""
    buyer = world.arrived()
    subject = f"person-of-{buyer.subscription_id}"
    return connected(world, buyer, subject), subject


def connected(world: World, buyer: Buyer, subject: str) -> Buyer:
    path = f"/v1/registrations/{buyer.registration_id}/signed-in-customer"
    proofs = world.proofs(buyer.session_secret, subject)
    answer = world.request("registration", "PUT", path, {"email": "ada@example.com"}, headers=proofs)
    assert answer.status_code in (200, 201), answer.text
    return replace(buyer, customer_id=answer.json()["customer_id"])


def ask(
    world: World, subject: str, method: str, path: str, body: Any = None, **claims: Any
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {world.side.issuer.token(subject, 'buyer', **claims)}"}
    return world.request("registration", method, f"/v1/customers{path}", body, headers=headers)


def test_a_buyer_reads_changes_and_deletes_themself_alone(person: tuple[Buyer, str], world: World) -> None:
    buyer, subject = person
    own = f"/{buyer.customer_id}"
    (listed,) = ask(world, subject, "GET", "").json()["items"]
    read = ask(world, subject, "GET", own)
    assert listed == read.json() == world.ask("registration", "GET", f"/v1/customers{own}")
    (held,) = ask(world, subject, "GET", f"{own}/access").json()["subscriptions"]
    assert held["subscription_id"] == buyer.subscription_id
    (identity,) = ask(world, subject, "GET", f"{own}/export").json()["identities"]
    assert (identity["issuer"], identity["subject"]) == (ISSUER, subject)

    changed = ask(world, subject, "PATCH", own, {"name": "Ada", "company": None})
    assert (changed.status_code, changed.json()["name"]) == (200, "Ada")
    refused = ask(world, subject, "PATCH", own, {"name": "Eve", "account_id": "another's"})
    assert (refused.status_code, refused.json()["errors"][0]["path"]) == (403, "/account_id")
    assert refused.json()["type"] == "https://marketplane.dev/problems/operators-only"
    assert ask(world, subject, "GET", own).json() == changed.json()

    assert ask(world, subject, "DELETE", own).status_code == 204
    assert ask(world, subject, "GET", "").json() == {"items": [], "next_cursor": None}
    assert ask(world, subject, "GET", own).status_code == 404


def test_everybody_else_is_answered_as_nobody(person: tuple[Buyer, str], world: World) -> None:
    buyer, subject = person
    for who, claims in (("nobody", {}), (subject.upper(), {}), (subject, {"scope": "buyer usage:write"})):
        theirs = (world.licensed if who == subject else buyer).customer_id
        for method, path, body in (
            ("GET", "", None),
            ("GET", "/access", None),
            ("GET", "/export", None),
            ("PATCH", "", {"account_id": "mine"}),
            ("DELETE", "", None),
        ):
            answers = [
                ask(world, who, method, f"/{customer_id}{path}", body, **claims)
                for customer_id in (theirs, EXAMPLES["customer_id"])
            ]
            assert [answer.status_code for answer in answers] == [404, 404]
            theirs_said, nobodys = (
                {name: value for name, value in answer.json().items() if name != "instance"}
                for answer in answers
            )
            assert theirs_said == nobodys
    assert world.ask("registration", "GET", f"/v1/customers/{buyer.customer_id}")["status"] == "active"
