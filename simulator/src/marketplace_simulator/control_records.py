"""The control API's records: the bill, the latest calls, and what sellers have put for Quick Launch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from marketplace_simulator.bill_book import Total
from marketplace_simulator.clock import Clock
from marketplace_simulator.deployment_parameters import DeploymentParameter
from marketplace_simulator.metering import BilledRecord, Meter
from marketplace_simulator.problems import Problem
from marketplace_simulator.quantities import decimal_text
from marketplace_simulator.store import Store
from marketplace_simulator.times import rfc3339

# A month's bill is a hundred megabytes of JSON; it leaves in pieces, and other requests come between them.
_PIECE = 500


class RecordControl:
    """Requests in, records out."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def get_bill(self, request: Request) -> Response:
        wanted = (request.query_params.get("product_code"), request.query_params.get("license_arn"))
        totals = [total_item(total) for total in self._store.bill.totals(*wanted)]
        if request.query_params.get("totals_only") == "true":
            return JSONResponse({"totals": totals, "records": []})
        return StreamingResponse(
            _streamed(self._store.bill.records(*wanted), totals), media_type="application/json"
        )

    async def list_calls(self, request: Request) -> Response:
        limit = request.query_params.get("limit")
        if limit is not None and not (limit.isascii() and limit.isdigit() and 0 < len(limit) < 8):
            reason = {"in": "query", "path": "/limit", "reason": "is not a whole number"}
            raise Problem(400, "invalid-request", "The query does not fit the contract.", [reason])
        calls = self._store.calls.latest(
            None if limit is None else int(limit), request.query_params.get("operation")
        )
        return JSONResponse({"calls": [{**asdict(call), "at": rfc3339(call.at)} for call in calls]})

    async def list_deployment_parameters(self, request: Request) -> Response:
        """Secrets included: a test must see what its buyer would find in Secrets Manager."""
        now = self._clock.now()
        found = self._store.parameters.all(request.query_params.get("product_id"))
        return JSONResponse({"deployment_parameters": [_parameter(parameter, now) for parameter in found]})


def total_item(total: Total) -> dict[str, Any]:
    """A total as JSON."""
    return {
        **_identity(total.meter),
        "dimension": total.dimension,
        "quantity": decimal_text(total.quantity),
        "records": total.records,
    }


async def _streamed(records: Iterator[BilledRecord], totals: list[dict[str, Any]]) -> AsyncIterator[bytes]:
    yield b'{"totals":' + orjson.dumps(totals) + b',"records":['
    piece: list[bytes] = []
    separator = b""
    for record in records:
        piece.append(orjson.dumps(_billed(record)))
        if len(piece) == _PIECE:
            yield separator + b",".join(piece)
            separator = b","
            piece.clear()
    if piece:
        yield separator + b",".join(piece)
    yield b"]}"


def _billed(record: BilledRecord) -> dict[str, Any]:
    return {
        **_identity(record.series.meter),
        "dimension": record.series.dimension,
        "hour": rfc3339(record.hour),
        "quantity": decimal_text(record.quantity),
        "region": record.series.region,
        "metering_record_id": record.metering_record_id,
        "accepted_at": rfc3339(record.accepted_at),
    }


def _parameter(parameter: DeploymentParameter, now: datetime) -> dict[str, Any]:
    expires_at = parameter.expires_at
    return {
        "deployment_parameter_id": parameter.deployment_parameter_id,
        "resource_arn": parameter.resource_arn,
        "product_id": parameter.product_id,
        "customer_aws_account_id": parameter.customer_aws_account_id,
        "agreement_id": parameter.agreement_id,
        "name": parameter.name,
        "secret_string": parameter.secret_string,
        "expires_at": rfc3339(expires_at) if expires_at else None,
        "expired": parameter.is_expired(now),
        "tags": dict(parameter.tags),
        "created_at": rfc3339(parameter.created_at),
        "updated_at": rfc3339(parameter.updated_at),
    }


def _identity(meter: Meter) -> dict[str, Any]:
    return {
        "product_code": meter.product_code,
        "customer_identifier": meter.customer_identifier,
        "license_arn": meter.license_arn,
        "customer_aws_account_id": meter.customer_aws_account_id,
    }
