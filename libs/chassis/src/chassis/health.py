"""Is the process alive, can it do its job, what happened so far."""

from collections.abc import Callable
from typing import Any

import structlog

from chassis import metrics as counted
from chassis.problems import Unavailable

log = structlog.get_logger()

Readiness = dict[str, Callable[[], Any]]


def ask_parts(readiness: Readiness) -> dict[str, str]:
    """Ask each part; `ready`, or what is wrong with it in words that name no address."""
    answers = {}
    for name, ask in readiness.items():
        try:
            ask()
            answers[name] = "ready"
        except Exception as error:
            log.warning("A part is not ready.", part=name, error=repr(error))
            answers[name] = f"away ({type(error).__name__})"
    return answers


def healthz() -> Any:
    from chassis.web import assembled, json_answer

    return json_answer({"status": "alive", "service": assembled().service})


def readyz() -> Any:
    from chassis.web import assembled, json_answer

    answers = ask_parts(assembled().readiness)
    if any(answer != "ready" for answer in answers.values()):
        raise Unavailable("At least one part did not answer.", parts=answers)
    return json_answer({"status": "ready", "service": assembled().service, "parts": answers})


def metrics() -> Any:
    import flask

    return flask.Response(counted.exposition(), content_type="text/plain; charset=utf-8")
