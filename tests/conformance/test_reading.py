"""Pages, sparse indexes and consistent reads. Lists, sweeps and the hour fold stand on this."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

SPARSE = {
    "attributes": {"open_since": "S", "queue": "S"},
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "open",
            "KeySchema": [
                {"AttributeName": "queue", "KeyType": "HASH"},
                {"AttributeName": "open_since", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
}


def pages(call: Callable[..., Any], **wish: Any) -> list[dict[str, Any]]:
    """All pages by following LastEvaluatedKey, and never more of them than there can be."""
    found = [call(**wish)]
    while "LastEvaluatedKey" in found[-1]:
        assert len(found) < 100, "the pages never end"
        found.append(call(**wish, ExclusiveStartKey=found[-1]["LastEvaluatedKey"]))
    return found


def query_open(client: Any, **more: Any) -> list[dict[str, Any]]:
    return pages(
        client.query,
        TableName="things",
        IndexName="open",
        KeyConditionExpression="queue = :q",
        ExpressionAttributeValues={":q": {"S": "work"}},
        **more,
    )


def test_an_index_holds_only_items_with_its_keys(make_table: Callable[..., Any]) -> None:
    client = make_table(**SPARSE)
    client.put_item(TableName="things", Item={"pk": {"S": "done"}})
    client.put_item(TableName="things", Item={"pk": {"S": "half"}, "queue": {"S": "work"}})
    open_item = {"pk": {"S": "open"}, "queue": {"S": "work"}, "open_since": {"S": "2026-11-22"}}
    client.put_item(TableName="things", Item=open_item)
    assert query_open(client)[0]["Items"] == [open_item]

    client.update_item(TableName="things", Key={"pk": {"S": "open"}}, UpdateExpression="REMOVE queue")
    assert query_open(client)[0]["Items"] == []


def test_an_index_is_read_in_order_page_by_page(make_table: Callable[..., Any]) -> None:
    client = make_table(**SPARSE)
    for number in range(7):
        # Two share each index key, so that paging must not lose or repeat a tie.
        item = {
            "pk": {"S": f"item-{number}"},
            "queue": {"S": "work"},
            "open_since": {"S": f"day-{number // 2}"},
        }
        client.put_item(TableName="things", Item=item)

    read = query_open(client, Limit=2)

    items = [item for page in read for item in page["Items"]]
    assert all(len(page["Items"]) <= 2 for page in read)
    assert [item["open_since"]["S"] for item in items] == sorted(item["open_since"]["S"] for item in items)
    assert {item["pk"]["S"] for item in items} == {f"item-{number}" for number in range(7)}
    assert len(items) == 7
    backwards = [
        item for page in query_open(client, Limit=2, ScanIndexForward=False) for item in page["Items"]
    ]
    assert [item["pk"]["S"] for item in backwards] == [item["pk"]["S"] for item in reversed(items)]


def test_a_partition_is_read_in_order_page_by_page(make_table: Callable[..., Any]) -> None:
    client = make_table(sort=True)
    for number in (3, 1, 4, 0, 2):
        client.put_item(TableName="things", Item={"pk": {"S": "hour"}, "sk": {"S": f"segment-{number}"}})
    client.put_item(TableName="things", Item={"pk": {"S": "another"}, "sk": {"S": "segment-9"}})

    read = pages(
        client.query,
        TableName="things",
        KeyConditionExpression="pk = :pk AND begins_with(sk, :s)",
        ExpressionAttributeValues={":pk": {"S": "hour"}, ":s": {"S": "segment-"}},
        ConsistentRead=True,
        Limit=2,
    )

    keys = [item["sk"]["S"] for page in read for item in page["Items"]]
    assert keys == [f"segment-{number}" for number in range(5)]


def test_a_page_ends_at_one_megabyte_without_a_limit(make_table: Callable[..., Any]) -> None:
    client = make_table(sort=True)
    for number in range(5):
        item = {"pk": {"S": "hour"}, "sk": {"S": str(number)}, "body": {"B": b"x" * 300_000}}
        client.put_item(TableName="things", Item=item)
    wish = {
        "TableName": "things",
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": "hour"}},
    }

    read = pages(client.query, **wish)

    # Whether the item that crosses the megabyte is the page's last or the next one's first, engines differ.
    assert [len(page["Items"]) for page in read] in ([3, 2], [4, 1])
    assert [item["sk"]["S"] for page in read for item in page["Items"]] == ["0", "1", "2", "3", "4"]


def test_a_filter_may_leave_a_page_empty_before_the_last(make_table: Callable[..., Any]) -> None:
    client = make_table()
    for number in range(6):
        client.put_item(TableName="things", Item={"pk": {"S": str(number)}, "kind": {"S": "dull"}})
    client.put_item(TableName="things", Item={"pk": {"S": "x"}, "kind": {"S": "wanted"}})

    read = pages(
        client.scan,
        TableName="things",
        Limit=1,
        FilterExpression="kind = :k",
        ExpressionAttributeValues={":k": {"S": "wanted"}},
    )

    assert [item["pk"]["S"] for page in read for item in page["Items"]] == ["x"]
    assert any(not page["Items"] and "LastEvaluatedKey" in page for page in read)


def test_a_consistent_read_sees_the_write_before_it(make_table: Callable[..., Any]) -> None:
    client = make_table()
    for number in range(20):
        client.put_item(TableName="things", Item={"pk": {"S": "row"}, "version": {"N": str(number)}})
        item = client.get_item(TableName="things", Key={"pk": {"S": "row"}}, ConsistentRead=True)["Item"]
        assert item["version"] == {"N": str(number)}


def test_an_index_cannot_be_read_consistently(make_table: Callable[..., Any]) -> None:
    client = make_table(**SPARSE)
    with pytest.raises(ClientError, match="ValidationException"):
        query_open(client, ConsistentRead=True)
