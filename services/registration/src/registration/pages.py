"""HTML answers: rendered from `templates/`, closed to everything that the pages do not use."""

import base64
import hashlib
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import flask
import structlog
from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException

from chassis.aws import is_outage
from chassis.problems import Problem, Unavailable
from registration.parts import the_parts
from registration.problems import NAMED_ERRORS, problem_of

log = structlog.get_logger()

P = ParamSpec("P")

_STYLE = (Path(__file__).parent / "templates" / "style.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

_HEADERS = {
    # The style is inline and named by its hash: no second public route, and still nothing foreign can style
    # the page.
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def page(
    template: str, status: int = 200, *, headers: dict[str, str] | None = None, **shown: Any
) -> flask.Response:
    """Render a page.

    Args:
        template: a file of `templates/`, autoescaped.
        status: the HTTP status.
        headers: beside those that every page has.
        shown: what the template shows.
    """
    shown.setdefault("support", the_parts().catalogue.any_support())
    return flask.Response(
        flask.render_template(template, style=_STYLE, **shown),
        status=status,
        headers={**_HEADERS, **(headers or {})},
        content_type="text/html; charset=utf-8",
    )


def for_people(view: Callable[P, flask.Response]) -> Callable[P, flask.Response]:
    """Let a buyer see a page in words, with the right status, where a program gets a problem document."""

    @wraps(view)
    def in_words(*args: P.args, **kwargs: P.kwargs) -> flask.Response:
        try:
            return view(*args, **kwargs)
        except NAMED_ERRORS as error:
            return problem_page(problem_of(error, the_parts().catalogue))
        except Problem as problem:
            return problem_page(problem)
        except (PynamoDBException, BotoCoreError, ClientError) as error:
            cause = error.cause if isinstance(error, PynamoDBException) else error
            if cause is None or not is_outage(cause):
                raise
            log.warning("A page could not be served: AWS is away.", error=type(cause).__name__)
            return problem_page(Unavailable("The tables cannot be reached."))

    return in_words


def problem_page(problem: Problem) -> flask.Response:
    """The page that stands for a problem; `templates/problem.html` has the words for each slug."""
    product = the_parts().catalogue.find(problem.more.get("product_code", ""))
    return page(
        "problem.html",
        problem.status,
        headers=dict(problem.headers or {}),
        slug=problem.slug,
        ids={
            name: problem.more[name]
            for name in ("registration_id", "subscription_id")
            if name in problem.more
        },
        support=product.support if product else the_parts().catalogue.any_support(),
    )
