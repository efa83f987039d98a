"""What siblings read keeps the shape that they were promised; and so do AWS's messages as we know them."""

import json
from pathlib import Path
from typing import Any

import pytest
import samples
from boto3.dynamodb.types import TypeDeserializer
from conftest import REPOSITORY, World
from jsonschema import Draft202012Validator, FormatChecker
from played_aws import entitlement
from samples import action, after, cancelled_life, contract_updated, deprovisioned, ended, license_updated

from notifications.inbox import read
from notifications.subscription_ids import of_customer, of_license
from notifications.tables.models import SubscriptionRow

SCHEMAS = sorted((REPOSITORY / "openapi" / "events").glob("*.schema.json"))
SCHEMAS.append(REPOSITORY / "openapi" / "tables" / "subscriptions.schema.json")


def schema(path: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((REPOSITORY / "openapi" / path).read_text())
    return document


def check(document: Any, path: str) -> None:
    Draft202012Validator(schema(path), format_checker=FormatChecker()).validate(document)


def raw_rows() -> list[dict[str, Any]]:
    """The published table as a sibling reads it, without our own bridge."""
    plain = TypeDeserializer()
    answer = SubscriptionRow._get_connection().scan()
    rows = [{name: plain.deserialize(value) for name, value in item.items()} for item in answer["Items"]]
    return [row | {"version": int(row["version"])} for row in rows]


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_every_schema_is_one_and_its_examples_fit(path: Path) -> None:
    document = json.loads(path.read_text())
    Draft202012Validator.check_schema(document)
    assert document["examples"]
    for example in document["examples"]:
        check(example, f"{path.parent.name}/{path.name}")


LIVES: dict[str, list[str]] = {
    "active": cancelled_life()[:2],
    "ending": cancelled_life()[:3],
    "deprovisioned": cancelled_life(),
    "renewed": [license_updated(after(0), "e2"), ended(after(95), "e3", status="RENEWED")],
    "without an end reason": [license_updated(after(0), "e2"), deprovisioned(after(95), "e4")],
    "ended before it was active": [ended(after(0), "e3"), license_updated(after(95), "e2")],
    "legacy active": [action("subscribe-success", after(0), "m1")],
    "legacy pending": [action("entitlement-updated", after(0), "m1")],
    "legacy failed": [action("subscribe-fail", after(0), "m1")],
    "legacy ending": [action("unsubscribe-pending", after(0), "m1")],
    "legacy ended": [action("unsubscribe-success", after(0), "m1")],
    "legacy again": [
        action("subscribe-success", after(0), "m1"),
        action("unsubscribe-pending", after(90), "m2"),
        action("subscribe-success", after(120), "m3"),
    ],
}


@pytest.mark.parametrize("life", LIVES.values(), ids=LIVES.keys())
def test_the_published_row_and_its_signals_fit_their_schemas(world: World, life: list[str]) -> None:
    for body in life:
        world.apply(body)
        for row in raw_rows():
            check(row, "tables/subscriptions.schema.json")
    world.clock.advance(hours=3)
    world.worker.sweep(world.clock.now())
    (row,) = raw_rows()
    check(row, "tables/subscriptions.schema.json")
    world.tell()
    signals = world.signals()
    assert [signal["version"] for signal in signals] == list(range(1, row["version"] + 1))
    for signal in signals:
        check(signal, "events/subscription-signal.schema.json")


@pytest.mark.parametrize("generation", ["legacy", "concurrent agreements"])
def test_the_row_fits_its_schema_with_all_that_aws_answers(world: World, generation: str) -> None:
    bought = (
        action("subscribe-success", after(0), "m1", **{"product-code": samples.LEGACY_CONTRACT})
        if generation == "legacy"
        else contract_updated(after(0), "e1")
    )
    world.apply(bought)
    check(raw_rows()[0], "tables/subscriptions.schema.json")
    world.aws.agreements["agmt-EXAMPLE"] = {
        "endTime": after(days=365),
        "freeTrialSummary": {"trialEndTime": after(days=7)},
    }
    world.aws.sells(
        entitlement("d", 1.5), entitlement("c", "gold"), entitlement("b", True), entitlement("a", 20, after())
    )
    world.asker.ask_what_is_due()
    (row,) = raw_rows()
    check(row, "tables/subscriptions.schema.json")
    assert row["entitlements"] == [
        {"dimension": "a", "type": "integer", "value": "20", "expires_at": "2026-08-20T14:23:22.000000Z"},
        {"dimension": "b", "type": "boolean", "value": "true"},
        {"dimension": "c", "type": "string", "value": "gold"},
        {"dimension": "d", "type": "double", "value": "1.5"},
    ]
    answers = {"free_trial", "trial_ends_at", "agreement_ends_at", "entitlements_as_of"} & row.keys()
    assert answers == {"free_trial", "entitlements_as_of"} | (
        set() if generation == "legacy" else {"trial_ends_at", "agreement_ends_at"}
    )

    world.aws.pages = [{}]
    world.clock.advance(hours=1)
    world.asker.ask_what_is_due()
    (row,) = raw_rows()
    check(row, "tables/subscriptions.schema.json")
    assert row["entitlements"] == []
    world.tell()
    signals = world.signals()
    assert [signal["version"] for signal in signals] == [1, 2, 3]
    for signal in signals:
        check(signal, "events/subscription-signal.schema.json")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (samples.CREATED, "eventbridge-agreement-event"),
        (samples.ended(after(95), "e3"), "eventbridge-agreement-event"),
        (samples.license_updated(after(61), "e2"), "eventbridge-license-event"),
        (samples.action("subscribe-success", samples.T0, "m1"), "sns-envelope"),
        (samples.SUBSCRIBE_SUCCESS, "sns-subscription-message"),
        (samples.ENTITLEMENT_UPDATED, "sns-entitlement-message"),
    ],
)
def test_the_recorded_samples_fit_the_schemas_and_are_read(body: str, path: str) -> None:
    check(json.loads(body), f"events/{path}.schema.json")
    assert read(body, "sqs-1", samples.T0).news is not None


@pytest.mark.parametrize("path", [path for path in SCHEMAS if path.name.startswith(("sns", "eventbridge"))])
def test_every_example_of_what_aws_sends_is_read(path: Path) -> None:
    for example in json.loads(path.read_text())["examples"]:
        assert read(json.dumps(example), "sqs-1", samples.T0).news is not None


def test_the_ids_are_those_of_the_shared_vectors() -> None:
    for vector in json.loads((REPOSITORY / "openapi/tables/subscription_id.vectors.json").read_text()):
        if "license_arn" in vector:
            assert of_license(vector["license_arn"]) == vector["subscription_id"]
        else:
            derived = of_customer(vector["product_code"], vector["customer_identifier"])
            assert derived == vector["subscription_id"]
