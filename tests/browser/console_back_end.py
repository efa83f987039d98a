"""What the console speaks to, played inside the browser: each operation answers its contract's example,
unless the test says otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from playwright.sync_api import Request, Route

from tests.browser.contract_examples import answer_of
from tests.browser.portal_back_end import ISSUER, Answer, PortalBackEnd, problem

Asked = dict[str, str]
"""The parameters of a request's query."""


@dataclass
class Call:
    """A request as it came.

    Args:
        operation: its id, with its service before it.
        path: decoded.
        query: its parameters.
        body: decoded from JSON, or the text of another kind; None where there was none.
        headers: by their names in small letters.
    """

    operation: str
    path: str
    query: Asked
    body: Any
    headers: dict[str, str]


@dataclass
class ConsoleBackEnd(PortalBackEnd):
    """The three services by their contracts, and the sign-in service as the portal has it."""

    answers: dict[str, Any] = field(default_factory=dict)
    """By `service operationId`: a body, an answer (status and body), or what makes one of the call."""
    asked_for: list[Call] = field(default_factory=list)

    def called(self, operation: str) -> list[Call]:
        return [one for one in self.asked_for if one.operation == operation]

    def _answer(self, route: Route, request: Request) -> None:
        where = urlsplit(request.url)
        if request.url.startswith(ISSUER):
            self._sign_in(route, where.path, request)
            return
        service = where.netloc.split(".")[0]
        call = Call("", unquote(where.path), query_of(where.query), body_of(request), request.headers)
        status, body = self._exemplary(service, request.method, call)
        headers = {
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Expose-Headers": "ETag, Location",
            "Content-Type": "application/problem+json" if status >= 400 else "application/json",
        }
        if isinstance(body, dict) and "version" in body:
            headers["ETag"] = f'"{body["version"]}"'
        route.fulfill(status=status, headers=headers, body="" if body is None else json.dumps(body))

    def _exemplary(self, service: str, method: str, call: Call) -> Answer:
        found = answer_of(service, method, call.path)
        if found is None:
            return problem(404, "not-found", "There is no such thing.")
        call.operation = f"{service} {found.operation}"
        self.asked_for.append(call)
        if service in self.failing:
            return self.failing[service]
        given = self.answers.get(call.operation, found.body)
        answer = given(call) if isinstance(given, Callable) else given  # type: ignore[arg-type]
        return answer if isinstance(answer, tuple) else (found.status, answer)


def query_of(query: str) -> Asked:
    return {name: values[0] for name, values in parse_qs(query).items()}


def body_of(request: Request) -> Any:
    if not request.post_data:
        return None
    try:
        return json.loads(request.post_data)
    except ValueError:
        return request.post_data


def listed(*items: Any, cursor: str | None = None) -> dict[str, Any]:
    """A page of a list."""
    return {"items": list(items), "next_cursor": cursor}
