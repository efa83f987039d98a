"""Two operations that answer at once what registration answered once, so that both cost the caller the
same."""

import json
import os

import flask

# Set by run.py: [status, headers, body] of one answer of registration's, by operation.
_ANSWERS = json.loads(os.environ["NO_OP_ANSWERS"])


def land() -> flask.Response:
    return _answer("landing")


def read_access(customer_id: str) -> flask.Response:
    return _answer("access")


def _answer(operation: str) -> flask.Response:
    status, headers, body = _ANSWERS[operation]
    return flask.Response(body, status, headers)
