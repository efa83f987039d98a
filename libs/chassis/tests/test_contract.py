"""A contract of several files becomes one document."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from chassis.contract import load_contract, named_schema, operations


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(**files: Any) -> Path:
        for name, content in files.items():
            path = tmp_path / f"{name.replace('__', '/')}.yaml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(yaml.safe_dump(content))
        return tmp_path / "main.yaml"

    return write


def test_references_to_files_are_replaced_and_those_within_stay(write: Any) -> None:
    contract = write(
        main={
            "a": {"$ref": "common/parts.yaml#/schemas/Outer"},
            "b": {"$ref": "#/components/schemas/Own"},
            "c": [{"$ref": "common/whole.yaml"}],
            "d": {"$ref": "common/parts.yaml#/paths/~1v1~1things~0x"},
        },
        common__parts={
            "schemas": {
                "Outer": {"here": {"$ref": "#/schemas/Inner"}, "next": {"$ref": "more.yaml#/list/1"}},
                "Inner": {"type": "string"},
            },
            "paths": {"/v1/things~x": {"get": {}}},
        },
        common__more={"list": ["zero", {"one": {"$ref": "./whole.yaml#/type"}}]},
        common__whole={"type": "integer"},
    )
    assert load_contract(contract) == {
        "a": {"here": {"type": "string"}, "next": {"one": "integer"}},
        "b": {"$ref": "#/components/schemas/Own"},
        "c": [{"type": "integer"}],
        "d": {"get": {}},
    }


def test_the_contracts_own_parts_may_contain_themselves_and_come_back_by_way_of_a_file(write: Any) -> None:
    tree = {"properties": {"branch": {"$ref": "#/components/Tree"}}}
    contract = write(
        main={"components": {"Tree": tree}, "a": {"$ref": "other.yaml#/x"}},
        other={"x": {"$ref": "main.yaml#/components/Tree"}},
    )
    assert load_contract(contract) == {"components": {"Tree": tree}, "a": tree}


@pytest.mark.parametrize("pointer", ["/schemas/Absent", "/list/7", "/list/x", "/text/deeper"])
def test_a_part_that_is_missing_is_named_with_the_file_that_wants_it(write: Any, pointer: str) -> None:
    contract = write(
        main={"a": {"$ref": f"other.yaml#{pointer}"}}, other={"schemas": {}, "list": [1], "text": "x"}
    )
    with pytest.raises(KeyError, match=r"main\.yaml refers to other\.yaml#") as error:
        load_contract(contract)
    assert pointer.rsplit("/", 1)[1] in str(error.value)


def test_a_missing_file_is_named(write: Any) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.yaml"):
        load_contract(write(main={"a": {"$ref": "absent.yaml#/x"}}))


def test_a_part_of_another_file_that_contains_itself_is_refused(write: Any) -> None:
    with pytest.raises(ValueError, match="contains itself"):
        load_contract(
            write(main={"a": {"$ref": "other.yaml#/x"}}, other={"x": {"y": {"$ref": "#/x"}}}),
        )


def test_every_operation_is_found_by_its_id() -> None:
    contract = {
        "paths": {
            "/v1/things": {
                "summary": "not an operation",
                "parameters": [],
                "get": {"operationId": "list_things"},
                "post": {"operationId": "add_thing", "x-required-scopes": ["operator"]},
            }
        }
    }
    found = operations(contract)
    assert {name: (of["method"], of["path"]) for name, of in found.items()} == {
        "list_things": ("get", "/v1/things"),
        "add_thing": ("post", "/v1/things"),
    }


def test_a_named_schema_is_given_without_references() -> None:
    schemas = {
        "Note": {"type": "object", "properties": {"tags": {"type": "array", "items": {"$ref": "#/x/Tag"}}}},
        "Tag": {"allOf": [{"$ref": "#/x/Word"}]},
        "Word": {"type": "string"},
    }
    assert named_schema({"components": {"schemas": schemas}}, "Note") == {
        "type": "object",
        "properties": {"tags": {"type": "array", "items": {"allOf": [{"type": "string"}]}}},
    }
