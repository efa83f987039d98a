"""Times as text: RFC 3339 in UTC, fixed width, so that text order is time order."""

import re
from datetime import UTC, datetime, timedelta

# Python's own reader takes more (weeks, blanks, offsets with seconds) and less (lower case, leap seconds).
_RFC3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:)(\d{2})(\.\d+)?(Z|[+-]\d{2}:\d{2})", re.ASCII | re.IGNORECASE
)


def rfc3339(moment: datetime) -> str:
    """Write an aware datetime as `2026-11-22T10:00:00.000000Z`.

    Raises:
        ValueError: the datetime is naive; which hour it means would be a guess.
    """
    if moment.tzinfo is None:
        raise ValueError("A time without a zone cannot be written: which hour it means would be a guess.")
    # Not strftime: its %Y has no leading zeros on Linux, and the width would vary.
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_rfc3339(text: str) -> datetime:
    """Read RFC 3339 text, with any offset, as an aware datetime in UTC.

    A leap second is the first moment of the next minute; digits beyond microseconds are cut off.

    Raises:
        ValueError: the text is not RFC 3339, or has no offset, or lies outside the years 1 to 9999 in UTC.
    """
    parts = _RFC3339.fullmatch(text)
    if parts is None:
        raise ValueError(f"{text!r} is not a time in RFC 3339's form, offset included.")
    minute, seconds, fraction, offset = parts.groups()
    leap = seconds == "60"
    try:
        moment = datetime.fromisoformat(
            f"{minute}{'59' if leap else seconds}{fraction or ''}{offset}".upper()
        )
        if leap:
            moment = moment.replace(microsecond=0) + timedelta(seconds=1)
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} lies outside the years that can be reckoned with.") from None
