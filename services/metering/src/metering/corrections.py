"""Corrections: events with a negative quantity are taken off what is not billed yet, and never below zero.

AWS has no way to take usage back (marketplace-facts: "No correction, negative or read-back API"), so what is
in a metering record stays there; a correction that finds nothing unbilled waits for usage, in sight.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from metering.ledger import LedgerRow

CORRECTED = "corrected"
"""Why the usage that a correction took away is written off."""


@dataclass(frozen=True)
class Netting:
    """So much, in micro-units, of one row's corrections is taken off the usage of another, or of itself."""

    correction: LedgerRow
    usage: LedgerRow
    quantity: int

    @property
    def changes(self) -> list[tuple[LedgerRow, LedgerRow]]:
        """The rows that it writes, before and after."""
        usage = self.usage.writing_off(self.quantity, CORRECTED)
        if self.usage.hour == self.correction.hour:
            return [(self.usage, usage.correcting(self.quantity))]
        return [(self.usage, usage), (self.correction, self.correction.correcting(self.quantity))]


def next_netting(rows: Iterable[LedgerRow]) -> Netting | None:
    """The next step of netting, over the rows of one holder and dimension; None where nothing is left to net.

    A correction takes from its own hour first, then from the oldest. One step at a time, because each writes
    rows that the next one reads.
    """
    ordered = sorted(rows, key=lambda row: row.hour)
    unbilled = [row for row in ordered if row.unbilled > 0]
    for correction in ordered:
        if correction.open_corrections > 0 and unbilled:
            usage = next((row for row in unbilled if row.hour == correction.hour), unbilled[0])
            return Netting(correction, usage, min(correction.open_corrections, usage.unbilled))
    return None
