"""Moments as this simulator writes and reads them: always UTC, always aware."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

HOUR = timedelta(hours=1)


def rfc3339(moment: datetime) -> str:
    """Fixed-width RFC 3339 with microseconds and `Z`, so that texts sort as the moments do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def rfc3339_seconds(moment: datetime) -> str:
    """RFC 3339 in whole seconds: the form of `time` in an EventBridge event."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_millis(moment: datetime) -> str:
    """RFC 3339 in milliseconds: the form of `acceptanceTime` and of an SNS `Timestamp`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_rfc3339(text: str) -> datetime:
    """Read an RFC 3339 moment as aware UTC.

    Raises:
        ValueError: not RFC 3339, or without an offset.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or "T" not in text.upper():
        raise ValueError(f"{text!r} is not an RFC 3339 date-time with an offset")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} is outside the calendar") from error


def from_epoch(seconds: float) -> datetime:
    """Read epoch seconds, the JSON 1.1 form of a timestamp; they may carry a fraction.

    Raises:
        ValueError: outside the calendar (also infinite).
    """
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(f"{seconds!r} is outside the calendar") from error


def hour_of(moment: datetime) -> datetime:
    """The start of the clock hour that holds the moment."""
    return moment.replace(minute=0, second=0, microsecond=0)
