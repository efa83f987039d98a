"""A reverse proxy in front of the local engine that fails on request, as AWS does and no engine will.

    python tests/faults/fault_proxy.py --port 9000 --dynamodb http://127.0.0.1:8000
        [--others http://127.0.0.1:8001] [--marketplace http://127.0.0.1:8002]

It speaks the JSON protocols of DynamoDB, SQS, SNS and AWS Marketplace Metering by passing them on byte for
byte. Faults are added over HTTP:

    POST   /_faults/        {"kind": "throttle", "operation": "PutItem", "resource": "usage-log", "count": 2}
    GET    /_faults/        every fault with how often it matched, fired, and was dropped
    DELETE /_faults/        forget all;  DELETE /_faults/{id}  forget one
    GET    /_faults/calls   every kind of call that was made: operation, names, what it writes, by whom

A fault has these parts (all but `kind` may be left out):

    kind        throttle             refused for its rate, not executed
                error_before         500, not executed
                error_after          executed, then 500
                drop_before          connection closed without an answer, not executed
                drop_after           executed, then connection closed without an answer
                slow                 executed, answered `seconds` later
                hold_before          kept until the fault is forgotten, and executed only then;
                                     never (`dropped`) where the caller has gone by then
                hold_after           executed, answered when the fault is forgotten
                unprocessed          of a BatchWriteItem, BatchGetItem, batch of SQS, or BatchMeterUsage only
                                     the first `keep` are executed
                transaction_conflict TransactionCanceledException with a TransactionConflict for each item
                down                 every request is cut off, whatever its operation
    operation   `PutItem` or `DynamoDB_20120810.PutItem`; any when left out; `GetItem|Query`: either
    resource    a part of the name of a table or queue that the request touches; any when left out
    writes      a regular expression, found in an UpdateExpression of the request, its names filled in
    about       a part of the request's body, as it is on the wire
    caller      the process, by its AWS_SDK_UA_APP_ID
    skip        how many matching requests pass first (0)
    count       how often it fires; for ever when left out
    seconds     for `slow` (1.0)
    keep        for `unprocessed` (1)

The first fault that matches a request and has shots left is the one that fires.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import re
import sys
import uuid
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web

KINDS = (
    "throttle",
    "error_before",
    "error_after",
    "drop_before",
    "drop_after",
    "slow",
    "hold_before",
    "hold_after",
    "unprocessed",
    "transaction_conflict",
    "down",
)
TABLE_BATCHES = ("BatchWriteItem", "BatchGetItem")
QUEUE_BATCHES = ("SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch")
USAGE_BATCHES = ("BatchMeterUsage",)
TRANSACTIONS = ("TransactWriteItems", "TransactGetItems")
# The operations that a kind of fault can befall; a kind that is not here befalls any.
SUFFERERS = {
    "unprocessed": {*TABLE_BATCHES, *QUEUE_BATCHES, *USAGE_BATCHES},
    "transaction_conflict": {*TRANSACTIONS},
}
# Headers that speak of one connection, not of the message (RFC 9110, 7.6.1), and those that the client sets
# itself.
HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length"}
CALLER = re.compile(r"\bapp/(\S+)")  # where botocore puts AWS_SDK_UA_APP_ID
LOOK_SECONDS = 0.02  # how often a held request looks whether it may go on
LARGEST_BODY = 32 * 1024 * 1024  # a DynamoDB batch is at most 16 MB


@dataclass(frozen=True)
class Call:
    """What a request is about.

    Attributes:
        target: service and operation.
        names: of all tables and queues that it touches.
        writes: what it updates.
        body: as it is on the wire.
        caller: the process; empty where it does not say.
    """

    target: str
    names: frozenset[str]
    writes: tuple[str, ...]
    body: str
    caller: str

    @property
    def operation(self) -> str:
        return self.target.rpartition(".")[2]

    @property
    def kind(self) -> dict[str, Any]:
        """What it has in common with others of its sort."""
        names, writes = sorted(self.names), sorted(set(self.writes))
        return {"operation": self.operation, "names": names, "writes": writes, "caller": self.caller}


@dataclass
class Fault:
    """One fault and how often it came to pass."""

    id: int
    kind: str
    operation: str = ""
    resource: str = ""
    writes: str = ""
    about: str = ""
    caller: str = ""
    skip: int = 0
    count: int | None = None
    seconds: float = 1.0
    keep: int = 1
    matched: int = 0
    fired: int = 0
    dropped: int = 0
    forgotten: bool = False

    def matches(self, call: Call) -> bool:
        if self.kind == "down":
            return True
        if self.operation and not {call.target, call.operation} & set(self.operation.split("|")):
            return False
        if call.operation not in SUFFERERS.get(self.kind, {call.operation}):
            return False
        return (
            (not self.resource or any(self.resource in name for name in call.names))
            and (not self.writes or any(re.search(self.writes, text) for text in call.writes))
            and self.about in call.body
            and self.caller in ("", call.caller)
        )

    def takes(self) -> bool:
        """Notes a matching request. Answers whether the fault fires on it."""
        self.matched += 1
        if self.matched <= self.skip or (self.count is not None and self.fired >= self.count):
            return False
        self.fired += 1
        return True


class Faults:
    """The faults in force, in the order in which they were added."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._faults: list[Fault] = []

    def add(self, wish: dict[str, Any]) -> Fault:
        """Takes a fault from its JSON.

        Raises:
            ValueError: it has an unknown kind or part, or a value of the wrong type.
            re.error: `writes` is no regular expression.
        """
        texts = ("kind", "operation", "resource", "writes", "about", "caller")
        types = {**dict.fromkeys(texts, str), **dict.fromkeys(("skip", "count", "keep"), int)}
        for name, value in wish.items():
            expected = types.get(name, (int, float) if name == "seconds" else None)
            if expected is None:
                raise ValueError(f"a fault has no {name!r}")
            if not isinstance(value, expected) or isinstance(value, bool):
                raise ValueError(f"{name} cannot be {value!r}")
        if wish.get("kind") not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}")
        re.compile(wish.get("writes", ""))
        fault = Fault(id=next(self._ids), **wish)
        self._faults.append(fault)
        return fault

    def forget(self, id: int | None = None) -> None:
        for fault in self._faults:
            fault.forgotten = id in (None, fault.id)
        self._faults = [fault for fault in self._faults if not fault.forgotten]

    def pick(self, call: Call) -> Fault | None:
        """The fault that fires on this request, if any."""
        return next((fault for fault in self._faults if fault.matches(call) and fault.takes()), None)

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self._faults]


