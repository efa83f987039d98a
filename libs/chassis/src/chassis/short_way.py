"""A short way to the operations that are coroutine functions, past Connexion's layers.

Those route, guard and check every request alike, and cost more than the operation does. A request that is
plainly right goes to its operation from here: its path, key, content type and body fit the contract. Whatever
else it is goes Connexion's way from the beginning, which alone says what is wrong: nothing is refused here.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import flask
import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.async_operations import Function, answer_with
from chassis.auth import PRESENT, Caller, KeyRing
from chassis.bodies import replayed, whole_body
from chassis.contract import operations, without_references
from chassis.validation import READ_BY_THE_OPERATION, compile_schema

CONTENT_TYPE, KEY, BEARER = b"content-type", b"x-api-key", b"authorization"
COUNT = {CONTENT_TYPE, KEY, BEARER}


@dataclass(frozen=True)
class ShortOperation:
    """One operation that can be reached so.

    Attributes:
        name: its function's full one.
        function: it.
        scopes: of which the caller needs any one.
        validators: of the body, by content type.
    """

    name: str
    function: Function
    scopes: list[str]
    validators: dict[str, Any]


class _Asked(NamedTuple):
    operation: ShortOperation
    content_type: str
    caller: Caller


def short_operations(
    contract: dict[str, Any], functions: dict[str, Function], names: dict[str, str]
) -> dict[tuple[str, str], ShortOperation]:
    """Those of a contract that take nothing but a JSON body and an API key, by method and path.

    Args:
        contract: as `load_contract` reads it.
        functions: the coroutine functions, by their full names.
        names: the full name of each operation's function.
    """
    found = {}
    for operation_id, operation in operations(contract).items():
        name = names[operation_id]
        if name not in functions or not _is_plain(operation, contract["paths"][operation["path"]]):
            continue
        validators = {
            content_type: compile_schema(without_references(contract, content["schema"]))
            for content_type, content in operation["requestBody"]["content"].items()
        }
        scopes = operation.get("x-required-scopes", [])
        place = operation["method"].upper(), operation["path"]
        found[place] = ShortOperation(name, functions[name], scopes, validators)
    return found


def _is_plain(operation: dict[str, Any], path: dict[str, Any]) -> bool:
    bodies = operation.get("requestBody", {}).get("content", {})
    return (
        {"apiKey": []} in operation.get("security", [])
        and not operation.get("parameters")
        and not path.get("parameters")
        and bool(bodies)
        and all(content_type.endswith("json") for content_type in bodies)
        and not any(content["schema"].get(READ_BY_THE_OPERATION) for content in bodies.values())
    )


class ShortWay:
    """ASGI middleware, before Connexion's router and behind its handler of errors.

    Args:
        app: the long way.
        operations: see `short_operations`.
        keys: the service's API keys.
        context: of the operations: Flask's application.
    """

    def __init__(
        self,
        app: ASGIApp,
        operations: dict[tuple[str, str], ShortOperation],
        keys: KeyRing,
        context: flask.Flask,
    ) -> None:
        self._app = app
        self._operations = operations
        self._keys = keys
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = self._asked(scope)
        if asked is None:
            await self._app(scope, receive, send)
            return
        operation, content_type, caller = asked
        body = await whole_body(receive)
        document = _read(body, operation.validators[content_type])
        if document is None:
            await self._app(scope, replayed(body, receive), send)
            return
        # For the request's line in the log, which finds it where Connexion would put it.
        scope["extensions"]["connexion_routing"] = {"operation_id": operation.name}
        PRESENT.set(caller)
        with self._context.app_context():
            answer = await operation.function(document, content_type)
        await answer_with(answer, send)

    def _asked(self, scope: Scope) -> _Asked | None:
        """What is asked and by whom, where path and head say so plainly: each thing once, and nothing else
        that counts."""
        operation = self._operations.get((scope.get("method", ""), scope.get("path", "")))
        if operation is None or scope["query_string"] or scope.get("root_path"):
            return None
        counts = [(name, value.decode("latin-1")) for name, value in scope["headers"] if name in COUNT]
        said = dict(counts)
        if len(counts) != 2 or said.keys() != {CONTENT_TYPE, KEY}:
            return None
        content_type = said[CONTENT_TYPE].partition(";")[0].strip()
        caller = self._keys.check(said[KEY]) if self._keys.remembers(said[KEY]) else None
        if caller is None or not caller.may(*operation.scopes) or content_type not in operation.validators:
            return None
        return _Asked(operation, content_type, caller)


def _read(body: bytes, validator: Any) -> Any:
    """The body's document; None where it does not fit, or is `null`."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return document if validator.is_valid(document) else None
