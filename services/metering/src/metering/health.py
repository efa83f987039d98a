"""How metering is: when each of its steps last ended well, in whichever worker."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

STEPS = ("endpoints", "fold", "plan", "send")
"""Of the metering cycle, in their order."""

AUDIT = "audit"


@dataclass(frozen=True)
class Health:
    """What is known at a moment. "No usage" and "nothing has run since" must never look alike.

    Attributes:
        as_of: the moment, by the same clock as the others.
        ended_well: when each step of the metering cycle last ended well; a step that never has is missing.
        audited_at: when the books were last audited; None: never.
        imbalances: hours of use that this audit found not to add up.
    """

    as_of: datetime
    ended_well: Mapping[str, datetime]
    audited_at: datetime | None = None
    imbalances: int | None = None

    @property
    def steps(self) -> list[tuple[str, datetime | None]]:
        """All steps in their order."""
        return [(step, self.ended_well.get(step)) for step in STEPS]

    @property
    def all_ended_well_at(self) -> datetime | None:
        """Since when some step has not ended well again: the earliest of theirs. None where one never has."""
        moments = [moment for _, moment in self.steps if moment]
        return min(moments) if len(moments) == len(STEPS) else None
