"""What follows for registration when a subscription has changed: a renewal's customer goes along, a letter,
or the end of a tombstone.

A signal says "look now", and the sweep looks at all; both lead here, so a lost signal costs time only.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from registration import renewals
from registration.bindings import BoundTooOften
from registration.catalogue import Catalogue
from registration.claims import Claim
from registration.customers import Customer
from registration.outbox_items import Kind, OutboxItem, new_item
from registration.renewals import Fate, Followed
from registration.subscription_access import PublishedSubscription

# Once a subscription is in one of these, nothing of it will be billed any more.
_OVER = frozenset({"ended", "failed"})


class Tables(renewals.Tables, Protocol):
    def customers_of(self, customer_ids: Iterable[str]) -> Mapping[str, Customer]: ...

    def claims_of(self, subscription_ids: Iterable[str]) -> Mapping[str, Claim]: ...

    def published_subscriptions(
        self, subscription_ids: Iterable[str]
    ) -> Mapping[str, PublishedSubscription]: ...

    def tell_access(self, claim: Claim, item: OutboxItem | None, now: datetime) -> bool:
        """Write the item, if any, and the mark that the customer is being told, as one act, if there is no
        mark, and, for an item, no welcome letter that waits: that one will tell it."""
        ...

    def bury(self, customer: Customer, claims: Iterable[Claim]) -> bool:
        """Remove the customer's tombstone and its claims, as one act, if the customer is as it was read."""
        ...


@dataclass(frozen=True)
class Settled:
    """What was done, and what was found.

    Args:
        access_told: letters set going.
        buried: tombstones removed.
        followed: the renewals of what was looked at, and what became of each; not those that went along
            before.
    """

    access_told: int = 0
    buried: int = 0
    followed: tuple[Followed, ...] = ()

    def __add__(self, other: "Settled") -> "Settled":
        return Settled(
            self.access_told + other.access_told,
            self.buried + other.buried,
            self.followed + other.followed,
        )


def settle(tables: Tables, claims: Iterable[Claim], catalogue: Catalogue, now: datetime) -> Settled:
    """Do what the state of these subscriptions asks for; doing it again changes nothing.

    Args:
        tables: reads must be consistent.
        claims: of the subscriptions to look at.
        catalogue: the products.
        now: the clock's time.
    """
    bound = {claim.subscription_id: claim for claim in claims if claim.customer_id is not None}
    published = tables.published_subscriptions(bound) if bound else {}
    told = 0
    over: set[str] = set()
    for subscription_id, row in published.items():
        claim = bound[subscription_id]
        if row.access == "granted" and claim.access_told_at is None:
            told += _tell_access(tables, claim, now)
        elif row.status in _OVER and claim.customer_id is not None:
            over.add(claim.customer_id)
    followed = _follow(tables, bound, published, catalogue, now)
    deleted = [one for one in tables.customers_of(over).values() if one.status == "deleted"] if over else []
    settled = Settled(told, sum(_bury(tables, customer) for customer in deleted), followed)
    # A chain: what renewed it may have been renewed in its turn.
    new = [one.claim for one in followed if one.claim is not None]
    return settled + settle(tables, new, catalogue, now) if new else settled


def settle_renewal(tables: Tables, subscription_id: str, catalogue: Catalogue, now: datetime) -> Settled:
    """The same for a subscription that nobody has claimed: if it renewed one that somebody has, it goes
    along."""
    looked_at: set[str] = set()
    following = subscription_id
    while following not in looked_at:
        looked_at.add(following)
        renewal = tables.published_subscriptions([following]).get(following)
        if renewal is None or renewal.previous_subscription_id is None:
            break
        previous = tables.claim_of(renewal.previous_subscription_id)
        if previous is not None:
            return settle(tables, [previous], catalogue, now)
        # Perhaps the one before is without a claim itself, and waits for its own; then both go along.
        following = renewal.previous_subscription_id
    return Settled()


def _tell_access(tables: Tables, claim: Claim, now: datetime) -> bool:
    letter = new_item(
        Kind.ACCESS_LETTER, claim.subscription_id, claim.subscription_id, claim.customer_id, now
    )
    if claim.follows is None:
        return tables.tell_access(claim, letter, now)
    before = tables.published_subscriptions([claim.follows]).get(claim.follows)
    if before is None or before.access != "granted":
        # It was lost in between.
        return tables.tell_access(claim, letter, now)
    previous = tables.claims_of([claim.follows]).get(claim.follows)
    if previous is not None and renewals.goes_on(tables, previous, before):
        tables.tell_access(claim, None, now)
    # Else a letter about the one before is on its way, and says it of both; the sweep looks again.
    return False


def _follow(
    tables: Tables,
    bound: Mapping[str, Claim],
    published: Mapping[str, PublishedSubscription],
    catalogue: Catalogue,
    now: datetime,
) -> tuple[Followed, ...]:
    following = renewals.renewed_by(published, bound)
    if not following:
        return ()
    taken = tables.claims_of(following)
    free = [one for one in following if one not in taken]
    rows = tables.published_subscriptions(free) if free else {}
    found = [
        Followed(fate, bound[before], one)
        for one, before in following.items()
        if one in taken and (fate := renewals.fate_of(bound[before], taken[one])) is not Fate.OURS
    ]
    for one, renewal in rows.items():
        before = following[one]
        try:
            followed = renewals.follow(
                tables,
                bound[before],
                published[before],
                renewal,
                catalogue.find(renewal.product_code),
                now,
            )
        except BoundTooOften:
            # The sweep looks again; the others must not wait for it.
            continue
        if followed.fate is not Fate.OURS:
            found.append(followed)
    return tuple(_but_for_the_erased(tables, found))


def _but_for_the_erased(tables: Tables, found: Iterable[Followed]) -> Iterator[Followed]:
    """What somebody else registered after the customer before was erased was not taken from anybody."""
    found = list(found)
    others = {one.previous.customer_id or "" for one in found if one.fate is Fate.ELSEWHERE}
    customers = tables.customers_of(others) if others else {}
    for one in found:
        customer = customers.get(one.previous.customer_id or "")
        erased = customer is None or customer.status == "deleted"
        yield replace(one, fate=Fate.ERASED) if one.fate is Fate.ELSEWHERE and erased else one


def _bury(tables: Tables, customer: Customer) -> bool:
    """Remove a deleted customer of whom nothing runs any more. The link was kept for bills alone."""
    published = tables.published_subscriptions(customer.subscription_ids)
    if any(one not in published or published[one].status not in _OVER for one in customer.subscription_ids):
        return False
    claims = tables.claims_of(customer.subscription_ids).values()
    # A burial that broke off may have freed some, and the next buyer claimed them.
    return tables.bury(customer, [one for one in claims if one.customer_id == customer.customer_id])
