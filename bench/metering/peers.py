"""What others do with usage: one PutItem for each event, into a table with one global secondary index.

The shape is that of AWS's own sample for SaaS sellers: a row for each record, keyed by customer and moment,
and an index of the rows that are still to be metered. One process of it, started by measured.py. Reads one
JSON object from stdin, says `ready` when every item is made, begins when it is told to, and prints what came
of it:

    endpoint, table, region, account
    threads          each puts one item after the other, on a connection of its own
    validates        whether boto3 checks each request before it is sent, as it does unless told otherwise
    seconds          how long items are put
    most             items in all
"""

from __future__ import annotations

import gc
import itertools
import json
import sys
import threading
import time
from typing import Any

import boto3
from botocore.config import Config
from usage import events

KEYS = {"customer_id": "HASH", "create_timestamp": "RANGE"}
INDEX = "pending"
INDEX_KEYS = {"metering_pending": "HASH", "create_timestamp": "RANGE"}


def create_table(tables: Any, name: str) -> None:
    """The table that they put into."""
    tables.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": key, "AttributeType": "S"} for key in sorted({*KEYS, *INDEX_KEYS})
        ],
        KeySchema=_schema(KEYS),
        GlobalSecondaryIndexes=[
            {"IndexName": INDEX, "KeySchema": _schema(INDEX_KEYS), "Projection": {"ProjectionType": "ALL"}}
        ],
    )


def count(tables: Any, name: str) -> int:
    """How many items are in it."""
    pages = tables.get_paginator("scan").paginate(TableName=name, Select="COUNT", ConsistentRead=True)
    return sum(page["Count"] for page in pages)


def items(most: int) -> list[dict[str, Any]]:
    return [
        {
            "customer_id": {"S": event.subscription_id},
            "create_timestamp": {"S": f"{event.time}#{event.id}"},
            "source": {"S": "inference-gateway"},
            "dimension": {"S": event.dimension},
            "quantity": {"N": event.quantity},
            "metering_pending": {"S": "true"},
        }
        for event in itertools.islice(events(), most)
    ]


def _schema(keys: dict[str, str]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()]


def put_all(job: dict[str, Any]) -> dict[str, Any]:
    tables = boto3.client(
        "dynamodb",
        endpoint_url=job["endpoint"],
        region_name=job["region"],
        aws_access_key_id=job["account"],
        aws_secret_access_key="test",
        config=Config(max_pool_connections=job["threads"], parameter_validation=job["validates"]),
    )
    made = iter(items(job["most"]))
    took: list[float] = []
    failures: list[BaseException] = []

    def put(until: float) -> None:
        try:
            while (now := time.perf_counter()) < until and (item := next(made, None)):
                tables.put_item(TableName=job["table"], Item=item)
                took.append(time.perf_counter() - now)
        except BaseException as error:
            failures.append(error)

    gc.collect()
    gc.freeze()
    print("ready", flush=True)
    sys.stdin.readline()
    used, started = time.process_time(), time.perf_counter()
    threads = [
        threading.Thread(target=put, args=(started + job["seconds"],), daemon=True)
        for _ in range(job["threads"])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return {
        "requests": len(took),
        "events": len(took),
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - used,
        "took": took,
    }


if __name__ == "__main__":
    print(json.dumps(put_all(json.loads(sys.stdin.readline()))))
