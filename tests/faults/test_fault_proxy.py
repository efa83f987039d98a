"""The fault proxy itself: each fault as boto3 sees it, and what the engine holds afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from tools.engine_fixture import Account, Engine
from tools.ports import free_port
from tools.stack import ROOT

PATIENCE = 30.0


@pytest.fixture(scope="module")
def proxy(engine: Engine) -> Iterator[str]:
    """The address of a running fault proxy in front of the engine."""
    port = free_port()
    program = str(ROOT / "tests" / "faults" / "fault_proxy.py")
    command = [
        sys.executable,
        program,
        "--port",
        str(port),
        "--dynamodb",
        engine.tables,
        "--others",
        engine.queues,
    ]
    process = subprocess.Popen(command, env={"PATH": os.environ["PATH"]})
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                httpx.get(f"{url}/_faults/", trust_env=False)
                break
            except httpx.TransportError:
                assert process.poll() is None, "the fault proxy ended"
                assert time.monotonic() < deadline, "the fault proxy did not come up"
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)


@pytest.fixture
def add(proxy: str) -> Iterator[Callable[..., dict[str, Any]]]:
    """Adds a fault and answers it; all are forgotten after the test."""

    def add_fault(**fault: Any) -> dict[str, Any]:
        answer = httpx.post(f"{proxy}/_faults/", json=fault, trust_env=False)
        assert answer.status_code == 201, answer.text
        added: dict[str, Any] = answer.json()
        return added

    yield add_fault
    httpx.delete(f"{proxy}/_faults/", trust_env=False)


@pytest.fixture
def fired(proxy: str) -> Callable[[], list[int]]:
    """How often each fault fired, in the order in which they were added."""
    return lambda: [
        fault["fired"] for fault in httpx.get(f"{proxy}/_faults/", trust_env=False).json()["faults"]
    ]


@pytest.fixture
def tables(proxy: str, account: Account, make_table: Callable[..., Any]) -> Any:
    """A DynamoDB client that goes through the proxy; the table `things` is there."""
    make_table()
    return account.client("dynamodb", at=proxy)


@pytest.fixture
def queues(proxy: str, account: Account) -> Any:
    return account.client("sqs", at=proxy)


def put(client: Any, key: str = "a", table: str = "things") -> None:
    client.put_item(TableName=table, Item={"pk": {"S": key}})


def keys_in(client: Any, table: str = "things") -> set[str]:
    return {item["pk"]["S"] for item in client.scan(TableName=table)["Items"]}


def test_without_faults_all_goes_through(tables: Any, queues: Any, proxy: str) -> None:
    put(tables)
    assert keys_in(tables) == {"a"}
    url = queues.create_queue(QueueName="work")["QueueUrl"]
    # A queue's address must lead through the proxy too: clients call it there.
    assert url.startswith(f"{proxy}/")
    queues.send_message(QueueUrl=url, MessageBody="one")
    assert queues.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "one"


def test_errors_of_the_engine_come_through_whole(tables: Any) -> None:
    put(tables)
    with pytest.raises(ClientError, match="ConditionalCheckFailedException") as refused:
        tables.put_item(
            TableName="things",
            Item={"pk": {"S": "a"}},
            ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert refused.value.response["Item"] == {"pk": {"S": "a"}}


def test_throttle_refuses_as_often_as_asked(
    tables: Any, add: Callable[..., Any], fired: Callable[[], list[int]]
) -> None:
    add(kind="throttle", operation="PutItem", count=2)
    for _ in range(2):
        with pytest.raises(ClientError, match="ProvisionedThroughputExceededException"):
            put(tables)
    assert keys_in(tables) == set()
    put(tables)
    assert keys_in(tables) == {"a"}
    assert fired() == [2]


def test_throttle_of_a_queue(queues: Any, add: Callable[..., Any]) -> None:
    url = queues.create_queue(QueueName="work")["QueueUrl"]
    add(kind="throttle", operation="SendMessage", resource="work", count=1)
    with pytest.raises(ClientError, match="Throttling"):
        queues.send_message(QueueUrl=url, MessageBody="one")


def test_skip_lets_the_first_ones_pass(tables: Any, add: Callable[..., Any]) -> None:
    add(kind="error_before", operation="DynamoDB_20120810.PutItem", skip=1, count=1)
    put(tables, "first")
    with pytest.raises(ClientError, match="InternalServerError"):
        put(tables, "second")
    put(tables, "third")
    assert keys_in(tables) == {"first", "third"}


def test_a_fault_of_one_table_leaves_the_others_alone(
    tables: Any, make_table: Callable[..., Any], add: Callable[..., Any]
) -> None:
    make_table("others")
    add(kind="error_before", resource="things")
    put(tables, table="others")
    for call in (
        lambda: put(tables),
        lambda: tables.batch_get_item(RequestItems={"things": {"Keys": [{"pk": {"S": "a"}}]}}),
        lambda: tables.transact_write_items(
            TransactItems=[{"Put": {"TableName": "things", "Item": {"pk": {"S": "a"}}}}]
        ),
    ):
        with pytest.raises(ClientError, match="InternalServerError"):
            call()


def test_error_before_executes_nothing_and_error_after_all(tables: Any, add: Callable[..., Any]) -> None:
    add(kind="error_before", operation="PutItem", count=1)
    add(kind="error_after", operation="PutItem", count=1)
    with pytest.raises(ClientError, match="InternalServerError"):
        put(tables, "before")
    with pytest.raises(ClientError, match="InternalServerError"):
        put(tables, "after")
    assert keys_in(tables) == {"after"}


def test_drop_before_executes_nothing_and_drop_after_all(tables: Any, add: Callable[..., Any]) -> None:
    add(kind="drop_before", operation="PutItem", count=1)
    add(kind="drop_after", operation="PutItem", count=1)
    with pytest.raises(ConnectionClosedError):
        put(tables, "before")
    with pytest.raises(ConnectionClosedError):
        put(tables, "after")
    assert keys_in(tables) == {"after"}


def test_slow_answers_later_than_the_client_waits(
    tables: Any, proxy: str, account: Account, add: Callable[..., Any], fired: Callable[[], list[int]]
) -> None:
    add(kind="slow", operation="GetItem", seconds=5)
    hasty = account.client("dynamodb", at=proxy, read_timeout=0.3)
    with pytest.raises(ReadTimeoutError):
        hasty.get_item(TableName="things", Key={"pk": {"S": "a"}})
    assert fired() == [1]


def test_slow_executes_all_the_same(tables: Any, add: Callable[..., Any]) -> None:
    add(kind="slow", operation="PutItem", seconds=0.2, count=1)
    started = time.monotonic()
    put(tables)
    assert time.monotonic() - started >= 0.2
    assert keys_in(tables) == {"a"}


def test_unprocessed_writes_are_handed_back(tables: Any, add: Callable[..., Any]) -> None:
    add(kind="unprocessed", operation="BatchWriteItem", keep=2, count=1)
    items = {"things": [{"PutRequest": {"Item": {"pk": {"S": str(number)}}}} for number in range(5)]}
    left = tables.batch_write_item(RequestItems=items)["UnprocessedItems"]
    assert left == {"things": items["things"][2:]}
    assert keys_in(tables) == {"0", "1"}
    assert tables.batch_write_item(RequestItems=left)["UnprocessedItems"] == {}
    assert keys_in(tables) == {"0", "1", "2", "3", "4"}


def test_nothing_at_all_may_be_processed(tables: Any, add: Callable[..., Any]) -> None:
    add(kind="unprocessed", operation="BatchWriteItem", keep=0)
    items = {"things": [{"PutRequest": {"Item": {"pk": {"S": "a"}}}}]}
    assert tables.batch_write_item(RequestItems=items)["UnprocessedItems"] == items
    assert keys_in(tables) == set()


def test_unprocessed_reads_are_handed_back(tables: Any, add: Callable[..., Any]) -> None:
    for key in "abc":
        put(tables, key)
    add(kind="unprocessed", operation="BatchGetItem", keep=1, count=1)
    wish = {"things": {"Keys": [{"pk": {"S": key}} for key in "abc"], "ConsistentRead": True}}
    answer = tables.batch_get_item(RequestItems=wish)
    assert answer["Responses"]["things"] == [{"pk": {"S": "a"}}]
    assert answer["UnprocessedKeys"]["things"]["Keys"] == wish["things"]["Keys"][1:]
    assert answer["UnprocessedKeys"]["things"]["ConsistentRead"] is True


def test_a_batch_of_messages_is_sent_in_part(queues: Any, add: Callable[..., Any]) -> None:
    url = queues.create_queue(QueueName="work")["QueueUrl"]
    add(kind="unprocessed", operation="SendMessageBatch", keep=1, count=1)
    entries = [{"Id": word, "MessageBody": word} for word in ("one", "two")]
    answer = queues.send_message_batch(QueueUrl=url, Entries=entries)
    assert [entry["Id"] for entry in answer["Successful"]] == ["one"]
    assert [(entry["Id"], entry["SenderFault"]) for entry in answer["Failed"]] == [("two", False)]


def test_a_transaction_meets_another(tables: Any, add: Callable[..., Any]) -> None:
    add(kind="transaction_conflict", count=1)
    wish = [{"Put": {"TableName": "things", "Item": {"pk": {"S": key}}}} for key in "ab"]
    with pytest.raises(ClientError, match="TransactionCanceledException") as cancelled:
        tables.transact_write_items(TransactItems=wish)
    reasons = cancelled.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["TransactionConflict", "TransactionConflict"]
    assert keys_in(tables) == set()
    tables.transact_write_items(TransactItems=wish)
    assert keys_in(tables) == {"a", "b"}


def test_a_transaction_fault_does_not_fire_on_other_operations(
    tables: Any, add: Callable[..., Any], fired: Callable[[], list[int]]
) -> None:
    add(kind="transaction_conflict", count=1)
    put(tables)
    assert keys_in(tables) == {"a"}
    assert fired() == [0]


def update(client: Any, expression: str, **names: str) -> None:
    client.update_item(
        TableName="things",
        Key={"pk": {"S": "a"}},
        UpdateExpression=expression,
        ExpressionAttributeNames={f"#{short}": name for short, name in names.items()},
        ExpressionAttributeValues={":one": {"N": "1"}},
    )


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@pytest.mark.parametrize(("kind", "meanwhile"), [("hold_before", set()), ("hold_after", {"a"})])
def test_held_until_the_fault_is_forgotten(
    tables: Any,
    account: Account,
    proxy: str,
    add: Callable[..., Any],
    fired: Callable[[], list[int]],
    kind: str,
    meanwhile: set[str],
) -> None:
    fault = add(kind=kind, operation="PutItem")
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(put, account.client("dynamodb", at=proxy))
        until(lambda: fired() == [1])
        if meanwhile:
            until(lambda: keys_in(tables) == meanwhile)
        assert keys_in(tables) == meanwhile
        assert not held.done()
        httpx.delete(f"{proxy}/_faults/{fault['id']}", trust_env=False)
        held.result()
    assert keys_in(tables) == {"a"}


def test_who_goes_away_while_held_before_has_done_nothing(
    tables: Any, account: Account, proxy: str, add: Callable[..., Any]
) -> None:
    add(kind="hold_before", operation="PutItem")
    hasty = account.client("dynamodb", at=proxy, read_timeout=0.3)
    with pytest.raises(ReadTimeoutError):
        put(hasty)
    until(lambda: httpx.get(f"{proxy}/_faults/", trust_env=False).json()["faults"][0]["dropped"] == 1)
    httpx.delete(f"{proxy}/_faults/", trust_env=False)
    assert keys_in(tables) == set()


def test_a_fault_of_what_is_written(tables: Any, add: Callable[..., Any]) -> None:
    add(kind="error_before", operation="UpdateItem", writes="^SET colour = .* ADD size")
    update(tables, "ADD #s :one", s="size")
    update(tables, "SET #c = :one", c="colour")
    with pytest.raises(ClientError, match="InternalServerError"):
        update(tables, "SET #c = :one ADD #s :one", c="colour", s="size")


def test_a_fault_of_what_is_written_in_a_transaction(tables: Any, add: Callable[..., Any]) -> None:
    add(kind="error_before", writes="^REMOVE colour$")
    change = {
        "TableName": "things",
        "Key": {"pk": {"S": "a"}},
        "UpdateExpression": "REMOVE #c",
        "ExpressionAttributeNames": {"#c": "colour"},
    }
    puts = {"Put": {"TableName": "things", "Item": {"pk": {"S": "b"}}}}
    tables.transact_write_items(TransactItems=[puts])
    with pytest.raises(ClientError, match="InternalServerError"):
        tables.transact_write_items(TransactItems=[puts, {"Update": change}])


def test_a_fault_about_one_item(tables: Any, add: Callable[..., Any]) -> None:
    add(kind="error_before", about="north")
    put(tables, "south")
    with pytest.raises(ClientError, match="InternalServerError"):
        put(tables, "north")


def test_a_fault_of_one_caller_and_the_calls_of_each(
    tables: Any, account: Account, proxy: str, add: Callable[..., Any]
) -> None:
    add(kind="error_before", caller="east-2")
    for caller in ("east", "west"):
        put(account.client("dynamodb", at=proxy, user_agent_appid=caller), caller)
    with pytest.raises(ClientError, match="InternalServerError"):
        put(account.client("dynamodb", at=proxy, user_agent_appid="east-2"))
    made = httpx.get(f"{proxy}/_faults/calls", trust_env=False).json()["calls"]
    who = {call["caller"] for call in made if (call["operation"], call["names"]) == ("PutItem", ["things"])}
    assert {"east", "east-2", "west"} <= who


def test_down_refuses_everything_until_it_is_lifted(
    tables: Any, queues: Any, proxy: str, add: Callable[..., Any]
) -> None:
    fault = add(kind="down")
    with pytest.raises(ConnectionClosedError):
        put(tables)
    with pytest.raises(ConnectionClosedError):
        queues.list_queues()
    assert httpx.delete(f"{proxy}/_faults/{fault['id']}", trust_env=False).status_code == 204
    put(tables)
    assert keys_in(tables) == {"a"}


def test_a_client_that_tries_again_does_not_notice(
    tables: Any, account: Account, proxy: str, add: Any
) -> None:
    add(kind="drop_after", operation="PutItem", count=1)
    add(kind="error_before", operation="PutItem", count=1)
    put(account.client("dynamodb", at=proxy, attempts=4))
    assert keys_in(tables) == {"a"}


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"kind": "melt"}, "kind must be one of"),
        ({}, "kind must be one of"),
        ({"kind": "slow", "second": 3}, "no 'second'"),
        ({"kind": "throttle", "count": "two"}, "count cannot be 'two'"),
        ({"kind": "throttle", "writes": "("}, "unterminated"),
        ([], ""),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(proxy: str, fault: Any, message: str) -> None:
    answer = httpx.post(f"{proxy}/_faults/", json=fault, trust_env=False)
    assert answer.status_code == 400
    assert message in answer.json()["error"]
    assert httpx.get(f"{proxy}/_faults/", trust_env=False).json() == {"faults": []}
