"""The stacks themselves, made, changed and removed on the local engine, each service's alone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.infrastructure.formation import PARAMETERS, CloudFormation
from tests.infrastructure.templates import FOLDER, LEAST, ROOT, SERVICES, Stack
from tests.infrastructure.test_tables_and_queues import as_created, shape
from tools.engine_fixture import Account, account, engine

__all__ = ["account", "engine"]


@pytest.fixture
def formation(account: Account) -> CloudFormation:
    made = CloudFormation(account)
    made.make("foundation")
    return made


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_s_stack_alone_makes_its_tables_and_queues(
    service: str, formation: CloudFormation, needs: Callable[[str], dict[str, Any]]
) -> None:
    formation.make(service)
    dynamodb, sqs = formation.client("dynamodb"), formation.client("sqs")
    tables = {
        name: dynamodb.describe_table(TableName=name)["Table"]
        for name in dynamodb.list_tables()["TableNames"]
    }
    assert {name.removeprefix("marketplane-"): shape(table) for name, table in tables.items()} == {
        name: shape(table) for name, table in needs(service)["tables"].items()
    }
    wanted = {name: as_created(created) for name, created in needs(service)["queues"].items()}
    found = {}
    for url in sqs.list_queues()["QueueUrls"]:
        said = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        name = url.rsplit("/", 1)[1]
        asked = {"MessageRetentionPeriod", "VisibilityTimeout", "RedrivePolicy"} & needs(service)["queues"][
            name
        ].keys()
        found[name] = as_created({one: said[one] for one in asked})
    assert found == wanted


@pytest.mark.parametrize("service", SERVICES)
def test_an_update_changes_the_tasks_and_no_row(service: str, formation: CloudFormation) -> None:
    formation.make(service)
    before = formation.resources_of(service)
    queue = before["NewsQueue" if service == "notifications" else "SignalsQueue"]
    formation.client("sqs").send_message(QueueUrl=queue, MessageBody="waits")
    keys = f"marketplane-{service}-api-keys"
    formation.client("dynamodb").put_item(TableName=keys, Item={"key_id": {"S": "kept"}})
    formation.change(service, ImageDigest="sha256:" + "1" * 64)
    after = formation.resources_of(service)
    tasks = set(Stack(service, LEAST[service]).of_type("AWS::ECS::TaskDefinition"))
    assert {key for key in before if before[key] != after[key]} == tasks
    item = formation.client("dynamodb").get_item(TableName=keys, Key={"key_id": {"S": "kept"}})
    assert "Item" in item
    waiting = formation.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    assert [one["Body"] for one in waiting] == ["waits"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_stack_that_is_removed_leaves_what_cannot_be_made_again(
    service: str, formation: CloudFormation
) -> None:
    formation.make(service)
    formation.remove(service)
    stack = Stack(service, LEAST[service])
    tables = {one["TableName"] for one in stack.of_type("AWS::DynamoDB::Table").values()}
    queues = {one["QueueName"] for one in stack.of_type("AWS::SQS::Queue").values()}
    assert set(formation.client("dynamodb").list_tables()["TableNames"]) == tables
    assert {url.rsplit("/", 1)[1] for url in formation.client("sqs").list_queues()["QueueUrls"]} == queues
    assert formation.client("iam").list_roles()["Roles"] == []
    assert formation.client("ecs").list_services(cluster="marketplane")["serviceArns"] == []
    assert formation.client("logs").describe_log_groups()["logGroups"] != []


def test_services_are_updated_without_the_foundation_and_the_foundation_without_them(
    formation: CloudFormation,
) -> None:
    for service in SERVICES:
        formation.make(service)
    before = {name: formation.resources_of(name) for name in SERVICES}
    formation.change("foundation", LogRetentionDays="731")
    formation.change("registration", WebMemory="2048")
    after = {name: formation.resources_of(name) for name in SERVICES}
    assert {name for name in SERVICES if before[name] != after[name]} == {"registration"}
    logs = formation.client("logs").describe_log_groups()["logGroups"]
    kept = {one["logGroupName"]: one.get("retentionInDays") for one in logs}
    # The new retention comes to each service with its own next update.
    assert kept["/marketplane/registration/web"] == 731
    assert kept["/marketplane/metering/web"] == 400


@pytest.mark.parametrize("name", ["seller-account", "legacy-product"])
def test_the_seller_s_stacks_are_made_and_removed(name: str, account: Account) -> None:
    formation = CloudFormation(account)
    formation.make(name)
    formation.remove(name)


@pytest.mark.parametrize(
    ("service", "task", "words"),
    [
        ("metering", "SubmitTask", ["submit", "--once"]),
        ("registration", "WebTask", ["add-key", "--name=probe", "--scopes=operator"]),
        ("notifications", "WebTask", ["add-key", "--name=probe", "--scopes=operator"]),
    ],
)
def test_a_process_finds_the_stack_s_resources_by_the_task_s_variables(
    service: str, task: str, words: list[str], formation: CloudFormation
) -> None:
    """With the environment of the task definition, in production, on the tables and queues of the stacks."""
    for one in SERVICES:
        formation.make(one)
    stack = Stack(service, LEAST[service], {"AWS::Region": "us-east-1"})
    [container] = stack.of_type("AWS::ECS::TaskDefinition")[task]["ContainerDefinitions"]
    variables = {one["Name"]: str(one["Value"]) for one in container["Environment"]}
    variables |= {one["Name"]: "s" * 64 for one in container.get("Secrets", [])}
    url = formation.account.engine.queues
    done = subprocess.run(
        [str(ROOT / ".venv" / service / "bin/python"), "-m", service, *words],
        cwd=ROOT,
        env=variables
        | {
            "PATH": os.environ["PATH"],
            "AWS_ACCESS_KEY_ID": formation.account.id,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ENDPOINT_URL_DYNAMODB": url,
            "AWS_ENDPOINT_URL_SQS": url,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if words[0] == "add-key":
        rows = formation.client("dynamodb").scan(TableName=f"marketplane-{service}-api-keys")["Items"]
        assert [row["name"]["S"] for row in rows] == ["probe"]


def test_every_template_is_tried_here() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(PARAMETERS)
