"""The ledger: for each holder, dimension and hour of use, what was metered and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from metering.tags import Split, TagSet, divide, less, merged, part, tagged_only


@dataclass(frozen=True)
class LedgerRow:
    """One hour of use, in micro-units.

    What is unbilled is always the difference of what came in and what became of it, so late events, missed
    runs and crashes all heal by the same subtraction.

    Attributes:
        metered: what the last fold of the hour found.
        received: what came over from other holders, by holder: a customer's usage, once it is known which of
            their subscriptions it is for.
        moved: what went over to others, by holder.
        allocated: how much is inside some metering record.
        included: how much a contract's entitlement has paid for.
        written_off: how much never will be billed, by reason.
        corrections: what the corrections of the hour (events with a negative quantity) come to, as a positive
            number.
        corrections_received, corrections_moved: what came with usage from other holders, and went with it.
        corrected: how much of them was taken off unbilled usage, of this hour or another.
        conflicts: events that came again under the same id with another content.
        metered_tags, received_tags: what of `metered` and of `received` has tags.
        spent_tags: what of both is not unbilled any more.
        changes: how often it was written by anybody but the fold; who decides on a row writes it only while
            it is as it was read.
        fold: the number of the fold that wrote it last.
    """

    holder: str
    dimension: str
    hour: str
    metered: int = 0
    received: Mapping[str, int] = field(default_factory=dict)
    moved: Mapping[str, int] = field(default_factory=dict)
    allocated: int = 0
    included: int = 0
    written_off: Mapping[str, int] = field(default_factory=dict)
    corrections: int = 0
    corrections_received: int = 0
    corrections_moved: int = 0
    corrected: int = 0
    conflicts: int = 0
    metered_tags: Split = field(default_factory=dict)
    received_tags: Split = field(default_factory=dict)
    spent_tags: Split = field(default_factory=dict)
    changes: int = 0
    fold: int = 0

    @property
    def accepted(self) -> int:
        """What is this holder's to bill, hold or write off."""
        return self.metered + sum(self.received.values()) - sum(self.moved.values())

    @property
    def unbilled(self) -> int:
        return self.accepted - self.allocated - self.included - sum(self.written_off.values())

    @property
    def open_corrections(self) -> int:
        """What nothing was found for yet that it could be taken off."""
        return self.corrections + self.corrections_received - self.corrections_moved - self.corrected

    @property
    def needs_work(self) -> bool:
        """Whether anything is left to be billed, or to be netted."""
        return self.unbilled > 0 or self.open_corrections > 0

    @property
    def unbilled_by_tags(self) -> dict[TagSet, int]:
        return divide(self.unbilled, merged([self.metered_tags, self.received_tags]), self.spent_tags)

    # What becomes of it: the row as it is then.

    def allocating(self, quantity: int, tags: Split) -> "LedgerRow":
        """So much goes into a metering record, and so much of that with tags."""
        return replace(self, allocated=self.allocated + quantity, spent_tags=merged([self.spent_tags, tags]))

    def releasing(self, quantity: int, tags: Split) -> "LedgerRow":
        """A metering record gives so much back."""
        return replace(self, allocated=self.allocated - quantity, spent_tags=less(self.spent_tags, tags))

    def including(self, quantity: int) -> "LedgerRow":
        """A contract has paid for so much."""
        return replace(self, included=self.included + quantity, spent_tags=self._spending(quantity))

    def writing_off(self, quantity: int, reason: str) -> "LedgerRow":
        """So much is never billed."""
        sums = {**self.written_off, reason: self.written_off.get(reason, 0) + quantity}
        return replace(self, written_off=sums, spent_tags=self._spending(quantity))

    def correcting(self, quantity: int) -> "LedgerRow":
        """So much of its corrections was taken off usage, its own or another row's."""
        return replace(self, corrected=self.corrected + quantity)

    def moving(self, to: str) -> "LedgerRow":
        """All that is unbilled goes over to another holder, with the corrections that found nothing."""
        quantity = max(self.unbilled, 0)
        return replace(
            self,
            moved={**self.moved, to: self.moved.get(to, 0) + quantity},
            corrections_moved=self.corrections_moved + max(self.open_corrections, 0),
            spent_tags=self._spending(quantity),
        )

    def receiving(self, row: "LedgerRow") -> "LedgerRow":
        """What another row is moving comes over, with its tags.

        Args:
            row: before it moves.
        """
        quantity = self.received.get(row.holder, 0) + max(row.unbilled, 0)
        return replace(
            self,
            received={**self.received, row.holder: quantity},
            corrections_received=self.corrections_received + max(row.open_corrections, 0),
            received_tags=merged([self.received_tags, tagged_only(row.unbilled_by_tags)]),
        )

    def _spending(self, quantity: int) -> Split:
        taken = tagged_only(part(self.unbilled_by_tags, quantity))
        return merged([self.spent_tags, taken])
