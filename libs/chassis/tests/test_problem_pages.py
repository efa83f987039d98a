"""Below a page's address every problem is a page, whoever made it; a program still gets its document."""

import re
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from starlette.testclient import TestClient

from chassis.auth import KeyRing
from chassis.problem_pages import ProblemAnswers
from chassis.problems import NotFound

AssertProblem = Callable[[Any, int, str], dict[str, Any]]

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def unscoped(keys: KeyRing) -> dict[str, str]:
    return {"X-API-Key": keys.add("bob", {"usage:read"})}


def assert_page(answer: Any, status: int, slug: str) -> str:
    """Asserts that an answer is the sample service's problem page, and gives its HTML."""
    assert answer.status_code == status, answer.text
    assert answer.headers.get_list("content-type") == ["text/html; charset=utf-8"]
    assert answer.headers.get_list("content-security-policy") == ["default-src 'none'"]
    assert answer.headers.get_list("cache-control") == ["no-store"]
    assert answer.headers.get_list("x-frame-options") == ["DENY"]
    assert re.search("<h1 lang=[a-z]+>(.*)</h1>", answer.text).group(1) == slug  # type: ignore[union-attr]
    assert answer.headers["x-request-id"] in answer.text
    return str(answer.text)


def test_what_is_no_problem_is_let_be(client: TestClient, operator: dict[str, str]) -> None:
    assert client.get("/welcome", headers=BROWSER).text == "<h1>Welcome</h1>"
    assert client.post("/welcome", data={"name": "ada"}).text == "<h1>Thank you</h1>"
    assert client.get("/welcome/inside", headers=operator).text == "<h1>Inside</h1>"


@pytest.mark.parametrize(
    ("query", "status", "slug"),
    [
        ("how=never", 400, "invalid-request"),
        ("why=because", 400, "invalid-request"),
        ("how=us", 500, "internal-error"),
        ("how=gone", 410, "http-410"),
    ],
)
def test_what_the_contract_or_the_handler_refuses_is_a_page(
    client: TestClient, query: str, status: int, slug: str
) -> None:
    html = assert_page(client.get(f"/welcome?{query}", headers=BROWSER), status, slug)
    assert "a mistake of ours" not in html


@pytest.mark.parametrize(("how", "pause"), [("aws", "5"), ("unavailable", "5"), ("often", "7")])
def test_a_page_says_when_to_ask_again_whatever_its_renderer_says(
    client: TestClient, how: str, pause: str
) -> None:
    answer = client.get(f"/welcome?how={how}", headers=BROWSER)
    status, slug = (429, "too-many-requests") if how == "often" else (503, "unavailable")
    assert_page(answer, status, slug)
    assert answer.headers.get_list("retry-after") == [pause]


