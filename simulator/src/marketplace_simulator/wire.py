"""AWS's door: AWS JSON, Smithy RPC v2 CBOR and REST-JSON, as boto3 and other SDKs send them.

Takes the request apart, holds it against the service's model, lets a rule decide, and answers in AWS's form,
refusals and garbage included. In this order: size, operation, signature, Region, throttling, shape, faults,
rule.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from marketplace_simulator import (
    agreement_api,
    buyers_metering,
    deployment_parameters,
    entitlements,
    faults,
    metering,
    tokens,
)
from marketplace_simulator.agreements import Agreement
from marketplace_simulator.aws_errors import AwsError
from marketplace_simulator.call_log import Call
from marketplace_simulator.clock import Clock
from marketplace_simulator.connections import CutConnection
from marketplace_simulator.faults import ConnectionCut, Fault
from marketplace_simulator.identifiers import new_deployment_parameter_id, new_uuid
from marketplace_simulator.ledger import MemoryLedger
from marketplace_simulator.operations import Operation, operations
from marketplace_simulator.products import Product
from marketplace_simulator.protocols import WireProtocol, protocol_of
from marketplace_simulator.signatures import Accounts, Caller
from marketplace_simulator.store import Store
from marketplace_simulator.throttling import Throttle

log = logging.getLogger(__name__)

# "Each request must be less than 1 MB in size" (BatchMeterUsage); read as 2^20 bytes.
BODY_LIMIT = 1024 * 1024
# How much of an oversize body is read away, so that the sender gets to see the refusal.
_DRAIN_LIMIT = 16 * BODY_LIMIT
# What stands in the call log where a secret was.
_NOT_KEPT = "(not kept)"
# Refusals of the signature, not of the service: the language has their status, not the service's model.
_CREDENTIAL_ERRORS = frozenset(
    (
        "MissingAuthenticationTokenException",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "UnrecognizedClientException",
        "ExpiredTokenException",
    )
)


@dataclass
class _Exchange:
    """One call on its way: what has been learned of it so far."""

    protocol: WireProtocol
    request_id: str = field(default_factory=new_uuid)
    target: str = ""
    operation: Operation | None = None
    caller: Caller | None = None
    # Kept once it has been read by its shape: what fits is neither endlessly deep nor unfit to be stored.
    members: dict[str, Any] | None = None
    hitting: list[Fault] = field(default_factory=list)
    fault: str | None = None


@dataclass(frozen=True)
class AwsCall:
    """A call whose shape and signature have been checked."""

    caller: Caller
    members: dict[str, Any]


class Wire:
    """The simulated operations of the four services behind one door."""

    def __init__(
        self, store: Store, clock: Clock, accounts: Accounts, throttle: Throttle | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._accounts = accounts
        self._throttle = throttle or Throttle()
        self._ledger = MemoryLedger(store)
        self._operations = operations()
        self._acts: dict[str, Callable[[AwsCall], dict[str, Any]]] = {
            "ResolveCustomer": self._resolve_customer,
            "BatchMeterUsage": self._batch_meter_usage,
            "MeterUsage": lambda call: buyers_metering.meter_usage(call.members, self._product(call)),
            "RegisterUsage": lambda call: buyers_metering.register_usage(call.members, self._product(call)),
            "GetEntitlements": self._get_entitlements,
            "DescribeAgreement": self._describe_agreement,
            "GetAgreementTerms": self._get_agreement_terms,
            "SearchAgreements": self._search_agreements,
            "PutDeploymentParameter": self._put_deployment_parameter,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one AWS call; never anything but an AWS-shaped answer, or none."""
        request = Request(scope, receive)
        exchange = _Exchange(protocol_of(request))
        try:
            try:
                response = await self._answer(exchange, request)
            except AwsError as error:
                response = self._refuse(exchange, error)
            except ConnectionCut as cut:
                self._keep_refusal(exchange, 0, {"__type": "(connection cut)", "message": str(cut)})
                response = CutConnection()
        except ClientDisconnect:
            return
        except Exception:
            log.exception("An AWS call failed inside the simulator.")
            name = exchange.operation.internal_error if exchange.operation else "InternalFailure"
            response = self._response(exchange, AwsError(name, "The simulator failed; see its log.", 500))
        await response(scope, receive, send)

    async def _answer(self, exchange: _Exchange, request: Request) -> Response:
        body = await _read_body(request)
        exchange.target = exchange.protocol.target(request)
        operation = self._operation(exchange)
        caller = exchange.caller = self._accounts.caller(request.headers.get("authorization"))
        _require_served(operation, caller.region)
        self._throttle.take(
            operation.name,
            caller.account,
            caller.region,
            self._clock.now(),
            self._store.switches.current.calls_per_second,
        )
        members, violations = operation.members_of(exchange.protocol.read(body, request))
        exchange.members = members
        if self._store.faults:
            await self._suffer_before(exchange, operation)
        if violations:
            raise operation.refusal_of(violations)
        with self._store.transaction(changes_market=False):
            answer = self._acts[operation.name](AwsCall(caller, members))
            written = exchange.protocol.answer(answer, operation.output)
            after = self._outcome_after_commit(exchange, operation)
            if after is None:
                # Only JSON's own words can be kept as they are.
                as_json = written if exchange.protocol.name == "json" else None
                self._keep_call(exchange, 200, answer, as_json)
            elif isinstance(after, AwsError):
                self._keep_call(exchange, after.status, {"__type": after.code, "message": after.message})
            else:
                self._keep_call(exchange, 0, {"__type": "(connection cut)", "message": str(after)})
        await self._delay(exchange, "after_commit")
        if isinstance(after, AwsError):
            return self._response(exchange, after)
        if isinstance(after, ConnectionCut):
            return CutConnection()
        return _http(exchange, written, 200)

    def _operation(self, exchange: _Exchange) -> Operation:
        operation = self._operations.get(exchange.target)
        if operation is None or exchange.protocol.name not in operation.languages:
            status = exchange.protocol.unknown_operation_status
            raise AwsError("UnknownOperationException", "The request names no simulated operation.", status)
        exchange.operation = operation
        return operation

    async def _suffer_before(self, exchange: _Exchange, operation: Operation) -> None:
        """Draw the faults of this call, and suffer those that keep it from counting."""
        assert exchange.members is not None
        with self._store.transaction(changes_market=False):
            exchange.hitting = self._store.faults.draw(
                operation.name, faults.customers_of(exchange.members), faults.dimensions_of(exchange.members)
            )
        await self._delay(exchange, "before_commit")
        for fault in exchange.hitting:
            if fault.kind == "slow" or fault.point == "after_commit":
                continue
            exchange.fault = fault.label
            if fault.kind == "connection_reset":
                raise ConnectionCut("A fault cut the connection before the call was done.")
            raise self._error_of(fault, operation)

    async def _delay(self, exchange: _Exchange, point: faults.Point) -> None:
        for fault in exchange.hitting:
            if fault.kind == "slow" and fault.point == point:
                exchange.fault = fault.label
                # Real seconds: it is the caller's time-out that is to be tested.
                await asyncio.sleep(fault.delay_seconds)

    def _outcome_after_commit(
        self, exchange: _Exchange, operation: Operation
    ) -> AwsError | ConnectionCut | None:
        """What the caller is told instead of the answer, though the call counts."""
        for fault in exchange.hitting:
            if fault.point == "after_commit":
                exchange.fault = fault.label
                if fault.kind == "connection_reset":
                    return ConnectionCut("A fault cut the connection after the call was done.")
                if fault.kind == "server_error":
                    return self._error_of(fault, operation)
        return None

    def _error_of(self, fault: Fault, operation: Operation) -> AwsError:
        error = faults.refusal_of(fault.kind, operation.internal_error)
        error.status = operation.error_statuses.get(error.code, error.status)
        return error

    def _refuse(self, exchange: _Exchange, error: AwsError) -> Response:
        operation = exchange.operation
        if error.code in _CREDENTIAL_ERRORS:
            error.status = exchange.protocol.bad_credentials_status
        if operation is not None:
            error.status = operation.error_statuses.get(error.code, error.status)
            if operation.says_request_id:
                error.members["requestId"] = exchange.request_id
        self._keep_refusal(exchange, error.status, {"__type": error.code, "message": error.message})
        return self._response(exchange, error)

    def _response(self, exchange: _Exchange, error: AwsError) -> Response:
        protocol = exchange.protocol
        response = _http(exchange, protocol.refusal(error, exchange.target), error.status)
        response.headers.update(protocol.refusal_headers(error))
        return response

    def _resolve_customer(self, call: AwsCall) -> dict[str, Any]:
        found = self._store.token(tokens.fingerprint(call.members["RegistrationToken"]))
        if call.caller.account != self._accounts.seller:
            # Another seller's token (error name assumed).
            found = None
        agreement = self._store.agreement(tokens.redeem(found, self._clock.now()))
        assert agreement is not None, "a token without its agreement"
        return tokens.resolved(agreement, self._store.switches.current)

    def _batch_meter_usage(self, call: AwsCall) -> dict[str, Any]:
        self._require_seller(call, "InvalidProductCodeException")
        left_out = self._store.faults
        return metering.meter_batch(
            call.members,
            self._ledger.fresh(),
            self._store.switches.current,
            region=call.caller.region,
            now=self._clock.now(),
            new_record_id=new_uuid,
            unprocessed=left_out.leaves_out if left_out else metering.none_left_out,
        )

    def _get_entitlements(self, call: AwsCall) -> dict[str, Any]:
        product_code = call.members["ProductCode"]
        is_seller = call.caller.account == self._accounts.seller
        return entitlements.get_entitlements(
            call.members,
            self._store.product(product_code) if is_seller else None,
            self._store.agreements(product_code),
            self._clock.now(),
            self._store.switches.current,
        )

    def _describe_agreement(self, call: AwsCall) -> dict[str, Any]:
        return agreement_api.describe(self._sold_to_or_by(call), self._clock.now())

    def _get_agreement_terms(self, call: AwsCall) -> dict[str, Any]:
        return agreement_api.terms(self._sold_to_or_by(call), call.members)

    def _search_agreements(self, call: AwsCall) -> dict[str, Any]:
        products = {product.product_code: product for product in self._store.products()}
        sold = [_sold(agreement, products[agreement.product_code]) for agreement in self._store.agreements()]
        return agreement_api.search(call.members, sold, call.caller.account, self._clock.now())

    def _put_deployment_parameter(self, call: AwsCall) -> dict[str, Any]:
        self._require_seller(call, "AccessDeniedException")
        return deployment_parameters.put(
            call.members,
            self._store.parameters,
            product=self._store.product_by_id(call.members["productId"]),
            agreement=self._store.agreement(call.members["agreementId"]),
            seller=call.caller.account,
            region=call.caller.region,
            new_id=new_deployment_parameter_id,
            now=self._clock.now(),
        )

    def _sold_to_or_by(self, call: AwsCall) -> agreement_api.Sold:
        agreement_id = call.members["agreementId"]
        agreement = agreement_api.require_party(
            self._store.agreement(agreement_id), agreement_id, call.caller.account
        )
        return _sold(agreement, self._store.product(agreement.product_code))

    def _product(self, call: AwsCall) -> Product | None:
        return self._store.product(call.members["ProductCode"])

    def _require_seller(self, call: AwsCall, code: str) -> None:
        if call.caller.account != self._accounts.seller:
            raise AwsError(code, f"Account {call.caller.account} has published no such product.")

    def _keep_call(
        self, exchange: _Exchange, status: int, answer: dict[str, Any], as_json: bytes | None = None
    ) -> None:
        caller = exchange.caller
        call = Call(
            request_id=exchange.request_id,
            at=self._clock.now(),
            operation=exchange.operation.name if exchange.operation else None,
            protocol=exchange.protocol.name,
            account=caller.account if caller else None,
            region=caller.region if caller else None,
            request=_without_secrets(exchange.members),
            status=status,
            answer=answer,
            fault=exchange.fault or next((fault.label for fault in exchange.hitting), None),
        )
        self._store.calls.add(call, as_json)

    def _keep_refusal(self, exchange: _Exchange, status: int, answer: dict[str, Any]) -> None:
        with self._store.transaction(changes_market=False):
            self._keep_call(exchange, status, answer)


