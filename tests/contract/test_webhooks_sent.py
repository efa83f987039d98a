"""What the seller's systems are really sent: each type of event, as the contract's callback says it, and
signed as Standard Webhooks says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections import defaultdict
from typing import Any

import jsonschema_rs
import pytest

from tests.architecture.test_house_rules_of_contracts import plain
from tests.contract.contracts import operations
from tests.contract.seller_side import Asked
from tests.contract.world import WEBHOOK_TYPES, World

(MAKES_ENDPOINT,) = (one for one in operations("notifications") if one.id == "webhooks.create_endpoint")
A_TEST = "webhook.test"


def callback() -> dict[str, Any]:
    (path,) = MAKES_ENDPOINT.resolve(MAKES_ENDPOINT.definition["callbacks"]["webhook"]).values()
    found: dict[str, Any] = path["post"]
    return found


def promised(what: str = "WebhookEvent", closed: bool = False) -> jsonschema_rs.Draft4Validator:
    """A schema of a body. The contract leaves room for more properties; closed, it has none."""
    schema = plain(MAKES_ENDPOINT, {"$ref": f"#/components/schemas/{what}"})
    if closed:
        schema["additionalProperties"] = schema["properties"]["data"]["additionalProperties"] = False
    return jsonschema_rs.Draft4Validator(schema, validate_formats=True)


def schema_of(event_type: str) -> str:
    return {"subscription": "SubscriptionEvent", "agreement": "AgreementEvent", "webhook": "TestEvent"}[
        event_type.split(".")[0]
    ]


@pytest.fixture(scope="module")
def sent(world: World) -> list[Asked]:
    """All that the endpoint was sent that wants to be told everything."""
    return world.side.webhooks


@pytest.fixture(scope="module")
def told(sent: list[Asked]) -> list[Any]:
    return [json.loads(one.body) for one in sent]


def test_every_type_that_the_contract_names_was_sent_and_no_other(told: list[Any]) -> None:
    assert {one["type"] for one in told} == WEBHOOK_TYPES | {A_TEST}


def test_a_body_is_what_the_contract_says(told: list[Any]) -> None:
    content = callback()["requestBody"]["content"]["application/json"]
    assert content["schema"] == {"$ref": "#/components/schemas/WebhookEvent"}
    validator = promised()
    for one in told:
        assert [error.message for error in validator.iter_errors(one)] == [], one["type"]


def test_a_body_has_nothing_that_the_contract_does_not_name(told: list[Any]) -> None:
    for one in told:
        validator = promised(schema_of(one["type"]), closed=True)
        assert [error.message for error in validator.iter_errors(one)] == [], one["type"]


def test_a_body_with_less_or_another_would_be_noticed(told: list[Any]) -> None:
    validator = promised()
    for one in {one["type"]: one for one in told}.values():
        for name in one:
            assert not validator.is_valid({key: one[key] for key in one if key != name}), name
        for name in one["data"]:
            less = {key: value for key, value in one["data"].items() if key != name}
            assert not validator.is_valid(one | {"data": less}), (one["type"], name)
        assert not validator.is_valid(one | {"type": "subscription.surprised"})


def test_the_headers_are_the_ones_that_the_contract_names(sent: list[Asked]) -> None:
    for one in sent:
        assert one.headers["content-type"] == "application/json"
        for parameter in callback()["parameters"]:
            schema = plain(MAKES_ENDPOINT, parameter["schema"])
            assert jsonschema_rs.Draft4Validator(schema).is_valid(one.headers[parameter["name"]]), parameter


def test_the_examples_are_what_is_sent() -> None:
    content = callback()["requestBody"]["content"]["application/json"]
    kinds = set()
    for example in content["examples"].values():
        kinds.add(schema_of(example["value"]["type"]))
        validator = promised(schema_of(example["value"]["type"]), closed=True)
        assert [error.message for error in validator.iter_errors(example["value"])] == []
    assert kinds == {"SubscriptionEvent", "AgreementEvent", "TestEvent"}
    for parameter in callback()["parameters"]:
        schema = plain(MAKES_ENDPOINT, parameter["schema"])
        assert jsonschema_rs.Draft4Validator(schema).is_valid(parameter["example"])


def test_it_is_signed_as_standard_webhooks_says(sent: list[Asked], world: World) -> None:
    secret = base64.b64decode(world.webhook_secret.removeprefix("whsec_"))
    for one in sent:
        signed = f"{one.headers['webhook-id']}.{one.headers['webhook-timestamp']}.".encode() + one.body
        digest = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
        assert one.headers["webhook-signature"] == f"v1,{digest}"


def test_no_version_of_a_subscription_is_told_twice_and_the_first_always(
    sent: list[Asked], told: list[Any], world: World
) -> None:
    ids = [one.headers["webhook-id"] for one in sent]
    assert len(set(ids)) == len(ids)
    versions = defaultdict(list)
    for one in told:
        if one["type"].startswith("subscription."):
            subscription = one["data"]["subscription"]
            versions[subscription["subscription_id"]].append(subscription["version"])
    rows = {row["subscription_id"]: row["version"] for row in world.rows("subscriptions")}
    assert versions.keys() == rows.keys()
    for name, there in versions.items():
        assert len(set(there)) == len(there)
        assert min(there) == 1
        assert max(there) <= rows[name]


def test_what_is_told_last_is_what_the_api_shows(told: list[Any], world: World) -> None:
    """But for the time of AWS's last answer, and for which news said last what is known already."""
    newest: dict[str, dict[str, Any]] = {}
    for one in told:
        if one["type"].startswith("subscription."):
            subscription = one["data"]["subscription"]
            before = newest.get(subscription["subscription_id"], subscription)
            newest[subscription["subscription_id"]] = max(
                before, subscription, key=lambda each: int(each["version"])
            )
    for name, subscription in newest.items():
        shown = world.ask("notifications", "GET", f"/v1/subscriptions/{name}")
        untold = ("version", "changed_at", "changed_by", "entitlements_as_of")
        assert subscription | {member: shown[member] for member in untold} == shown


def test_a_renewed_or_replaced_subscription_is_told_with_its_successor(told: list[Any], world: World) -> None:
    before = world.replaced.subscription_id
    subscriptions = [one["data"]["subscription"] for one in told if one["type"].startswith("subscription.")]
    after = {one["next_subscription_id"] for one in subscriptions if one["subscription_id"] == before}
    (name,) = after - {None}
    assert before in {
        one["previous_subscription_id"] for one in subscriptions if one["subscription_id"] == name
    }


def test_a_delivery_says_what_became_of_it(world: World) -> None:
    taken, refused = (
        world.ask("notifications", "GET", f"/v1/webhook-deliveries/{name}") for name in world.webhooks_told
    )
    assert (taken["state"], refused["state"]) == ("delivered", "dead")
    (attempt,) = taken["attempts"]
    assert (attempt["reason"], attempt["status"], attempt["excerpt"]) == ("delivered", 200, None)
    (attempt,) = refused["attempts"]
    assert (attempt["reason"], attempt["status"]) == ("gone", 410)
    assert "Nobody listens here" in attempt["excerpt"]
