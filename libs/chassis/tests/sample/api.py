"""The sample service's operations: what a handler may do, and how it may break."""

import asyncio
from typing import Any

import flask
import httpx
from botocore.exceptions import ClientError, ConnectTimeoutError, ParamValidationError
from pynamodb.exceptions import PutError

from chassis.problems import Problem
from chassis.web import caller, json_answer, parts, sender_address


def add_note(body: dict[str, Any]) -> Any:
    parts().append(body)
    return json_answer({"text": body["text"], "by": caller().name}, 201, {"X-Frame-Options": "SAMEORIGIN"})


def add_notes(body: dict[str, Any]) -> Any:
    return json_answer({"taken": len(body["notes"])})


def post_form(body: dict[str, Any]) -> Any:
    return json_answer(sorted(body))


def read_note(note_id: str) -> Any:
    return json_answer({"note_id": note_id, "by": caller().name})


def _aws_says(code: str, status: int = 400, **more: Any) -> ClientError:
    answer = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError({**answer, **more}, "TransactWriteItems")  # type: ignore[arg-type,unused-ignore]


def break_down(how: str) -> Any:
    ways: dict[str, Exception] = {
        "aws": ConnectTimeoutError(endpoint_url="http://nowhere.invalid"),
        "table": PutError("no", cause=ConnectTimeoutError(endpoint_url="http://nowhere.invalid")),
        "throttled": _aws_says("ThrottlingException"),
        "server": _aws_says("Whatever", 500),
        "conflict": _aws_says(
            "TransactionCanceledException",
            CancellationReasons=[{"Code": "None"}, {"Code": "TransactionConflict"}],
        ),
        "condition": _aws_says(
            "TransactionCanceledException",
            CancellationReasons=[{"Code": "ConditionalCheckFailed"}, {"Code": "TransactionConflict"}],
        ),
        "denied": _aws_says("AccessDeniedException"),
        "parameters": ParamValidationError(report="Invalid type for parameter Key, value: ada@example.com"),
        "clock": httpx.ConnectError("the clock is away"),
        "us": RuntimeError("a mistake of ours, by ada@example.com"),
        "unauthorized": Problem(401, "unauthorized", "Credentials are missing or not valid."),
        "unavailable": Problem(503, "unavailable", "A part this service needs is away."),
    }
    if how == "gone":
        flask.abort(410)
    raise ways[how]


def close_note() -> Any:
    return json_answer({"by": caller().name})


async def ring_bell(body: dict[str, Any] | None, content_type: str) -> flask.Response:
    """Answered in the event loop: some bells ring when so many are rung at once, and one breaks."""
    match body or {}:
        case {"text": "cracked"}:
            raise Problem(409, "bell-cracked", "The bell is cracked.", "It makes no sound.", retry_after=9)
        case {"text": "breaks"}:
            raise RuntimeError("a mistake of ours, by ada@example.com")
        case {"text": "away"}:
            raise ConnectTimeoutError(endpoint_url="http://nowhere.invalid")
        case {"text": "together", "of": of}:
            parts().append(asyncio.Event())
            if len(parts()) == of:
                for one in parts():
                    one.set()
            await parts()[-1].wait()
    said = {"body": body, "content_type": content_type, "by": caller().name}
    return json_answer(said, 202, {"X-Frame-Options": "SAMEORIGIN"})


def who_sends() -> Any:
    return json_answer({"address": sender_address()})


def show_welcome(how: str | None = None, **_shown: str) -> Any:
    if how == "often":
        raise Problem(429, "too-many-requests", "Too many requests came in a short time.", retry_after=7)
    return break_down(how) if how else _page("<h1>Welcome</h1>")


def answer_welcome(body: dict[str, Any]) -> Any:
    return _page("<h1>Thank you</h1>")


def show_inside() -> Any:
    return _page("<h1>Inside</h1>")


def _page(html: str) -> flask.Response:
    return flask.Response(html, content_type="text/html; charset=utf-8")
