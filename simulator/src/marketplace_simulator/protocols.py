"""The languages of the wire: AWS JSON (by X-Amz-Target), Smithy RPC v2 CBOR and REST-JSON (both by path)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import BytesIO
from typing import Any, Protocol

import cbor2
import orjson
from botocore.model import ListShape, MapShape, Shape, StructureShape
from starlette.requests import Request

from marketplace_simulator.aws_errors import AwsError
from marketplace_simulator.rest_json import RestJson

JSON_TYPES = ("application/x-amz-json-1.1", "application/x-amz-json-1.0")
CBOR_TYPE = "application/cbor"
_RPC_PATH = re.compile(r"/service/(?P<service>[A-Za-z_][A-Za-z0-9_]*)/operation/(?P<operation>[A-Za-z0-9_]+)")
# Smithy's errors are named with the namespace of their model.
_NAMESPACES = {
    "AWSMPMeteringService": "com.amazonaws.marketplacemetering",
    "AWSMPEntitlementService": "com.amazonaws.marketplaceentitlementservice",
    "AWSMPCommerceService_v20200301": "com.amazonaws.marketplaceagreement",
}
# A CBOR tag 1 holds epoch seconds; it is read as the number that it holds.
_EPOCH = 1
# Deeper than any request of these services, far from exhausting anything.
_DEEPEST = 100


class WireProtocol(Protocol):
    """How a request names its operation and how both sides write."""

    name: str
    media_type: str
    headers: dict[str, str]
    unknown_operation_status: int
    bad_credentials_status: int

    def target(self, request: Request) -> str:
        """`<service>.<operation>` as X-Amz-Target has it; raises AwsError UnknownOperationException."""
        ...

    def read(self, body: bytes, request: Request) -> Any:
        """The members as plain values; raises AwsError SerializationException."""
        ...

    def answer(self, members: dict[str, Any], shape: Shape | None) -> bytes: ...

    def refusal(self, error: AwsError, target: str) -> bytes: ...

    def refusal_headers(self, error: AwsError) -> dict[str, str]: ...


class AwsJson:
    """`POST /` with X-Amz-Target; answers in the version that was asked in."""

    name = "json"
    unknown_operation_status = 400
    bad_credentials_status = 400

    def __init__(self, media_type: str) -> None:
        self.media_type = media_type
        self.headers: dict[str, str] = {}

    def target(self, request: Request) -> str:
        if _media_type(request) not in JSON_TYPES:
            raise AwsError(
                "UnknownOperationException", f"The content type must be one of {', '.join(JSON_TYPES)}."
            )
        if request.method != "POST":
            raise AwsError("UnknownOperationException", "AWS JSON is spoken by POST.")
        return request.headers.get("x-amz-target", "")

    def read(self, body: bytes, request: Request) -> Any:
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            raise AwsError("SerializationException", "The body is not JSON.") from None

    def answer(self, members: dict[str, Any], shape: Shape | None) -> bytes:
        return orjson.dumps(members)

    def refusal(self, error: AwsError, target: str) -> bytes:
        return orjson.dumps({"__type": error.code, "message": error.message, **error.members})

    def refusal_headers(self, error: AwsError) -> dict[str, str]:
        return {}


class RpcV2Cbor:
    """`POST /service/<service>/operation/<operation>` with `smithy-protocol: rpc-v2-cbor`."""

    name = "cbor"
    media_type = CBOR_TYPE
    unknown_operation_status = 404
    bad_credentials_status = 400

    def __init__(self) -> None:
        self.headers = {"smithy-protocol": "rpc-v2-cbor"}

    def target(self, request: Request) -> str:
        named = _RPC_PATH.fullmatch(request.url.path)
        if named is None or request.method != "POST":
            raise AwsError("UnknownOperationException", "The path names no operation.", 404)
        if request.headers.get("smithy-protocol") != "rpc-v2-cbor":
            raise AwsError(
                "UnknownOperationException", "The header smithy-protocol must be rpc-v2-cbor.", 404
            )
        # An operation without input may come without a body and then without a content type.
        if _media_type(request) not in (CBOR_TYPE, ""):
            raise AwsError("UnknownOperationException", f"The content type must be {CBOR_TYPE}.", 415)
        return f"{named['service']}.{named['operation']}"

    def read(self, body: bytes, request: Request) -> Any:
        if not body:
            return {}
        source = BytesIO(body)
        try:
            value = cbor2.load(source, semantic_decoders={_EPOCH: _epoch}, max_depth=_DEEPEST)
        except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, RecursionError):
            raise AwsError("SerializationException", "The body is not CBOR.") from None
        if source.tell() != len(body):
            raise AwsError("SerializationException", "The body goes on after its CBOR.")
        return value

    def answer(self, members: dict[str, Any], shape: Shape | None) -> bytes:
        return cbor2.dumps(members if shape is None else _tagged(members, shape))

    def refusal(self, error: AwsError, target: str) -> bytes:
        namespace = _NAMESPACES.get(target.partition(".")[0])
        code = f"{namespace}#{error.code}" if namespace else error.code
        return cbor2.dumps({"__type": code, "message": error.message, **error.members})

    def refusal_headers(self, error: AwsError) -> dict[str, str]:
        return {}


_JSON = {media_type: AwsJson(media_type) for media_type in JSON_TYPES}
_CBOR = RpcV2Cbor()
_REST = RestJson()
_CBOR_PATHS = "/service/"
# Of the one REST service: what is simulated of it, and its tags, which are refused in its own language.
_REST_PATHS = ("/catalogs/", "/tags/")


def is_aws_call(method: str, path: str, headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether a request is for the AWS door, and not a browser's for the storefront.

    Args:
        headers: as ASGI has them, names in lower case.
    """
    if path.startswith((_CBOR_PATHS, *_REST_PATHS)):
        return True
    if path != "/":
        return False
    return method == "POST" or any(
        name == b"x-amz-target" or (name == b"authorization" and value.startswith(b"AWS4-"))
        for name, value in headers
    )


def protocol_of(request: Request) -> WireProtocol:
    """The language in which a request is to be answered, garbage included."""
    path: str = request.scope["path"]
    if path.startswith(_CBOR_PATHS):
        return _CBOR
    if path.startswith(_REST_PATHS):
        return _REST
    return _JSON.get(_media_type(request), _JSON[JSON_TYPES[1]])


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _epoch(decoder: Any) -> Any:
    return decoder.decode()


def _tagged(value: Any, shape: Shape) -> Any:
    """The value with its timestamps tagged, as CBOR must have them."""
    if isinstance(shape, StructureShape):
        return {name: _tagged(item, shape.members[name]) for name, item in value.items()}
    if isinstance(shape, ListShape):
        return [_tagged(item, shape.member) for item in value]
    if isinstance(shape, MapShape):
        return {key: _tagged(item, shape.value) for key, item in value.items()}
    if shape.type_name == "timestamp":
        return cbor2.CBORTag(_EPOCH, value)
    return value
