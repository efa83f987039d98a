"""How far the system's clock is off AWS's: each answer of AWS bears a Date.

AWS refuses requests that are signed a few minutes early or late, and metering stops sending an hour by our
clock, shortly before AWS's window closes by AWS's.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from chassis import metrics

LOOK_EVERY_SECONDS = 10.0
"""An answer that comes sooner after the last look is passed over: a process may have thousands a second."""

_HALF_A_SECOND = timedelta(seconds=0.5)
"""A Date has whole seconds (RFC 9110, 5.6.7), cut off: the moment was half of one later, on the average."""


def skew_seconds(date: str, now: datetime) -> float:
    """Our clock less the other's.

    Args:
        date: the header, such as `Sun, 22 Nov 2026 10:00:00 GMT`.
        now: our clock's time when the answer was here.

    Raises:
        ValueError: it is no date.
    """
    moment = parsedate_to_datetime(date)
    # Without a zone, or with `-0000`, it is meant in UTC (RFC 5322, 3.3).
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return (now - moment - _HALF_A_SECOND).total_seconds()


def watch(
    client: Any,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Measure at this client's answers, the refusals among them. It costs no call, and fails none.

    Args:
        client: a boto3 client.
        now: the system's clock, never the simulator's: it is the one that requests are signed by.
        monotonic: seconds, by which looks are spaced.
    """
    looked_at = float("-inf")

    def look(parsed: Any, **_: Any) -> None:
        nonlocal looked_at
        at = monotonic()
        if at - looked_at < LOOK_EVERY_SECONDS:
            return
        try:
            skew = skew_seconds(parsed["ResponseMetadata"]["HTTPHeaders"]["date"], now())
        except (KeyError, TypeError, ValueError):
            return  # an answer without a Date says nothing of clocks
        looked_at = at
        metrics.CLOCK_SKEW.set(skew)

    client.meta.events.register("after-call", look)
