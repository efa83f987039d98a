"""The stacks make the tables and queues that the code makes on a local engine, those and no others."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.infrastructure.templates import LEAST, SERVICES, Stack

Needs = Callable[[str], dict[str, Any]]


def shape(table: dict[str, Any]) -> dict[str, Any]:
    """Keys and indexes, whatever the order in which they are written."""
    return {
        "attributes": {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]},
        "key": keys(table["KeySchema"]),
        "indexes": {
            index["IndexName"]: (
                keys(index["KeySchema"]),
                index["Projection"]["ProjectionType"],
                sorted(index["Projection"].get("NonKeyAttributes", [])),
            )
            for index in table.get("GlobalSecondaryIndexes", [])
        },
    }


def keys(schema: list[dict[str, str]]) -> list[tuple[str, str]]:
    return sorted((one["KeyType"], one["AttributeName"]) for one in schema)


def tables(service: str) -> dict[str, dict[str, Any]]:
    found = Stack(service, LEAST[service]).of_type("AWS::DynamoDB::Table").values()
    return {one["TableName"].removeprefix("marketplane-"): one for one in found}


def attributes(queue: dict[str, Any]) -> dict[str, Any]:
    """Of a queue of a template, as `create-local` would write it."""
    policy = queue.get("RedrivePolicy")
    return {
        name: str(queue[name]) for name in ("MessageRetentionPeriod", "VisibilityTimeout") if name in queue
    } | (
        {
            "dead letters": policy["deadLetterTargetArn"].rsplit(":", 1)[1],
            "receives": policy["maxReceiveCount"],
        }
        if policy
        else {}
    )


def as_created(created: dict[str, str]) -> dict[str, Any]:
    policy = json.loads(created.get("RedrivePolicy", "{}"))
    plain = {name: value for name, value in created.items() if name != "RedrivePolicy"}
    return plain | (
        {
            "dead letters": policy["deadLetterTargetArn"].rsplit(":", 1)[1],
            "receives": int(policy["maxReceiveCount"]),
        }
        if policy
        else {}
    )


@pytest.mark.parametrize("service", SERVICES)
def test_tables_keys_and_indexes_are_the_models(service: str, needs: Needs) -> None:
    made = {name: shape(table) for name, table in tables(service).items()}
    assert made == {name: shape(table) for name, table in needs(service)["tables"].items()}


@pytest.mark.parametrize("service", SERVICES)
def test_rows_are_forgotten_by_the_attributes_that_the_models_name(service: str, needs: Needs) -> None:
    made = {
        name: table["TimeToLiveSpecification"]
        for name, table in tables(service).items()
        if "TimeToLiveSpecification" in table
    }
    assert made == {
        name: {"AttributeName": attribute, "Enabled": True}
        for name, attribute in needs(service)["ttl"].items()
    }


@pytest.mark.parametrize("service", SERVICES)
def test_queues_and_their_dead_letters_are_those_of_create_local(service: str, needs: Needs) -> None:
    found = Stack(service, LEAST[service]).of_type("AWS::SQS::Queue").values()
    assert {one["QueueName"]: attributes(one) for one in found} == {
        name: as_created(created) for name, created in needs(service)["queues"].items()
    }


@pytest.mark.parametrize("service", SERVICES)
def test_each_table_outlives_its_stack_and_a_mistake(service: str) -> None:
    for key, resource in Stack(service, LEAST[service]).resources.items():
        if resource["Type"] != "AWS::DynamoDB::Table":
            continue
        table = resource["Properties"]
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain"), key
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}, key
        assert table["SSESpecification"] == {"SSEEnabled": True}, key
        assert (table["BillingMode"], table["DeletionProtectionEnabled"]) == ("PAY_PER_REQUEST", "true"), key


@pytest.mark.parametrize("service", [*SERVICES, "seller-account"])
def test_each_queue_is_kept_encrypted_and_spoken_to_by_tls_alone(service: str) -> None:
    stack = Stack(service, LEAST.get(service))
    closed = {
        queue
        for policy in stack.of_type("AWS::SQS::QueuePolicy").values()
        for queue in policy["Queues"]
        for statement in policy["PolicyDocument"]["Statement"]
        if (statement["Sid"], statement["Effect"], statement["Principal"], statement["Action"])
        == ("TlsOnly", "Deny", "*", "sqs:*")
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    }
    queues = {key: one for key, one in stack.resources.items() if one["Type"] == "AWS::SQS::Queue"}
    assert queues
    for key, resource in queues.items():
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain"), key
        assert resource["Properties"]["SqsManagedSseEnabled"] is True, key
        assert resource["Properties"]["QueueName"] in closed, key


def test_no_other_stack_has_a_table() -> None:
    for name in ("foundation", "seller-account", "legacy-product"):
        assert Stack(name).of_type("AWS::DynamoDB::Table") == {}
