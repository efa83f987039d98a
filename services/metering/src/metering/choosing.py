"""For which subscription usage is that names a customer only."""

from collections.abc import Iterable
from dataclasses import dataclass

from metering.catalogue import Choice, Product
from metering.subscriptions import Subscription


@dataclass(frozen=True)
class Customer:
    """The parts of the published row of registration that decide whose usage it is."""

    customer_id: str
    subscription_ids: tuple[str, ...]
    is_deleted: bool = False


@dataclass(frozen=True)
class Chosen:
    """Either the subscription, or why there is none yet."""

    subscription_id: str | None = None
    held_because: str | None = None


def choose(
    hour: str, customer: Customer | None, subscriptions: Iterable[Subscription], product: Product | None
) -> Chosen:
    """The subscription that a customer's usage of one hour is for.

    Args:
        hour: of use.
        customer: None while nobody has heard of them.
        subscriptions: the customer's, of any product.
        product: whose usage it is; None where the catalogue has it no more.

    Returns:
        the one that was active in that hour. Where several were, the product's rule decides;
        `customer_unknown`, `no_active_subscription` and `several_subscriptions` are why usage is held.
    """
    if product is None:
        return Chosen(held_because="product_unknown")
    if customer is None:
        return Chosen(held_because="customer_unknown")
    active = [
        one for one in subscriptions if one.product_code == product.product_code and one.was_active_in(hour)
    ]
    if not active:
        return Chosen(held_because="no_active_subscription")
    if len(active) > 1 and product.choice is not Choice.OLDEST:
        return Chosen(held_because="several_subscriptions")
    # Two that began in the same moment: any, but always the same.
    oldest = min(active, key=lambda one: (one.active_since, one.subscription_id))
    return Chosen(subscription_id=oldest.subscription_id)
