"""The usual request judged at once: the shapes of `shapes.py`, compiled into a validator of machine code.

It knows yes and no only. What it passes is exactly what the reader of shapes answers unchanged and without a
complaint (a property test holds the two together); whatever else comes, nulls and unknown members included,
goes to that reader, which has the words. A batch of 25 records is judged in a seventh of the reader's time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsonschema_rs
from botocore.model import ListShape, MapShape, Shape, StructureShape

from marketplace_simulator.shapes import FIRST_SECOND, LAST_SECOND, is_iso

# Draft 4, because there 5.0 is no integer, as with AWS.
_DIALECT = "http://json-schema.org/draft-04/schema#"


def quick_check(shape: Shape | None) -> Callable[[Any], bool]:
    """The function that says whether a request fits its shape as it is."""
    if shape is None:
        return lambda value: value == {}
    is_valid = jsonschema_rs.Draft4Validator({"$schema": _DIALECT, **_schema(shape)}).is_valid

    def fits(value: Any) -> bool:
        try:
            return is_valid(value)
        except ValueError:
            # Values that JSON has not, as CBOR can bring them, or endless depth.
            return False

    return fits


def _schema(shape: Shape) -> dict[str, Any]:
    if isinstance(shape, StructureShape):
        return {
            "type": "object",
            "properties": {name: _schema(member) for name, member in shape.members.items()},
            "additionalProperties": False,
            # Draft 4 has no empty list here.
            **({"required": list(shape.required_members)} if shape.required_members else {}),
        }
    if isinstance(shape, ListShape):
        return {"type": "array", "items": _schema(shape.member), **_limits(shape, "minItems", "maxItems")}
    if isinstance(shape, MapShape):
        # No word for the names of a map in Draft 4; maps are rare and small: the reader judges them.
        return {"not": {}}
    match shape.type_name:
        case "string":
            schema = {"type": "string", **_limits(shape, "minLength", "maxLength")}
            if pattern := shape.metadata.get("pattern"):
                schema["pattern"] = f"^(?:{pattern})$"
            if allowed := shape.metadata.get("enum"):
                schema["enum"] = list(allowed)
            return schema
        case "integer":
            return {"type": "integer", **_limits(shape, "minimum", "maximum")}
        case "timestamp" if is_iso(shape):
            # The calendar is beyond a pattern, and such requests are few.
            return {"not": {}}
        case "timestamp":
            return {"type": "number", "minimum": FIRST_SECOND, "maximum": LAST_SECOND}
        case "boolean":
            return {"type": "boolean"}
    raise NotImplementedError(f"no request of the simulated operations holds a {shape.type_name}")


def _limits(shape: Shape, smallest: str, largest: str) -> dict[str, int]:
    found = {smallest: shape.metadata.get("min"), largest: shape.metadata.get("max")}
    return {name: limit for name, limit in found.items() if limit is not None}
