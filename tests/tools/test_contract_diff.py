"""Each kind of break is named, and what breaks nobody is let through."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.contract_diff import breaks, main

API: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "t", "version": "0.1.0"},
    "paths": {
        "/v1/things/{thing_id}": {
            "parameters": [
                {"in": "path", "name": "thing_id", "required": True, "schema": {"type": "string"}}
            ],
            "get": {
                "security": [{"apiKey": []}, {"bearer": []}],
                "x-required-scopes": ["operator", "buyer"],
                "parameters": [
                    {
                        "in": "query",
                        "name": "limit",
                        "schema": {"type": "integer", "minimum": 1, "maximum": 100},
                    }
                ],
                "responses": {
                    "200": {
                        "description": "ok",
                        "headers": {"ETag": {"required": True, "schema": {"type": "string"}}},
                        "content": {"application/json": {"schema": {"$ref": "common/thing.yaml#/Thing"}}},
                    },
                    "404": {"description": "none"},
                },
            },
            "put": {
                "security": [],
                "requestBody": {
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["name"],
                                "properties": {
                                    "name": {"type": "string", "maxLength": 50, "nullable": True},
                                    "kind": {"type": "string", "enum": ["a", "b"]},
                                    "amounts": {"type": "array", "items": {"type": "number"}, "maxItems": 10},
                                },
                            }
                        }
                    }
                },
                "responses": {"204": {"description": "done"}},
            },
        }
    },
    "components": {"securitySchemes": {"apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"}}},
}
THING: dict[str, Any] = {
    "Thing": {
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": {"type": "string", "maxLength": 30},
            "status": {"type": "string", "enum": ["open", "done"]},
            "count": {"type": "integer", "minimum": 0},
            "parent": {"$ref": "#/Thing"},
            "note": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        },
    }
}
SIGNAL: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["id", "version"],
    "properties": {
        "id": {"type": "string"},
        "version": {"type": "integer", "exclusiveMinimum": 0},
        "kind": {"const": "signal"},
        "ended_at": {"type": ["string", "null"]},
    },
}
ITEM = "/v1/things/{thing_id}"
PUT_SCHEMA = ("paths", ITEM, "put", "requestBody", "content", "application/json", "schema")


class Contracts:
    """A released folder and a current one that a test changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.api, self.thing, self.signal = (copy.deepcopy(value) for value in (API, THING, SIGNAL))
        self._write("released")

    def _write(self, name: str) -> Path:
        folder = self.folder / name
        for part in ("common", "events"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "things.yaml").write_text(yaml.safe_dump(self.api))
        (folder / "common" / "thing.yaml").write_text(yaml.safe_dump(self.thing))
        for name in ("signal", "sns-message"):
            (folder / "events" / f"{name}.schema.json").write_text(json.dumps(self.signal))
        return folder

    def found(self) -> list[str]:
        return list(breaks(self.folder / "released", self._write("current")))

    def operation(self, method: str) -> dict[str, Any]:
        operation: dict[str, Any] = self.api["paths"][ITEM][method]
        return operation

    def put_properties(self) -> dict[str, Any]:
        properties: dict[str, Any] = self.put_schema()["properties"]
        return properties

    def put_schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = self.operation("put")["requestBody"]["content"]["application/json"]["schema"]
        return schema

    def answer(self) -> dict[str, Any]:
        properties: dict[str, Any] = self.thing["Thing"]["properties"]
        return properties


@pytest.fixture
def contracts(tmp_path: Path) -> Contracts:
    return Contracts(tmp_path)


def test_the_same_contract_breaks_nobody(contracts: Contracts) -> None:
    assert contracts.found() == []


