"""The simulator's clock: frozen, running, or running fast. Everything timed follows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

# Ten years: a longer jump is a slip of the finger.
LONGEST_ADVANCE = timedelta(days=3653)
FASTEST = 100_000.0


class ClockRefused(Exception):
    """The clock cannot be set so; the message says why."""


@dataclass(frozen=True)
class ClockState:
    """At the real moment `anchor_real` it was `anchor_simulated`; since then `speed` simulated seconds have
    passed per real second (0: frozen)."""

    anchor_simulated: datetime
    anchor_real: datetime
    speed: float = 0.0


def system_now() -> datetime:
    return datetime.now(UTC)


class Clock:
    """Tells the simulated moment and never steps back, whatever the machine's own clock does.

    Args:
        state: where it stands.
        real_now: tells real time; tests give their own.
    """

    def __init__(self, state: ClockState, real_now: Callable[[], datetime] = system_now) -> None:
        self.real_now = real_now
        self.state = state
        self._latest = state.anchor_simulated

    def now(self) -> datetime:
        elapsed = max(self.real_now() - self.state.anchor_real, timedelta())
        self._latest = max(self._latest, self.state.anchor_simulated + elapsed * self.state.speed)
        return self._latest

    def set_now(self, moment: datetime) -> None:
        """Jump forward to a moment.

        Raises:
            ClockRefused: the moment is past, or more than ten years ahead.
        """
        now = self.now()
        if moment < now:
            raise ClockRefused("The clock never goes back; reset the simulator to begin again.")
        if moment - now > LONGEST_ADVANCE:
            raise ClockRefused("The clock jumps ten years at most.")
        self._anchor(moment, self.state.speed)

    def advance(self, seconds: float) -> None:
        """Jump forward by seconds.

        Raises:
            ClockRefused: negative, or more than ten years.
        """
        if not 0 <= seconds <= LONGEST_ADVANCE.total_seconds():
            raise ClockRefused("The clock jumps forward only, ten years at most.")
        self.set_now(self.now() + timedelta(seconds=seconds))

    def set_speed(self, speed: float) -> None:
        """Let it run at so many simulated seconds per real second; 0 freezes it.

        Raises:
            ClockRefused: outside 0 to 100,000.
        """
        if not 0 <= speed <= FASTEST:
            raise ClockRefused("The speed must be between 0 and 100,000.")
        self._anchor(self.now(), speed)

    def restart(self, moment: datetime) -> None:
        """Begin again, frozen, at any moment: a reset, the only way back."""
        self._latest = moment
        self._anchor(moment, 0.0)

    def _anchor(self, moment: datetime, speed: float) -> None:
        self._latest = moment
        self.state = ClockState(moment, self.real_now(), speed)
