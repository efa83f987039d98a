"""A subscription that renewed or replaced another goes to the same customer, without their landing again.

Notifications publishes which two belong together, by AWS's own word, once the licences of both are known.
Whatever makes us look (a signal of either, the sweep, a purchase that has just been registered, a buyer who
lands with the new one), the binding is the same: one conditional transaction, like all bindings.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from registration import bindings
from registration.bindings import Binding, BoundTooOften, Written
from registration.catalogue import Product
from registration.claims import Claim
from registration.customers import Customer
from registration.outbox_items import Kind, OutboxItem, new_item, outbox_id_of
from registration.subscription_access import PublishedSubscription

# As of `bindings.bind`.
_TRIES = 6


class Fate(Enum):
    """What becomes of a subscription that renewed or replaced a claimed one."""

    BOUND = "bound"
    """It belongs to the same customer since now."""
    OURS = "ours"
    """It does already."""
    WAITS = "waits"
    """One of the two is being registered: the seller's back end has not named the account yet."""
    ELSEWHERE = "elsewhere"
    """Somebody else has registered it. Nothing was moved, and nothing ever is."""
    ERASED = "erased"
    """The customer's data has been erased since. Nothing new is linked to a tombstone: who lands with it is a
    new customer."""
    OTHER_PRODUCT = "other product"
    """The replacement is of another product, whose questions (form, sign-in, hand-over) nobody has answered:
    the buyer is to land with it."""


class Tables(bindings.Tables, Protocol):
    def claim_of(self, subscription_id: str) -> Claim | None: ...

    def outbox_item(self, outbox_id: str) -> OutboxItem | None: ...


@dataclass(frozen=True)
class Followed:
    """What became of one renewal.

    Args:
        fate: that.
        previous: the claim of the one before.
        subscription_id: of the new one.
        claim: as it was written; None where nothing was.
    """

    fate: Fate
    previous: Claim
    subscription_id: str
    claim: Claim | None = None


def follow(
    tables: Tables,
    previous: Claim,
    before: PublishedSubscription | None,
    renewal: PublishedSubscription,
    product: Product | None,
    now: datetime,
) -> Followed:
    """Bind a subscription to the customer of the one that it renewed or replaced, if nobody has claimed it.

    1. Read the customer. A tombstone takes nothing.
    2. Write claim, customer and what they set going in one transaction, on the condition that there is no
       claim and that the customer is as it was read. No welcome letter: the account was confirmed long ago.
       No hand-over: the account is known; the seller's back end is told (`notice`).
    3. If somebody else was quicker, theirs it is. If the customer moved meanwhile, begin again.

    Args:
        tables: reads must be consistent.
        previous: the claim of the one before.
        before: what is published of the one before.
        renewal: what is published of the new one.
        product: what the catalogue says of it.
        now: the clock's time.

    Raises:
        BoundTooOften: the customer had changed each time we tried.
    """

    def fate(of: Fate, claim: Claim | None = None) -> Followed:
        return Followed(of, previous, renewal.subscription_id, claim)

    if previous.customer_id is None:
        return fate(Fate.WAITS)
    if previous.product_code != renewal.product_code:
        return fate(Fate.OTHER_PRODUCT)
    claim = Claim(
        subscription_id=renewal.subscription_id,
        customer_id=previous.customer_id,
        # Whose form led to this bond; `follows` says that it was not for this very purchase.
        registration_id=previous.registration_id,
        product_code=renewal.product_code,
        claimed_at=now,
        customer_aws_account_id=renewal.customer_aws_account_id or previous.customer_aws_account_id,
        access_told_at=now if renewal.access == "granted" and goes_on(tables, previous, before) else None,
        follows=previous.subscription_id,
    )
    for _ in range(_TRIES):
        customer = tables.customer(previous.customer_id)
        if customer is None or customer.status == "deleted":
            return fate(Fate.ERASED)
        written = tables.bind(
            Binding(
                claim=claim,
                handed_over=False,
                customer=customer.holding(claim.subscription_id, None, {}, now),
                before=customer,
                identities=(),
                outbox=_set_going(claim, customer, renewal, product, now),
                done=None,
            ),
            now,
        )
        if written is Written.YES:
            return fate(Fate.BOUND, claim)
        if written is Written.CLAIMED:
            standing = tables.claim_of(claim.subscription_id)
            return fate(fate_of(previous, standing) if standing else Fate.WAITS)
    raise BoundTooOften


def fate_of(previous: Claim, standing: Claim) -> Fate:
    """What became of a renewal that is claimed already."""
    if previous.customer_id is None or standing.customer_id is None:
        return Fate.WAITS
    return Fate.OURS if standing.customer_id == previous.customer_id else Fate.ELSEWHERE


def goes_on(tables: Tables, previous: Claim, before: PublishedSubscription | None) -> bool:
    """Whether the customer has access by the one before, and knows it: then access by its renewal is no news.

    They do not know it yet while their welcome letter waits: it says what is so when it goes out.
    """
    if before is None or before.access != "granted" or previous.access_told_at is None:
        return False
    return tables.outbox_item(outbox_id_of(Kind.WELCOME_LETTER, previous.subscription_id)) is None


def notice(item: OutboxItem, claim: Claim, customer: Customer, product: Product) -> Mapping[str, object]:
    """The body of the signed POST that tells the seller's back end (`RenewalNotice` of the contract)."""
    return {
        "type": "registration.renewed",
        "subscription_id": claim.subscription_id,
        "previous_subscription_id": item.payload["previous_subscription_id"],
        "product_code": claim.product_code,
        "product_id": product.product_id,
        "customer_id": customer.customer_id,
        "account_id": customer.account_id,
        "customer_aws_account_id": claim.customer_aws_account_id,
        "agreement_id": item.payload["agreement_id"],
    }


def _set_going(
    claim: Claim,
    customer: Customer,
    renewal: PublishedSubscription,
    product: Product | None,
    now: datetime,
) -> tuple[OutboxItem, ...]:
    if product is None:
        return ()
    subject = claim.subscription_id
    payload = {"agreement_id": renewal.agreement_id, "previous_subscription_id": claim.follows}
    if product.hand_over_url is not None:
        # What it answers decides over the deployment parameter.
        return (new_item(Kind.RENEWAL_NOTICE, subject, subject, customer.customer_id, now, payload),)
    parameter = deployment_parameter(claim, renewal.agreement_id, product, None, now)
    return (parameter,) if parameter else ()


def deployment_parameter(
    claim: Claim, agreement_id: str | None, product: Product, sealed_secret: str | None, now: datetime
) -> OutboxItem | None:
    """The renewed agreement's parameter for Quick Launch; None where there is nothing to put: what was
    launched under the agreement before runs on."""
    launch = product.quick_launch
    if launch is None or agreement_id is None or (launch.needs_the_back_end and sealed_secret is None):
        return None
    payload = {"agreement_id": agreement_id}
    if sealed_secret:
        payload["deployment_secret"] = sealed_secret
    subject = claim.subscription_id
    return new_item(Kind.DEPLOYMENT_PARAMETER, subject, subject, claim.customer_id, now, payload)


def renewed_by(
    published: Mapping[str, PublishedSubscription], subscription_ids: Iterable[str]
) -> dict[str, str]:
    """The renewals among what is published: the new one's id, and whose it renewed."""
    found = {}
    for one in subscription_ids:
        row = published.get(one)
        if row is not None and row.next_subscription_id:
            found[row.next_subscription_id] = one
    return found