def test_a_missing_key_scope_path_or_method_is_a_page(client: TestClient, unscoped: dict[str, str]) -> None:
    answer = client.get("/welcome/inside", headers=BROWSER)
    assert_page(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert_page(client.get("/welcome/inside", headers=BROWSER | unscoped), 403, "forbidden")
    assert_page(client.get("/welcome/nothing", headers=BROWSER), 404, "not-found")
    answer = client.put("/welcome", headers=BROWSER)
    assert_page(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, HEAD, POST"


def test_a_bad_form_is_a_page(client: TestClient) -> None:
    html = assert_page(
        client.post("/welcome", data={"name": "<script>alert(1)"}, headers=BROWSER), 400, "invalid-request"
    )
    assert "script" not in html
    answer = client.post("/welcome", content=b"a", headers=BROWSER | {"Content-Type": "text/plain"})
    assert_page(answer, 415, "unsupported-media-type")


def test_what_the_envelope_refuses_is_a_page_and_ends_the_connection(client: TestClient) -> None:
    for content in (b"x" * 3000, iter([b"x" * 3000])):
        answer = client.post("/welcome", content=content, headers=BROWSER)
        assert_page(answer, 413, "too-large")
        assert answer.headers["connection"] == "close"
        assert int(answer.headers["content-length"]) == len(answer.content)
    assert_page(client.get("/welcome/a%0Ab", headers=BROWSER), 404, "not-found")


def test_a_renderer_is_given_the_request_but_not_its_body(client: TestClient, notes: list[Any]) -> None:
    notes.append("one")
    headers = BROWSER | {
        "Accept-Language": "de-DE,de;q=0.9",
        "Cookie": "a=b; visit=v-1",
        "X-Request-Id": "id-12345",
    }
    html = assert_page(client.get("/welcome/noth%69ng?lang=de&x=%C3%A9", headers=headers), 404, "not-found")
    assert "<h1 lang=de>" in html
    assert "<p>/welcome/nothing id-12345 de-DE,de;q=0.9 v-1 1 notes" in html


@pytest.mark.parametrize(
    "accept",
    [
        "application/problem+json",
        "application/json",
        "application/json;charset=utf-8, */*;q=0.1",
        "APPLICATION/JSON",
        "application/json, text/html;q=0",
    ],
)
def test_a_program_that_asks_for_json_gets_the_document(
    client: TestClient, accept: str, assert_problem: AssertProblem
) -> None:
    answer = client.get("/welcome?how=often", headers={"Accept": accept})
    assert_problem(answer, 429, "too-many-requests")
    assert (answer.headers["retry-after"], answer.headers["cache-control"]) == ("7", "no-store")
    answer = client.post("/welcome", content=b"x" * 3000, headers={"Accept": accept})
    assert_problem(answer, 413, "too-large")


@pytest.mark.parametrize(
    "accept",
    ["", "*/*", "text/*", "application/json, text/html", "image/png", "application/json;q=0", ";;q=x,"],
)
def test_everybody_else_gets_the_page(client: TestClient, accept: str) -> None:
    assert_page(client.get("/welcome/nothing", headers={"Accept": accept}), 404, "not-found")


@pytest.mark.parametrize("path", ["/welcomed", "/v1/welcome", "/v1/nothing", "/welcome%0A"])
def test_elsewhere_a_browser_gets_the_document(
    client: TestClient, path: str, assert_problem: AssertProblem
) -> None:
    answer = client.get(path, headers=BROWSER)
    assert_problem(answer, 404, "not-found")
    assert "cache-control" not in answer.headers


def test_a_page_that_breaks_is_logged_and_the_document_answered(
    client: TestClient, assert_problem: AssertProblem, log_lines: Callable[[], list[Any]]
) -> None:
    answer = client.get("/welcome?how=often&page=breaks", headers=BROWSER)
    assert_problem(answer, 429, "too-many-requests")
    assert answer.headers["retry-after"] == "7"
    (line,) = (line for line in log_lines() if line["level"] == "error")
    assert line["event"] == "The page of a problem could not be rendered."
    assert (line["problem"], line["request_id"]) == ("too-many-requests", answer.headers["x-request-id"])
    assert "RuntimeError: a mistake of the page" in line["exception"]
    assert "ada@example.com" not in str(line)
    refused = client.post("/welcome?page=breaks", content=b"x" * 3000, headers=BROWSER)
    assert_problem(refused, 413, "too-large")


def test_a_path_below_two_prefixes_has_the_page_of_the_longer() -> None:
    answers = ProblemAnswers(
        {"/": lambda *_: ("root", {}), "/a/b/": lambda *_: ("inner", {}), "/a": lambda *_: ("outer", {})},
        nullcontext,
    )

    def page_of(path: str) -> bytes:
        scope: dict[str, Any] = {"type": "http", "path": path, "headers": [], "query_string": b""}
        return bytes(answers.answer(NotFound(), scope | {"state": {"request_id": "r"}}).body)

    wanted = {
        "/a/b": b"inner",
        "/a/b/c": b"inner",
        "/a": b"outer",
        "/a/bc": b"outer",
        "/": b"root",
        "/ab": b"root",
    }
    assert {path: page_of(path) for path in wanted} == wanted
