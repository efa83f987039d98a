"""Writes down which process asked for what, where `ENGINE_CALLS` names a file: what the roles of a deployment
have to allow.

A line for each different call: the process (by its AWS_SDK_UA_APP_ID), IAM's action, and the table, index or
queue. A transaction or a batch of writes is as many as the actions that IAM asks for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_CALLER = re.compile(r"\bapp/(\S+)")  # where botocore puts AWS_SDK_UA_APP_ID
_IN_TRANSACTIONS = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}

Call = tuple[str, str, str]


class Calls:
    """The different calls so far.

    Args:
        file: gets each once, as a line of three words between tabs.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        # A restarted engine goes on with the file.
        self._known = set(file.read_text().splitlines()) if file.exists() else set()

    def note(self, headers: dict[str, str], body: bytes) -> None:
        """Note a request of the JSON protocols; anything else is passed over."""
        service, _, operation = headers.get("x-amz-target", "").partition(".")
        caller = _CALLER.search(headers.get("user-agent", ""))
        if not operation or caller is None:
            return
        given = json.loads(body or b"{}")
        find = _of_dynamodb if service.startswith("DynamoDB") else _of_sqs
        for action, resource in find(operation, given):
            self._write("\t".join((caller[1], action, resource)))

    def _write(self, line: str) -> None:
        if line not in self._known:
            self._known.add(line)
            with self._file.open("a") as file:
                file.write(f"{line}\n")


def _of_dynamodb(operation: str, given: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if "TransactItems" in given:
        for item in given["TransactItems"]:
            [(verb, one)] = item.items()
            yield f"dynamodb:{_IN_TRANSACTIONS[verb]}", _name(one["TableName"])
    elif "RequestItems" in given:
        for table in given["RequestItems"]:
            yield f"dynamodb:{operation}", _name(table)
    else:
        table = _name(given.get("TableName", ""))
        index = given.get("IndexName")
        yield f"dynamodb:{operation}", f"{table}/index/{index}" if index else table


def _of_sqs(operation: str, given: dict[str, Any]) -> Iterator[tuple[str, str]]:
    # A batch is allowed by the action of one (AWS's service authorization reference).
    queue = given.get("QueueName") or given.get("QueueUrl", "").rsplit("/", 1)[-1]
    yield f"sqs:{operation.removesuffix('Batch')}", queue


def _name(table: str) -> str:
    return table.rsplit("/", 1)[-1]
