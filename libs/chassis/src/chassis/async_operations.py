"""Operations that are answered in the event loop. FlaskApp gives each request a thread, which is right for
most: they ask DynamoDB and wait. An operation that thousands call at the same time, and that mostly waits for
something it shares with others, is a coroutine function instead, and costs no thread and no bridge to WSGI.
"""

import importlib
import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import flask
from starlette.types import ASGIApp, Receive, Scope, Send

DOCUMENT = "document"
"""Where the body's validator leaves what it read, in the scope's `state`: it is not read twice."""

Function = Callable[[Any, str], Awaitable[flask.Response]]
"""Takes the JSON body (None where there is none) and its content type, without the latter's parameters."""


class AsyncOperations:
    """ASGI application behind Connexion's checks. An error goes up to them, as everybody's does.

    Args:
        functions: by their full names, such as `metering.api.post_usage_events`.
        app: whose context they run in, so that `parts()` is there; not a request's, `flask.request` is not.
        others: answers all other operations.
    """

    def __init__(self, functions: dict[str, Function], app: flask.Flask, others: ASGIApp) -> None:
        self._functions = functions
        self._app = app
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        routing = scope.get("extensions", {}).get("connexion_routing", {})
        function = self._functions.get(routing.get("operation_id"))
        if function is None:
            await self._others(scope, receive, send)
            return
        with self._app.app_context():
            answer = await function(scope["state"].get(DOCUMENT), _content_type(scope))
        await answer_with(answer, send)


async def answer_with(answer: flask.Response, send: Send) -> None:
    """Send an operation's answer."""
    headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": answer.get_data()})


def coroutines(names: Iterable[str]) -> dict[str, Function]:
    """Those of the functions that are coroutine functions, by name.

    Args:
        names: full ones, such as `metering.api.post_usage_events`.
    """
    found = {}
    for name in names:
        module, _, function_name = name.rpartition(".")
        function = getattr(importlib.import_module(module), function_name)
        if inspect.iscoroutinefunction(function):
            found[name] = function
    return found


def _content_type(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"content-type":
            return str(value.decode("latin-1")).partition(";")[0].strip().lower()
    return ""
