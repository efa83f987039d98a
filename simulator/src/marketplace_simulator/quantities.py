"""Exact quantities: whole micro-units (10^-6), because AWS takes six decimals and bills what it took."""

from __future__ import annotations

MICRO = 1_000_000


def micro_from_decimal(text: str) -> int:
    """Micro-units of a decimal string that already fits AWS's pattern, e.g. `"17.42"` -> 17_420_000."""
    whole, _, fraction = text.partition(".")
    return int(whole) * MICRO + int(fraction.ljust(6, "0"))


def micro_from_whole(number: int) -> int:
    """Micro-units of a whole number."""
    return number * MICRO


def decimal_text(micro: int) -> str:
    """The shortest decimal string of a quantity, e.g. 17_000_000 -> `"17"`."""
    whole, fraction = divmod(micro, MICRO)
    return f"{whole}.{fraction:06d}".rstrip("0").rstrip(".")