BREAKING: dict[str, tuple[Callable[[Contracts], Any], str]] = {
    "operation removed": (
        lambda c: c.api["paths"][ITEM].pop("put"),
        "PUT /v1/things/{thing_id}: was removed",
    ),
    "path removed": (lambda c: c.api["paths"].clear(), "GET /v1/things/{thing_id}: was removed"),
    "parameter removed": (
        lambda c: c.operation("get").pop("parameters"),
        "query parameter limit: was removed",
    ),
    "parameter required": (
        lambda c: c.operation("get")["parameters"][0].update(required=True),
        "query parameter limit: is now required",
    ),
    "new required parameter": (
        lambda c: c.operation("get")["parameters"].append(
            {"in": "header", "name": "X-New", "required": True}
        ),
        "header parameter x-new: is new and required",
    ),
    "parameter's limit lowered": (
        lambda c: c.operation("get")["parameters"][0]["schema"].update(maximum=50),
        "query parameter limit: maximum went from 100 to 50",
    ),
    "body now required": (
        lambda c: c.operation("put")["requestBody"].update(required=True),
        "the request body is now required",
    ),
    "content type removed": (
        lambda c: (
            c.operation("put")["requestBody"]["content"].update({"application/json": None})
            or c.operation("put")["requestBody"].update(content={"text/plain": {}})
        ),
        "request body: application/json was removed",
    ),
    "request property required": (
        lambda c: c.put_schema().update(required=["name", "kind"]),
        "request body.kind: is now required",
    ),
    "request property removed": (lambda c: c.put_properties().pop("kind"), "request body.kind: was removed"),
    "request closed": (
        lambda c: c.put_schema().update(additionalProperties=False),
        "request body: other properties are refused now",
    ),
    "request enum narrowed": (
        lambda c: c.put_properties()["kind"].update(enum=["a"]),
        'request body.kind: "b" is allowed no longer',
    ),
    "request enum added": (
        lambda c: c.put_properties()["name"].update(enum=["x"]),
        "request body.name: the list of allowed values was added",
    ),
    "request type narrowed": (
        lambda c: c.put_properties()["amounts"]["items"].update(type="integer"),
        "request body.amounts[]: takes no longer number",
    ),
    "request null refused": (
        lambda c: c.put_properties()["name"].pop("nullable"),
        "request body.name: takes no longer null",
    ),
    "request pattern added": (
        lambda c: c.put_properties()["name"].update(pattern="^a"),
        "request body.name: pattern was added",
    ),
    "request items limited": (
        lambda c: c.put_properties()["amounts"].update(minItems=1),
        "request body.amounts: minItems was added (1)",
    ),
    "request limit made exclusive": (
        lambda c: c.operation("get")["parameters"][0]["schema"].update(exclusiveMaximum=True),
        "query parameter limit: maximum went from 100 to 100",
    ),
    "request uniqueItems": (
        lambda c: c.put_properties()["amounts"].update(uniqueItems=True),
        "request body.amounts: uniqueItems is now true",
    ),
    "status removed": (lambda c: c.operation("get")["responses"].pop("404"), "response 404: was removed"),
    "new success status": (
        lambda c: c.operation("put")["responses"].update({"202": {"description": "later"}}),
        "response 202: is new, and no error",
    ),
    "header removed": (
        lambda c: c.operation("get")["responses"]["200"].pop("headers"),
        "response 200: header ETag was removed",
    ),
    "answer property removed": (lambda c: c.answer().pop("count"), "response 200.count: was removed"),
    "answer property optional": (
        lambda c: c.thing["Thing"].update(required=[]),
        "response 200.id: may now be missing",
    ),
    "answer enum widened": (
        lambda c: c.answer()["status"]["enum"].append("lost"),
        'response 200.status: may now be "lost"',
    ),
    "answer type widened": (
        lambda c: c.answer()["count"].update(type="number"),
        "response 200.count: may now be number",
    ),
    "answer may be null": (
        lambda c: c.answer()["id"].update(nullable=True),
        "response 200.id: may now be null",
    ),
    "answer limit raised": (
        lambda c: c.answer()["id"].update(maxLength=99),
        "response 200.id: maxLength went from 30 to 99",
    ),
    "answer limit removed": (
        lambda c: c.answer()["count"].pop("minimum"),
        "response 200.count: minimum was removed",
    ),
    "answer has a new choice": (
        lambda c: c.answer()["note"]["oneOf"].append({"type": "boolean"}),
        "response 200.note: choice 3 of `oneOf` fits none of the old choices",
    ),
    "security added": (
        lambda c: c.operation("put").update(security=[{"apiKey": []}]),
        "security: no credentials is enough no longer",
    ),
    "security alternative removed": (
        lambda c: c.operation("get").update(security=[{"apiKey": []}]),
        "security: bearer: is enough no longer",
    ),
    "scope removed": (
        lambda c: c.operation("get").update({"x-required-scopes": ["operator"]}),
        "security: the scope buyer is enough no longer",
    ),
    "key goes elsewhere": (
        lambda c: c.api["components"]["securitySchemes"]["apiKey"].update(name="X-Key"),
        "security scheme apiKey: name changed",
    ),
    "message property removed": (
        lambda c: c.signal["properties"].pop("ended_at"),
        "events/signal.schema.json: item.ended_at: was removed",
    ),
    "message property optional": (
        lambda c: c.signal.update(required=["id"]),
        "events/signal.schema.json: item.version: may now be missing",
    ),
    "message constant changed": (
        lambda c: c.signal["properties"].update(kind={"const": "other"}),
        'events/signal.schema.json: item.kind: may now be "other"',
    ),
    "message limit lowered": (
        lambda c: c.signal["properties"]["version"].update(exclusiveMinimum=-5),
        "events/signal.schema.json: item.version: minimum went from 0 to -5",
    ),
    "message of AWS must have more": (
        lambda c: c.signal.update(required=["id", "version", "kind"]),
        "events/sns-message.schema.json: item.kind: is now required",
    ),
    "condition changed": (
        lambda c: c.signal.update({"if": {"required": ["ended_at"]}}),
        "`if` changed, which needs a person's judgement",
    ),
}


