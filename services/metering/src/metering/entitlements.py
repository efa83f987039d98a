"""A contract with consumption: what the contract entitles its buyer to is used up first, and AWS is told only
of what is above it (marketplace-facts §3.5: "compare with GetEntitlements yourself and meter only the
excess")."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_CEILING, Decimal, InvalidOperation

from chassis.times import rfc3339
from metering.hours import start_of
from metering.ledger import LedgerRow
from metering.quantities import MICRO

OPEN_END = "open"
"""The period of an entitlement without an end."""

UNLIMITED = "unlimited"


class Unclear(Exception):
    """An entitlement of which nobody can say how much usage it pays for: a tier's name, for example."""


@dataclass(frozen=True)
class Entitlement:
    """One of AWS's answer to GetEntitlements, as notifications publishes it.

    Attributes:
        type: `integer`, `double`, `boolean` or `string`.
        expires_at: None where it has no end.
    """

    dimension: str
    type: str
    value: str
    expires_at: datetime | None = None

    @property
    def period(self) -> str:
        """Its contract period, by its end: a renewal moves that on, and begins a new one."""
        return rfc3339(self.expires_at) if self.expires_at else OPEN_END

    @property
    def quantity(self) -> int | None:
        """How much usage it pays for in its period, in micro-units; None where all of it.

        A number of more than six decimals counts as the next larger one of six. `true` and the text
        `unlimited` pay for everything, `false` for nothing.

        Raises:
            Unclear: see there.
        """
        if self.value.lower() == UNLIMITED or (self.type, self.value) == ("boolean", "true"):
            return None
        if self.type == "boolean":
            return 0
        try:
            micro = Decimal(self.value) * MICRO
            if self.type == "string" or not micro.is_finite() or micro < 0:
                raise Unclear(self.value)
        except InvalidOperation:
            raise Unclear(self.value) from None
        return int(micro.to_integral_value(ROUND_CEILING))


@dataclass(frozen=True)
class Allowance:
    """What an entitlement pays for in one contract period.

    Attributes:
        dimension: the entitlement's.
        entitled: micro-units as last heard of; None where there is no limit.
        used: micro-units of usage that it has paid for.
    """

    subscription_id: str
    dimension: str
    period: str
    entitled: int | None
    used: int = 0

    @property
    def left(self) -> int | None:
        """Not below zero, where the entitlement fell in mid-period; None: no limit."""
        return None if self.entitled is None else max(self.entitled - self.used, 0)


@dataclass(frozen=True)
class Covering:
    """So much, in micro-units, of a row's usage is paid for by an allowance."""

    row: LedgerRow
    allowance: Allowance
    quantity: int

    @property
    def row_after(self) -> LedgerRow:
        return self.row.including(self.quantity)

    @property
    def allowance_after(self) -> Allowance:
        return replace(self.allowance, used=self.allowance.used + self.quantity)


def allowances(
    subscription_id: str,
    dimension: str,
    entitlements: Sequence[Entitlement],
    kept: Iterable[Allowance],
    is_over: bool,
    now: datetime,
) -> list[Allowance]:
    """The allowances of a subscription and a dimension of its contract, each for its period, the one that
    ends first first.

    Args:
        entitlements: AWS's last answer, whole.
        kept: the allowances that usage has drawn on before. Those of periods that are past stand as they
            were.
        is_over: whether the agreement's end is announced. AWS then soon says that there are no entitlements;
            what was used before is paid for all the same, so those kept stand.
        now: aware.

    Raises:
        Unclear: see there.
    """
    periods = {one.period: one for one in kept}
    named = {one.period: one.quantity for one in entitlements if one.dimension == dimension}
    for period, entitled in named.items():
        used = periods[period].used if period in periods else 0
        periods[period] = Allowance(subscription_id, dimension, period, entitled, used)
    for period, one in periods.items():
        if period not in named and not is_over and _end(period) > rfc3339(now):
            periods[period] = replace(one, entitled=0)
    return [periods[period] for period in sorted(periods, key=_end)]


def next_covering(rows: Iterable[LedgerRow], periods: Sequence[Allowance]) -> Covering | None:
    """The next step of using an entitlement up, over the unbilled rows of one subscription and dimension;
    None where nothing more is paid for by it. The oldest usage goes first. One step at a time, because each
    writes rows that the next one reads.

    Args:
        rows: sealed ones only: an hour that still fills may be corrected.
        periods: see `allowances`.
    """
    for row in sorted(rows, key=lambda one: one.hour):
        allowance = _of_hour(row.hour, periods)
        if row.unbilled <= 0 or allowance is None:
            continue
        quantity = row.unbilled if allowance.left is None else min(row.unbilled, allowance.left)
        if quantity > 0:
            return Covering(row, allowance, quantity)
    return None


def _of_hour(hour: str, periods: Sequence[Allowance]) -> Allowance | None:
    """The allowance of the period that an hour lies in: the first that does not end before it."""
    begins = rfc3339(start_of(hour))
    return next((one for one in periods if one.period == OPEN_END or one.period > begins), None)


def _end(period: str) -> str:
    return "~" if period == OPEN_END else period
