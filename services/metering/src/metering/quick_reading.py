"""Reads a batch in which nothing is wrong, column by column: a fraction of what judging each event costs.

Whatever is unusual (another spelling of a time, a moment near a limit, a mistake) is nobody's business here:
then the answer is None, and `usage_events.Judge` reads the batch event by event and names what is wrong.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

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
_TO_SECONDS, _TO_FRACTION = len("2026-11-22T10:15:00"), len("2026-11-22T10:15:00.")


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
        times = [row["time"] for row in rows]
        hours = [time[:13] for time in times]
        columns = UsageColumns(
            sources=[row["source"] for row in rows],
            ids=[row["id"] for row in rows],
            holders=holders,
            dimensions=dimensions,
            quantities=[_micro(row["quantity"]) for row in rows],
            hours=hours,
            offsets=[_offset(time) for time in times],
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


def _micro(quantity: str | int) -> int:
    """As `quantities.to_micro`, of what the contract's pattern lets in."""
    if type(quantity) is int:
        return quantity * MICRO
    if type(quantity) is not str:  # a whole number with a point, such as 3.0: to be refused by name
        raise TypeError
    whole, _, decimals = quantity.partition(".")
    return int(whole + (decimals + "000000")[:6])


def _offset(time: str) -> int:
    """Microseconds of the hour that had passed; of a time in UTC, in its usual spelling."""
    if time[-1] != "Z":
        raise ValueError
    offset = _WITHIN_HOUR[time[13:_TO_SECONDS]]
    if len(time) > _TO_FRACTION:
        offset += int((time[_TO_FRACTION:-1] + "00000")[:6])
    return offset
