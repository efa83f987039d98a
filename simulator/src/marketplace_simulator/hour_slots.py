"""Which hour a usage record falls into, and whether AWS still takes it."""

from __future__ import annotations

from datetime import datetime, timedelta

from marketplace_simulator.aws_errors import AwsError
from marketplace_simulator.switches import Switches
from marketplace_simulator.times import HOUR, hour_of, rfc3339_seconds

_WINDOWS = {"24_hours": timedelta(hours=24), "6_hours": timedelta(hours=6)}
# Usage of a month is taken until 06:00 UTC on the 1st of the next.
MONTH_END_GRACE = timedelta(hours=6)


class Window:
    """From when and until when usage is taken at this moment."""

    def __init__(self, now: datetime, switches: Switches) -> None:
        self._now = now
        self._length = _WINDOWS[switches.metering_window]
        self._after = now - self._length
        self._accepts_future = switches.future_timestamps == "accepted"
        month_start = hour_of(now).replace(day=1, hour=0)
        closed = switches.month_end == "closes_at_06_00" and now >= month_start + MONTH_END_GRACE
        self._from = month_start if closed else self._after

    def require(self, timestamp: datetime) -> None:
        """Refuse usage of the future, of 24 hours ago or older, and of a month that has been closed.

        Raises:
            AwsError: TimestampOutOfBoundsException; AWS then processes nothing of the batch.
        """
        if timestamp > self._now and not self._accepts_future:
            self._refuse(timestamp, "is in the future")
        elif timestamp <= self._after:
            hours = int(self._length / HOUR)
            self._refuse(timestamp, f"is {hours} hours old or older")
        elif timestamp < self._from:
            self._refuse(timestamp, "belongs to last month, which closed at 06:00 UTC on the 1st")

    def _refuse(self, timestamp: datetime, reason: str) -> None:
        raise AwsError(
            "TimestampOutOfBoundsException",
            f"The timestamp {rfc3339_seconds(timestamp)} {reason}; it is now {rfc3339_seconds(self._now)}.",
        )


def precedes(timestamp: datetime, activation: datetime) -> bool:
    """Whether the whole hour of the record lies before the activation.

    The hour that holds the activation counts: sellers stamp the start of the hour.
    """
    return timestamp < activation and hour_of(timestamp) + HOUR <= activation
