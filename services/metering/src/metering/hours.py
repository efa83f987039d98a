"""Hours: what AWS Marketplace bills by. An hour is written `2026-11-22T10`, in UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

ONE = timedelta(hours=1)


def hour_of(moment: datetime) -> str:
    """The hour that a moment lies in."""
    # Not strftime: its %Y has no leading zeros on Linux, and text order would not be time order.
    return moment.astimezone(UTC).isoformat()[:13]


@lru_cache(1_000)
def start_of(hour: str) -> datetime:
    """An hour's first moment."""
    return datetime.strptime(hour, "%Y-%m-%dT%H").replace(tzinfo=UTC)


def end_of(hour: str) -> datetime:
    """The first moment after an hour."""
    return start_of(hour) + ONE


def after(hour: str) -> str:
    """The next hour."""
    return hour_of(end_of(hour))


@dataclass(frozen=True)
class AwsWindow:
    """Which hours BatchMeterUsage still takes.

    Args:
        age: records this old or older are refused: 24 hours (botocore 1.44.5, BatchMeterUsage; it was 6).
        month_end: usage of the month before is taken until so long after the month's end: 6 hours, whatever
            its age (same).
        margin: how much earlier we stop, so that a record cannot grow too old between our clock and AWS's.
    """

    age: timedelta = timedelta(hours=24)
    month_end: timedelta = timedelta(hours=6)
    margin: timedelta = timedelta(minutes=5)

    def closes_at(self, timestamp: datetime) -> datetime:
        """When AWS stops taking records with this timestamp, less the margin."""
        first = timestamp.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        next_month = (first + timedelta(days=32)).replace(day=1)
        return min(timestamp + self.age, next_month + self.month_end) - self.margin

    def takes(self, timestamp: datetime, now: datetime) -> bool:
        """True where a record with this timestamp may be sent now."""
        return timestamp <= now < self.closes_at(timestamp)
