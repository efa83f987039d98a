"""Who may do what: exact actions on exact resources, each statement with a name of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.architecture.test_table_owners import PUBLISHED
from tests.infrastructure.templates import LEAST, MOST, SELLER, SERVICES, TEMPLATES, Stack

# Actions that know no resource-level permission (AWS's service authorization reference).
WITHOUT_RESOURCES = {
    "aws-marketplace:BatchMeterUsage",
    "aws-marketplace:DescribeAgreement",
    "aws-marketplace:GetEntitlements",
    "aws-marketplace:PutDeploymentParameter",
    "aws-marketplace:ResolveCustomer",
    "aws-marketplace:SearchAgreements",
    "ecr:GetAuthorizationToken",
}
READS = {
    "BatchGetItem",
    "ConditionCheckItem",
    "DescribeContinuousBackups",
    "DescribeTable",
    "DescribeTimeToLive",
    "GetItem",
    "Query",
    "Scan",
}
# Which process asks AWS Marketplace what (services' README.md).
MARKETPLACE = {
    ("registration", "WebRole"): {"ResolveCustomer", "GetEntitlements"},
    ("registration", "WorkerRole"): {"PutDeploymentParameter"},
    ("notifications", "WorkerRole"): {"GetEntitlements", "DescribeAgreement", "SearchAgreements"},
    ("metering", "WorkerRole"): {"BatchMeterUsage"},
    ("registration", "DoctorRole"): {"ResolveCustomer", "GetEntitlements"},
    ("notifications", "DoctorRole"): {"GetEntitlements", "DescribeAgreement"},
    ("metering", "DoctorRole"): {"BatchMeterUsage"},
}
SELLER_ROLES = {
    "RegistrationRole": {"ResolveCustomer", "GetEntitlements", "PutDeploymentParameter"},
    "NotificationsRole": {"GetEntitlements", "DescribeAgreement", "SearchAgreements"},
    "MeteringRole": {"BatchMeterUsage"},
}


@dataclass(frozen=True)
class Allowed:
    """One statement of a role's own policies, in the shape in which calls can be compared with it."""

    role: str
    sid: str
    actions: frozenset[str]
    resources: tuple[str, ...]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def allowed(stack: Stack) -> Iterator[Allowed]:
    for kind in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy"):
        for key, properties in stack.of_type(kind).items():
            documents = [one["PolicyDocument"] for one in properties.get("Policies", [])]
            documents += [properties["PolicyDocument"]] if "PolicyDocument" in properties else []
            for document in documents:
                for one in document["Statement"]:
                    assert one["Effect"] == "Allow", (key, one["Sid"])
                    actions, resources = frozenset(listed(one["Action"])), tuple(listed(one["Resource"]))
                    yield Allowed(key, one["Sid"], actions, resources)


def stacks(name: str) -> list[Stack]:
    """With the least and with the most that parameters switch on."""
    if name in SERVICES:
        return [Stack(name, LEAST[name]), Stack(name, MOST[name])]
    return [Stack(name, {"AppAccountId": SELLER}), Stack(name)]


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_action_is_wide(name: str) -> None:
    for stack in stacks(name):
        for one in allowed(stack):
            assert not [action for action in one.actions if "*" in action], one


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_resource_is_wide_unless_the_action_knows_none(name: str) -> None:
    for stack in stacks(name):
        for one in allowed(stack):
            if "*" in one.resources:
                assert one.actions <= WITHOUT_RESOURCES, one
            else:
                assert not one.actions & WITHOUT_RESOURCES, one
            for resource in one.resources:
                # A task definition's revisions are the one place where a pattern is the resource's name.
                assert "*" not in resource or resource == "*" or resource.endswith(":*"), one
                assert ":table/" not in resource or "*" not in resource, one


@pytest.mark.parametrize("name", TEMPLATES)
def test_each_statement_has_a_name_of_its_own(name: str) -> None:
    for stack in stacks(name):
        names = [(one.role, one.sid) for one in allowed(stack)]
        assert len(set(names)) == len(names)


def table_of(resource: str) -> str:
    return resource.split(":table/")[1].split("/")[0].removeprefix("marketplane-")


@pytest.mark.parametrize("service", SERVICES)
def test_a_role_writes_its_service_s_own_tables_and_reads_published_ones(service: str) -> None:
    stack = Stack(service, LEAST[service])
    own = {
        table["TableName"].removeprefix("marketplane-")
        for table in stack.of_type("AWS::DynamoDB::Table").values()
    }
    touched: set[str] = set()
    for one in allowed(stack):
        for resource in one.resources:
            if ":table/" not in resource:
                continue
            table = table_of(resource)
            touched.add(table)
            verbs = {action.removeprefix("dynamodb:") for action in one.actions}
            if table not in own:
                assert PUBLISHED.get(table) not in (None, service), one
                assert verbs <= READS, one
                assert one.sid.startswith("Sibling"), one
    assert own <= touched, "a table that nobody may touch"


