"""The REST-JSON language: method and path name the operation, the path carries members, the body the rest."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

import orjson
from botocore.model import Shape
from starlette.requests import Request

from marketplace_simulator.aws_errors import AwsError
from marketplace_simulator.operations import Operation, operations


class RestJson:
    """`POST /catalogs/{catalog}/...`; what a request means is told by its method and path alone."""

    name = "rest-json"
    media_type = "application/json"
    unknown_operation_status = 404
    # What AWS's services of this language answer where those of AWS JSON answer 400 (assumed for this one).
    bad_credentials_status = 403

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}

    def target(self, request: Request) -> str:
        return _found(request)[0].target

    def read(self, body: bytes, request: Request) -> Any:
        try:
            value = orjson.loads(body) if body else {}
        except orjson.JSONDecodeError:
            raise AwsError("SerializationException", "The body is not JSON.") from None
        if type(value) is not dict:
            raise AwsError("SerializationException", "The body is not a structure.")
        _, in_path = _found(request)
        return value | {name: unquote(text) for name, text in in_path.groupdict().items()}

    def answer(self, members: dict[str, Any], shape: Shape | None) -> bytes:
        return orjson.dumps(members)

    def refusal(self, error: AwsError, target: str) -> bytes:
        return orjson.dumps({"message": error.message, **error.members})

    def refusal_headers(self, error: AwsError) -> dict[str, str]:
        return {"x-amzn-ErrorType": error.code}


def _found(request: Request) -> tuple[Operation, re.Match[str]]:
    # As it was sent: a `%2F` inside a member separates nothing.
    path = request.scope.get("raw_path", b"").decode("ascii", "replace").partition("?")[0]
    for operation in operations().values():
        if operation.route is not None and operation.route.method == request.method:
            match = operation.route.path.fullmatch(path)
            if match is not None:
                return operation, match
    raise AwsError("UnknownOperationException", "Method and path name no simulated operation.", 404)
