"""What a client that lives in a browser needs of the provider: to read its answers from another origin."""

from __future__ import annotations

import re

import flask

# A page of this machine, whatever its port: the provider is for desks, and knows of no client where it lives.
_OF_THIS_MACHINE = re.compile(r"https?://(127\.0\.0\.1|\[::1\]|([a-z0-9-]+\.)*localhost)(:[0-9]{1,5})?")
READ_BY_SCRIPTS = frozenset(
    f"oidc-provider-mock.{name}" for name in ("openid_config", "jwks", "issue_token", "userinfo")
)
"""Its endpoints that scripts call. The others are pages, which a browser opens."""


def share(answer: flask.Response) -> flask.Response:
    """Let scripts of this machine's pages read the present request's answer, if it is one for scripts."""
    if flask.request.endpoint not in READ_BY_SCRIPTS:
        return answer
    answer.vary.add("Origin")
    origin = flask.request.headers.get("Origin", "")
    if _OF_THIS_MACHINE.fullmatch(origin):
        answer.access_control_allow_origin = origin  # type: ignore[assignment]
        if flask.request.method == "OPTIONS":
            answer.access_control_allow_methods = ["GET", "POST"]  # type: ignore[assignment]
            answer.access_control_allow_headers = ["Authorization", "Content-Type"]  # type: ignore[assignment]
    return answer
