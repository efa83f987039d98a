"""The one clock. Rules take the time as an argument; doors ask this clock for it, once."""

from datetime import UTC, datetime, timedelta
from typing import Protocol

import httpx

from chassis.settings import ChassisSettings
from chassis.times import parse_rfc3339


class Clock(Protocol):
    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class SimulatorClock:
    """The simulator's clock, asked anew each time, so that every process lives in the same hour as AWS's
    answers."""

    def __init__(self, url: str, timeout_seconds: float = 5.0) -> None:
        self._url = url
        self._http = httpx.Client(timeout=timeout_seconds, trust_env=False)

    def now(self) -> datetime:
        """Raises httpx.HTTPError when the simulator does not answer: a guessed time could bill a wrong
        hour."""
        answer = self._http.get(self._url)
        answer.raise_for_status()
        return parse_rfc3339(answer.json()["now"])


class FrozenClock:
    """A clock for tests: it moves only when told."""

    def __init__(self, at: datetime) -> None:
        self._now = at

    def now(self) -> datetime:
        return self._now

    def advance(self, **amount: float) -> datetime:
        """Move on by `timedelta(**amount)` and return the new time."""
        self._now += timedelta(**amount)
        return self._now


def clock_for(settings: ChassisSettings) -> Clock:
    """The simulator's clock where the settings name one (never in production), else the system's."""
    return SimulatorClock(settings.clock_url) if settings.clock_url else SystemClock()
