"""Which customers somebody asks for: an operator among all, a buyer of themself alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from registration.claims import Claim
from registration.customers import Customer
from registration.subscription_access import PublishedSubscription


@dataclass(frozen=True)
class Search:
    """Filters, all of which must hold; those of a subscription for one and the same subscription."""

    email: str | None = None
    account_id: str | None = None
    subscription_id: str | None = None
    product_code: str | None = None
    customer_aws_account_id: str | None = None
    status: str | None = None

    def _wants_of_a_subscription(self) -> bool:
        return any((self.subscription_id, self.product_code, self.customer_aws_account_id, self.status))

    def finds(
        self,
        customer: Customer,
        claims: Mapping[str, Claim],
        published: Mapping[str, PublishedSubscription],
    ) -> bool:
        if customer.status != "active":
            return False
        if self.email is not None and not customer.has_email(self.email):
            return False
        if self.account_id is not None and customer.account_id != self.account_id:
            return False
        return not self._wants_of_a_subscription() or any(
            self._finds_subscription(claims[one], published.get(one))
            for one in customer.subscription_ids
            if one in claims
        )

    def _finds_subscription(self, claim: Claim, published: PublishedSubscription | None) -> bool:
        status = published.status if published else "pending"
        return all(
            wanted is None or wanted == found
            for wanted, found in (
                (self.subscription_id, claim.subscription_id),
                (self.product_code, claim.product_code),
                (self.customer_aws_account_id, claim.customer_aws_account_id),
                (self.status, status),
            )
        )


class Tables(Protocol):
    def claim_of(self, subscription_id: str) -> Claim | None: ...

    def claims_of(self, subscription_ids: Iterable[str]) -> Mapping[str, Claim]: ...

    def customers_of(self, customer_ids: Iterable[str]) -> Mapping[str, Customer]: ...

    def published_subscriptions(
        self, subscription_ids: Iterable[str]
    ) -> Mapping[str, PublishedSubscription]: ...

    def customers(self, limit: int, cursor: str | None) -> tuple[list[Customer], str | None]: ...

    def customers_with_email(
        self, email: str, limit: int, cursor: str | None
    ) -> tuple[list[Customer], str | None]: ...

    def customers_with_account(
        self, account_id: str, limit: int, cursor: str | None
    ) -> tuple[list[Customer], str | None]: ...

    def claims_by_product(
        self, product_code: str, limit: int, cursor: str | None
    ) -> tuple[list[Claim], str | None]: ...

    def claims_by_aws_account(
        self, account: str, limit: int, cursor: str | None
    ) -> tuple[list[Claim], str | None]: ...


def search_own(tables: Tables, wanted: Search, customer: Customer) -> list[Customer]:
    """A buyer's list: themself where the filters hold, else nobody.

    Args:
        tables: see there.
        wanted: what they ask for.
        customer: who they are.
    """
    claims, published = _known_of([customer], tables, wanted)
    return [customer] if wanted.finds(customer, claims, published) else []


def search(
    tables: Tables, wanted: Search, limit: int, cursor: str | None
) -> tuple[list[Customer], str | None]:
    """One page of customers, and where the next begins.

    The narrowest filter with an index is walked; the others are held against each customer found. A customer
    with several subscriptions in the index is found once, at the first of them.
    """
    following: str | None = None
    firsts: dict[str, Claim] = {}
    if wanted.subscription_id is not None:
        claim = tables.claim_of(wanted.subscription_id)
        found = _holders([claim] if claim else [], tables)
    elif wanted.email is not None:
        found, following = tables.customers_with_email(wanted.email, limit, cursor)
    elif wanted.account_id is not None:
        found, following = tables.customers_with_account(wanted.account_id, limit, cursor)
    elif wanted.customer_aws_account_id is not None or wanted.product_code is not None:
        if wanted.customer_aws_account_id is not None:
            page, following = tables.claims_by_aws_account(wanted.customer_aws_account_id, limit, cursor)
        else:
            page, following = tables.claims_by_product(wanted.product_code or "", limit, cursor)
        firsts = _first_of_each(page)
        found = _holders(page, tables)
    else:
        found, following = tables.customers(limit, cursor)
    claims, published = _known_of(found, tables, wanted)
    return [
        customer
        for customer in found
        if wanted.finds(customer, claims, published)
        and (not firsts or _is_first(firsts[customer.customer_id], customer, claims, wanted))
    ], following


def _holders(claims: Iterable[Claim], tables: Tables) -> list[Customer]:
    ids = list(dict.fromkeys(claim.customer_id for claim in claims if claim.customer_id))
    customers = tables.customers_of(ids) if ids else {}
    return [customers[one] for one in ids if one in customers]


def _known_of(
    customers: Iterable[Customer], tables: Tables, wanted: Search
) -> tuple[Mapping[str, Claim], Mapping[str, PublishedSubscription]]:
    """Claims and published rows of what these customers hold, as far as the filters ask for them."""
    if not wanted._wants_of_a_subscription():
        return {}, {}
    ids = {one for customer in customers for one in customer.subscription_ids}
    claims = tables.claims_of(ids) if ids else {}
    return claims, tables.published_subscriptions(claims) if claims and wanted.status else {}


def _first_of_each(page: Iterable[Claim]) -> dict[str, Claim]:
    firsts: dict[str, Claim] = {}
    # Not as the page has them: nothing says in which order an index has claims of one moment.
    for claim in sorted(page, key=_place):
        if claim.customer_id:
            firsts.setdefault(claim.customer_id, claim)
    return firsts


def _is_first(here: Claim, customer: Customer, claims: Mapping[str, Claim], wanted: Search) -> bool:
    """Whether an earlier page has not had this customer already."""
    in_the_index = [
        claims[one]
        for one in customer.subscription_ids
        if one in claims
        and (
            claims[one].customer_aws_account_id == wanted.customer_aws_account_id
            if wanted.customer_aws_account_id is not None
            else claims[one].product_code == wanted.product_code
        )
    ]
    return all(_place(here) <= _place(other) for other in in_the_index)


def _place(claim: Claim) -> tuple[float, str]:
    return claim.claimed_at.timestamp(), claim.subscription_id
