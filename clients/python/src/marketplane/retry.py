"""How long to wait before the next try."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# An hour: a server that asks for more is more likely wrong than busy.
LONGEST_RETRY_AFTER = 3600.0


@dataclass(frozen=True)
class Backoff:
    """Exponential, with full jitter: callers that failed together do not come back together.

    Attributes:
        base: seconds, at most, before the second try.
        cap: seconds, at most, before any try.
        draw: a random number from 0 up to its argument.
    """

    base: float = 0.5
    cap: float = 30.0
    # Chance spreads callers; it keeps no secret.
    draw: Callable[[float], float] = field(default=lambda most: random.uniform(0, most))  # nosec B311

    def pause(self, failures: int, asked: float | None = None) -> float:
        """Seconds to wait.

        Args:
            failures: how many tries failed by now, from 1.
            asked: what the server asked for; at least this is waited.
        """
        # 2.0 ** 1024 is no float any more, and after so many failures the cap has long been reached.
        drawn = self.draw(min(self.cap, self.base * 2.0 ** min(failures - 1, 64)))
        return drawn if asked is None else asked + min(drawn, self.base)


def retry_after(header: str | None, now: datetime) -> float | None:
    """What a `Retry-After` asks for, in seconds; None where it says nothing that can be read.

    Args:
        header: seconds, or an HTTP date (RFC 9110, 10.2.3).
        now: the present moment.
    """
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text[:10]), LONGEST_RETRY_AFTER)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(max((until - now).total_seconds(), 0.0), LONGEST_RETRY_AFTER)
