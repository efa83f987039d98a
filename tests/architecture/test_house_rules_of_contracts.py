"""The house's own rules about contracts, which no validator knows. That they are valid OpenAPI is for
tools/contract_lint.py."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from tests.contract.contracts import SERVICES, Operation, document, operations
from tools import authorisation_page

OPERATIONS = list(operations())
OWN = [operation for operation in OPERATIONS if not operation.id.startswith("chassis.")]
JSON_API = [operation for operation in OWN if operation.path.startswith("/v1/")]
WITH_BODY = [operation for operation in OPERATIONS if "requestBody" in operation.definition]
JSON_TAKERS = [
    operation
    for operation in WITH_BODY
    if "application/json" in operation.definition["requestBody"]["content"]
]

SNAKE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
KEBAB = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
HEADER = re.compile(r"(?:X-)?[A-Z][A-Za-z]*(?:-[A-Z][A-Za-z]*)*")
NO_PLURAL = {"usage", "held-usage", "history"}  # words that have none

# What a form of AWS or of a browser is called is not ours to choose.
FORMS_OF_OTHERS = {"x-amzn-marketplace-token", "x-amzn-marketplace-offer-type"}


def responses(operation: Operation) -> Iterator[tuple[str, dict[str, Any]]]:
    for status, response in operation.definition["responses"].items():
        yield status, operation.resolve(response)


def schemas(operation: Operation, node: Any, seen: frozenset[int] = frozenset()) -> Iterator[dict[str, Any]]:
    """A schema and all schemas in it, references followed."""
    node = operation.resolve(node)
    if not isinstance(node, dict) or id(node) in seen:
        return
    seen |= {id(node)}
    yield node
    for property_schema in node.get("properties", {}).values():
        yield from schemas(operation, property_schema, seen)
    for keyword in ("items", "additionalProperties", "not"):
        yield from schemas(operation, node.get(keyword), seen)
    for keyword in ("allOf", "anyOf", "oneOf"):
        for choice in node.get(keyword, []):
            yield from schemas(operation, choice, seen)


def contents(operation: Operation) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every body of an operation: where, its media type, and what the contract says of it."""
    for media_type, content in operation.definition.get("requestBody", {}).get("content", {}).items():
        yield "request", media_type, content
    for status, response in responses(operation):
        for media_type, content in response.get("content", {}).items():
            yield status, media_type, content


def examples(operation: Operation, content: dict[str, Any]) -> list[Any]:
    named = [operation.resolve(one)["value"] for one in content.get("examples", {}).values()]
    return [*named, *([content["example"]] if "example" in content else [])]


# -- words ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", SERVICES)
def test_a_contract_says_what_it_is_about(service: str) -> None:
    contract = document(service)
    assert contract["openapi"] == "3.0.3", "Connexion takes no 3.1"
    assert re.fullmatch(r"\d+\.\d+\.\d+", contract["info"]["version"])
    assert contract["info"]["description"].strip()
    assert all(tag["description"].strip() for tag in contract["tags"])


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_an_operation_has_its_words(operation: Operation) -> None:
    declared = {tag["name"] for tag in document(operation.service)["tags"]}
    assert operation.definition["summary"].strip()
    assert operation.definition["description"].strip()
    assert operation.definition["description"] != operation.definition["summary"]
    assert operation.definition["tags"]
    assert set(operation.definition["tags"]) <= declared
    for status, response in responses(operation):
        assert response["description"].strip(), status


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_a_parameter_is_explained(operation: Operation) -> None:
    for parameter in operation.parameters:
        schema = operation.resolve(parameter["schema"])
        assert parameter.get("description") or schema.get("description"), parameter["name"]


# -- names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_an_operation_is_named_as_a_function(operation: Operation) -> None:
    assert all(SNAKE.fullmatch(part) for part in operation.id.split("."))


