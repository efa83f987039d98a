"""AWS's door: `POST /` with X-Amz-Target, JSON 1.0 and 1.1, as boto3 and other SDKs send it.

Takes the request apart, holds it against the service's model, lets a rule decide, and answers in AWS's form,
refusals and garbage included.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import botocore.session
from botocore.model import OperationModel
from starlette.requests import Request
from starlette.responses import Response

from marketplace_simulator import entitlements, metering, tokens
from marketplace_simulator.aws_errors import AwsError
from marketplace_simulator.clock import Clock
from marketplace_simulator.identifiers import new_uuid
from marketplace_simulator.shapes import Violation, read
from marketplace_simulator.store import Call, Store

log = logging.getLogger(__name__)

# "Each request must be less than 1 MB in size" (BatchMeterUsage); read as 2^20 bytes.
BODY_LIMIT = 1024 * 1024
# How much of an oversize body is read away, so that the sender gets to see the refusal.
_DRAIN_LIMIT = 16 * BODY_LIMIT
SIGNING_NAME = "aws-marketplace"
_SERVICES = ("meteringmarketplace", "marketplace-entitlement")
_CONTENT_TYPES = ("application/x-amz-json-1.1", "application/x-amz-json-1.0")
_CREDENTIAL = re.compile(
    r"AWS4-HMAC-SHA256 (?:.*[ ,])?Credential=[^/, ]+/\d{8}/(?P<region>[a-z0-9-]{1,32})"
    r"/(?P<service>[^/, ]+)/aws4_request(?=[, ]|$)"
)


@dataclass(frozen=True)
class AwsCall:
    """A call whose shape and signature form have been checked."""

    region: str
    members: dict[str, Any]


class Wire:
    """The simulated operations of both services behind one door."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._models = _operation_models()
        self._operations: dict[str, Callable[[AwsCall], dict[str, Any]]] = {
            "AWSMPMeteringService.ResolveCustomer": self._resolve_customer,
            "AWSMPMeteringService.BatchMeterUsage": self._batch_meter_usage,
            "AWSMPEntitlementService.GetEntitlements": self._get_entitlements,
        }

    async def handle(self, request: Request) -> Response:
        """Answer one AWS call; never anything but an AWS-shaped answer."""
        target = request.headers.get("x-amz-target", "")
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        request_id = new_uuid()
        region: str | None = None
        sent: Any = None
        try:
            body = await _read_body(request)
            model = self._model_for(target, content_type)
            region = _signed_region(request.headers.get("authorization"))
            assert model.input_shape is not None, "an operation without input"
            members, violations = read(model.input_shape, _parse(body))
            # Kept only now: what fits its types is neither endlessly deep nor unfit to be stored.
            sent = members
            if violations:
                raise _refusal_of(violations, model)
            with self._store.transaction():
                answer = self._operations[target](AwsCall(region, members))
                self._keep_call(request_id, target, region, sent, 200, answer)
            status = 200
        except AwsError as error:
            status, answer = error.status, {"__type": error.code, "message": error.message}
            self._keep_refusal(request_id, target, region, sent, status, answer)
        except Exception:
            log.exception("An AWS call failed inside the simulator.")
            status = 500
            answer = {
                "__type": "InternalServiceErrorException",
                "message": "The simulator failed; see its log.",
            }
        return Response(
            json.dumps(answer),
            status_code=status,
            media_type=content_type if content_type in _CONTENT_TYPES else _CONTENT_TYPES[0],
            headers={"x-amzn-RequestId": request_id},
        )

    def _model_for(self, target: str, content_type: str) -> OperationModel:
        if content_type not in _CONTENT_TYPES:
            raise AwsError(
                "UnknownOperationException", f"The content type must be one of {', '.join(_CONTENT_TYPES)}."
            )
        if target not in self._operations:
            raise AwsError("UnknownOperationException", "X-Amz-Target names no simulated operation.")
        return self._models[target]

    def _resolve_customer(self, call: AwsCall) -> dict[str, Any]:
        found = self._store.token(tokens.fingerprint(call.members["RegistrationToken"]))
        agreement = self._store.agreement(tokens.redeem(found, self._clock.now()))
        assert agreement is not None, "a token without its agreement"
        answer: dict[str, Any] = {
            "CustomerAWSAccountId": agreement.customer_aws_account_id,
            "ProductCode": agreement.product_code,
            "LicenseArn": agreement.license_arn,
            "Metadata": {"AgreementId": agreement.agreement_id},
        }
        if agreement.customer_identifier is not None:
            answer["CustomerIdentifier"] = agreement.customer_identifier
        return answer

    def _batch_meter_usage(self, call: AwsCall) -> dict[str, Any]:
        return metering.meter_batch(
            call.members, self._store, region=call.region, now=self._clock.now(), new_record_id=new_uuid
        )

    def _get_entitlements(self, call: AwsCall) -> dict[str, Any]:
        product_code = call.members["ProductCode"]
        return entitlements.get_entitlements(
            call.members,
            self._store.product(product_code),
            self._store.agreements(product_code),
            self._clock.now(),
        )

    def _keep_call(
        self, request_id: str, target: str, region: str | None, sent: Any, status: int, answer: dict[str, Any]
    ) -> None:
        operation = target.rpartition(".")[2] if target in self._operations else None
        call = Call(request_id, self._clock.now(), operation, region, _without_token(sent), status, answer)
        self._store.add_call(call)

    def _keep_refusal(
        self, request_id: str, target: str, region: str | None, sent: Any, status: int, answer: dict[str, Any]
    ) -> None:
        with self._store.transaction():
            self._keep_call(request_id, target, region, sent, status, answer)


