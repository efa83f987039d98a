"""The operations of openapi/common/health.yaml: alive, ready, and what happened so far in numbers."""

from typing import Any

import flask

from chassis import metrics as counted
from chassis.problems import Unavailable
from chassis.readiness import ask_parts
from chassis.web import assembled, json_answer


def healthz() -> Any:
    return json_answer({"status": "alive", "service": assembled().service})


def readyz() -> Any:
    answers = ask_parts(assembled().readiness)
    if any(answer != "ready" for answer in answers.values()):
        raise Unavailable("At least one part did not answer.", parts=answers)
    return json_answer({"status": "ready", "service": assembled().service, "parts": answers})


def metrics() -> Any:
    return flask.Response(counted.exposition(), content_type="text/plain; charset=utf-8")