def _http(exchange: _Exchange, body: bytes, status: int) -> Response:
    headers = {"x-amzn-RequestId": exchange.request_id, **exchange.protocol.headers}
    return Response(body, status, headers, exchange.protocol.media_type)


def _sold(agreement: Agreement, product: Product | None) -> agreement_api.Sold:
    assert product is not None, "an agreement without its product"
    return agreement_api.Sold(agreement, product)


def _require_served(operation: Operation, region: str) -> None:
    """Refuse a Region in which the service is not.

    Metering has hosts in more Regions than it serves SaaS in: DisabledApiException (assumed). Entitlements
    and agreements have one host, so elsewhere there is nobody to answer.
    """
    if region in operation.regions:
        return
    if "DisabledApiException" in operation.errors or len(operation.regions) > 1:
        raise AwsError("DisabledApiException", f"The API is disabled in {region}.")
    raise ConnectionCut(
        f"{operation.name} lives in {', '.join(operation.regions)} only; AWS has no host for it in {region}."
    )


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size < BODY_LIMIT:
            body += chunk
        elif size > _DRAIN_LIMIT:
            break
    if size >= BODY_LIMIT:
        raise AwsError("RequestEntityTooLargeException", "The request must be smaller than 1 MB.", status=413)
    return bytes(body)


def _without_secrets(members: dict[str, Any] | None) -> dict[str, Any] | None:
    """A registration token opens a purchase to whoever reads it, a parameter's secret opens more."""
    if members is not None and "RegistrationToken" in members:
        return {**members, "RegistrationToken": _NOT_KEPT}
    if members is not None and "secretString" in members.get("deploymentParameter", {}):
        blanked = {**members["deploymentParameter"], "secretString": _NOT_KEPT}
        return {**members, "deploymentParameter": blanked}
    return members
