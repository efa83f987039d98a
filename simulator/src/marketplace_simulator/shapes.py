"""Requests held against botocore's own service model: shapes, limits, patterns.

boto3 checks few of these before it sends, AWS checks all of them; so a simulator must. Driving the check from
the model keeps it from drifting.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from marketplace_simulator.aws_errors import AwsError
from marketplace_simulator.times import from_epoch


@dataclass(frozen=True)
class Violation:
    """A value of the right type that breaks a limit; `path` names the members down to it, e.g.
    `("UsageRecords", "0", "Dimension")`."""

    path: tuple[str, ...]
    reason: str

    def __str__(self) -> str:
        return f"Value at '{'.'.join(self.path)}' failed to satisfy constraint: {self.reason}"


def read(shape: Shape, value: Any) -> tuple[Any, list[Violation]]:
    """Read a JSON value by its shape.

    Returns:
        The value without nulls and without members that the model does not know, as AWS reads it, and every
        limit that it breaks.

    Raises:
        AwsError: SerializationException for a value of the wrong type.
    """
    violations: list[Violation] = []
    return _read(shape, value, (), violations), violations


def _read(shape: Shape, value: Any, path: tuple[str, ...], violations: list[Violation]) -> Any:
    if isinstance(shape, StructureShape):
        return _read_structure(shape, value, path, violations)
    if isinstance(shape, ListShape):
        _require_type(isinstance(value, list), path, "a list")
        _check_size(shape, len(value), "length", path, violations)
        return [
            _read(shape.member, item, (*path, str(index)), violations)
            for index, item in enumerate(value)
            if item is not None
        ]
    if isinstance(shape, MapShape):
        _require_type(isinstance(value, dict), path, "a map")
        return {
            _read(shape.key, key, (*path, "key"), violations): _read(
                shape.value, item, (*path, key), violations
            )
            for key, item in value.items()
            if item is not None
        }
    return _read_scalar(shape, value, path, violations)


def _read_structure(
    shape: StructureShape, value: Any, path: tuple[str, ...], violations: list[Violation]
) -> dict[str, Any]:
    _require_type(isinstance(value, dict), path, "a structure")
    for name in shape.required_members:
        if value.get(name) is None:
            violations.append(Violation((*path, name), "Member must not be null"))
    return {
        name: _read(member, value[name], (*path, name), violations)
        for name, member in shape.members.items()
        if value.get(name) is not None
    }


def _read_scalar(shape: Shape, value: Any, path: tuple[str, ...], violations: list[Violation]) -> Any:
    match shape.type_name:
        case "string":
            _require_type(isinstance(value, str) and _is_unicode(value), path, "a string")
            _check_size(shape, len(value), "length", path, violations)
            pattern = shape.metadata.get("pattern")
            if pattern and not _compiled(pattern).fullmatch(value):
                violations.append(
                    Violation(path, f"Member must satisfy regular expression pattern: {pattern}")
                )
            allowed = shape.metadata.get("enum")
            if allowed and value not in allowed:
                violations.append(
                    Violation(path, f"Member must satisfy enum value set: {', '.join(allowed)}")
                )
        case "integer":
            _require_type(isinstance(value, int) and not isinstance(value, bool), path, "an integer")
            _check_size(shape, value, "value", path, violations)
        case "timestamp":
            _require_type(
                isinstance(value, int | float) and not isinstance(value, bool), path, "epoch seconds"
            )
            try:
                from_epoch(value)
            except ValueError:
                _require_type(False, path, "epoch seconds inside the calendar")
        case other:
            raise NotImplementedError(f"no request of the simulated operations holds a {other}")
    return value


def _require_type(fits: bool, path: tuple[str, ...], expected: str) -> None:
    if not fits:
        raise AwsError("SerializationException", f"The value at '{'.'.join(path)}' is not {expected}.")


def _check_size(
    shape: Shape, size: int, what: str, path: tuple[str, ...], violations: list[Violation]
) -> None:
    smallest, largest = shape.metadata.get("min"), shape.metadata.get("max")
    if smallest is not None and size < smallest:
        violations.append(Violation(path, f"Member must have {what} greater than or equal to {smallest}"))
    if largest is not None and size > largest:
        violations.append(Violation(path, f"Member must have {what} less than or equal to {largest}"))


def _is_unicode(text: str) -> bool:
    """A lone surrogate is valid JSON but no text: nothing could store it."""
    return not any("\ud800" <= character <= "\udfff" for character in text) if not text.isascii() else True


@lru_cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