@pytest.mark.parametrize("service", SERVICES)
def test_operation_ids_are_unique(service: str) -> None:
    contract = document(service)
    ids = [
        one["operationId"]
        for item in contract["paths"].values()
        for name, one in item.items()
        if name != "parameters"
    ]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_a_path_is_kebab_case_and_versioned(operation: Operation) -> None:
    first, *rest = operation.path.strip("/").split("/")
    assert first in ("v1", "register", "healthz", "readyz", "metrics")
    for step in rest:
        if step.startswith("{"):
            assert SNAKE.fullmatch(step.strip("{}"))
        else:
            assert KEBAB.fullmatch(step)


@pytest.mark.parametrize("operation", JSON_API, ids=str)
def test_a_collection_is_a_plural(operation: Operation) -> None:
    steps = operation.path.strip("/").split("/")
    collections = {
        step for step, following in zip(steps, [*steps[1:], ""], strict=True) if following.startswith("{")
    }
    if operation.pages:
        collections.add(steps[-1])
    assert {step for step in collections if not step.endswith("s")} <= NO_PLURAL


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_names_on_the_wire_are_snake_case(operation: Operation) -> None:
    for parameter in operation.parameters:
        pattern = HEADER if parameter["in"] == "header" else SNAKE
        assert pattern.fullmatch(parameter["name"]), parameter["name"]
    for _, _, content in contents(operation):
        for schema in schemas(operation, content["schema"]):
            for name in schema.get("properties", {}):
                assert SNAKE.fullmatch(name) or name in FORMS_OF_OTHERS, name


