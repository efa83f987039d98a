"""One winner, and the loser learns what it lost to. Claims, dedupe and ledger rows stand on this."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError


def test_a_conditional_put_is_refused_when_the_item_is_there(make_table: Callable[..., Any]) -> None:
    client = make_table()
    first = {"pk": {"S": "a"}, "owner": {"S": "first"}}
    client.put_item(TableName="things", Item=first, ConditionExpression="attribute_not_exists(pk)")

    with pytest.raises(ClientError, match="ConditionalCheckFailedException") as refused:
        client.put_item(
            TableName="things",
            Item={"pk": {"S": "a"}, "owner": {"S": "second"}},
            ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

    assert refused.value.response["Item"] == first
    assert client.get_item(TableName="things", Key={"pk": {"S": "a"}}, ConsistentRead=True)["Item"] == first


def test_a_conditional_update_is_refused_by_an_older_version(make_table: Callable[..., Any]) -> None:
    client = make_table()
    client.put_item(TableName="things", Item={"pk": {"S": "a"}, "version": {"N": "7"}})
    update = {
        "TableName": "things",
        "Key": {"pk": {"S": "a"}},
        "UpdateExpression": "SET version = :next",
        "ConditionExpression": "version < :next",
    }

    done = client.update_item(
        **update, ExpressionAttributeValues={":next": {"N": "8"}}, ReturnValues="ALL_NEW"
    )
    assert done["Attributes"]["version"] == {"N": "8"}

    with pytest.raises(ClientError, match="ConditionalCheckFailedException") as refused:
        client.update_item(
            **update,
            ExpressionAttributeValues={":next": {"N": "8"}},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert refused.value.response["Item"]["version"] == {"N": "8"}


def test_a_conditional_delete_is_refused_when_the_item_is_another(make_table: Callable[..., Any]) -> None:
    client = make_table()
    client.put_item(TableName="things", Item={"pk": {"S": "a"}, "owner": {"S": "me"}})

    with pytest.raises(ClientError, match="ConditionalCheckFailedException"):
        client.delete_item(
            TableName="things",
            Key={"pk": {"S": "a"}},
            ConditionExpression="#o = :them",
            ExpressionAttributeNames={"#o": "owner"},
            ExpressionAttributeValues={":them": {"S": "them"}},
        )

    assert "Item" in client.get_item(TableName="things", Key={"pk": {"S": "a"}}, ConsistentRead=True)


def test_of_many_concurrent_claims_one_wins(make_table: Callable[..., Any]) -> None:
    client = make_table()

    def claim(number: int) -> bool:
        try:
            client.put_item(
                TableName="things",
                Item={"pk": {"S": "claim"}, "owner": {"S": str(number)}},
                ConditionExpression="attribute_not_exists(pk)",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        wins = list(pool.map(claim, range(24)))

    assert wins.count(True) == 1
    owner = client.get_item(TableName="things", Key={"pk": {"S": "claim"}}, ConsistentRead=True)["Item"][
        "owner"
    ]
    assert owner == {"S": str(wins.index(True))}


def test_a_counter_loses_no_concurrent_addition(make_table: Callable[..., Any]) -> None:
    client = make_table()

    def add(_: int) -> None:
        client.update_item(
            TableName="things",
            Key={"pk": {"S": "counter"}},
            UpdateExpression="ADD amount :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(48)))

    item = client.get_item(TableName="things", Key={"pk": {"S": "counter"}}, ConsistentRead=True)["Item"]
    assert item["amount"] == {"N": "48"}


def test_a_sequence_by_compare_and_set_skips_and_repeats_nothing(make_table: Callable[..., Any]) -> None:
    client = make_table()
    client.put_item(TableName="things", Item={"pk": {"S": "row"}, "version": {"N": "0"}})

    def advance(_: int) -> int:
        while True:
            item = client.get_item(TableName="things", Key={"pk": {"S": "row"}}, ConsistentRead=True)["Item"]
            seen = int(item["version"]["N"])
            try:
                client.update_item(
                    TableName="things",
                    Key={"pk": {"S": "row"}},
                    UpdateExpression="SET version = :next",
                    ConditionExpression="version = :seen",
                    ExpressionAttributeValues={":next": {"N": str(seen + 1)}, ":seen": {"N": str(seen)}},
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise
                continue
            return seen + 1

    with ThreadPoolExecutor(4) as pool:
        versions = sorted(pool.map(advance, range(12)))

    assert versions == list(range(1, 13))


def test_numbers_keep_38_digits(make_table: Callable[..., Any]) -> None:
    client = make_table()
    largest = "9" * 38
    client.put_item(TableName="things", Item={"pk": {"S": "a"}, "amount": {"N": largest}})
    item = client.get_item(TableName="things", Key={"pk": {"S": "a"}}, ConsistentRead=True)["Item"]
    assert item["amount"] == {"N": largest}
