"""What DynamoDB charges, by its rules (Developer Guide: "Item sizes and formats", "Read and write
operations")."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

KB = 1024


def item_bytes(item: Mapping[str, Mapping[str, Any]]) -> int:
    """The size of an item as the API has it: bytes, or base64 where it is as it was on the wire."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def write_units(size: int) -> int:
    """Of a plain write of an item of so many bytes."""
    return max(1, ceil(size / KB))


def read_units(size: int, consistent: bool) -> float:
    """Of a read that came to so many bytes."""
    return max(1, ceil(size / (4 * KB))) * (1.0 if consistent else 0.5)


def _value_bytes(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        digits = content.lstrip("-").replace(".", "").strip("0") or "0"
        return (len(digits) + 1) // 2 + 1 + content.startswith("-")
    if kind == "B":
        return len(content) if isinstance(content, bytes) else len(content.rstrip("=")) * 3 // 4
    if kind in ("SS", "NS", "BS"):
        return sum(_value_bytes({kind[0]: one}) for one in content)
    if kind == "L":
        return 3 + sum(1 + _value_bytes(one) for one in content)
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _value_bytes(one) for name, one in content.items())
    return 1  # true, false and null
