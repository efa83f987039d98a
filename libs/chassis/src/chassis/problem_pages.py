"""Errors as pages: below some addresses it is people who ask, to whom a problem document says nothing."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import structlog
from connexion.lifecycle import ConnexionResponse
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import Scope
from werkzeug.http import parse_accept_header

from chassis.problems import MEDIA_TYPE, Problem, answer

log = structlog.get_logger()

_JSON = frozenset({MEDIA_TYPE, "application/json"})


@dataclass(frozen=True)
class Asked:
    """What a renderer may know of the request that ended in a problem; never its body.

    Attributes:
        request_id: to be quoted to support; it is in the log too.
        path: percent-decoded.
        query: of a parameter that comes twice, the last.
        headers: by names of any case.
        cookies: as the browser sent them, unchecked.
    """

    request_id: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    cookies: Mapping[str, str]


# Gives the page's HTML and further headers of the answer, such as Content-Security-Policy.
RenderProblem = Callable[[Problem, Asked], tuple[str, dict[str, str]]]


class ProblemAnswers:
    """Answers problems: below a prefix as the service's page, everywhere else as problem+json.

    A program below a prefix gets problem+json too, if its Accept names JSON and not HTML.

    Args:
        pages: the renderer of each prefix; a path under several prefixes gets that of the longest.
        context: what a renderer runs in, so that it reaches the service's parts and templates.
    """

    def __init__(
        self, pages: Mapping[str, RenderProblem], context: Callable[[], AbstractContextManager[object]]
    ) -> None:
        self._pages = [(prefix.rstrip("/"), pages[prefix]) for prefix in sorted(pages, key=len, reverse=True)]
        self._context = context

    def answer(self, problem: Problem, scope: Scope) -> ConnexionResponse:
        """The answer to the request of this ASGI scope. A renderer that fails costs the buyer the page, not
        the answer."""
        request_id = scope["state"]["request_id"]
        document = answer(problem, request_id)
        render = self._renderer(scope["path"])
        if render is None:
            return document
        # One address with two kinds of answers, one of them perhaps about this visitor: for no cache.
        document.headers.setdefault("Cache-Control", "no-store")
        try:
            request = HTTPConnection(scope)
            if _wants_json(",".join(request.headers.getlist("accept"))):
                return document
            asked = Asked(request_id, scope["path"], request.query_params, request.headers, request.cookies)
            with self._context():
                html, headers = render(problem, asked)
            return _page(problem, html, headers)
        except Exception:
            log.exception("The page of a problem could not be rendered.", problem=problem.slug)
            return document

    def _renderer(self, path: str) -> RenderProblem | None:
        for prefix, render in self._pages:
            if path == prefix or path.startswith(prefix + "/"):
                return render
        return None


def _wants_json(accept: str) -> bool:
    named = {
        kind.partition(";")[0].strip().lower() for kind, quality in parse_accept_header(accept) if quality > 0
    }
    return not named.isdisjoint(_JSON) and "text/html" not in named


def _page(problem: Problem, html: str, further: dict[str, str]) -> ConnexionResponse:
    headers = MutableHeaders({"Cache-Control": "no-store"})
    headers.update(further)
    headers.update(problem.headers or {})
    headers["Content-Type"] = "text/html; charset=utf-8"
    return ConnexionResponse(
        status_code=problem.status, mimetype="text/html", body=html.encode(), headers=dict(headers)
    )
