"""How long AWS still takes what is not billed."""

import math
from collections.abc import Iterable
from datetime import datetime

from metering.hours import AwsWindow, start_of
from metering.ledger import LedgerRow


def seconds_left(closings: Iterable[datetime], now: datetime) -> float:
    """Seconds until the first of these moments, below zero once it is past; infinity where there is none.

    Args:
        closings: when AWS stops taking each record.
    """
    return min(((moment - now).total_seconds() for moment in closings), default=math.inf)


def unplanned_seconds_left(rows: Iterable[LedgerRow], window: AwsWindow, now: datetime) -> float:
    """The same of the hours whose usage is in no metering record, of those that AWS still takes. What is
    older is carried forward to a later hour, and has no moment of its own any more.

    Args:
        rows: of all holders.
    """
    closings = (window.closes_at(start_of(row.hour)) for row in rows if row.unbilled > 0)
    return seconds_left((moment for moment in closings if moment > now), now)
