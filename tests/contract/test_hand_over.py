"""The hand-over, as the seller's own back end meets it: it is sent what the contract's callback says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import jsonschema_rs
import pytest

from tests.architecture.test_house_rules_of_contracts import plain
from tests.contract.contracts import Operation, operations
from tests.contract.seller_side import HAND_OVER_SECRET, REFUSED, UNANSWERED, Asked
from tests.contract.world import World

(ASKS,) = (one for one in operations("registration") if one.id == "register_customer")


def callback() -> dict[str, Any]:
    (path,) = Operation.resolve(ASKS, ASKS.definition["callbacks"]["handOver"]).values()
    found: dict[str, Any] = path["post"]
    return found


@pytest.fixture(scope="module")
def asked(world: World) -> list[Asked]:
    """All that the back end was asked, by buyers whom it accepted, refused, and did not answer."""
    world.refused()
    return list(world.side.hand_overs)


def who(one: Asked) -> str:
    return str(json.loads(one.body)["email"].split("-")[0])


def test_it_is_sent_what_the_contract_says(asked: list[Asked]) -> None:
    content = callback()["requestBody"]["content"]["application/json"]
    validator = jsonschema_rs.Draft4Validator(plain(ASKS, content["schema"]), validate_formats=True)
    assert {who(one) for one in asked} >= {"buyer", REFUSED, UNANSWERED}
    for one in asked:
        assert one.headers["content-type"] == "application/json"
        assert [error.message for error in validator.iter_errors(json.loads(one.body))] == []
        assert {header["name"] for header in callback()["parameters"]} <= one.headers.keys()


def test_it_is_signed_as_standard_webhooks_says(asked: list[Asked]) -> None:
    secret = base64.b64decode(HAND_OVER_SECRET.removeprefix("whsec_"))
    for one in asked:
        signed = f"{one.headers['webhook-id']}.{one.headers['webhook-timestamp']}.".encode() + one.body
        digest = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
        assert one.headers["webhook-signature"] == f"v1,{digest}"


def test_a_repeat_has_the_same_key_and_asks_the_same(asked: list[Asked]) -> None:
    bodies: dict[str, list[bytes]] = {}
    for one in asked:
        bodies.setdefault(one.headers["webhook-id"], []).append(one.body)
    assert any(len(tries) > 1 for tries in bodies.values()), "nothing was tried again"
    assert {key: tries for key, tries in bodies.items() if len(set(tries)) != 1} == {}


def test_a_key_is_of_one_purchase_only(asked: list[Asked]) -> None:
    purchases = {(one.headers["webhook-id"], json.loads(one.body)["subscription_id"]) for one in asked}
    assert len({key for key, _ in purchases}) == len(purchases)


def test_the_account_that_it_names_is_the_customer_s(world: World) -> None:
    buyer = world.handed_over
    customer = world.ask("registration", "GET", f"/v1/customers/{buyer.customer_id}")
    assert customer["account_id"] == world.account_id
    found = world.ask("registration", "GET", f"/v1/customers?account_id={world.account_id}")["items"]
    assert [one["customer_id"] for one in found] == [buyer.customer_id]


def test_its_no_reaches_the_buyer_in_its_own_words(world: World) -> None:
    buyer = world.refused()
    registration = world.ask("registration", "GET", f"/v1/registrations/{buyer.registration_id}")
    assert registration["status"] == "open"
    assert registration["hand_over"] == {
        "status": "refused",
        "detail": "This address has no account with us.",
    }


def test_while_it_does_not_answer_the_purchase_waits_and_says_so(world: World) -> None:
    buyer = world.unanswered()
    registration = world.ask("registration", "GET", f"/v1/registrations/{buyer.registration_id}")
    assert (registration["status"], registration["customer_id"]) == ("open", None)
    assert registration["hand_over"] == {"status": "pending", "detail": None}
    key = world.side.key_of(buyer.registration_id)
    item = world.ask("registration", "POST", f"/v1/outbox-items/{key}/retry")
    assert (item["kind"], item["state"], item["attempts"]) == ("hand_over", "waiting", 0)
    assert item["last_error"] == "the seller's back end answered 503"