# -- requests ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", JSON_TAKERS, ids=str)
def test_a_json_request_takes_no_unknown_field(operation: Operation) -> None:
    content = operation.definition["requestBody"]["content"]["application/json"]
    for schema in schemas(operation, content["schema"]):
        if schema.get("type") != "object":
            continue
        if "properties" in schema:
            assert schema.get("additionalProperties") is False
        else:  # names that are the seller's own: any, but not any number of them, and none of any size
            assert schema["additionalProperties"]["maxLength"]
            assert schema["maxProperties"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_the_validators_know_every_word_of_a_schema(operation: Operation) -> None:
    """Connexion checks by Draft 4: what later drafts brought would be passed over in silence."""
    for _, _, content in contents(operation):
        for schema in schemas(operation, content["schema"]):
            assert not {"const", "if", "contains", "propertyNames", "dependentRequired", "$defs"} & set(
                schema
            )
            assert not isinstance(schema.get("type"), list), "say nullable"
            for keyword in ("exclusiveMinimum", "exclusiveMaximum"):
                assert isinstance(schema.get(keyword, True), bool), "a flag beside the limit, not a limit"
            if schema.get("nullable"):
                assert "type" in schema, "nullable says nothing without a type"


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_lists_go_by_cursor(operation: Operation) -> None:
    names = {parameter["name"] for parameter in operation.parameters}
    assert not names & {"page", "offset", "per_page", "page_size"}
    answer = operation.definition["responses"].get("200", {}).get("content", {}).get("application/json", {})
    schema = operation.resolve(answer.get("schema", {}))
    is_list = "items" in schema.get("properties", {})
    assert is_list == operation.pages
    if is_list:
        assert "limit" in names
        assert set(schema["required"]) == {"items", "next_cursor"}
        limit = next(one["schema"] for one in operation.parameters if one["name"] == "limit")
        assert (limit["minimum"], limit["maximum"], limit["default"]) == (1, 100, 50)


# -- answers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", OWN, ids=str)
def test_an_operation_lists_every_status_it_can_answer(operation: Operation) -> None:
    promised = {int(status) for status in operation.definition["responses"]}
    assert promised & {200, 201, 202, 204, 303}
    assert 503 in promised, "everything of ours can be away"
    assert "default" not in operation.definition["responses"]
    if not operation.is_public:
        assert 401 in promised
    if operation.scopes:
        assert 403 in promised
    if operation in WITH_BODY:
        assert {400, 413, 415} <= promised
    if operation in JSON_API and operation.parameters:
        assert 400 in promised
    if "{" in operation.path:
        assert 404 in promised


@pytest.mark.parametrize("operation", [one for one in OWN if one.takes_key], ids=str)
def test_a_buyer_gets_at_their_own_only(operation: Operation) -> None:
    """With which scopes one gets at one's own only is said; of buyers' it must be."""
    own_only = set(operation.definition.get("x-own-only", []))
    assert own_only <= set(operation.scopes)
    assert ("buyer" in operation.scopes) == ("buyer" in own_only)


def test_the_page_of_who_may_call_what_is_what_the_contracts_say() -> None:
    assert authorisation_page.main(["--check"]) == 0, "make authorisation"


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_an_error_is_a_problem_document(operation: Operation) -> None:
    """What people meet is answered by a page besides, unless they ask for the document."""
    for status, response in responses(operation):
        if status[0] in "45":
            pages = {"text/html"} if operation.id.startswith("landing.") else set()
            assert set(response["content"]) == {"application/problem+json"} | pages, status
            problem = operation.resolve(response["content"]["application/problem+json"]["schema"])
            assert set(problem["required"]) == {"type", "title", "status"}


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_a_503_says_when_to_come_again(operation: Operation) -> None:
    for status, response in responses(operation):
        if status == "503":
            assert "Retry-After" in response["headers"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_each_body_has_an_example(operation: Operation) -> None:
    for where, media_type, content in contents(operation):
        if media_type != "text/plain":
            assert examples(operation, content), f"{where} {media_type}"


def plain(operation: Operation, node: Any) -> Any:
    """An OpenAPI 3.0 schema without references, as JSON Schema."""
    node = operation.resolve(node)
    if isinstance(node, list):
        return [plain(operation, one) for one in node]
    if not isinstance(node, dict):
        return node
    schema = {
        key: plain(operation, value)
        for key, value in node.items()
        if key not in ("example", "examples", "nullable")
    }
    return {"anyOf": [schema, {"type": "null"}]} if node.get("nullable") is True else schema


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_each_example_fits_its_schema(operation: Operation) -> None:
    for where, media_type, content in contents(operation):
        validator = jsonschema_rs.Draft4Validator(plain(operation, content["schema"]), validate_formats=True)
        for example in examples(operation, content):
            assert [error.message for error in validator.iter_errors(example)] == [], f"{where} {media_type}"
    for parameter in operation.parameters:
        if "example" in parameter:
            validator = jsonschema_rs.Draft4Validator(
                plain(operation, parameter["schema"]), validate_formats=True
            )
            assert validator.is_valid(parameter["example"]), parameter["name"]


# -- links ---------------------------------------------------------------------------------------------------


def links(operation: Operation) -> Iterator[tuple[str, dict[str, Any]]]:
    for _, response in responses(operation):
        yield from response.get("links", {}).items()


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_a_link_leads_to_an_operation_and_fills_what_it_takes(operation: Operation) -> None:
    there = {one.id: one for one in operations(operation.service)}
    for name, link in links(operation):
        target = there[link["operationId"]]
        assert name == target.id, "a link is called after the operation that it leads to"
        assert link["description"].strip()
        taken = {parameter["name"] for parameter in target.parameters}
        assert set(link.get("parameters", {})) <= taken


@pytest.mark.parametrize("operation", [one for one in OWN if "{" in one.path], ids=str)
def test_what_takes_an_id_is_linked_from_where_the_id_is_given(operation: Operation) -> None:
    steps = [name for other in operations(operation.service) for name, _ in links(other)]
    assert operation.id in steps


@pytest.mark.parametrize("operation", [one for one in OWN if one.pages], ids=str)
def test_a_list_links_to_its_next_page_with_the_same_filters(operation: Operation) -> None:
    """A cursor is worth something only with the filters of the page that gave it."""
    (following,) = [link for name, link in links(operation) if name == operation.id]
    filters = {one["name"] for one in operation.parameters if one["in"] == "query"} - {"limit", "cursor"}
    of_path = {one["name"] for one in operation.parameters if one["in"] == "path"}
    assert following["parameters"] == {
        "cursor": "$response.body#/next_cursor",
        **{name: f"$request.query.{name}" for name in filters},
        **{name: f"$request.path.{name}" for name in of_path},
    }
