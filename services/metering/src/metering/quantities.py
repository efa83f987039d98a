"""Quantities: whole micro-units inside (10⁻⁶, integers), exact decimal text at the doors.

AWS takes six decimals as `QuantityAsDecimal`; finer input is refused, never rounded, and no quantity is ever
a float.
"""

import re

MICRO = 1_000_000

# AWS's own pattern of QuantityAsDecimal: at most ten integer digits and six decimals (BatchMeterUsage,
# UsageRecord).
_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,9})(?:\.([0-9]{1,6}))?", re.ASCII)
# The same with a sign, as corrections come in.
_SIGNED = re.compile(rf"(-?){_DECIMAL.pattern}", re.ASCII)

# The largest quantity that one metering record may carry: 9999999999.999999.
LARGEST_RECORD = 10**10 * MICRO - 1


def to_micro(quantity: str | int) -> int:
    """Read a quantity from JSON: decimal text, or a whole number; below zero where it is a correction.

    Raises:
        ValueError: not exact in six decimals, or too large. A JSON number with a point or an
            exponent is refused even where it is whole: 3.0000000000000001 arrives as 3.0, rounded before it
            reached us.
    """
    if isinstance(quantity, bool) or not isinstance(quantity, str | int):
        raise ValueError("A quantity is a decimal as text, or a whole number.")
    if isinstance(quantity, int):
        if abs(quantity) > LARGEST_RECORD // MICRO:
            raise ValueError("A number is whole and has at most ten digits; send decimals as text.")
        return quantity * MICRO
    match = _SIGNED.fullmatch(quantity)
    if not match:
        raise ValueError("A quantity has at most ten digits before the point and six after it.")
    sign, whole, decimals = match.groups()
    micro = int(whole) * MICRO + int((decimals or "").ljust(6, "0"))
    return -micro if sign else micro


def to_text(micro: int) -> str:
    """Write micro-units as the shortest exact decimal: 250000 is `0.25`, 3000000 is `3`."""
    sign = "-" if micro < 0 else ""
    whole, rest = divmod(abs(micro), MICRO)
    return f"{sign}{whole}.{rest:06d}".rstrip("0").rstrip(".")
