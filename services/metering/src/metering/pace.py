"""How often BatchMeterUsage is called: AWS allows so many calls a second for an account and Region, whoever
makes them."""

import time
from collections.abc import Callable

import structlog

log = structlog.get_logger()

Take = Callable[[int], bool]
"""Takes one of the calls that all workers together may make in that second since 1970; False where none is
left."""

ALONE_PER_SECOND = 1.0
"""While the others' calls cannot be counted: ten workers that all go so slowly are still within AWS's 10."""


class SharedPace:
    """Waits, in real time, until one more call is within the rate that all workers share.

    Each second has so many calls, counted in one row that all workers see. Besides, each worker's own calls
    are spread evenly, so that one worker alone does not make all of a second's calls at its begin.

    Args:
        take: see there.
        calls_per_second: of all workers together.
        now: seconds since 1970. Of this machine, and not of the installation's clock: AWS's quota is real.
            Machines whose clocks are apart count in rows of their own for so long; what AWS then throttles
            costs time, never money.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        take: Take,
        calls_per_second: int,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._take = take
        self._calls_per_second = calls_per_second
        self._now = now
        self._sleep = sleep
        self._next_at = 0.0
        self._is_alone = False

    def __call__(self) -> None:
        """Return when the call may be made."""
        self._until(self._next_at)
        while not self._taken(second := int(self._now())):
            self._until(second + 1)
        apart = 1 / (ALONE_PER_SECOND if self._is_alone else self._calls_per_second)
        now = self._now()
        # Who is late by less than a beat keeps the beat: otherwise each lateness would add up.
        begun_at = self._next_at if now < self._next_at + apart else now
        self._next_at = begun_at + apart

    def _taken(self, second: int) -> bool:
        """True also where nobody can say: a table that is away must not keep usage from being billed."""
        try:
            taken = self._take(second)
        except Exception as error:
            if not self._is_alone:
                self._is_alone = True
                log.warning(
                    "The calls of all workers cannot be counted; this one goes on more slowly.",
                    calls_per_second=ALONE_PER_SECOND,
                    error=str(error),
                )
            return True
        if self._is_alone:
            self._is_alone = False
            log.info("The calls of all workers are counted again.")
        return taken

    def _until(self, moment: float) -> None:
        while (left := moment - self._now()) > 0:
            # Not longer: a clock that was set back must not stop the sender.
            self._sleep(min(left, 1.0))
