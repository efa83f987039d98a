"""Requests held against botocore's own service model: shapes, limits, patterns.

boto3 checks few of these before it sends, AWS checks all of them; so a simulator must. Driving the check from
the model keeps it from drifting. A shape is turned into functions once, because a batch of 25 records holds
some two hundred values and is checked hundreds of times a second.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from botocore.model import ListShape, MapShape, Shape, StructureShape

from marketplace_simulator.aws_errors import AwsError
from marketplace_simulator.times import parse_rfc3339

# The years 1 to 9999.
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799
# Where a value stands, as (the place around it, its name there); None is the request itself. Pairs, because a
# whole path is wanted only when something is wrong.
_Place = Any


class Violation(NamedTuple):
    """A value of the right type that breaks a limit; `path` names the members down to it, e.g.
    `("UsageRecords", "0", "Dimension")`."""

    path: tuple[str, ...]
    reason: str

    def __str__(self) -> str:
        return f"Value at '{'.'.join(self.path)}' failed to satisfy constraint: {self.reason}"


_Read = Callable[[Any, _Place, list[Violation]], Any]
Reader = Callable[[Any], tuple[Any, list[Violation]]]


def reader_of(shape: Shape | None) -> Reader:
    """The function that reads a request by its shape.

    It answers the value without nulls and without members that the model does not know, as AWS reads it, and
    every limit that it breaks. It raises AwsError SerializationException for a value of the wrong type.
    """
    read = _structure({}, ()) if shape is None else _compiled(shape)

    def read_request(value: Any) -> tuple[Any, list[Violation]]:
        violations: list[Violation] = []
        return read(value, None, violations), violations

    return read_request


def _compiled(shape: Shape) -> _Read:
    if isinstance(shape, StructureShape):
        members = {name: _compiled(member) for name, member in shape.members.items()}
        return _structure(members, tuple(shape.required_members))
    if isinstance(shape, ListShape):
        return _list(_compiled(shape.member), _limits(shape, "length"))
    if isinstance(shape, MapShape):
        return _map(_compiled(shape.key), _compiled(shape.value), _limits(shape, "length"))
    match shape.type_name:
        case "string":
            return _string(shape)
        case "integer":
            return _integer(_limits(shape, "value"))
        case "timestamp":
            return _iso_timestamp if is_iso(shape) else _timestamp
        case "boolean":
            return _boolean
    raise NotImplementedError(f"no request of the simulated operations holds a {shape.type_name}")


def is_iso(timestamp: Shape) -> bool:
    """Whether a timestamp is text, and not epoch seconds."""
    return bool(timestamp.serialization.get("timestampFormat") == "iso8601")


def _structure(members: dict[str, _Read], required: tuple[str, ...]) -> _Read:
    known = members.get

    def read(value: Any, place: _Place, violations: list[Violation]) -> dict[str, Any]:
        if type(value) is not dict:
            raise _wrong_type(place, "a structure")
        for name in required:
            if value.get(name) is None:
                violations.append(Violation(_path((place, name)), "Member must not be null"))
        found = {}
        for name, item in value.items():
            if item is not None and (read_member := known(name)) is not None:
                found[name] = read_member(item, (place, name), violations)
        return found

    return read


def _list(read_item: _Read, limits: Callable[[int, _Place, list[Violation]], None]) -> _Read:
    def read(value: Any, place: _Place, violations: list[Violation]) -> list[Any]:
        if type(value) is not list:
            raise _wrong_type(place, "a list")
        limits(len(value), place, violations)
        return [
            read_item(item, (place, index), violations)
            for index, item in enumerate(value)
            if item is not None
        ]

    return read


def _map(read_key: _Read, read_item: _Read, limits: Callable[[int, _Place, list[Violation]], None]) -> _Read:
    def read(value: Any, place: _Place, violations: list[Violation]) -> dict[str, Any]:
        if type(value) is not dict:
            raise _wrong_type(place, "a map")
        limits(len(value), place, violations)
        return {
            read_key(key, (place, "key"), violations): read_item(item, (place, key), violations)
            for key, item in value.items()
            if item is not None
        }

    return read


def _string(shape: Shape) -> _Read:
    limits = _limits(shape, "length")
    pattern, allowed = shape.metadata.get("pattern"), shape.metadata.get("enum")
    fits = re.compile(pattern).fullmatch if pattern else None

    def read(value: Any, place: _Place, violations: list[Violation]) -> str:
        if type(value) is not str:
            raise _wrong_type(place, "a string")
        limits(len(value), place, violations)
        if fits is not None and fits(value) is None:
            reason = f"Member must satisfy regular expression pattern: {pattern}"
            violations.append(Violation(_path(place), reason))
        if allowed and value not in allowed:
            reason = f"Member must satisfy enum value set: {', '.join(allowed)}"
            violations.append(Violation(_path(place), reason))
        return value

    return read


def _integer(limits: Callable[[int, _Place, list[Violation]], None]) -> _Read:
    def read(value: Any, place: _Place, violations: list[Violation]) -> int:
        # `type is` and not isinstance: a boolean is no number.
        if type(value) is not int or value.bit_length() > 63:
            raise _wrong_type(place, "an integer")
        limits(value, place, violations)
        return value

    return read


def _timestamp(value: Any, place: _Place, violations: list[Violation]) -> float:
    if type(value) is not int and type(value) is not float:
        raise _wrong_type(place, "epoch seconds")
    # Written so that NaN is refused as well.
    if not FIRST_SECOND <= value <= LAST_SECOND:
        raise _wrong_type(place, "epoch seconds inside the calendar")
    return value


def _iso_timestamp(value: Any, place: _Place, violations: list[Violation]) -> str:
    try:
        if type(value) is str:
            parse_rfc3339(value)
            return value
    except ValueError:
        pass
    raise _wrong_type(place, "a date-time of ISO 8601")


def _boolean(value: Any, place: _Place, violations: list[Violation]) -> bool:
    if type(value) is not bool:
        raise _wrong_type(place, "a boolean")
    return value


def _limits(shape: Shape, what: str) -> Callable[[int, _Place, list[Violation]], None]:
    smallest, largest = shape.metadata.get("min"), shape.metadata.get("max")

    def check(size: int, place: _Place, violations: list[Violation]) -> None:
        if smallest is not None and size < smallest:
            reason = f"Member must have {what} greater than or equal to {smallest}"
            violations.append(Violation(_path(place), reason))
        if largest is not None and size > largest:
            reason = f"Member must have {what} less than or equal to {largest}"
            violations.append(Violation(_path(place), reason))

    return check


def _wrong_type(place: _Place, expected: str) -> AwsError:
    where = ".".join(_path(place)) or "the request"
    return AwsError("SerializationException", f"The value at '{where}' is not {expected}.")


def _path(place: _Place) -> tuple[str, ...]:
    names: list[str] = []
    while place is not None:
        place, name = place
        names.append(str(name))
    return tuple(reversed(names))
