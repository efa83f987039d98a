"""The API's door to reconciling with AWS: a file comes in, and what became of it is read."""

from datetime import datetime
from typing import Any

import flask

from chassis.problems import NotFound, Problem
from chassis.tables import decode_cursor, encode_cursor
from chassis.times import parse_rfc3339
from chassis.validation import invalid_body
from chassis.web import caller, json_answer, parts
from metering.evidence import MOST_UNPACKED, NotEvidence, Source, TooLong, text_of, unpacked
from metering.reconciler import Reconciler, Span
from metering.schemas import ReconciliationSchema

MOST_NAMED = 100
"""Differences in the answer to a file; the others are in their list."""


def _reconciler() -> Reconciler:
    found: Reconciler = parts().reconciler
    return found


def reconcile(complete_from: str | None = None, complete_until: str | None = None) -> Any:
    span = _span(complete_from, complete_until)
    source = Source.USAGE_REPORT if flask.request.mimetype == "text/csv" else Source.CLOUDTRAIL
    try:
        # The bytes, and not what a reader of JSON makes of them: that would make floats of quantities.
        text = text_of(unpacked(flask.request.get_data()))
        found, differences = _reconciler().reconcile(source, text, caller().name, span)
    except TooLong:
        detail = f"At most {MOST_UNPACKED} bytes are taken once it is unpacked; split it."
        raise Problem(413, "too-large", "The body is too large.", detail) from None
    except NotEvidence as error:
        raise Problem(
            400,
            "invalid-request",
            "The request does not fit the contract.",
            str(error),
            errors=[{"in": "body", "path": "/", "reason": str(error)}],
        ) from None
    return json_answer(
        {
            "reconciliation": ReconciliationSchema().dump(found),
            "differences": differences[:MOST_NAMED],
            "more": len(differences) > MOST_NAMED,
        },
        201,
    )


def _span(since: str | None, until: str | None) -> Span | None:
    """The time of which the file is said to be complete; one end alone says nothing."""
    if since is None and until is None:
        return None
    if since is None or until is None:
        missing = "complete_from" if since is None else "complete_until"
        raise invalid_body([{"in": "query", "path": missing, "reason": "The other end is given."}])
    span = Span(_moment("complete_from", since), _moment("complete_until", until))
    if span.since >= span.until:
        raise invalid_body([{"in": "query", "path": "complete_until", "reason": "It is not the later one."}])
    return span


def _moment(name: str, text: str) -> datetime:
    try:
        return parse_rfc3339(text)
    except ValueError as error:
        raise invalid_body([{"in": "query", "path": name, "reason": str(error)}]) from None


def list_reconciliations(limit: int = 50, cursor: str | None = None) -> Any:
    found, last = _reconciler().store.page(limit, decode_cursor(cursor))
    return json_answer(
        {"items": ReconciliationSchema(many=True).dump(found), "next_cursor": encode_cursor(last)}
    )


def get_reconciliation(reconciliation_id: str) -> Any:
    found = _reconciler().store.find(reconciliation_id)
    if found is None:
        raise _not_found()
    return json_answer(ReconciliationSchema().dump(found))


def list_differences(reconciliation_id: str, limit: int = 50, cursor: str | None = None) -> Any:
    key = decode_cursor(cursor)
    if _reconciler().store.find(reconciliation_id) is None:
        raise _not_found()
    found, last = _reconciler().store.differences(reconciliation_id, limit, key)
    return json_answer({"items": found, "next_cursor": encode_cursor(last)})


def _not_found() -> NotFound:
    return NotFound("There is no reconciliation of this id.")
