"""What a customer may use now: the published `subscriptions` table says, not the registration alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from registration.catalogue import Catalogue
from registration.claims import Claim
from registration.customers import Customer

Access = Literal["granted", "denied"]


@dataclass(frozen=True)
class PublishedSubscription:
    """What registration reads of a row that notifications owns."""

    subscription_id: str
    product_code: str
    status: str
    access: Access


@dataclass(frozen=True)
class HeldSubscription:
    """A subscription as a customer's answer shows it."""

    subscription_id: str
    product_code: str
    product_title: str | None
    status: str
    access: Access


class Tables(Protocol):
    def claims_of(self, subscription_ids: Iterable[str]) -> Mapping[str, Claim]: ...

    def published_subscriptions(
        self, subscription_ids: Iterable[str]
    ) -> Mapping[str, PublishedSubscription]: ...


def held_by(
    customers: Iterable[Customer], tables: Tables, catalogue: Catalogue
) -> dict[str, list[HeldSubscription]]:
    """What each customer holds, by customer id, as published at this moment.

    Where there is no news yet (a buyer may register before AWS's news comes) a subscription is pending and
    denied.
    """
    customers = list(customers)
    wanted = {subscription_id for customer in customers for subscription_id in customer.subscription_ids}
    if not wanted:
        return {customer.customer_id: [] for customer in customers}
    claims = tables.claims_of(wanted)
    published = tables.published_subscriptions(wanted)
    return {
        customer.customer_id: [
            _held(claims[subscription_id], published.get(subscription_id), catalogue)
            for subscription_id in customer.subscription_ids
        ]
        for customer in customers
    }


def _held(claim: Claim, published: PublishedSubscription | None, catalogue: Catalogue) -> HeldSubscription:
    return HeldSubscription(
        subscription_id=claim.subscription_id,
        product_code=claim.product_code,
        product_title=catalogue.title_of(claim.product_code),
        status=published.status if published else "pending",
        access=published.access if published else "denied",
    )


def customer_access(subscriptions: Iterable[HeldSubscription]) -> Access:
    """Granted where any subscription's is."""
    return "granted" if any(one.access == "granted" for one in subscriptions) else "denied"