def names_in(body: Any) -> set[str]:
    """Every table or queue that a request names, wherever it does."""
    found: set[str] = set()
    if isinstance(body, dict):
        for key, value in body.items():
            if key in ("TableName", "QueueName") and isinstance(value, str):
                found.add(value)
            elif key == "QueueUrl" and isinstance(value, str):
                found.add(value.rpartition("/")[2])
            elif key == "RequestItems" and isinstance(value, dict):
                found |= set(value)
            elif key == "TransactItems" and isinstance(value, list):
                for item in value:
                    found |= set().union(*(names_in(part) for part in item.values())) if item else set()
    return found


NAME = re.compile(r"#\w+")


def updates_in(body: Any) -> list[str]:
    """Every UpdateExpression of a request, with the attributes' names filled in."""
    if not isinstance(body, dict):
        return []
    found = [
        text for item in body.get("TransactItems", []) for part in item.values() for text in updates_in(part)
    ]
    if "UpdateExpression" in body:
        names = body.get("ExpressionAttributeNames", {})
        found.append(NAME.sub(lambda name: str(names.get(name[0], name[0])), body["UpdateExpression"]))
    return found


def call_of(target: str, agent: str, body: bytes) -> Call:
    fields = decoded(body)
    caller = CALLER.search(agent)
    return Call(
        target,
        frozenset(names_in(fields)),
        tuple(updates_in(fields)),
        body.decode(errors="replace"),
        caller[1] if caller else "",
    )


