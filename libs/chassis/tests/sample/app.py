"""Assembles the sample service, as a real service's app.py does."""

from pathlib import Path
from typing import Any

import connexion
import flask

from chassis.auth import ApiKey, Caller, KeyRing
from chassis.checks import clock_check, table_checks
from chassis.doctor import Check
from chassis.problem_pages import Asked
from chassis.problems import Problem
from chassis.settings import ChassisSettings
from chassis.tables import bind, create_tables
from chassis.web import build_web_app, parts

CONTRACT = Path(__file__).parent / "contract.yaml"


class SampleKey(ApiKey):
    class Meta:
        table_name = "sample-api-keys"


def key_ring(settings: ChassisSettings) -> KeyRing:
    bind([SampleKey], settings)
    return KeyRing(SampleKey)


def create_local(settings: ChassisSettings) -> None:
    bind([SampleKey], settings)
    create_tables([SampleKey])


def checks(settings: ChassisSettings) -> list[Check]:
    bind([SampleKey], settings)
    return [clock_check(settings, SampleKey), *table_checks([SampleKey], settings)]


def build(
    settings: ChassisSettings, keys: KeyRing, notes: list[Any], headers: dict[str, str] | None = None
) -> connexion.FlaskApp:
    """The web application; `notes` is its shelf, and away while "away" lies on it."""

    def shelf() -> None:
        if "away" in notes:
            raise ConnectionError("the shelf is away")

    return build_web_app(
        service="sample",
        contract=CONTRACT,
        settings=settings,
        keys=keys,
        parts=notes,
        readiness={"shelf": shelf},
        sessions={
            "X-Note-Session": lambda secret: Caller("session", frozenset()) if secret == "right" else None
        },
        headers=headers,
        problem_pages={"/welcome": problem_page},
    )


def problem_page(problem: Problem, asked: Asked) -> tuple[str, dict[str, str]]:
    """A page that shows all that a renderer is given, and fails when the query asks it to."""
    if asked.query.get("page") == "breaks":
        raise RuntimeError("a mistake of the page, by ada@example.com")
    html = flask.render_template_string(
        "<h1 lang={{ lang }}>{{ problem.slug }}</h1>"
        "<p>{{ asked.path }} {{ asked.request_id }} {{ asked.headers.get('accept-language') }} "
        "{{ asked.cookies.get('visit') }} {{ notes }} notes",
        lang=asked.query.get("lang", "en"),
        problem=problem,
        asked=asked,
        notes=len(parts()),
    )
    # The last two are not a page's to say.
    further = {
        "Content-Security-Policy": "default-src 'none'",
        "RETRY-AFTER": "0",
        "content-type": "text/plain",
    }
    return html, further
