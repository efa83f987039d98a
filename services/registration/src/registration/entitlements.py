"""What a contract grants, as AWS answers it and as notifications publishes it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Type = Literal["integer", "double", "boolean", "string"]

# The members of AWS's union, of which exactly one is set. Which of them an on/off dimension uses is
# documented nowhere, so whichever is there is taken.
_MEMBERS: dict[str, Type] = {
    "IntegerValue": "integer",
    "DoubleValue": "double",
    "BooleanValue": "boolean",
    "StringValue": "string",
}


@dataclass(frozen=True)
class Entitlement:
    """A dimension of a contract.

    Args:
        dimension: its API id.
        type: which of AWS's members held the value.
        value: the value in text: `20`, `1.5`, `true`.
        expires_at: the earliest time at which it could lapse; with auto-renewal the day of renewal. None
        where
            AWS says none.
    """

    dimension: str
    type: Type
    value: str
    expires_at: datetime | None


def understand(rows: Iterable[Mapping[str, Any]]) -> tuple[Entitlement, ...]:
    """Read `Entitlements` of all pages of GetEntitlements, in the order of their dimensions.

    Args:
        rows: as boto3 gives them.
    """
    found = [
        Entitlement(str(row.get("Dimension", "")), kind, _text(value), row.get("ExpirationDate"))
        for row in rows
        for kind, value in _values(row)
    ]
    return tuple(sorted(found, key=lambda one: (one.dimension, one.value)))


def _values(row: Mapping[str, Any]) -> Iterable[tuple[Type, Any]]:
    return [
        (kind, value) for member, value in (row.get("Value") or {}).items() if (kind := _MEMBERS.get(member))
    ]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