class Proxy:
    """Passes requests on, unless a fault fires."""

    def __init__(self, dynamodb: str, others: str, marketplace: str) -> None:
        self.faults = Faults()
        self._calls: dict[str, dict[str, Any]] = {}
        self._dynamodb = dynamodb.rstrip("/")
        self._others = others.rstrip("/")
        self._marketplace = marketplace.rstrip("/")
        self._client: ClientSession | None = None

    def application(self) -> web.Application:
        application = web.Application(client_max_size=LARGEST_BODY)
        application.cleanup_ctx.append(self._with_client)
        application.router.add_get("/_faults/", self._list)
        application.router.add_post("/_faults/", self._add)
        application.router.add_get("/_faults/calls", self._list_calls)
        application.router.add_delete("/_faults/", self._forget)
        application.router.add_delete("/_faults/{id:\\d+}", self._forget)
        application.router.add_route("*", "/{path:.*}", self._serve)
        return application

    async def _with_client(self, application: web.Application) -> AsyncIterator[None]:
        # No limit on connections: one would queue requests here that AWS would take at once.
        async with ClientSession(
            connector=TCPConnector(limit=0),
            timeout=ClientTimeout(total=120),
            auto_decompress=False,
            cookie_jar=DummyCookieJar(),
        ) as self._client:
            yield

    # -- control ---------------------------------------------------------------------------------------------

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response({"faults": self.faults.as_json()})

    async def _list_calls(self, request: web.Request) -> web.Response:
        return web.json_response({"calls": list(self._calls.values())})

    async def _add(self, request: web.Request) -> web.Response:
        try:
            fault = self.faults.add(await request.json())
        except (ValueError, AttributeError, TypeError, re.error) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response(asdict(fault), status=201)

    async def _forget(self, request: web.Request) -> web.Response:
        id = request.match_info.get("id")
        self.faults.forget(int(id) if id else None)
        return web.Response(status=204)

    # -- traffic ---------------------------------------------------------------------------------------------

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        target = request.headers.get("X-Amz-Target", "")
        call = call_of(target, request.headers.get("User-Agent", ""), body)
        self._calls[json.dumps(call.kind)] = call.kind
        fault = self.faults.pick(call)
        if fault is None:
            return await self._forward(request, body)
        fields, operation = decoded(body), call.operation
        match fault.kind:
            case "throttle":
                return throttled(target)
            case "error_before":
                return internal_error(target)
            case "drop_before" | "down":
                return cut_off(request)
            case "error_after":
                await self._forward(request, body)
                return internal_error(target)
            case "drop_after":
                await self._forward(request, body)
                return cut_off(request)
            case "slow":
                answer = await self._forward(request, body)
                await asyncio.sleep(fault.seconds)
                return answer
            case "hold_before":
                if await self._hold(fault, request):
                    return await self._forward(request, body)
                fault.dropped += 1
                return cut_off(request)
            case "hold_after":
                answer = await self._forward(request, body)
                await self._hold(fault, request)
                return answer
            case "transaction_conflict":
                return transaction_conflict(len(fields.get("TransactItems", [])))
            case "unprocessed" if operation in TABLE_BATCHES:
                return await self._part_of_table_batch(request, fields, operation, fault.keep)
            case "unprocessed" if operation in USAGE_BATCHES:
                return await self._part_of_usage_batch(request, fields, fault.keep)
            case "unprocessed":
                return await self._part_of_queue_batch(request, fields, fault.keep)
        raise ValueError(f"no such fault: {fault.kind}")

    async def _hold(self, fault: Fault, request: web.Request) -> bool:
        """Waits until a fault is forgotten. Answers whether the caller is still there."""
        while not fault.forgotten and not is_gone(request):
            await asyncio.sleep(LOOK_SECONDS)
        return not is_gone(request)

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        assert self._client
        target = request.headers.get("X-Amz-Target", "")
        upstream = self._others
        if target.startswith("DynamoDB"):
            upstream = self._dynamodb
        elif target.startswith("AWSMPMeteringService"):
            upstream = self._marketplace
        # The Host header stays: queue URLs are made from it, and must lead back through this proxy.
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP]
        async with self._client.request(
            request.method, upstream + request.raw_path, headers=headers, data=body, allow_redirects=False
        ) as answer:
            content = await answer.read()
            kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP]
            response = web.Response(status=answer.status, body=content)
            response.headers.clear()
            response.headers.extend(kept)
            return response

    async def _part_of_table_batch(
        self, request: web.Request, fields: dict[str, Any], operation: str, keep: int
    ) -> web.Response:
        """Executes the first `keep` items over all tables and answers the rest as AWS names what it left
        undone."""
        items_of, put_items = item_lists(operation)
        kept: dict[str, Any] = {}
        left: dict[str, Any] = {}
        room = keep
        for table, wish in fields.get("RequestItems", {}).items():
            items = items_of(wish)
            if items[:room]:
                kept[table] = put_items(wish, items[:room])
            if items[room:]:
                left[table] = put_items(wish, items[room:])
            room = max(0, room - len(items))
        name = "UnprocessedItems" if operation == "BatchWriteItem" else "UnprocessedKeys"
        answer: dict[str, Any] = {name: {}} if operation == "BatchWriteItem" else {name: {}, "Responses": {}}
        if kept:
            forwarded = await self._forward(request, json.dumps({**fields, "RequestItems": kept}).encode())
            if forwarded.status != 200:
                return forwarded
            answer = decoded(forwarded.body)
        answer[name] = {**answer.get(name, {}), **left}
        return amazon_json(answer, 200)

    async def _part_of_queue_batch(
        self, request: web.Request, fields: dict[str, Any], keep: int
    ) -> web.Response:
        """Executes the first `keep` entries and answers the others as failed through no fault of the
        sender."""
        entries = fields.get("Entries", [])
        answer: dict[str, Any] = {"Successful": [], "Failed": []}
        if entries[:keep]:
            forwarded = await self._forward(
                request, json.dumps({**fields, "Entries": entries[:keep]}).encode()
            )
            if forwarded.status != 200:
                return forwarded
            answer = decoded(forwarded.body)
        refused = [
            {"Id": entry["Id"], "SenderFault": False, "Code": "InternalError", "Message": "Not executed."}
            for entry in entries[keep:]
        ]
        answer["Failed"] = [*answer.get("Failed", []), *refused]
        return amazon_json(answer, 200)

    async def _part_of_usage_batch(
        self, request: web.Request, fields: dict[str, Any], keep: int
    ) -> web.Response:
        """Executes the first `keep` usage records and answers the others as unprocessed."""
        records = fields.get("UsageRecords", [])
        answer: dict[str, Any] = {"Results": []}
        if records[:keep]:
            forwarded = await self._forward(
                request, json.dumps({**fields, "UsageRecords": records[:keep]}).encode()
            )
            if forwarded.status != 200:
                return forwarded
            answer = decoded(forwarded.body)
        answer["UnprocessedRecords"] = [*answer.get("UnprocessedRecords", []), *records[keep:]]
        return amazon_json(answer, 200)


