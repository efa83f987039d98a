"""Reads a batch in which nothing is wrong, column by column: a fraction of what judging each event costs.

Whatever is unusual (another spelling of a time, a moment near a limit, a mistake) is nobody's business here:
then the answer is None, and `usage_events.Judge` reads the batch event by event and names what is wrong.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from metering.hours import end_of, hour_of, start_of
from metering.quantities import MICRO
from metering.tags import UNTAGGED, tag_set
from metering.usage_columns import UsageColumns
from metering.usage_events import AgeLimits, holder_of

# From `:05:09` to the microseconds of the hour that have passed then. A leap second is not among them.
_WITHIN_HOUR = {
    f":{minute:02}:{second:02}": (minute * 60 + second) * 1_000_000
    for minute in range(60)
    for second in range(60)
}
_TO_HOUR, _TO_SECONDS, _TO_FRACTION = (
    len(start) for start in ("2026-11-22T10", "2026-11-22T10:15:00", "2026-11-22T10:15:00.")
)
_MOST_DECIMALS = 6

_TENTHS = [10 ** (_MOST_DECIMALS - decimals) for decimals in range(_MOST_DECIMALS + 1)]
"""Micro-units of a one in the last place, by decimals."""

_FEW = 16
"""So many events are read sooner one by one than side by side."""


class _Layout(NamedTuple):
    """Of times that are equally long: in which places the digits of minutes, seconds and their fraction
    stand, how high each goes, and how many microseconds a one there is; and all other places."""

    digits: npt.NDArray[np.intp]
    highest: npt.NDArray[np.uint8]
    worth: npt.NDArray[np.int64]
    others: npt.NDArray[np.intp]


@cache
def _layout(length: int) -> _Layout:
    decimals = max(length - _TO_FRACTION - 1, 0)
    digits = [14, 15, 17, 18, *range(_TO_FRACTION, _TO_FRACTION + decimals)]
    worth = [600_000_000, 60_000_000, 10_000_000, 1_000_000, *_TENTHS[1 : decimals + 1]]
    return _Layout(
        np.array(digits),
        np.array([5, 9, 5, 9] + [9] * decimals, dtype=np.uint8),
        np.array(worth),
        np.array([place for place in range(length) if place not in digits]),
    )


def read_columns(
    rows: list[dict[str, Any]],
    takes_all: Callable[[Iterable[tuple[str, str]]], bool],
    limits: AgeLimits,
    now: datetime,
) -> UsageColumns | None:
    """The events of a batch; None where any of them needs a closer look.

    Args:
        rows: plain events that satisfy the contract's schema.
        takes_all: whether usage of each holder and dimension is accepted.
        limits: of the events' age.
        now: the present moment.
    """
    try:
        holders = [row.get("subscription_id") or holder_of(row)[0] for row in rows]
        dimensions = [row["dimension"] for row in rows]
        hours, offsets = _moments([row["time"] for row in rows])
        columns = UsageColumns(
            sources=[row["source"] for row in rows],
            ids=[row["id"] for row in rows],
            holders=holders,
            dimensions=dimensions,
            quantities=_micros([row["quantity"] for row in rows]),
            hours=hours,
            offsets=offsets,
            tags=[tag_set(row["tags"]) if "tags" in row else UNTAGGED for row in rows],
        )
        earliest, latest = now - limits.oldest, now + limits.ahead
        for hour in set(hours):
            if hour != hour_of(start_of(hour)):
                return None
            if not earliest <= start_of(hour) or not end_of(hour) <= latest:
                moments = [offset for at, offset in zip(hours, columns.offsets, strict=True) if at == hour]
                first, last = (
                    start_of(hour) + timedelta(microseconds=one) for one in (min(moments), max(moments))
                )
                if not earliest <= first or not last <= latest:
                    return None
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
    return columns if takes_all(zip(holders, dimensions, strict=True)) else None


def _micros(quantities: list[Any]) -> list[int]:
    """As `quantities.to_micro`, of what the contract's pattern lets in."""
    try:
        points = [quantity.find(".") for quantity in quantities]
        digits = "\n".join(quantities).replace(".", "").split("\n")
    except (AttributeError, TypeError):  # not all are texts
        return [_micro(quantity) for quantity in quantities]
    return [
        int(digit) * (MICRO if point < 0 else _TENTHS[len(digit) - point])
        for digit, point in zip(digits, points, strict=True)
    ]


def _micro(quantity: str | int) -> int:
    if type(quantity) is int:
        return quantity * MICRO
    if type(quantity) is not str:  # a whole number with a point, such as 3.0: to be refused by name
        raise TypeError
    whole, _, decimals = quantity.partition(".")
    return int(whole + (decimals + "000000")[:_MOST_DECIMALS])


def _moments(times: list[str]) -> tuple[list[str], list[int]]:
    """The hours of times, and how many microseconds of each had passed; of times in UTC, in their usual
    spelling."""
    together = _moments_of_an_hour(times) if len(times) > _FEW else None
    return together or ([time[:_TO_HOUR] for time in times], [_offset(time) for time in times])


def _moments_of_an_hour(times: list[str]) -> tuple[list[str], list[int]] | None:
    """The same of times that are of one hour and equally long; None where they are not."""
    first, length = times[0], len(times[0])
    if length > _TO_FRACTION + _MOST_DECIMALS + 1 or set(map(len, times)) != {length}:
        return None
    _offset(first)  # which says whether its spelling is the usual one; all others must be like it
    layout = _layout(length)
    text = np.frombuffer("".join(times).encode("ascii"), np.uint8).reshape(len(times), length)
    digits = text[:, layout.digits] - ord("0")
    if np.any(text[:, layout.others] != text[0, layout.others]) or np.any(digits > layout.highest):
        return None
    return [first[:_TO_HOUR]] * len(times), (digits @ layout.worth).tolist()


def _offset(time: str) -> int:
    if time[-1] != "Z":
        raise ValueError
    offset = _WITHIN_HOUR[time[_TO_HOUR:_TO_SECONDS]]
    if len(time) > _TO_FRACTION:
        offset += int((time[_TO_FRACTION:-1] + "000000")[:_MOST_DECIMALS])
    return offset
