"""Which hour a usage record falls into, and whether AWS still takes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from marketplace_simulator.aws_errors import AwsError
from marketplace_simulator.times import HOUR, hour_of, rfc3339_seconds

WINDOW = timedelta(hours=24)
# Usage of a month is taken until 06:00 UTC on the 1st of the next.
MONTH_END_GRACE = timedelta(hours=6)


@dataclass(frozen=True)
class HourSlot:
    """The place that one record fills: the first quantity written into it stands.

    `meter` is `product_code/customer_identifier` for legacy metering and `account/license_arn` for metering
    by licence: two meters, so a customer metered both ways in one hour is billed twice, as AWS warns.
    """

    region: str
    meter: str
    dimension: str
    hour: datetime


def require_in_window(timestamp: datetime, now: datetime) -> None:
    """Refuse usage of the future, of 24 hours ago or older, and of a month that has been closed.

    Raises:
        AwsError: TimestampOutOfBoundsException; AWS then processes nothing of the batch.
    """
    reason = None
    month_start = hour_of(now).replace(day=1, hour=0)
    if timestamp > now:
        reason = "is in the future"
    elif now - timestamp >= WINDOW:
        reason = "is 24 hours old or older"
    elif timestamp < month_start and now >= month_start + MONTH_END_GRACE:
        reason = "belongs to last month, which closed at 06:00 UTC on the 1st"
    if reason:
        raise AwsError(
            "TimestampOutOfBoundsException",
            f"The timestamp {rfc3339_seconds(timestamp)} {reason}; it is now {rfc3339_seconds(now)}.",
        )


def precedes(timestamp: datetime, activation: datetime) -> bool:
    """Whether the whole hour of the record lies before the activation.

    The hour that holds the activation counts: sellers stamp the start of the hour.
    """
    return hour_of(timestamp) + HOUR <= activation
