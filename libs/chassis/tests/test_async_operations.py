"""An operation that is a coroutine function gets from the chassis what every other one gets."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from sample.app import build
from starlette.testclient import TestClient

from chassis.async_operations import coroutines
from chassis.auth import KeyRing
from chassis.settings import ChassisSettings

AssertProblem = Callable[[Any, int, str], dict[str, Any]]
LogLines = Callable[[], list[dict[str, Any]]]

pytestmark = pytest.mark.usefixtures("way")

BELLS, NOTES = "/v1/bells", "/v1/notes"
OPERATION = "sample.api.ring_bell"


@pytest.fixture(params=["the long way", "the short way"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past Connexion go only requests whose key is remembered; no caller sees a difference."""
    is_short = request.param == "the short way"
    monkeypatch.setattr(KeyRing, "remembers", lambda _ring, _key: is_short)


@pytest.fixture
def ring(client: TestClient, operator: dict[str, str]) -> Callable[..., Any]:
    def post(text: str = "ding", **more: Any) -> Any:
        return client.post(BELLS, json={"text": text, **more}, headers=operator)

    return post


def test_it_is_told_apart_by_being_a_coroutine_function() -> None:
    assert list(coroutines(["sample.api.add_note", OPERATION, "chassis.health.healthz"])) == [OPERATION]


def test_it_gets_the_body_its_content_type_and_the_caller(
    client: TestClient, operator: dict[str, str], ring: Callable[..., Any]
) -> None:
    answer = ring("ding", of=3)
    assert answer.status_code == 202
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-length"] == str(len(answer.content))
    body, form = {"text": "ding", "of": 3}, "application/json"
    assert answer.json() == {"body": body, "content_type": form, "by": "ada"}

    def content_type_of(header: str, body: Any) -> Any:
        headers = operator | {"Content-Type": header}
        answer = client.post(BELLS, content=json.dumps(body), headers=headers)
        assert answer.status_code == 202, answer.text
        assert answer.json()["body"] == body
        return answer.json()["content_type"]

    assert content_type_of("application/bells+json", [body, body]) == "application/bells+json"
    assert content_type_of("application/json; charset=utf-8", body) == "application/json"


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/json"}])
def test_it_gets_none_where_there_is_no_body(
    client: TestClient, operator: dict[str, str], headers: dict[str, str]
) -> None:
    answer = client.post(BELLS, headers=operator | headers)
    assert (answer.status_code, answer.json()["body"]) == (202, None)


def test_a_body_that_comes_in_pieces_is_read(client: TestClient, operator: dict[str, str]) -> None:
    headers = operator | {"Content-Type": "application/json"}
    answer = client.post(BELLS, content=iter([b'{"te', b'xt": "ding"}']), headers=headers)
    assert (answer.status_code, answer.json()["body"]) == (202, {"text": "ding"})


@pytest.mark.parametrize("path", [BELLS, NOTES])
@pytest.mark.parametrize("media_type", ["Application/JSON", "APPLICATION/json;charset=UTF-8"])
def test_a_media_type_in_other_letters_is_checked_like_any(
    client: TestClient, operator: dict[str, str], assert_problem: AssertProblem, path: str, media_type: str
) -> None:
    headers = operator | {"Content-Type": media_type}
    assert client.post(path, content=b'{"text": "ding"}', headers=headers).status_code < 300
    assert_problem(client.post(path, content=b'{"text": 7}', headers=headers), 400, "invalid-request")


def test_only_who_may_is_let_in(client: TestClient, keys: KeyRing, assert_problem: AssertProblem) -> None:
    refused = client.post(BELLS, json={"text": "ding"})
    assert_problem(refused, 401, "unauthorized")
    assert refused.headers["www-authenticate"] == "Bearer"
    for key in ("mpk_none_such", keys.add("eve", {"operator"}) + "x"):
        assert_problem(
            client.post(BELLS, json={"text": "ding"}, headers={"X-API-Key": key}), 401, "unauthorized"
        )
    bob = {"X-API-Key": keys.add("bob", {"usage:read"})}
    document = assert_problem(client.post(BELLS, json={"text": "ding"}, headers=bob), 403, "forbidden")
    assert "operator" in document["detail"]


def test_every_mistake_of_a_body_is_named_with_its_place(
    client: TestClient, operator: dict[str, str], assert_problem: AssertProblem
) -> None:
    answer = client.post(BELLS, json={"text": "", "of": "three", "more": 1}, headers=operator)
    errors = assert_problem(answer, 400, "invalid-request")["errors"]
    assert {error["path"] for error in errors} == {"/text", "/of", "/"}
    many = operator | {"Content-Type": "application/bells+json"}
    answer = client.post(BELLS, content=json.dumps([{"text": "ding"}, {}]), headers=many)
    assert [error["path"] for error in assert_problem(answer, 400, "invalid-request")["errors"]] == ["/1"]


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b'{"text": NaN}', b"null", b'"ding"', b"[]"])
def test_a_body_of_another_shape_is_refused(
    client: TestClient, operator: dict[str, str], body: bytes, assert_problem: AssertProblem
) -> None:
    headers = operator | {"Content-Type": "application/json"}
    assert_problem(client.post(BELLS, content=body, headers=headers), 400, "invalid-request")


