"""What a customer may use now: the published `subscriptions` table says, not the registration alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from registration.catalogue import Catalogue
from registration.claims import Claim
from registration.customers import Customer
from registration.entitlements import Entitlement

Access = Literal["granted", "denied"]

# AWS documents one value of `x-amzn-marketplace-offer-type`.
TRIAL_OFFER = "free-trial"


@dataclass(frozen=True)
class PublishedSubscription:
    """What registration reads of a row that notifications owns.

    Args:
        agreement_id, customer_aws_account_id: concurrent agreements only.
        free_trial: by the agreement (concurrent agreements) or the SNS flag (legacy); None where neither has
            said.
        entitlements: None where AWS has not been asked; empty where it says none.
        previous_subscription_id, next_subscription_id: what it renewed or replaced, and what renewed or
            replaced it.
    """

    subscription_id: str
    product_code: str
    status: str
    access: Access
    free_trial: bool | None = None
    trial_ends_at: datetime | None = None
    agreement_ends_at: datetime | None = None
    entitlements: tuple[Entitlement, ...] | None = None
    entitlements_as_of: datetime | None = None
    agreement_id: str | None = None
    customer_aws_account_id: str | None = None
    previous_subscription_id: str | None = None
    next_subscription_id: str | None = None


@dataclass(frozen=True)
class HeldSubscription:
    """A subscription as a customer's answer shows it."""

    subscription_id: str
    product_code: str
    product_title: str | None
    status: str
    access: Access
    free_trial: bool = False
    trial_ends_at: datetime | None = None
    agreement_ends_at: datetime | None = None
    entitlements: tuple[Entitlement, ...] | None = None
    entitlements_as_of: datetime | None = None
    previous_subscription_id: str | None = None
    next_subscription_id: str | None = None

    @property
    def can_pay(self) -> bool:
        """Whether AWS bills what is used now: while it is active, and through the last hour of an agreement
        that was renewed or replaced. In that of a cancelled one AWS still takes records, but nothing new may
        be used."""
        return self.status == "active" or self.access == "granted"


def is_trial(published: PublishedSubscription | None, offer_type: str | None) -> bool:
    """Whether it is a free trial.

    The agreement says it, or AWS's news, and both stand in the published row; until one of them has, there is
    only the form field, which the buyer's browser brought and could have invented. So it comes last.
    """
    if published is not None and published.free_trial is not None:
        return published.free_trial
    return offer_type == TRIAL_OFFER


class Tables(Protocol):
    def claims_of(self, subscription_ids: Iterable[str]) -> Mapping[str, Claim]: ...

    def published_subscriptions(
        self, subscription_ids: Iterable[str]
    ) -> Mapping[str, PublishedSubscription]: ...


def held_by(
    customers: Iterable[Customer],
    tables: Tables,
    catalogue: Catalogue,
    published: Mapping[str, PublishedSubscription] | None = None,
) -> dict[str, list[HeldSubscription]]:
    """What each customer holds, by customer id, as published at this moment.

    Where there is no news yet (a buyer may register before AWS's news comes) a subscription is pending and
    denied.

    Args:
        published: what is published of all that they hold, where it was read with them; else it is read here.
    """
    customers = list(customers)
    wanted = {subscription_id for customer in customers for subscription_id in customer.subscription_ids}
    if published is None:
        published = tables.published_subscriptions(wanted) if wanted else {}
    # The claim knows the product before the news does, and what the browser said of a trial.
    unsaid = {one for one in wanted if one not in published or published[one].free_trial is None}
    claims = tables.claims_of(unsaid) if unsaid else {}
    return {
        customer.customer_id: [
            _held(one, claims.get(one), published.get(one), catalogue)
            for one in customer.subscription_ids
            if one in published or one in claims
        ]
        for customer in customers
    }


def _held(
    subscription_id: str, claim: Claim | None, published: PublishedSubscription | None, catalogue: Catalogue
) -> HeldSubscription:
    offer_type = claim.offer_type if claim else None
    if published is None:
        product_code = claim.product_code if claim else ""
        return HeldSubscription(
            subscription_id=subscription_id,
            product_code=product_code,
            product_title=catalogue.title_of(product_code),
            status="pending",
            access="denied",
            free_trial=is_trial(None, offer_type),
        )
    return HeldSubscription(
        subscription_id=subscription_id,
        product_code=published.product_code,
        product_title=catalogue.title_of(published.product_code),
        status=published.status,
        access=published.access,
        free_trial=is_trial(published, offer_type),
        trial_ends_at=published.trial_ends_at,
        agreement_ends_at=published.agreement_ends_at,
        entitlements=published.entitlements,
        entitlements_as_of=published.entitlements_as_of,
        previous_subscription_id=published.previous_subscription_id,
        next_subscription_id=published.next_subscription_id,
    )


def customer_access(subscriptions: Iterable[HeldSubscription]) -> Access:
    """Granted where any subscription's is."""
    return "granted" if any(one.access == "granted" for one in subscriptions) else "denied"
