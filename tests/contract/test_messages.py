"""The messages on queues, from both sides: AWS's news as the simulator sends it, our own signals as they are
written, and what reads them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract.schemas import mistakes, schema, validator
from tests.contract.seldom_news import NOTICES
from tests.contract.test_tables import inside
from tests.contract.world import SIGNALS, World


def kind_of(message: dict[str, Any]) -> str:
    """The schema by which a message of AWS is told apart."""
    if message.get("detail-type") in NOTICES.values():
        return "events/eventbridge-notice"
    if "detail-type" in message:
        about = "license" if message["detail-type"].startswith("License") else "agreement"
        return f"events/eventbridge-{about}-event"
    if message.get("Type") == "Notification":
        return "events/sns-envelope"
    about = "entitlement" if message["action"].startswith("entitlement") else "subscription"
    return f"events/sns-{about}-message"


def test_the_news_that_the_simulator_sends_fits_awss_schemas(world: World) -> None:
    news = world.emitted_news()
    assert {one["name"] for one in news} >= {
        "subscribe-success",
        "unsubscribe-pending",
        "unsubscribe-success",
        "Purchase Agreement Created - Proposer",
        "License Updated - Manufacturer",
        "Purchase Agreement Ended - Proposer",
        "License Deprovisioned - Manufacturer",
    }, "the world lacks a kind of news"
    for one in news:
        message = json.loads(one["body"])
        assert mistakes(kind_of(message), message) == [], one["name"]


def test_what_lay_on_the_queue_fits_awss_schemas_too(world: World) -> None:
    listed = world.ask("notifications", "GET", "/v1/notifications?limit=100")["items"]
    kinds = set()
    for one in listed:
        whole = world.ask("notifications", "GET", f"/v1/notifications/{one['notification_id']}")
        message = json.loads(whole["body"])
        kinds.add(kind_of(message))
        assert mistakes(kind_of(message), message) == []
        if kind_of(message) == "events/sns-envelope":
            inner = json.loads(message["Message"])
            kinds.add(kind_of(inner))
            assert mistakes(kind_of(inner), inner) == []
    assert kinds >= {
        "events/sns-envelope",
        "events/sns-subscription-message",
        "events/sns-entitlement-message",
        "events/eventbridge-agreement-event",
        "events/eventbridge-license-event",
        "events/eventbridge-notice",
    }


def test_all_news_was_received_once(world: World) -> None:
    sent = {one["message_id"] for one in world.emitted_news()} | world.told_by_us
    listed = world.ask("notifications", "GET", "/v1/notifications?limit=100")["items"]
    received = [one["notification_id"] for one in listed if one["door"] == "queue"]
    assert set(received) == sent
    assert len(received) == len(sent)


def test_what_a_reconciliation_made_up_for_is_news_too(world: World) -> None:
    path = f"/v1/reconciliations/{world.reconciliation_id}/differences?limit=100"
    differences = world.ask("notifications", "GET", path)["items"]
    assert {one["kind"] for one in differences} >= {"unknown_agreement", "ended_at_aws"}
    listed = world.ask("notifications", "GET", "/v1/notifications?limit=100")["items"]
    made = {one["notification_id"] for one in listed if one["door"] == "reconciliation"}
    assert made == {name for one in differences for name in one["notification_ids"]}


@pytest.fixture(scope="module")
def signals(world: World) -> list[dict[str, Any]]:
    """Every signal that notifications has sent, from a queue that nobody else reads."""
    queue = world.queues.get_queue_url(QueueName=SIGNALS)["QueueUrl"]
    found: dict[str, dict[str, Any]] = {}
    while messages := world.queues.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            found[message["MessageId"]] = json.loads(message["Body"])
            world.queues.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return list(found.values())


def test_the_signals_that_notifications_writes_fit_the_schema(signals: list[dict[str, Any]]) -> None:
    assert {one["type"] for one in signals} >= {
        "subscription.activated",
        "subscription.changed",
        "subscription.ending",
        "subscription.ended",
        "subscription.failed",
    }
    for one in signals:
        assert mistakes("events/subscription-signal", one) == []


def test_each_signal_tells_of_a_row_that_is_there(signals: list[dict[str, Any]], world: World) -> None:
    versions = {row["subscription_id"]: row["version"] for row in world.rows("subscriptions")}
    for one in signals:
        assert versions[one["subscription_id"]] >= one["version"]


@pytest.mark.parametrize("reader", ["registration", "metering"])
def test_every_signal_is_read(reader: str, signals: list[dict[str, Any]], world: World) -> None:
    examples = schema("events/subscription-signal")["examples"]
    kinds = validator("events/subscription-signal").schema["properties"]["type"]["enum"]
    more = [examples[0] | {"type": kind, "a_new_member": {"x": 1}} for kind in kinds]
    bodies = [json.dumps(one) for one in (*examples, *more, *signals)]
    read = inside(reader, "read_signals", bodies, world)
    assert read == [json.loads(body)["subscription_id"] for body in bodies]
