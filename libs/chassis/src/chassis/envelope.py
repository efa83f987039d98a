"""What surrounds every HTTP request: its id, its size limit, its one line in the log, its count."""

import re
import time
import uuid
from collections.abc import Callable
from typing import Any

import structlog
from connexion.lifecycle import ConnexionResponse
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import metrics, tracing
from chassis.bodies import replayed
from chassis.problems import NotFound, Problem

log = structlog.get_logger()

_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
# Any word may stand for a method; a stranger's words would each become a time series.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class _Gone(Exception):
    """The caller hung up before its request was whole; there is nobody to answer."""


class RequestEnvelope:
    """ASGI middleware, the outermost but for Connexion's last resort.

    Args:
        app: what is inside.
        service: the name for metrics.
        max_body_bytes: a larger body is refused with 413 before anything reads it.
        headers: sent with every answer that does not say otherwise itself.
        answer: gives the answer of a problem.
    """

    def __init__(
        self,
        app: ASGIApp,
        service: str,
        max_body_bytes: int,
        headers: dict[str, str],
        answer: Callable[[Problem, Scope], ConnexionResponse],
    ) -> None:
        self._app = app
        self._service = service
        self._max = max_body_bytes
        self._answer = answer
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        # Connexion writes the operation into this dictionary; made here, it is still the same one when the
        # request is over.
        scope.setdefault("extensions", {})
        scope["headers"] = [_with_plain_media_type(*header) for header in scope["headers"]]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        method = scope["method"] if scope["method"] in _METHODS else "other"
        with tracing.of_request(method, scope["path"], scope["headers"]) as span:
            await self._pass(scope, receive, send, request_id, method, span)

    async def _pass(
        self, scope: Scope, receive: Receive, send: Send, request_id: str, method: str, span: tracing.Span
    ) -> None:
        """Let the request through, and say and count what became of it."""
        started = time.perf_counter()
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = [pair for pair in message.get("headers", []) if pair[0].lower() != b"x-request-id"]
                named = {name.lower() for name, _ in own}
                message["headers"] = [
                    *own,
                    (b"x-request-id", request_id.encode()),
                    *(pair for pair in self._headers if pair[0] not in named),
                ]
            await send(message)

        try:
            # Connexion's routing ends at a line break and Flask's does not: the request would reach Flask
            # past every guard and check, and end in a 500.
            if "\n" in scope["path"]:
                await self._refuse(NotFound(), scope, send_with_id)
                return
            limited = await self._limit(scope, receive)
            if limited is None:
                too_large = f"At most {self._max} bytes are taken."
                await self._refuse(
                    Problem(413, "too-large", "The body is too large.", too_large), scope, send_with_id
                )
            else:
                await self._app(scope, limited, send_with_id)
        except _Gone:
            status = 499  # nginx's number for it
        finally:
            seconds = time.perf_counter() - started
            operation = _operation(scope)
            span.answered(status, operation)
            metrics.REQUESTS.labels(self._service, operation, method, str(status)).inc()
            metrics.REQUEST_SECONDS.labels(self._service, operation).observe(seconds)
            # The operation, not the path: paths hold ids, and a stranger's path may hold a token.
            say = log.debug if operation.startswith("chassis.health") else log.info
            say("Answered.", operation=operation, method=method, status=status, ms=round(seconds * 1000, 1))

    async def _limit(self, scope: Scope, receive: Receive) -> Receive | None:
        """The body's channel, or None where the body is too large."""
        headers = dict(scope["headers"])
        # Asked first: where a request has both, the length is not the one that counts (RFC 9112, 6.3).
        if b"transfer-encoding" not in headers:
            declared = headers.get(b"content-length", b"0")
            return receive if declared.isdigit() and int(declared) <= self._max else None
        # A chunked body has no length: read it here, and give it one, because Connexion takes none for an
        # empty body.
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._max:
                return None
        scope["headers"] = [
            *(pair for pair in scope["headers"] if pair[0] not in (b"transfer-encoding", b"content-length")),
            (b"content-length", str(len(body)).encode()),
        ]
        return replayed(bytes(body), receive)

    async def _refuse(self, problem: Problem, scope: Scope, send: Send) -> None:
        """Answer by ourselves, and hang up: nobody has read the body."""
        # In a thread: a page of the service may take its time to render.
        refusal = await run_in_threadpool(self._answer, problem, scope)
        headers = refusal.headers | {"Content-Length": str(len(refusal.body)), "Connection": "close"}
        await send(
            {
                "type": "http.response.start",
                "status": problem.status,
                "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            }
        )
        await send({"type": "http.response.body", "body": refusal.body})


def _request_id(scope: Scope) -> str:
    offered = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    return offered if _ACCEPTABLE_ID.fullmatch(offered) else uuid.uuid4().hex


def _operation(scope: Scope) -> str:
    routing: dict[str, Any] = scope.get("extensions", {}).get("connexion_routing", {})
    return str(routing.get("operation_id") or "unknown")


def _with_plain_media_type(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """A content type in small letters, its parameters as they are. Media types have no case (RFC 9110,
    8.3.1), but Connexion lets pass unchecked what it does not know by its letters."""
    if name != b"content-type":
        return name, value
    media_type, *parameters = value.split(b";", 1)
    return name, b";".join([media_type.lower(), *parameters])
