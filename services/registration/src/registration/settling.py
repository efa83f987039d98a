"""What follows for registration when a subscription has changed: a letter, or the end of a tombstone.

A signal says "look now", and the sweep looks at all; both lead here, so a lost signal costs time only.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from registration.claims import Claim
from registration.customers import Customer
from registration.outbox_items import Kind, OutboxItem, new_item
from registration.subscription_access import PublishedSubscription

# Once a subscription is in one of these, nothing of it will be billed any more.
_OVER = frozenset({"ended", "failed"})


class Tables(Protocol):
    def customers_of(self, customer_ids: Iterable[str]) -> Mapping[str, Customer]: ...

    def claims_of(self, subscription_ids: Iterable[str]) -> Mapping[str, Claim]: ...

    def published_subscriptions(
        self, subscription_ids: Iterable[str]
    ) -> Mapping[str, PublishedSubscription]: ...

    def tell_access(self, claim: Claim, item: OutboxItem, now: datetime) -> bool:
        """Write the item and the mark that the customer is being told, as one act, if there is no mark."""
        ...

    def bury(self, customer: Customer, claims: Iterable[Claim]) -> bool:
        """Remove the customer's tombstone and its claims, as one act, if the customer is as it was read."""
        ...


@dataclass(frozen=True)
class Settled:
    """How many letters were set going, and how many tombstones removed."""

    access_told: int = 0
    buried: int = 0


def settle(tables: Tables, claims: Iterable[Claim], now: datetime) -> Settled:
    """Do what the state of these subscriptions asks for; doing it again changes nothing.

    Args:
        tables: reads must be consistent.
        claims: of the subscriptions to look at.
        now: the clock's time.
    """
    bound = {claim.subscription_id: claim for claim in claims if claim.customer_id is not None}
    published = tables.published_subscriptions(bound) if bound else {}
    told = 0
    over: set[str] = set()
    for subscription_id, row in published.items():
        claim = bound[subscription_id]
        if row.access == "granted" and claim.access_told_at is None:
            letter = new_item(Kind.ACCESS_LETTER, subscription_id, subscription_id, claim.customer_id, now)
            told += tables.tell_access(claim, letter, now)
        elif row.status in _OVER and claim.customer_id is not None:
            over.add(claim.customer_id)
    deleted = [one for one in tables.customers_of(over).values() if one.status == "deleted"] if over else []
    return Settled(told, sum(_bury(tables, customer) for customer in deleted))


def _bury(tables: Tables, customer: Customer) -> bool:
    """Remove a deleted customer of whom nothing runs any more. The link was kept for bills alone."""
    published = tables.published_subscriptions(customer.subscription_ids)
    if any(one not in published or published[one].status not in _OVER for one in customer.subscription_ids):
        return False
    claims = tables.claims_of(customer.subscription_ids).values()
    # A burial that broke off may have freed some, and the next buyer claimed them.
    return tables.bury(customer, [one for one in claims if one.customer_id == customer.customer_id])
