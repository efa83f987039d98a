"""Bodies checked by a compiled validator: each mistake with its place, and no secret quoted back."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from chassis import validation
from chassis.validation import MOST_MISTAKES_NAMED, ROWS_CHECKED_ONE_BY_ONE, compile_schema, mistakes

AssertProblem = Callable[[Any, int, str], dict[str, Any]]


def places(schema: dict[str, Any], instance: Any) -> set[str]:
    return {mistake["path"] for mistake in mistakes(compile_schema(schema), instance)}


def test_nullable_lets_null_in_and_still_checks_the_rest() -> None:
    name = {"type": "string", "nullable": True, "minLength": 2}
    inner = {"type": "object", "nullable": True, "properties": {"n": {"type": "integer"}}}
    schema = {"type": "object", "properties": {"name": name, "inner": inner}}
    assert places(schema, {"name": None, "inner": None}) == set()
    # The place within, not the nullable object as a whole.
    assert places(schema, {"name": "x", "inner": {"n": "one"}}) == {"/name", "/inner/n"}
    assert places({"type": "object", "properties": {"name": {"type": "string"}}}, {"name": None}) == {"/name"}


@pytest.mark.parametrize(
    "more", [{"enum": ["a"]}, {"anyOf": [{"minLength": 1}]}, {"allOf": [{"minLength": 1}]}]
)
def test_nullable_holds_beside_other_keywords(more: dict[str, Any]) -> None:
    schema = {"type": "string", "nullable": True, **more}
    assert places(schema, None) == set()
    assert places(schema, "a") == set()
    assert places(schema, 1) == {"/"}


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("date-time", "2026-11-22T10:00:00Z", "2026-11-22 10:00"),
        ("email", "ada@example.com", "ada"),
        ("uri", "https://example.com/x", "not a uri"),
    ],
)
def test_formats_are_checked(kind: str, good: str, bad: str) -> None:
    schema = {"type": "object", "properties": {"x": {"type": "string", "format": kind}}}
    assert places(schema, {"x": good}) == set()
    assert places(schema, {"x": bad}) == {"/x"}


def test_a_property_may_be_called_like_a_keyword() -> None:
    names = ("default", "example", "examples", "nullable", "items", "enum")
    schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: {"type": "string", "default": "x", "example": 7} for name in names},
    }
    assert places(schema, dict.fromkeys(names, "x")) == set()
    assert places(schema, dict.fromkeys(names, 1)) == {f"/{name}" for name in names}


def test_rows_checked_one_by_one_are_not_checked_here_but_their_number_is() -> None:
    schema = {"type": "array", "maxItems": 2, "items": {"type": "integer"}}
    assert places(schema, [1, "two"]) == {"/1"}
    marked = schema | {ROWS_CHECKED_ONE_BY_ONE: True}
    assert places(marked, [1, "two"]) == set()
    assert places(marked, [1, 2, 3]) == {"/"}
    assert places(marked, "rows") == {"/"}


def test_at_most_twenty_mistakes_are_named() -> None:
    found = mistakes(compile_schema({"type": "array", "items": {"type": "integer"}}), ["x"] * 500)
    assert len(found) == MOST_MISTAKES_NAMED == 20
    assert found[0] == {"in": "body", "path": "/0", "reason": '"x" is not of type "integer"'}


def test_a_place_is_a_json_pointer_below_where_the_row_stands() -> None:
    validator = compile_schema({"type": "object", "additionalProperties": {"type": "integer"}})
    assert [mistake["path"] for mistake in mistakes(validator, {"a/b~c": "x"}, at="/rows/3")] == [
        "/rows/3/a~1b~0c"
    ]


def test_a_long_value_makes_no_long_answer() -> None:
    (found,) = mistakes(
        compile_schema({"type": "object", "properties": {"x": {"maxLength": 3}}}), {"x": "y" * 5000}
    )
    assert len(found["reason"]) <= 300


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"email": {"type": "string", "format": "email"}}},
        {"type": "object", "properties": {"email": {"type": "string", "nullable": True, "enum": ["a"]}}},
        {"type": "object", "minProperties": 3},
        {"type": "array"},
        {"anyOf": [{"type": "array"}, {"type": "string"}]},
        {"not": {"type": "object"}},
    ],
)
def test_a_secret_value_is_not_quoted_back(schema: dict[str, Any]) -> None:
    (found,) = mistakes(compile_schema(schema), {"email": "ada at example"})
    assert "ada" not in found["reason"]
    assert found["reason"].startswith("does not satisfy `")


def test_a_body_that_is_nothing_but_a_secret_is_not_quoted_back() -> None:
    (found,) = mistakes(compile_schema({"type": "object"}), "opaque-token")
    assert found["reason"] == "does not satisfy `type`"


def test_a_schema_is_compiled_once(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[Any] = []
    real = validation.compile_schema
    monkeypatch.setattr(validation, "compile_schema", lambda schema: compiled.append(schema) or real(schema))
    for _ in range(3):
        assert client.post("/v1/note-batches", json={"notes": []}).status_code == 200
    assert len(compiled) == 1


@pytest.mark.parametrize(
    "body",
    [
        b'{"notes": [' + b"[" * 900 + b"]" * 900 + b"]}",
        b'{"notes": [' + b"1" * 1900 + b"]}",
        b'{"notes": ["\\ud800"]}',
        b'\xef\xbb\xbf{"notes": []}',
        b'{"notes": [Infinity]}',
        b"[" * 2000,
    ],
)
def test_a_hostile_body_is_never_our_mistake(client: TestClient, body: bytes) -> None:
    answer = client.post("/v1/note-batches", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (200, 400), answer.text


def test_a_good_row_is_taken_beside_a_bad_one(client: TestClient, assert_problem: AssertProblem) -> None:
    assert client.post("/v1/note-batches", json={"notes": [{"text": "a"}, 7]}).json() == {"taken": 2}
    assert_problem(client.post("/v1/note-batches", json={"notes": [1, 2, 3, 4]}), 400, "invalid-request")


def test_a_refused_form_tells_its_token_to_nobody(
    client: TestClient, assert_problem: AssertProblem, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    assert client.post("/v1/forms", data={"registration_token": "short"}).json() == ["registration_token"]
    answer = client.post("/v1/forms", data={"registration_token": "opaque-registration-token"})
    assert_problem(answer, 400, "invalid-request")
    assert "opaque" not in str(log_lines())
    assert "opaque" not in answer.text
    assert answer.json()["errors"] == [
        {"in": "body", "path": "/registration_token", "reason": "does not satisfy `maxLength`"}
    ]


def test_the_body_goes_on_as_it_came() -> None:
    body = json.dumps({"text": "ä" * 10}).encode()
    parts = [body[:5], body[5:]]

    async def receive() -> Any:
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def run() -> Any:
        checked = validation.JsonBodyValidator(schema={"type": "object"}, required=True)
        replayed, _ = await checked.wrap_receive(receive, scope={})
        return await replayed()

    assert asyncio.run(run()) == {"type": "http.request", "body": body, "more_body": False}


def test_a_field_that_an_open_form_does_not_name_stops_nobody(client: TestClient) -> None:
    answer = client.post("/v1/forms", data={"registration_token": "short", "x-new": "1"})
    assert answer.json() == ["registration_token", "x-new"]
