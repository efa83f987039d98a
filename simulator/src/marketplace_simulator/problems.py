"""Errors of the control API: RFC 9457, application/problem+json."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from marketplace_simulator.agreement_acts import Conflict, NotFound
from marketplace_simulator.agreements import LifeRefused
from marketplace_simulator.clock import ClockRefused
from marketplace_simulator.delivery import NotDelivered
from marketplace_simulator.offers import OfferRefused

# What the acts refuse, as HTTP; both doors of people use it.
STATUS_OF_REFUSAL: dict[type[Exception], int] = {
    NotFound: 404,
    Conflict: 409,
    LifeRefused: 409,
    OfferRefused: 409,
    ClockRefused: 409,
    NotDelivered: 503,
}


class Problem(Exception):
    """A refused request.

    Args:
        status: HTTP status.
        slug: names the kind of problem; stable.
        detail: what was wrong this time.
        errors: each wrong place, as `{in, path, reason}`.
    """

    def __init__(
        self, status: int, slug: str, detail: str | None = None, errors: list[dict[str, str]] | None = None
    ) -> None:
        super().__init__(detail or slug)
        self.status = status
        self.slug = slug
        self.detail = detail
        self.errors = errors


def problem_response(problem: Problem) -> Response:
    body: dict[str, Any] = {
        "type": f"https://marketplane.dev/problems/{problem.slug}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
    }
    if problem.detail:
        body["detail"] = problem.detail
    if problem.errors:
        body["errors"] = problem.errors
    headers = {"Retry-After": "2"} if problem.status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return Response(json.dumps(body), problem.status, headers, media_type="application/problem+json")
