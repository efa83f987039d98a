"""Browser applications of other origins: which may read what `/v1` answers, and what they may send there.
(And whether the service is ready, which an operator's application shows.)

This is the server's half of the CORS protocol (Fetch Standard, "HTTP CORS protocol"). Only the origins of
BROWSER_ORIGINS are named, one in each answer and never `*`. Credentials that a browser adds by itself are
not allowed: an application sends its token in `Authorization`, and cookies belong to the pages of a service,
which are elsewhere and share nothing.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.contract import operations
from chassis.problems import Problem

SHARED_BELOW, SHARED_TOO = "/v1/", "/readyz"
"""What is shared with named origins: answers below the one, and whether a service is ready. Everything else
is for its own origin alone."""

PREFLIGHT = "chassis.cross_origin.preflight"
"""What a preflight is called in log and metrics: it is no operation of a contract."""

# The longest that Chromium keeps one; others keep it longer. An origin that is taken from the list loses its
# leave at once all the same: its answers then lack the header that lets it read them.
KEEP_PREFLIGHT_SECONDS = 7200

# What a browser lets an application read unasked (Fetch Standard, "CORS-safelisted response-header name"),
# and what it never does.
_SHOWN_ANYWAY = frozenset(
    {
        "cache-control",
        "content-language",
        "content-length",
        "content-type",
        "expires",
        "last-modified",
        "pragma",
    }
)
_NEVER_SHOWN = frozenset({"set-cookie"})


def is_shared(path: str) -> bool:
    """Whether named origins may read what is answered there."""
    return path.startswith(SHARED_BELOW) or path == SHARED_TOO


@dataclass(frozen=True)
class Terms:
    """What applications of other origins may send and read.

    Attributes:
        methods: of requests.
        request_headers: beyond those that a browser lets an application send without asking.
        response_headers: beyond those that it lets one read without asking.
    """

    methods: tuple[str, ...]
    request_headers: tuple[str, ...]
    response_headers: tuple[str, ...]


def terms_of(contract: dict[str, Any]) -> Terms:
    """The terms of a contract: all that its shared operations name which are public or take a bearer
    token. API keys are for programs and have no place in a browser.

    Args:
        contract: as `load_contract` reads it.
    """
    methods: set[str] = set()
    sent, read = {"Authorization", "Content-Type"}, {"Retry-After", "X-Request-Id"}
    for operation in operations(contract).values():
        bearer = [one for one in operation.get("security", []) if "bearer" in one]
        if not is_shared(operation["path"]) or (operation.get("security") and not bearer):
            continue
        methods.add(operation["method"].upper())
        path = contract["paths"][operation["path"]]
        for parameter in _parts(contract, [*operation.get("parameters", []), *path.get("parameters", [])]):
            if parameter["in"] == "header":
                sent.add(parameter["name"])
        # A second proof beside the token, in a header of its own.
        schemes = contract["components"]["securitySchemes"]
        sent |= {
            schemes[name]["name"] for one in bearer for name in one if schemes[name].get("in") == "header"
        }
        for response in _parts(contract, operation["responses"].values()):
            read |= set(response.get("headers", {}))
    return Terms(
        tuple(sorted(methods)),
        tuple(sorted(sent)),
        tuple(sorted(name for name in read if name.lower() not in _SHOWN_ANYWAY | _NEVER_SHOWN)),
    )


class SharedAnswers:
    """ASGI middleware around everything that answers: lets named origins read what is shared, refusals
    included.

    Args:
        app: what is inside.
        origins: as browsers write them.
        terms: which headers may be read.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str], terms: Terms) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._read = ", ".join(terms.response_headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_shared(scope["path"]):
            await self._app(scope, receive, send)
            return
        origin = _origin_of(scope)

        async def send_shared(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", [])
                headers = MutableHeaders(scope=message)
                # Also where nothing is shared: a cache must not give that answer to a named origin.
                headers.add_vary_header("Origin")
                if origin in self._origins:
                    headers["Access-Control-Allow-Origin"] = origin
                    headers["Access-Control-Expose-Headers"] = self._read
            await send(message)

        await self._app(scope, receive, send_shared)


class Preflights:
    """ASGI middleware before the router and behind the handler of errors: answers the question that a browser
    asks before a request, which has no credentials and reaches no operation.

    It tells a named origin what it may send, whatever was asked for: the browser compares, and tells the
    application's developer what is missing. That the origin is named, `SharedAnswers` says.

    Args:
        app: what is inside.
        origins: as browsers write them.
        terms: what may be sent.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str], terms: Terms) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._headers = {
            "Access-Control-Allow-Methods": ", ".join(terms.methods),
            "Access-Control-Allow-Headers": ", ".join(terms.request_headers),
            "Access-Control-Max-Age": str(KEEP_PREFLIGHT_SECONDS),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_preflight(scope):
            await self._app(scope, receive, send)
            return
        # For the request's line in the log, which finds it where Connexion would put it.
        scope["extensions"]["connexion_routing"] = {"operation_id": PREFLIGHT}
        if _origin_of(scope) not in self._origins:
            raise Problem(
                403,
                "origin-not-allowed",
                "This origin may not ask from a browser.",
                "The operator of this installation has not named it in BROWSER_ORIGINS.",
            )
        await Response(status_code=204, headers=self._headers)(scope, receive, send)


def _is_preflight(scope: Scope) -> bool:
    """Fetch Standard, "CORS-preflight request"."""
    if scope["type"] != "http" or scope["method"] != "OPTIONS" or not is_shared(scope["path"]):
        return False
    headers = Headers(scope=scope)
    return "origin" in headers and "access-control-request-method" in headers


def _origin_of(scope: Scope) -> str:
    """Who asks, as their browser says; empty where nobody does, or two do."""
    said = Headers(scope=scope).getlist("origin")
    return said[0] if len(said) == 1 else ""


def _parts(contract: dict[str, Any], nodes: Any) -> Iterator[dict[str, Any]]:
    """The nodes with references to parts of the contract replaced by those."""
    for node in nodes:
        while "$ref" in node:
            kind, name = node["$ref"].split("/")[-2:]
            node = contract["components"][kind][name]
        yield node
