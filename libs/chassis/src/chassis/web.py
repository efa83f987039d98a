"""Builds a service's web application from its contract: the contract is router and referee."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import connexion
import flask
import httpx
import orjson
import structlog
from a2wsgi import WSGIMiddleware
from botocore.exceptions import BotoCoreError, ClientError
from connexion.exceptions import ProblemException
from connexion.lifecycle import ConnexionRequest, ConnexionResponse
from connexion.middleware import MiddlewarePosition
from connexion.options import SwaggerUIOptions
from connexion.resolver import Resolver
from pynamodb.exceptions import PynamoDBException
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from chassis import tracing
from chassis.async_operations import AsyncOperations, coroutines
from chassis.auth import PRESENT, BearerTokens, Caller, KeyRing, security_map
from chassis.aws import is_outage
from chassis.contract import METHODS, load_contract, operations
from chassis.cross_origin import Preflights, SharedAnswers, terms_of
from chassis.envelope import RequestEnvelope
from chassis.problem_pages import ProblemAnswers, RenderProblem
from chassis.problems import Problem, Unavailable
from chassis.readiness import Readiness
from chassis.senders import client_address
from chassis.settings import ChassisSettings
from chassis.short_way import ShortWay, short_operations
from chassis.validation import validator_map

log = structlog.get_logger()

_TITLES = {
    400: ("invalid-request", "The request does not fit the contract."),
    401: ("unauthorized", "Credentials are missing or not valid."),
    403: ("forbidden", "The credentials lack the scope for this."),
    404: ("not-found", "There is no such thing."),
    405: ("method-not-allowed", "This method is not allowed here."),
    406: ("not-acceptable", "No answer is of a type that the request accepts."),
    413: ("too-large", "The body is too large."),
    415: ("unsupported-media-type", "The content type is not supported."),
    429: ("too-many-requests", "Too many requests came in a short time."),
}


@dataclass(frozen=True)
class Assembled:
    """What a handler may reach."""

    service: str
    parts: Any
    readiness: Readiness
    contract: dict[str, Any]
    proxy_hops: int


def assembled() -> Assembled:
    found: Assembled = flask.current_app.extensions["marketplane"]
    return found


def parts() -> Any:
    """The object that the service's app.py assembled."""
    return assembled().parts


def caller() -> Caller:
    """Who sent the present request. Only operations that the contract guards have one."""
    return PRESENT.get()


def sender_address() -> str:
    """The address that the present request came from, as PROXY_HOPS says: see `chassis.senders`."""
    return client_address(connexion.context.scope, assembled().proxy_hops)


def json_answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> flask.Response:
    """A JSON answer. (A plain dict would not do: spec-first/connexion issue 1956.)"""
    return flask.Response(orjson.dumps(body), status=status, headers=headers, content_type="application/json")


