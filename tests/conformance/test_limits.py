"""The limits that we pack against must be refused here too, or production would be the first to find out."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

LARGEST_ITEM = 400 * 1024  # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html


def writes(count: int) -> dict[str, Any]:
    return {"things": [{"PutRequest": {"Item": {"pk": {"S": str(number)}}}} for number in range(count)]}


def test_a_batch_writes_25_items_and_not_one_more(make_table: Callable[..., Any]) -> None:
    client = make_table()
    assert client.batch_write_item(RequestItems=writes(25))["UnprocessedItems"] == {}
    assert client.scan(TableName="things", Select="COUNT")["Count"] == 25
    with pytest.raises(ClientError, match="ValidationException"):
        client.batch_write_item(RequestItems=writes(26))


def test_a_batch_refuses_one_item_twice(make_table: Callable[..., Any]) -> None:
    client = make_table()
    twice = [{"PutRequest": {"Item": {"pk": {"S": "a"}}}}] * 2
    with pytest.raises(ClientError, match="ValidationException"):
        client.batch_write_item(RequestItems={"things": twice})


def test_a_batch_reads_100_items_and_not_one_more(make_table: Callable[..., Any]) -> None:
    client = make_table()
    for start in range(0, 101, 25):
        batch = [{"PutRequest": {"Item": {"pk": {"S": str(n)}}}} for n in range(start, min(start + 25, 101))]
        client.batch_write_item(RequestItems={"things": batch})
    keys = [{"pk": {"S": str(number)}} for number in range(101)]
    answer = client.batch_get_item(RequestItems={"things": {"Keys": keys[:100], "ConsistentRead": True}})
    assert len(answer["Responses"]["things"]) == 100
    with pytest.raises(ClientError, match="ValidationException"):
        client.batch_get_item(RequestItems={"things": {"Keys": keys}})


def test_an_item_may_have_400_kb_to_the_byte(make_table: Callable[..., Any]) -> None:
    client = make_table()
    room = LARGEST_ITEM - len("pk") - len("a") - len("body")  # names count too
    client.put_item(TableName="things", Item={"pk": {"S": "a"}, "body": {"B": b"x" * room}})
    with pytest.raises(ClientError, match="ValidationException"):
        client.put_item(TableName="things", Item={"pk": {"S": "a"}, "body": {"B": b"x" * (room + 1)}})


def test_an_empty_key_is_refused(make_table: Callable[..., Any]) -> None:
    client = make_table()
    with pytest.raises(ClientError, match="ValidationException"):
        client.put_item(TableName="things", Item={"pk": {"S": ""}})


def test_a_table_that_is_not_there_is_named_so(make_table: Callable[..., Any]) -> None:
    client = make_table()
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.put_item(TableName="absent", Item={"pk": {"S": "a"}})


def test_making_a_table_twice_says_that_it_is_in_use(make_table: Callable[..., Any]) -> None:
    make_table()
    with pytest.raises(ClientError, match="ResourceInUseException"):
        make_table()
