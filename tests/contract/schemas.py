"""The JSON Schemas of messages and of published tables, as validators, and rows made from them."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema

from tests.contract.contracts import ROOT


@cache
def schema(path: str) -> dict[str, Any]:
    """`tables/customers` or `events/sns-envelope`, and so on."""
    found: dict[str, Any] = json.loads((ROOT / "openapi" / f"{path}.schema.json").read_text())
    return found


@cache
def validator(path: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(
        schema(path), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


def mistakes(path: str, instance: Any) -> list[str]:
    """What about an instance breaks the schema, with its place; empty when nothing does."""
    return [f"{error.json_path}: {error.message}" for error in validator(path).iter_errors(instance)]


def variants(path: str) -> Iterator[dict[str, Any]]:
    """Rows of many forms that fit the schema.

    The examples with each choice of enumerated values, with each optional member left out and with all of
    them left out. Each has a member besides that is the owner's own.
    """
    properties, required = schema(path)["properties"], set(schema(path)["required"])
    chosen = {name: property["enum"] for name, property in properties.items() if "enum" in property}
    for example in schema(path)["examples"]:
        optional = sorted(set(example) - required)
        for values in itertools.product(*chosen.values()):
            for left_out in [(), tuple(optional), *((name,) for name in optional)]:
                row = example | dict(zip(chosen, values, strict=True)) | {"private_to_the_owner": "x"}
                row = {name: copy.deepcopy(value) for name, value in row.items() if name not in left_out}
                if validator(path).is_valid(row):
                    yield row