def test_other_content_types_methods_and_parameters_are_refused(
    client: TestClient, operator: dict[str, str], assert_problem: AssertProblem
) -> None:
    text = operator | {"Content-Type": "text/plain"}
    assert_problem(client.post(BELLS, content=b"ding", headers=text), 415, "unsupported-media-type")
    refused = client.get(BELLS, headers=operator)
    assert_problem(refused, 405, "method-not-allowed")
    assert refused.headers["allow"] == "POST"
    answer = client.post(f"{BELLS}?why=because", json={"text": "ding"}, headers=operator)
    (error,) = assert_problem(answer, 400, "invalid-request")["errors"]
    assert (error["in"], error["path"]) == ("query", "why")


def test_a_large_body_is_refused_also_without_a_length(
    client: TestClient, operator: dict[str, str], assert_problem: AssertProblem
) -> None:
    large = json.dumps({"text": "x" * 3000}).encode()
    headers = operator | {"Content-Type": "application/json"}
    assert_problem(client.post(BELLS, content=large, headers=headers), 413, "too-large")
    assert_problem(client.post(BELLS, content=iter([large]), headers=headers), 413, "too-large")


def test_a_problem_of_its_own_is_its_answer(ring: Callable[..., Any], assert_problem: AssertProblem) -> None:
    answer = ring("cracked")
    document = assert_problem(answer, 409, "bell-cracked")
    assert (document["title"], document["detail"]) == ("The bell is cracked.", "It makes no sound.")
    assert answer.headers["retry-after"] == "9"


def test_an_outage_of_aws_is_503(ring: Callable[..., Any], assert_problem: AssertProblem) -> None:
    answer = ring("away")
    assert_problem(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert "nowhere.invalid" not in answer.text


def test_an_unexpected_error_is_logged_and_says_nothing_to_the_caller(
    ring: Callable[..., Any], assert_problem: AssertProblem, log_lines: LogLines
) -> None:
    answer = ring("breaks")
    document = assert_problem(answer, 500, "internal-error")
    assert "ada@example.com" not in answer.text
    assert "RuntimeError" not in answer.text
    (line,) = (one for one in log_lines() if one["event"] == "A request ended in an error of ours.")
    assert line["request_id"] == document["instance"]
    assert "in ring_bell" in line["exception"]
    # The next one is served.
    assert ring().status_code == 202


def test_its_envelope_is_that_of_other_operations(
    client: TestClient, operator: dict[str, str], log_lines: LogLines
) -> None:
    def counted(operation: str, status: int) -> float:
        labels = {"service": "sample", "operation": operation, "method": "POST", "status": str(status)}
        return REGISTRY.get_sample_value("marketplane_http_requests_total", labels) or 0.0

    def timed(operation: str) -> float:
        labels = {"service": "sample", "operation": operation}
        return REGISTRY.get_sample_value("marketplane_http_request_seconds_count", labels) or 0.0

    def asked(path: str, operation: str, status: int, number: int) -> tuple[Any, Any, set[str]]:
        before = counted(operation, status), timed(operation)
        headers = operator | {"X-Request-Id": f"abc-1234{number}"}
        if status == 400:
            path += "?token=opaque"
        answer = client.post(path, json={"text": "a"}, headers=headers)
        assert answer.status_code == status
        assert answer.headers["x-request-id"] == f"abc-1234{number}"
        assert counted(operation, status) == before[0] + 1
        assert timed(operation) == before[1] + 1
        (line,) = (one for one in log_lines() if one.get("request_id") == f"abc-1234{number}")
        differs = {"operation", "status", "ms", "request_id", "timestamp"}
        alike = {name: value for name, value in line.items() if name not in differs}
        assert (line["operation"], line["status"]) == (operation, status)
        return alike, set(line), set(answer.headers)

    note, bell = (NOTES, "sample.api.add_note"), (BELLS, OPERATION)
    assert asked(*bell, 202, 1) == asked(*note, 201, 2)
    assert asked(*bell, 400, 3) == asked(*note, 400, 4)
    assert "opaque" not in str(log_lines())
    assert operator["X-API-Key"] not in str(log_lines())


def test_headers_of_the_service_are_sent_unless_it_says_otherwise(ring: Callable[..., Any]) -> None:
    answer = ring()
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers.get_list("x-frame-options") == ["SAMEORIGIN"]
    assert ring("cracked").headers.get_list("x-frame-options") == ["DENY"]


def test_many_may_wait_at_once_and_need_no_thread(
    settings: ChassisSettings, keys: KeyRing, operator: dict[str, str]
) -> None:
    """More than there are threads; each rings when all are there."""
    notes: list[Any] = []
    app = build(settings, keys, notes)
    of = 5 * settings.web_threads

    async def together() -> list[httpx.Response]:
        through = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=through, base_url="http://sample", headers=operator) as client:
            rung = (client.post(BELLS, json={"text": "together", "of": of}) for _ in range(of))
            return await asyncio.wait_for(asyncio.gather(*rung), 60)

    answers = asyncio.run(together())
    assert [answer.status_code for answer in answers] == [202] * of
    # Each in a context of its own: its request id, its caller.
    assert len({answer.headers["x-request-id"] for answer in answers}) == of
