"""What somebody who creates an endpoint gets: on which subscription it runs, and how it is metered."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from metering.catalogue import Catalogue, Product
from metering.endpoint_life import Endpoint
from metering.running_time import full_second
from metering.subscriptions import Subscription

# Base32's letters in the order of their codes, so that text order is time order.
_LETTERS = "234567abcdefghijklmnopqrstuvwxyz"
_TIME_BITS, _RANDOM_BITS = 45, 85


class NoSuchSubscription(Exception):
    """Nobody has heard of it, or it is not the caller's."""


class SubscriptionNotNamed(Exception):
    """Which subscription it is for has to be said; the argument says why."""


class NoSubscriptionWithEndpoints(Exception):
    """None of the buyer's subscriptions gives access to a product with endpoints."""


class AccessNotGranted(Exception):
    """The subscription gives no access; the argument is its status."""


class AcceleratorNotOffered(Exception):
    """The product does not have it; the argument names those that it has."""


@dataclass(frozen=True)
class Wish:
    """What is to be created.

    Attributes:
        subscription_id: None where the caller has named none.
    """

    name: str
    repository: str
    accelerator: str
    subscription_id: str | None = None


def only_one_of(subscriptions: Iterable[Subscription], catalogue: Catalogue) -> Subscription:
    """The one of a buyer's subscriptions that an endpoint can be for: that gives access, to a product with
    endpoints, and has not been renewed by another that does.

    Raises:
        NoSubscriptionWithEndpoints: there is none.
        SubscriptionNotNamed: there are several.
    """
    suitable = {
        one.subscription_id: one
        for one in subscriptions
        if one.gives_access and (product := catalogue.product(one.product_code)) and product.endpoints
    }
    for one in list(suitable.values()):
        if one.next_subscription_id in suitable:
            del suitable[one.subscription_id]
    if not suitable:
        raise NoSubscriptionWithEndpoints
    if len(suitable) > 1:
        raise SubscriptionNotNamed(f"Several of yours have endpoints: {', '.join(sorted(suitable))}.")
    return next(iter(suitable.values()))


def dimension_of(product: Product | None, accelerator: str) -> str:
    """By what an accelerator is metered.

    Raises:
        AcceleratorNotOffered: the product has no such, or is in the catalogue no more.
    """
    offered = product.endpoints if product else {}
    if accelerator not in offered:
        raise AcceleratorNotOffered(
            f"It offers {', '.join(sorted(offered))}." if offered else "It has no endpoints."
        )
    return offered[accelerator]


def new_endpoint(
    wish: Wish, owner: str, subscription: Subscription, catalogue: Catalogue, now: datetime
) -> Endpoint:
    """The endpoint that is wished for, running from now on.

    Raises:
        AccessNotGranted, AcceleratorNotOffered: see there.
    """
    if not subscription.gives_access:
        raise AccessNotGranted(subscription.status)
    dimension = dimension_of(catalogue.product(subscription.product_code), wish.accelerator)
    created_at = full_second(now)
    return Endpoint(
        owner=owner,
        endpoint_id=new_id(now),
        name=wish.name,
        repository=wish.repository,
        accelerator=wish.accelerator,
        subscription_id=subscription.subscription_id,
        product_code=subscription.product_code,
        dimension=dimension,
        created_at=created_at,
        metered_until=created_at,
        metering_until=created_at,
    )


def new_id(now: datetime) -> str:
    """An id that nobody guesses, greater than all that were made in an earlier millisecond."""
    moment = int(now.timestamp() * 1000) % 2**_TIME_BITS
    number = moment << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
    size = (_TIME_BITS + _RANDOM_BITS) // 5
    return "end_" + "".join(_LETTERS[number >> 5 * place & 31] for place in reversed(range(size)))
