"""HTML answers: rendered from `templates/` in the reader's language and the product's colours, closed to
everything that the pages do not use."""

import base64
import hashlib
import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import flask
from werkzeug.http import dump_cookie

from chassis.problem_pages import Asked
from chassis.problems import Problem
from registration.branding import Branding
from registration.catalogue import Product
from registration.languages import (
    LANGUAGES,
    Language,
    known_language,
    language_for,
    marked,
    templates,
)
from registration.parts import the_parts

LANGUAGE_COOKIE = "registration-language"
"""Holds the two letters of a language and nothing else. It outlives the session: a choice is not a secret."""

_A_YEAR = 365 * 24 * 60 * 60
_BASE_STYLE = (Path(__file__).parent / "templates" / "style.css").read_text(encoding="utf-8")
_TEMPLATES = {language: templates("", language, html=True) for language in LANGUAGES}

# What schemas.py says of a wrong entry and landing.py of a refusal without words, in English; here it is
# only marked for translation.
_SENTENCES_OF_OTHERS = (
    marked("Enter an e-mail address, such as ada@example.com."),
    marked("At most 200 characters."),
    marked("No control characters, please."),
    marked("Please check what you entered, or write to us."),
)

_HEADERS = {
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "no-store",
    "Vary": "Accept-Language, Cookie",
}

_NOT_GIVEN: Mapping[str, Any] = {"errors": {}, "entered": {}, "refused": None, "signed_in": None}
"""What the form shows where its door has nothing to say."""


def page(
    template: str,
    status: int = 200,
    *,
    product: Product | None = None,
    headers: Mapping[str, str] | None = None,
    **shown: Any,
) -> flask.Response:
    """Render a page for the present request.

    Args:
        template: a file of `templates/`, autoescaped.
        status: the HTTP status.
        product: whose branding and support contact it has; those of the house where it is not known.
        headers: beside those that every page has.
        shown: what the template shows.
    """
    html, more = _rendered(template, reader_language(), flask.request.args.get("lang"), product, shown)
    return flask.Response(
        html, status=status, headers={**more, **(headers or {})}, content_type="text/html; charset=utf-8"
    )


def reader_language() -> Language:
    """The language that the sender of the present request gets; letters to them are in it too."""
    request = flask.request
    return language_for(
        request.args.get("lang"),
        request.cookies.get(LANGUAGE_COOKIE),
        request.headers.get("Accept-Language"),
    )


def problem_page(problem: Problem, asked: Asked) -> tuple[str, dict[str, str]]:
    """The page that stands for a problem, and its headers; `templates/problem.html` has the words.

    It needs the application's context, not the request's: the chassis calls it where no handler was reached.

    Args:
        problem: of its further members `product_code`, `registration_id`, `subscription_id` and `retry` are
            used; `retry` is what a form to try again carries, nothing that the buyer could read.
        asked: the request.
    """
    lang = asked.query.get("lang")
    language = language_for(lang, asked.cookies.get(LANGUAGE_COOKIE), asked.headers.get("accept-language"))
    ids = {
        name: problem.more[name] for name in ("registration_id", "subscription_id") if name in problem.more
    }
    shown = {
        "slug": problem.slug,
        "ids": ids,
        "retry_token": problem.more.get("retry"),
        "minutes": _minutes(problem),
        "request_id": asked.request_id,
    }
    product = the_parts().catalogue.find(problem.more.get("product_code", ""))
    return _rendered("problem.html", language, lang, product, shown)


def _rendered(
    template: str, language: Language, chosen: str | None, product: Product | None, shown: Mapping[str, Any]
) -> tuple[str, dict[str, str]]:
    """The HTML and the headers that belong to it."""
    parts = the_parts()
    catalogue = parts.catalogue
    branding = product.branding if product else catalogue.house_branding()
    style, style_hash = _style(branding.accent, branding.accent_dark)
    html = (
        _TEMPLATES[language]
        .get_template(template)
        .render(
            **{
                **_NOT_GIVEN,
                **shown,
                "product": product,
                "branding": branding,
                "support": product.support if product else catalogue.any_support(),
                "style": style,
            }
        )
    )
    headers = {
        **_HEADERS,
        # The style is inline and named by its hash: no second public route, and still nothing foreign can
        # style the page.
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{style_hash}'; img-src data:; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        "Content-Language": language,
    }
    if known_language(chosen):
        headers["Set-Cookie"] = dump_cookie(
            LANGUAGE_COOKIE,
            language,
            max_age=_A_YEAR,
            sync_expires=False,  # nothing of today's reads Expires where Max-Age stands
            path="/",
            secure=parts.cookie_secure,
            httponly=True,
            samesite="Lax",
        )
    return html, headers


@lru_cache
def _style(accent: str, accent_dark: str) -> tuple[str, str]:
    """A product's style and its hash for the policy."""
    style = _BASE_STYLE.replace(Branding.accent, accent).replace(Branding.accent_dark, accent_dark)
    return style, base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def _minutes(problem: Problem) -> int:
    """How long to wait, in whole minutes, as the problem's `Retry-After` says it in seconds."""
    seconds = (problem.headers or {}).get("Retry-After", "60")
    return max(1, math.ceil(int(seconds) / 60))
