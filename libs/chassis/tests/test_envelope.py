"""What surrounds every request: its id, its size limit, its one line in the log, its count."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY
from starlette.testclient import TestClient

from chassis.envelope import RequestEnvelope
from chassis.problem_pages import ProblemAnswers

LogLines = Callable[[], list[dict[str, Any]]]
Exchange = tuple[dict[str, Any] | None, bytes, list[bytes]]


def exchange(
    messages: list[dict[str, Any]],
    headers: dict[str, str],
    method: str = "POST",
    answer_headers: list[tuple[bytes, bytes]] | None = None,
) -> Exchange:
    """Sends ASGI messages through an envelope: the start and body of the answer, and what came through."""
    sent: list[dict[str, Any]] = []
    came: list[bytes] = []

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        came.append(body)
        came.append(dict(scope["headers"]).get(b"content-length", b"none"))
        await send({"type": "http.response.start", "status": 200, "headers": answer_headers or []})
        await send({"type": "http.response.body", "body": b"ok"})

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": "/",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    answers = ProblemAnswers({}, contextlib.nullcontext)
    envelope = RequestEnvelope(inside, "sample", 10, {"X-Frame-Options": "DENY"}, answers.answer)
    asyncio.run(envelope(scope, receive, send))
    start = next((message for message in sent if message["type"] == "http.response.start"), None)
    return start, b"".join(message.get("body", b"") for message in sent), came


def body(part: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": part, "more_body": more}


def test_a_chunked_body_is_given_its_length() -> None:
    start, _, came = exchange([body(b"abc", True), body(b"def")], {"transfer-encoding": "chunked"})
    assert start is not None
    assert came == [b"abcdef", b"6"]


def test_a_length_beside_chunks_does_not_lift_the_limit() -> None:
    both = {"content-length": "3", "transfer-encoding": "chunked"}
    start, _, came = exchange([body(b"0123456789", True), body(b"0123456789")], both)
    assert start is not None
    assert (start["status"], came) == (413, [])
    start, _, came = exchange([body(b"012345")], both)
    assert came == [b"012345", b"6"]


@pytest.mark.parametrize("length", ["11", "-1", "1e1", "x" * 9, "9" * 40])
def test_a_length_that_is_too_large_or_none_is_refused_unread(length: str) -> None:
    start, text, came = exchange([], {"content-length": length})
    assert start is not None
    assert (start["status"], came) == (413, [])
    names = [name for name, _ in start["headers"]]
    assert names.count(b"x-request-id") == names.count(b"x-frame-options") == 1
    assert (b"connection", b"close") in start["headers"]
    assert b"At most 10 bytes are taken." in text


def test_half_a_body_is_handed_to_nobody() -> None:
    start, _, came = exchange(
        [body(b"token=ab", True), {"type": "http.disconnect"}], {"transfer-encoding": "chunked"}
    )
    assert (start, came) == (None, [])


def test_no_header_is_sent_twice_and_the_handlers_own_word_counts() -> None:
    own = [(b"X-Frame-Options", b"SAMEORIGIN"), (b"X-Request-Id", b"theirs"), (b"set-cookie", b"a")]
    start, _, _ = exchange([body(b"")], {"x-request-id": "abc-12345"}, answer_headers=own)
    assert start is not None
    sent = [(name.lower(), value) for name, value in start["headers"]]
    assert sorted(sent) == [
        (b"set-cookie", b"a"),
        (b"x-frame-options", b"SAMEORIGIN"),
        (b"x-request-id", b"abc-12345"),
    ]


def test_a_strangers_method_makes_no_time_series_of_its_own(log_lines: LogLines) -> None:
    exchange([body(b"")], {}, method="X-MADE-UP")
    labels = {"service": "sample", "operation": "unknown", "status": "200"}
    counted = "marketplane_http_requests_total"
    assert REGISTRY.get_sample_value(counted, labels | {"method": "X-MADE-UP"}) is None
    assert REGISTRY.get_sample_value(counted, labels | {"method": "other"}) == 1
    assert log_lines()[0]["method"] == "other"


@pytest.mark.parametrize("offered", ["short", "x" * 65, "with blank", "new\nline-12345", 'quo"te-12345', ""])
def test_a_request_id_that_could_forge_a_log_line_is_replaced(offered: str) -> None:
    start, _, _ = exchange([body(b"")], {"x-request-id": offered})
    assert start is not None
    (made,) = (value for name, value in start["headers"] if name == b"x-request-id")
    assert len(made) == 32
    assert made != offered.encode()


def test_an_answered_request_is_one_line_that_holds_no_path_and_no_query(
    client: TestClient, operator: dict[str, str], log_lines: LogLines
) -> None:
    client.get("/v1/notes/opaque-path?opaque=query", headers=operator | {"X-Request-Id": "abc-12345"})
    client.get("/v1/notes/opaque-path", headers=operator)
    client.get("/nothing/opaque-path?token=opaque-query")
    client.post("/opaque-path", content=b"opaque")
    lines = [line for line in log_lines() if line["event"] == "Answered."]
    assert [line["operation"] for line in lines] == ["sample.api.read_note"] * 2 + ["unknown"] * 2
    assert [line["status"] for line in lines] == [400, 200, 404, 404]
    assert lines[0]["request_id"] == "abc-12345"
    assert len({line["request_id"] for line in lines}) == 4
    assert "opaque" not in str(log_lines())
    assert operator["X-API-Key"] not in str(log_lines())


def test_health_checks_do_not_fill_the_log(client: TestClient, log_lines: LogLines) -> None:
    client.get("/healthz")
    assert log_lines() == []