@pytest.mark.parametrize("service", SERVICES)
def test_an_index_that_is_asked_is_there(service: str) -> None:
    stack = Stack(service, LEAST[service])
    there = {
        (table["TableName"].removeprefix("marketplane-"), index["IndexName"])
        for table in stack.of_type("AWS::DynamoDB::Table").values()
        for index in table.get("GlobalSecondaryIndexes", [])
    }
    asked = {
        (table_of(resource), resource.rsplit("/index/", 1)[1])
        for one in allowed(stack)
        for resource in one.resources
        if "/index/" in resource
    }
    assert asked == there


@pytest.mark.parametrize("service", SERVICES)
def test_queues_are_one_s_own_but_for_signals_to_siblings(service: str) -> None:
    stack = Stack(service, LEAST[service])
    own = {one["QueueName"] for one in stack.of_type("AWS::SQS::Queue").values()}
    for one in allowed(stack):
        for resource in one.resources:
            queue = resource.rsplit(":", 1)[-1]
            if ":sqs:" in resource and queue not in own:
                assert service == "notifications", one
                assert one.sid == ("SiblingQueues" if one.role == "DoctorRole" else "SendSignals"), one
                assert one.actions <= {"sqs:GetQueueUrl", "sqs:SendMessage"}, one
                assert ("sqs:SendMessage" in one.actions) == (one.sid == "SendSignals"), one
                assert queue.endswith("-subscription-events"), one


def test_signals_go_where_the_siblings_listen() -> None:
    [task] = Stack("notifications", LEAST["notifications"]).of_type("AWS::ECS::TaskDefinition")["WorkerTask"][
        "ContainerDefinitions"
    ]
    told = {one["Name"]: one["Value"] for one in task["Environment"]}["SIGNAL_QUEUES"].split(",")
    listening = []
    for service, variable in (
        ("metering", "METERING_SIGNALS_QUEUE"),
        ("registration", "REGISTRATION_SIGNALS_QUEUE"),
    ):
        [one] = Stack(service, LEAST[service]).of_type("AWS::ECS::TaskDefinition")["WorkerTask"][
            "ContainerDefinitions"
        ]
        listening.append({entry["Name"]: entry["Value"] for entry in one["Environment"]}[variable])
    assert told == listening
    may = [
        resource.rsplit(":", 1)[1]
        for one in allowed(Stack("notifications", LEAST["notifications"]))
        if one.sid == "SendSignals"
        for resource in one.resources
    ]
    assert may == told


@pytest.mark.parametrize("service", SERVICES)
def test_marketplace_is_asked_by_whom_it_concerns(service: str) -> None:
    """As itself where this account published the products, else under the seller's role alone."""
    here = {
        (service, one.role): {action.removeprefix("aws-marketplace:") for action in one.actions}
        for one in allowed(Stack(service, LEAST[service]))
        if one.sid == "CallMarketplace"
    }
    assert here == {key: actions for key, actions in MARKETPLACE.items() if key[0] == service}
    elsewhere = list(allowed(Stack(service, MOST[service])))
    assert [one for one in elsewhere if one.sid == "CallMarketplace"] == []
    under = {(service, one.role): one for one in elsewhere if "sts:AssumeRole" in one.actions}
    assert set(under) == set(here)
    assert {one.resources for one in under.values()} == {(MOST[service]["MarketplaceRoleArn"],)}


def test_the_seller_s_roles_are_for_those_tasks_and_ask_for_the_external_id() -> None:
    seller = Stack(
        "seller-account",
        {"AppAccountId": "222233334444", "AppRegion": "eu-central-1", "ExternalId": "external-id-of-16"},
        {"AWS::AccountId": SELLER, "AWS::Region": "us-east-1"},
    )
    roles = seller.of_type("AWS::IAM::Role")
    for key, actions in SELLER_ROLES.items():
        service = key.removesuffix("Role").lower()
        [trust] = roles[key]["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Condition"]["StringEquals"] == {"sts:ExternalId": "external-id-of-16"}
        named = set(trust["Condition"]["ArnEquals"]["aws:PrincipalArn"])
        app = Stack(service, MOST[service]).of_type("AWS::IAM::Role")
        assert named == {
            f"arn:aws:iam::222233334444:role/{app[role]['RoleName']}"
            for name, role in MARKETPLACE
            if name == service
        }
        [may] = [one for one in allowed(seller) if one.role == key]
        assert {action.removeprefix("aws-marketplace:") for action in may.actions} == actions
        assert MOST[service]["MarketplaceRoleArn"] == f"arn:aws:iam::{SELLER}:role/{roles[key]['RoleName']}"


def test_in_one_account_the_seller_s_stack_has_no_roles_for_tasks() -> None:
    alone = Stack("seller-account", {"AppAccountId": SELLER}, {"AWS::AccountId": SELLER})
    assert set(alone.of_type("AWS::IAM::Role")) == {"ForwardRole"}


def test_a_role_s_name_has_room_in_every_region() -> None:
    longest = {"AWS::Region": "ap-southeast-1"}
    for name in TEMPLATES:
        parameters = LEAST.get(name, {}) | {"Installation": "a" * 20, "AppRegion": "ap-southeast-1"}
        for properties in Stack(name, parameters, longest).of_type("AWS::IAM::Role").values():
            assert len(properties.get("RoleName", "")) <= 64