@pytest.mark.parametrize("name", BREAKING)
def test_a_break_is_named(contracts: Contracts, name: str) -> None:
    change, sentence = BREAKING[name]
    change(contracts)
    found = contracts.found()
    assert any(sentence in line for line in found), found


HARMLESS: dict[str, Callable[[Contracts], Any]] = {
    "new operation": lambda c: c.api["paths"].update({"/v1/others": {"get": {"responses": {"200": {}}}}}),
    "path parameter renamed": lambda c: (
        c.api["paths"].update({"/v1/things/{id}": c.api["paths"].pop(ITEM)}),
        c.api["paths"]["/v1/things/{id}"]["parameters"][0].update(name="id"),
    ),
    "new optional parameter": lambda c: c.operation("get")["parameters"].append(
        {"in": "query", "name": "new"}
    ),
    "request property optional": lambda c: c.put_schema().update(required=[]),
    "new optional request property": lambda c: c.put_properties().update(more={"type": "string"}),
    "request limit raised": lambda c: c.put_properties()["name"].update(maxLength=500),
    "request enum widened": lambda c: c.put_properties()["kind"]["enum"].append("c"),
    "request takes null": lambda c: c.put_properties()["kind"].update(nullable=True),
    "new answer property": lambda c: c.answer().update(more={"type": "string"}),
    "answer property required": lambda c: c.thing["Thing"].update(required=["id", "count"]),
    "answer enum narrowed": lambda c: c.answer()["status"].update(enum=["open"]),
    "answer limit lowered": lambda c: c.answer()["id"].update(maxLength=10),
    "answer number to integer": lambda c: c.answer()["note"].update(oneOf=[{"type": "integer"}]),
    "new error status": lambda c: c.operation("get")["responses"].update({"429": {"description": "slower"}}),
    "security lifted": lambda c: c.operation("get").update(security=[]),
    "one scope more": lambda c: c.operation("get")["x-required-scopes"].append("usage:read"),
    "words and names": lambda c: c.operation("get").update(operationId="other", summary="Other words"),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_breaks_nobody_is_let_through(contracts: Contracts, name: str) -> None:
    HARMLESS[name](contracts)
    assert contracts.found() == []


def test_a_contract_that_is_gone_is_a_break(contracts: Contracts) -> None:
    contracts.found()
    (contracts.folder / "current" / "things.yaml").unlink()
    assert list(breaks(contracts.folder / "released", contracts.folder / "current")) == [
        "things.yaml: was removed"
    ]


def test_nothing_released_is_said_and_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["contract_diff.py", "--released", str(tmp_path)])
    assert main() == 0
    assert "Nothing has been released" in capsys.readouterr().out


def test_the_command_fails_on_a_break(
    contracts: Contracts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    contracts.api["paths"].clear()
    contracts.found()
    folders = [
        "--released",
        str(contracts.folder / "released"),
        "--current",
        str(contracts.folder / "current"),
    ]
    monkeypatch.setattr("sys.argv", ["contract_diff.py", *folders])
    assert main() == 1
    assert "2 breaks against 3 released contracts" in capsys.readouterr().out


def test_what_a_person_has_judged_is_no_break_and_a_stale_judgement_is_called_out(
    contracts: Contracts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    contracts.api["paths"].clear()
    found = contracts.found()
    released, current = (contracts.folder / name for name in ("released", "current"))
    monkeypatch.setattr(
        "sys.argv", ["contract_diff.py", "--released", str(released), "--current", str(current)]
    )
    judged = released / "judged.yaml"
    judged.write_text(yaml.safe_dump([{"break": one, "why": "nobody calls it"} for one in found]))
    assert main() == 0
    judged.write_text(
        yaml.safe_dump([{"break": one, "why": "nobody calls it"} for one in [*found, "another"]])
    )
    assert main() == 1
    assert "Judged, but there is no such change: another" in capsys.readouterr().out
    judged.write_text(yaml.safe_dump([{"break": found[0]}]))
    with pytest.raises(ValueError, match="has no reason"):
        main()