def item_lists(operation: str) -> tuple[Callable[[Any], list[Any]], Callable[[Any, list[Any]], Any]]:
    """How to take the items of one table out of a batch, and how to put fewer back."""
    if operation == "BatchWriteItem":
        return (lambda wish: wish), (lambda wish, items: items)
    return (lambda wish: wish["Keys"]), (lambda wish, keys: {**wish, "Keys": keys})


def decoded(body: Any) -> dict[str, Any]:
    """A JSON object, or an empty one where the body is none."""
    with contextlib.suppress(ValueError, TypeError):
        value = json.loads(body)
        if isinstance(value, dict):
            return value
    return {}


def amazon_json(body: dict[str, Any], status: int, headers: dict[str, str] | None = None) -> web.Response:
    """An answer as DynamoDB gives it, with the checksum that botocore compares."""
    raw = json.dumps(body).encode()
    return web.Response(
        status=status,
        body=raw,
        headers={
            "Content-Type": "application/x-amz-json-1.0",
            "x-amzn-RequestId": str(uuid.uuid4()),
            "x-amz-crc32": str(zlib.crc32(raw)),
            **(headers or {}),
        },
    )


def throttled(target: str) -> web.Response:
    """DynamoDB refuses a table's rate by its own exception; the others by ThrottlingException."""
    if target.startswith("DynamoDB"):
        kind = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"
        return amazon_json(
            {"__type": kind, "message": "The level of configured throughput was exceeded."}, 400
        )
    service = "marketplacemetering" if target.startswith("AWSMPMeteringService") else "sqs"
    kind = f"com.amazonaws.{service}#ThrottlingException"
    return amazon_json({"__type": kind, "message": "Rate exceeded."}, 400)


def internal_error(target: str) -> web.Response:
    kind = "InternalError"
    if target.startswith("DynamoDB"):
        kind = "com.amazonaws.dynamodb.v20120810#InternalServerError"
    elif target.startswith("AWSMPMeteringService"):
        kind = "com.amazonaws.marketplacemetering#InternalServiceErrorException"
    return amazon_json({"__type": kind, "message": "An internal error, as ordered."}, 500)


def transaction_conflict(items: int) -> web.Response:
    """Another transaction holds the items. AWS names a reason for each, in the order of the request."""
    reasons = [
        {"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"}
        for _ in range(items)
    ]
    codes = ", ".join(reason["Code"] for reason in reasons)
    return amazon_json(
        {
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons "
            f"[{codes}]",
            "CancellationReasons": reasons,
        },
        400,
    )


def is_gone(request: web.Request) -> bool:
    """Whether the caller has closed the connection."""
    return request.transport is None or request.transport.is_closing()


def cut_off(request: web.Request) -> web.Response:
    """Closes the connection under the request: the client sees its end, and no answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)  # goes nowhere


def serve(port: int, dynamodb: str, others: str, marketplace: str) -> None:
    """Runs the proxy on 127.0.0.1 until it is asked to stop."""
    application = Proxy(dynamodb, others, marketplace).application()
    web.run_app(application, host="127.0.0.1", port=port, print=None, access_log=None, shutdown_timeout=1)


def main() -> None:
    parser = argparse.ArgumentParser(description="A reverse proxy that fails on request.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--dynamodb", default=os.environ.get("FAULTS_DYNAMODB_URL"), help="where tables are")
    parser.add_argument(
        "--others", default=os.environ.get("FAULTS_OTHERS_URL"), help="where queues and topics are"
    )
    parser.add_argument(
        "--marketplace", default=os.environ.get("FAULTS_MARKETPLACE_URL"), help="where BatchMeterUsage is"
    )
    options = parser.parse_args()
    if not options.dynamodb:
        sys.exit("Say where the engine is: --dynamodb http://127.0.0.1:8000")
    others = options.others or options.dynamodb
    serve(options.port, options.dynamodb, others, options.marketplace or others)


if __name__ == "__main__":
    main()
