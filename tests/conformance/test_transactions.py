"""Several rows change together or not at all, and a repeated transaction counts once. Row-and-outbox and the
frozen intent stand on this."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError


def put(key: str, value: str = "new", **condition: Any) -> dict[str, Any]:
    item = {"pk": {"S": key}, "value": {"S": value}}
    return {"Put": {"TableName": "things", "Item": item, **condition}}


def value_of(client: Any, key: str) -> str | None:
    item = client.get_item(TableName="things", Key={"pk": {"S": key}}, ConsistentRead=True).get("Item")
    return item and item["value"]["S"]


def test_all_or_nothing(make_table: Callable[..., Any]) -> None:
    client = make_table()
    client.put_item(TableName="things", Item={"pk": {"S": "taken"}, "value": {"S": "old"}})

    with pytest.raises(ClientError, match="TransactionCanceledException"):
        client.transact_write_items(
            TransactItems=[put("free"), put("taken", ConditionExpression="attribute_not_exists(pk)")]
        )

    assert value_of(client, "free") is None
    assert value_of(client, "taken") == "old"

    client.transact_write_items(TransactItems=[put("free"), put("other")])
    assert (value_of(client, "free"), value_of(client, "other")) == ("new", "new")


def test_it_spans_tables(make_table: Callable[..., Any]) -> None:
    client = make_table("rows")
    make_table("outbox")
    both = [
        {"Put": {"TableName": "rows", "Item": {"pk": {"S": "a"}}}},
        {"Put": {"TableName": "outbox", "Item": {"pk": {"S": "b"}}}},
    ]
    client.transact_write_items(TransactItems=both)
    assert client.scan(TableName="rows")["Count"] == client.scan(TableName="outbox")["Count"] == 1


def test_cancellation_reasons_come_in_the_order_of_the_request(make_table: Callable[..., Any]) -> None:
    client = make_table()
    old = {"pk": {"S": "taken"}, "value": {"S": "old"}}
    client.put_item(TableName="things", Item=old)
    refused_with_item = {
        "ConditionExpression": "attribute_not_exists(pk)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }

    with pytest.raises(ClientError, match="TransactionCanceledException") as cancelled:
        client.transact_write_items(
            TransactItems=[
                put("free"),
                put("taken", **refused_with_item),
                {
                    "ConditionCheck": {
                        "TableName": "things",
                        "Key": {"pk": {"S": "absent"}},
                        "ConditionExpression": "attribute_exists(pk)",
                    }
                },
            ]
        )

    reasons = cancelled.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == [
        "None",
        "ConditionalCheckFailed",
        "ConditionalCheckFailed",
    ]
    assert reasons[1]["Item"] == old
    assert "Item" not in reasons[2]


def test_the_same_token_applies_once(make_table: Callable[..., Any]) -> None:
    client = make_table()
    wish = {
        "TransactItems": [
            {
                "Update": {
                    "TableName": "things",
                    "Key": {"pk": {"S": "counter"}},
                    "UpdateExpression": "ADD amount :one",
                    "ExpressionAttributeValues": {":one": {"N": "1"}},
                }
            },
            # A repeat would fail its own condition, were it not recognised as a repeat.
            put("once", ConditionExpression="attribute_not_exists(pk)"),
        ],
        "ClientRequestToken": "one-token",
    }

    for _ in range(3):
        client.transact_write_items(**wish)

    item = client.get_item(TableName="things", Key={"pk": {"S": "counter"}}, ConsistentRead=True)["Item"]
    assert item["amount"] == {"N": "1"}


def test_the_same_token_for_another_request_is_an_error(make_table: Callable[..., Any]) -> None:
    client = make_table()
    client.transact_write_items(TransactItems=[put("a", "first")], ClientRequestToken="one-token")

    with pytest.raises(ClientError, match="IdempotentParameterMismatchException"):
        client.transact_write_items(TransactItems=[put("a", "second")], ClientRequestToken="one-token")

    assert value_of(client, "a") == "first"


def test_one_item_twice_is_refused(make_table: Callable[..., Any]) -> None:
    client = make_table()
    with pytest.raises(ClientError, match="ValidationException"):
        client.transact_write_items(TransactItems=[put("a"), put("a")])


def test_a_hundred_items_are_the_limit(make_table: Callable[..., Any]) -> None:
    client = make_table()
    client.transact_write_items(TransactItems=[put(str(number)) for number in range(100)])
    with pytest.raises(ClientError, match="ValidationException"):
        client.transact_write_items(TransactItems=[put(f"more{number}") for number in range(101)])
    assert value_of(client, "more0") is None


def test_concurrent_transfers_keep_the_sum(make_table: Callable[..., Any]) -> None:
    client = make_table()
    for name in ("open", "planned"):
        client.put_item(TableName="things", Item={"pk": {"S": name}, "amount": {"N": "100"}})

    def change(name: str, by: int) -> dict[str, Any]:
        return {
            "Update": {
                "TableName": "things",
                "Key": {"pk": {"S": name}},
                "UpdateExpression": "ADD amount :by",
                "ExpressionAttributeValues": {":by": {"N": str(by)}},
            }
        }

    def transfer(_: int) -> None:
        while True:
            try:
                client.transact_write_items(TransactItems=[change("open", -1), change("planned", 1)])
            except ClientError as error:
                reasons = {reason["Code"] for reason in error.response.get("CancellationReasons", [])}
                assert reasons <= {"TransactionConflict", "None"}
                continue
            return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(transfer, range(32)))

    items = {item["pk"]["S"]: int(item["amount"]["N"]) for item in client.scan(TableName="things")["Items"]}
    assert items == {"open": 68, "planned": 132}


def test_reading_several_items_in_one_transaction(make_table: Callable[..., Any]) -> None:
    client = make_table()
    client.put_item(TableName="things", Item={"pk": {"S": "a"}, "value": {"S": "here"}})
    keys = [{"Get": {"TableName": "things", "Key": {"pk": {"S": key}}}} for key in ("a", "absent")]
    answers = client.transact_get_items(TransactItems=keys)["Responses"]
    assert answers[0]["Item"]["value"] == {"S": "here"}
    assert "Item" not in answers[1]
