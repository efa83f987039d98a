"""The ledger: for each subscription, dimension and hour of use, what was metered and what is allocated."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LedgerRow:
    """One hour of use, in micro-units.

    `metered` is what the last fold of the hour found, `allocated` how much of it is inside some metering
    record, `written_off` how much never will be. What is unbilled is always the difference, so late events,
    missed runs and crashes all heal by the same subtraction.
    """

    subscription_id: str
    dimension: str
    hour: str
    metered: int = 0
    allocated: int = 0
    written_off: int = 0
    written_off_reason: str | None = None
    conflicts: int = 0

    @property
    def unbilled(self) -> int:
        return self.metered - self.allocated - self.written_off
