"""Stands between services and AWS's stand-ins, and counts what is asked: DynamoDB's units, and calls of
BatchMeterUsage.

    python bench/metering/counting_proxy.py --port 9000 --dynamodb http://127.0.0.1:8000
        [--marketplace http://127.0.0.1:8002]

    GET    /_counts/   what was counted: see `Counts.as_json`
    DELETE /_counts/   begin again

To each write it adds `ReturnConsumedCapacity: TOTAL`, so that the engine tells what it costs; it alters the
request after it was signed, which the engine does not check. What reads cost the engine does not know: that
is worked out here, from the items that came back.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from typing import Any

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web
from units import item_bytes, read_units

WRITES = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems")
# Headers that speak of one connection (RFC 9110, 7.6.1), and those that the client sets itself.
NOT_PASSED_ON = {"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding"}
LARGEST_BODY = 32 * 1024 * 1024


class Counts:
    """What was asked since the last beginning."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self.items: Counter[tuple[str, str]] = Counter()
        self.write_units: Counter[tuple[str, str]] = Counter()
        self.read_units: Counter[tuple[str, str]] = Counter()
        self.metered: list[dict[str, Any]] = []

    def note_write(self, operation: str, request: dict[str, Any], answer: dict[str, Any]) -> None:
        consumed = answer.get("ConsumedCapacity", [])
        for one in consumed if isinstance(consumed, list) else [consumed]:
            key = operation, one["TableName"]
            self.calls[key] += 1
            self.write_units[key] += one["CapacityUnits"]
            self.items[key] += len(request.get("RequestItems", {}).get(one["TableName"], (None,)))

    def note_read(self, operation: str, request: dict[str, Any], answer: dict[str, Any]) -> None:
        for table, items, consistent in _read(operation, request, answer):
            key = operation, table
            self.calls[key] += 1
            self.items[key] += len(items)
            sizes = [item_bytes(item) for item in items]
            # A query or scan rounds up once, other reads for each item; what is not there costs as the least.
            together = [sum(sizes)] if operation in ("Query", "Scan") else sizes or [0]
            self.read_units[key] += sum(read_units(size, consistent) for size in together)

    def note_metered(self, request: dict[str, Any], begun: float, status: int) -> None:
        records = request.get("UsageRecords", [])
        licences = {record.get("LicenseArn") is not None for record in records}
        self.metered.append(
            {
                "at": begun,
                "answered": time.monotonic(),
                "status": status,
                "product": request.get("ProductCode") or ("licences" if licences == {True} else "?"),
                "records": len(records),
            }
        )

    def as_json(self) -> dict[str, Any]:
        keys = sorted(self.calls, key=lambda key: (key[1], key[0]))
        rows = [
            {
                "table": key[1],
                "operation": key[0],
                "calls": self.calls[key],
                "items": self.items[key],
                "write_units": self.write_units[key],
                "read_units": self.read_units[key],
            }
            for key in keys
        ]
        return {"tables": rows, "metered": self.metered}


def _read(
    operation: str, request: dict[str, Any], answer: dict[str, Any]
) -> Iterable[tuple[str, list[dict[str, Any]], bool]]:
    """Table, items and consistency of each part of a read."""
    if operation == "BatchGetItem":
        for table, items in answer.get("Responses", {}).items():
            yield table, items, request["RequestItems"][table].get("ConsistentRead", False)
    elif operation in ("GetItem", "Query", "Scan"):
        items = answer["Items"] if "Items" in answer else [answer["Item"]] if "Item" in answer else []
        yield request["TableName"], items, request.get("ConsistentRead", False)


class Proxy:
    """Passes requests on, and counts.

    Args:
        dynamodb: where the tables are.
        marketplace: where BatchMeterUsage is.
    """

    def __init__(self, dynamodb: str, marketplace: str) -> None:
        self._counts = Counts()
        self._dynamodb, self._marketplace = dynamodb.rstrip("/"), marketplace.rstrip("/")
        self._client: ClientSession | None = None

    def application(self) -> web.Application:
        application = web.Application(client_max_size=LARGEST_BODY)
        application.cleanup_ctx.append(self._with_client)
        application.router.add_get("/_counts/", self._show)
        application.router.add_delete("/_counts/", self._begin_again)
        application.router.add_post("/", self._serve)
        return application

    async def _with_client(self, application: web.Application) -> AsyncIterator[None]:
        async with ClientSession(
            connector=TCPConnector(limit=0), timeout=ClientTimeout(total=60), cookie_jar=DummyCookieJar()
        ) as self._client:
            yield

    async def _show(self, request: web.Request) -> web.Response:
        return web.json_response(self._counts.as_json())

    async def _begin_again(self, request: web.Request) -> web.Response:
        self._counts = Counts()
        return web.Response(status=204)

    async def _serve(self, request: web.Request) -> web.Response:
        assert self._client
        begun = time.monotonic()
        service, _, operation = request.headers.get("X-Amz-Target", "").rpartition(".")
        body = await request.read()
        fields = json.loads(body)
        if operation in WRITES:
            body = json.dumps(fields | {"ReturnConsumedCapacity": "TOTAL"}).encode()
        upstream = self._dynamodb if service.startswith("DynamoDB") else self._marketplace
        headers = [one for one in request.headers.items() if one[0].lower() not in NOT_PASSED_ON]
        async with self._client.post(upstream + "/", headers=headers, data=body) as answer:
            content = await answer.read()
        if operation == "BatchMeterUsage":
            self._counts.note_metered(fields, begun, answer.status)
        elif answer.status == 200 and operation in WRITES:
            self._counts.note_write(operation, fields, json.loads(content))
        elif answer.status == 200:
            self._counts.note_read(operation, fields, json.loads(content))
        response = web.Response(status=answer.status, body=content)
        response.headers.extend(
            [one for one in answer.headers.items() if one[0].lower() not in {*NOT_PASSED_ON, "content-type"}]
        )
        response.headers["Content-Type"] = answer.headers.get("Content-Type", "application/x-amz-json-1.0")
        return response


async def main() -> None:
    parser = argparse.ArgumentParser(description="Passes calls of AWS on and counts them.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--dynamodb", required=True)
    parser.add_argument("--marketplace", default="")
    options = parser.parse_args()
    runner = web.AppRunner(Proxy(options.dynamodb, options.marketplace).application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", options.port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