def build_web_app(
    *,
    service: str,
    contract: Path,
    settings: ChassisSettings,
    keys: KeyRing,
    parts: Any,
    readiness: Readiness,
    sessions: dict[str, Callable[[str], Caller | None]] | None = None,
    headers: dict[str, str] | None = None,
    problem_pages: dict[str, RenderProblem] | None = None,
) -> connexion.FlaskApp:
    """The ASGI application of one service.

    Args:
        service: its name, which is also the package that holds `api.py`.
        contract: its OpenAPI file.
        settings: for limits, bearer tokens and the origins of browser applications.
        keys: its API keys.
        parts: what its handlers reach through `parts()`.
        readiness: for each part it needs, a call that raises while that part is away.
        sessions: for each header that the contract names as another apiKey scheme, the function that checks
            it.
        headers: sent with every answer.
        problem_pages: by the path of a page, such as `/register`, what renders the problems of it and of
            every path below it as HTML. It runs in Flask's application context, not in a request's: `parts()`
            and templates are there, `flask.request` is not.
    """
    document = load_contract(contract)
    resolver = _Resolver(service)
    app = connexion.FlaskApp(
        service,
        resolver=resolver,
        strict_validation=True,
        validator_map=validator_map(),
        security_map=security_map(
            {
                resolver.function_name(name): operation.get("x-required-scopes", [])
                for name, operation in operations(document).items()
            },
            keys,
            BearerTokens(settings),
            sessions or {},
        ),
        swagger_ui_options=SwaggerUIOptions(swagger_ui_path="/docs"),
        # Flask would serve `/static` by itself: a route that no contract names.
        server_args={"static_folder": None},
        lifespan=_serving,
    )
    # FlaskApp gives Flask ten threads and no setting (spec-first/connexion issue 1979): handlers that wait
    # for AWS would starve the rest.
    threads = WSGIMiddleware(app.app.wsgi_app, workers=settings.web_threads)
    names = {name: resolver.function_name(name) for name in operations(document)}
    functions = coroutines(names.values())
    app._middleware_app.asgi_app = AsyncOperations(functions, app.app, threads)
    app.app.extensions["marketplane"] = Assembled(service, parts, readiness, document, settings.proxy_hops)
    allowed_methods = _allowed_methods(document)
    answers = ProblemAnswers(problem_pages or {}, app.app.app_context)

    def on_problem(request: ConnexionRequest, error: Exception) -> ConnexionResponse:
        return answers.answer(_as_problem(error, request, allowed_methods), request.scope)

    for kind in (ProblemException, HTTPException, BotoCoreError, ClientError, PynamoDBException, Exception):
        app.add_error_handler(kind, on_problem)
    origins = settings.browser_origin_list
    # Of two at one position the first is the outer one.
    if origins:
        app.add_middleware(
            SharedAnswers, MiddlewarePosition.BEFORE_EXCEPTION, origins=origins, terms=terms_of(document)
        )
    app.add_middleware(
        RequestEnvelope,
        MiddlewarePosition.BEFORE_EXCEPTION,
        service=service,
        max_body_bytes=settings.max_body_bytes,
        headers={"X-Content-Type-Options": "nosniff", **(headers or {})},
        answer=answers.answer,
    )
    if origins:
        app.add_middleware(
            Preflights, MiddlewarePosition.BEFORE_SWAGGER, origins=origins, terms=terms_of(document)
        )
    app.add_middleware(
        ShortWay,
        MiddlewarePosition.BEFORE_SWAGGER,
        operations=short_operations(document, functions, names),
        keys=keys,
        context=app.app,
    )
    app.add_api(document, name=service)
    return app


@asynccontextmanager
async def _serving(_app: Any) -> AsyncIterator[None]:
    """While the server takes requests. Not `atexit`: uvicorn ends its process by the signal that stopped
    it."""
    yield
    await run_in_threadpool(tracing.stop)


class _Resolver(Resolver):  # type: ignore[misc]
    """From an operationId to its function by one search: `get_customer` is `<service>.api.get_customer`;
    `landing.open_page` is `<service>.landing.open_page`; what begins with `chassis.` is ours."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def function_name(self, operation_id: str) -> str:
        if operation_id.startswith("chassis."):
            return operation_id
        return f"{self._service}.{operation_id if '.' in operation_id else 'api.' + operation_id}"

    def resolve_operation_id(self, operation: Any) -> str:
        return self.function_name(operation.operation_id)


def _allowed_methods(document: dict[str, Any]) -> list[tuple[list[str], str]]:
    found = []
    # `/things/all` before `/things/{id}`, as the router has it.
    for path in sorted(document["paths"], key=lambda path: path.count("{")):
        methods = {method.upper() for method in document["paths"][path] if method in METHODS}
        # The router answers HEAD wherever it answers GET.
        found.append(
            (path.split("/"), ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set()))))
        )
    return found


def _as_problem(error: Exception, request: ConnexionRequest, allowed: list[tuple[list[str], str]]) -> Problem:
    if isinstance(error, Problem):
        return error
    if is_outage(error):
        log.warning("AWS is away.", error=repr(error))
        return Unavailable("A part of AWS that this service needs did not answer, or asked us to slow down.")
    if isinstance(error, httpx.HTTPError):  # only the clock is asked by httpx
        log.warning("The clock is away.", error=repr(error))
        return Unavailable("The clock that this installation lives by did not answer.")
    if isinstance(error, ProblemException | HTTPException):
        status = error.status if isinstance(error, ProblemException) else error.status_code
        slug, title = _TITLES.get(status, (f"http-{status}", error.detail or "The request cannot be served."))
        headers = dict(error.headers or {})
        if status == 405:
            headers["Allow"] = _methods_of(request.scope["path"], allowed)
        return Problem(status, slug, title, error.detail, headers=headers)
    log.error("A request ended in an error of ours.", exc_info=error)
    return Problem(
        500, "internal-error", "Something here is broken.", "It has been logged; quote the instance."
    )


def _methods_of(path: str, allowed: list[tuple[list[str], str]]) -> str:
    steps = path.split("/")
    for template, methods in allowed:
        if len(template) == len(steps) and all(
            part == step or part.startswith("{") for part, step in zip(template, steps, strict=True)
        ):
            return methods
    return "GET"
