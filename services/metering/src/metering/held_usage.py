"""Shows held usage, and takes a person's decisions about it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

import structlog

from chassis.clock import Clock
from metering.held_decisions import DecidedUsage, HeldDecision, Wish, why_not_given
from metering.holders import customers_usage
from metering.ledger import LedgerRow
from metering.statements import Statements
from metering.tables.decision_store import DecisionStore
from metering.tables.ledger_store import LedgerStore, Overtaken
from metering.tables.published import Published

log = structlog.get_logger()

MOST_DECIDED = 500
"""Hours of use that one decision is written for; each is a transaction."""

Place = tuple[str, str, str]
"""Of a row in the list: holder, dimension and hour."""


class Held(NamedTuple):
    """A row with something unbilled, and why it is held; or why a decision was not written for it."""

    row: LedgerRow
    reason: str


@dataclass
class Decided:
    """What came of a decision.

    Attributes:
        decided: the usage that it was written for.
        left: the rest, each with why.
        more: whether there is more than one decision is written for.
    """

    decided: list[DecidedUsage] = field(default_factory=list)
    left: list[Held] = field(default_factory=list)
    more: bool = False


class HeldUsage:
    """The desk for it.

    Args:
        ledger: where usage stands.
        statements: tell what is held, and why, by the rules of the metering cycle.
        decisions: where they are kept.
        published: the subscriptions and customers.
        clock: the one clock.
    """

    def __init__(
        self,
        ledger: LedgerStore,
        statements: Statements,
        decisions: DecisionStore,
        published: Published,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._statements = statements
        self._decisions = decisions
        self._published = published
        self._clock = clock

    def page(self, after: Place | None, limit: int) -> tuple[list[Held], bool]:
        """Some of what is held, by holder, dimension and hour, and whether there is more.

        Args:
            after: where the page before ended.
        """
        found = list(islice(self._after(after), limit + 1))
        return found[:limit], len(found) > limit

    def _after(self, after: Place | None) -> Iterator[Held]:
        for holder, dimension in sorted(self._ledger.unbilled_keys()):
            if after is None or (holder, dimension) >= after[:2]:
                for held in self._held(holder, dimension):
                    if after is None or (holder, dimension, held.row.hour) > after:
                        yield held

    def decide(self, wish: Wish) -> Decided:
        """Write a decision for all that it is about and that is held now.

        What is decided while this dies midway is decided; asked again, the rest is.
        """
        about = [held for held in self._held(wish.holder, wish.dimension) if wish.is_about(held.row)]
        result = Decided(more=len(about) > MOST_DECIDED)
        usage = customers_usage(wish.holder)
        own = None if usage else self._published.subscription(wish.holder)
        customer = self._published.customer(usage.customer_id) if usage else None
        to = self._published.subscription(wish.to) if wish.to else None
        for row, reason in about[:MOST_DECIDED]:
            if wish.decision is HeldDecision.GIVE and (why := why_not_given(row, reason, own, customer, to)):
                result.left.append(Held(row, why))
                continue
            decided = DecidedUsage(
                row.holder,
                row.dimension,
                row.hour,
                row.unbilled,
                reason,
                wish.decision,
                wish.to,
                wish.reason,
                wish.by,
                self._clock.now(),
            )
            try:
                self._decisions.write(row, decided)
            except Overtaken:
                result.left.append(Held(row, "just_changed"))
                continue
            result.decided.append(decided)
        log.warning(
            "A person has decided about held usage.",
            holder=wish.holder,
            decision=wish.decision.value,
            to=wish.to,
            by=wish.by,
            micro_units=sum(one.quantity for one in result.decided),
            left=len(result.left),
        )
        return result

    def _held(self, holder: str, dimension: str | None) -> list[Held]:
        found = [Held(*one) for one in self._statements.held(holder, dimension)]
        return sorted(found, key=lambda held: (held.row.dimension, held.row.hour))
