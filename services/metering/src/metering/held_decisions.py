"""What a person decides about held usage: which subscription it is for, or that it is never billed.

Held usage is in no metering record, so nothing of it can have reached AWS: to decide is safe, as long as the
row is as it was read.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from metering.choosing import Customer
from metering.holders import customers_usage
from metering.ledger import LedgerRow
from metering.subscriptions import Subscription

DECIDED = "decided_by_a_person"
"""Under this reason such usage stands as written off in the ledger; the decisions say more."""

OF_THE_CUT_OVER = frozenset({"before_cut_over", "after_cut_over"})


class HeldDecision(StrEnum):
    """The contract says each in a sentence."""

    GIVE = "give"
    WRITE_OFF = "write_off"


@dataclass(frozen=True)
class Wish:
    """What a person wants done, about what.

    Attributes:
        holder: whose usage.
        dimension, first_hour, last_hour: of this dimension, from and to these hours of use only; None: of
            all.
        to: the subscription that it is given to; None where it is written off.
        reason: why.
        by: who.
    """

    holder: str
    decision: HeldDecision
    reason: str
    by: str
    dimension: str | None = None
    first_hour: str | None = None
    last_hour: str | None = None
    to: str | None = None

    def is_about(self, row: LedgerRow) -> bool:
        return (self.first_hour or "") <= row.hour <= (self.last_hour or "~")


@dataclass(frozen=True)
class DecidedUsage:
    """One hour of held usage that a person has decided about, in micro-units."""

    holder: str
    dimension: str
    hour: str
    quantity: int
    held_because: str
    decision: HeldDecision
    to: str | None
    reason: str
    by: str
    at: datetime


def why_not_given(
    row: LedgerRow,
    held_because: str,
    own: Subscription | None,
    customer: Customer | None,
    to: Subscription | None,
) -> str | None:
    """Why held usage cannot be given to a subscription; None where it can.

    Args:
        row: the usage.
        held_because: why it is held.
        own: the subscription whose usage it is; None where it names a customer, or is not known.
        customer: whose usage it is; None where it names a subscription, or nobody registered.
        to: whom it would be given to; None where notifications has not heard of it.

    A customer's usage may go to a subscription of theirs that was active in the hour of use. A subscription's
    own usage may go to the buyer's other identity, where the product was cut over.
    """
    if to is None:
        return "subscription_unknown"
    usage = customers_usage(row.holder)
    if usage:
        if to.product_code != usage.product_code:
            return "another_product"
        if customer is None or to.subscription_id not in customer.subscription_ids:
            return "not_the_customers"
        return None if to.was_active_in(row.hour) else "not_active_in_hour"
    if own is None or held_because not in OF_THE_CUT_OVER:
        return "not_of_a_cut_over"
    if to.product_code != own.product_code:
        return "another_product"
    return "same_identity" if to.is_legacy == own.is_legacy else None
