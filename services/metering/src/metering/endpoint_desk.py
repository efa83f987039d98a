"""Endpoints on request: created, shown, renamed and deleted for those who may. What runs is metered by the
worker (`endpoint_tracker.py`)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import structlog

from chassis.clock import Clock
from chassis.times import rfc3339
from metering.callers import Asker, Sight, sight_of
from metering.catalogue import Catalogue
from metering.endpoint_life import EndedBecause, Endpoint
from metering.endpoint_wishes import (
    NoSuchSubscription,
    SubscriptionNotNamed,
    Wish,
    new_endpoint,
    only_one_of,
)
from metering.record_desk import ChangedTooOften
from metering.subscriptions import Subscription
from metering.tables.endpoint_store import EndpointStore
from metering.tables.published import Published

log = structlog.get_logger()

MOST_TRIES = 5
"""At writing an endpoint: others write it a few times an hour."""


class NoSuchEndpoint(Exception):
    """There is none of this id, or it is not the caller's."""


class EndpointDeleted(Exception):
    """It cannot be changed any more; the argument says since when."""


class EndpointDesk:
    """Serves buyers, services and operators.

    Args:
        store: the endpoints.
        published: the subscriptions, customers and identities.
        catalogue: our products.
        clock: the one clock.
    """

    def __init__(
        self, store: EndpointStore, published: Published, catalogue: Catalogue, clock: Clock
    ) -> None:
        self._store = store
        self._published = published
        self._catalogue = catalogue
        self._clock = clock

    def create(self, who: Asker, wish: Wish) -> Endpoint:
        """Create an endpoint, which runs from now on.

        Raises:
            NoSuchSubscription: also where the caller has none because nobody knows them.
            SubscriptionNotNamed, NoSubscriptionWithEndpoints, AccessNotGranted, AcceleratorNotOffered: see
                there.
            ChangedTooOften: the subscription is being written.
        """
        sight = self._sight(who)
        if sight.owner is None:
            raise NoSuchSubscription
        for _ in range(MOST_TRIES):
            subscription = self._subscription(sight, wish.subscription_id)
            endpoint = new_endpoint(wish, sight.owner, subscription, self._catalogue, self._clock.now())
            if self._store.create(endpoint):
                log.info(
                    "An endpoint runs.",
                    endpoint_id=endpoint.endpoint_id,
                    subscription_id=endpoint.subscription_id,
                    accelerator=endpoint.accelerator,
                )
                return endpoint
        raise ChangedTooOften

    def page(
        self, who: Asker, state: str | None, limit: int, key: dict[str, Any] | None
    ) -> tuple[list[Endpoint], dict[str, Any] | None]:
        """One page of what somebody may see, and where to go on."""
        sight = self._sight(who)
        if sight.all:
            return self._store.page(None, state, limit, key)
        if sight.owner is None:
            return [], None
        return self._store.page(sight.owner, state, limit, key)

    def endpoint(self, who: Asker, endpoint_id: str) -> Endpoint:
        """
        Raises:
            NoSuchEndpoint: see there.
        """
        return self._seen(self._sight(who), endpoint_id)

    def change(self, who: Asker, endpoint_id: str, changes: dict[str, str]) -> Endpoint:
        """Give an endpoint of the caller's own another name or repository.

        Raises:
            NoSuchEndpoint, EndpointDeleted, ChangedTooOften: see there.
        """
        own = replace(self._sight(who), all=False)

        def changed(endpoint: Endpoint) -> Endpoint:
            if endpoint.deleted_at is not None:
                raise EndpointDeleted(rfc3339(endpoint.deleted_at))
            return replace(endpoint, **changes)  # type: ignore[arg-type]

        return self._alter(own, endpoint_id, changed)

    def delete(self, who: Asker, endpoint_id: str) -> Endpoint:
        """Stop an endpoint now; one that has ended stays as it is.

        Raises:
            NoSuchEndpoint, ChangedTooOften: see there.
        """
        sight = self._sight(who)

        def stopped(endpoint: Endpoint) -> Endpoint:
            by_owner = endpoint.owner == sight.owner
            because = EndedBecause.DELETED_BY_OWNER if by_owner else EndedBecause.DELETED_BY_OPERATOR
            return endpoint.ended(self._clock.now(), because)

        deleted = self._alter(sight, endpoint_id, stopped)
        log.info("An endpoint is deleted.", endpoint_id=endpoint_id, because=deleted.ended_because)
        return deleted

    def _alter(self, sight: Sight, endpoint_id: str, alter: Callable[[Endpoint], Endpoint]) -> Endpoint:
        for _ in range(MOST_TRIES):
            before = self._seen(sight, endpoint_id)
            after = alter(before)
            if after == before:
                return before
            if written := self._store.replace(before, after):
                return written
        raise ChangedTooOften

    def _sight(self, who: Asker) -> Sight:
        return sight_of(who, self._published.customer_of)

    def _seen(self, sight: Sight, endpoint_id: str) -> Endpoint:
        found = self._store.find(sight.owner, endpoint_id) if sight.owner else None
        if found is None and sight.all:
            found = self._store.find_anybodys(endpoint_id)
        if found is None or not sight.shows(found.owner):
            raise NoSuchEndpoint
        return found

    def _subscription(self, sight: Sight, named: str | None) -> Subscription:
        """The one that is named, or the only one it can be."""
        customer = sight.customer
        if named is None:
            if customer is None:
                raise SubscriptionNotNamed("Only a buyer with a single one need not say which.")
            return only_one_of(self._published.subscriptions(customer.subscription_ids), self._catalogue)
        if customer is not None and named not in customer.subscription_ids:
            raise NoSuchSubscription
        found = self._published.subscription(named)
        if found is None:
            raise NoSuchSubscription
        return found