@cache
def _operation_models() -> dict[str, OperationModel]:
    session = botocore.session.get_session()
    models: dict[str, OperationModel] = {}
    for name in _SERVICES:
        service = session.get_service_model(name)
        prefix = service.metadata["targetPrefix"]
        for operation in service.operation_names:
            models[f"{prefix}.{operation}"] = service.operation_model(operation)
    return models


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


def _signed_region(authorization: str | None) -> str:
    """The Region of a Signature Version 4 header; the signature itself is not recomputed."""
    if not authorization:
        raise AwsError("MissingAuthenticationTokenException", "The request carries no Authorization header.")
    credential = _CREDENTIAL.match(authorization)
    if credential is None:
        raise AwsError("IncompleteSignatureException", "The Authorization header is no Signature Version 4.")
    if credential["service"] != SIGNING_NAME:
        raise AwsError(
            "InvalidSignatureException", f"Credential should be scoped to correct service: '{SIGNING_NAME}'."
        )
    return credential["region"]


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise AwsError("SerializationException", "The body is not JSON.") from None


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def _refusal_of(violations: list[Violation], model: OperationModel) -> AwsError:
    """The error that names the first broken limit: the member's own where the service has one.

    AWS documents InvalidTagException for a bad tag or a sixth, InvalidLicenseException for a malformed ARN
    and InvalidParameterException for GetEntitlements; the rest is ValidationException (assumed).
    """
    first = violations[0]
    known = {shape.name for shape in model.error_shapes}
    code = "ValidationException"
    if "Tags" in first.path and "InvalidTagException" in known:
        code = "InvalidTagException"
    elif first.path[-1] == "LicenseArn" and "InvalidLicenseException" in known:
        code = "InvalidLicenseException"
    elif "InvalidParameterException" in known:
        code = "InvalidParameterException"
    many = f"{len(violations)} validation error{'s' if len(violations) > 1 else ''} detected: "
    return AwsError(code, many + "; ".join(str(violation) for violation in violations[:10]))


def _without_token(sent: Any) -> Any:
    """A registration token opens a purchase to whoever reads it: it is never kept."""
    if isinstance(sent, dict) and "RegistrationToken" in sent:
        return {**sent, "RegistrationToken": "(not kept)"}
    return sent
