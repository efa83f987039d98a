"""A buyer says who they are: the subscription is claimed and bound to a customer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from registration import bindings
from registration.catalogue import Product
from registration.claims import Claim, SubscriptionClaimed, Verdict, judge
from registration.customers import CustomerDetails
from registration.identities import Identity
from registration.outbox_items import Kind, OutboxItem, new_item
from registration.random_ids import random_id
from registration.registrations import Registration, RegistrationExpired

# A claim that is in the way and then gone is rare enough once; more tries than this would hide a bug.
_TRIES = 3


class Tables(bindings.Tables, Protocol):
    def claim_of(self, subscription_id: str) -> Claim | None: ...

    def claim_for_hand_over(self, claim: Claim, item: OutboxItem) -> bool:
        """Write claim and item as one; False, and nothing written, if there is a claim."""
        ...


@dataclass(frozen=True)
class Registered:
    registration: Registration
    created: bool = False
    """Whether a customer was made."""
    joined: bool = False
    """Whether the purchase was bound by this call, to a customer new or old."""
    to_ask: OutboxItem | None = None
    """The hand-over that this call has decided on, in the caller's hands: ask the seller's back end."""


def register(
    tables: Tables,
    registration: Registration,
    details: CustomerDetails,
    identity: Identity | None,
    product: Product | None,
    now: datetime,
) -> Registered:
    """Claim the registration's subscription and bind it to a customer.

    1. Read the claim. A doubled submit, or one whose answer was lost, ends here with what it made.
    2. Bind: claim, customer and all that follows in one transaction, on the condition that there is no claim.
       Or, where the seller's own back end names the account: claim, and remember in the same transaction that
       the back end is to be asked. From here on nobody else can claim it, and it is asked until it answers.
    3. If another was quicker, read its claim: it may be the same person's. If it is gone by then (the back
       end has refused it, a doubled submit's perhaps), begin again.
    Nothing here waits for AWS's news of the subscription: news may come before, during or after.

    Args:
        tables: where claims and customers are; reads must be consistent.
        registration: from `arrive`.
        details: what the buyer entered.
        identity: who signed in, if anybody did.
        product: what the catalogue says of the purchase; None once the product has left it.
        now: the clock's time.

    Raises:
        RegistrationExpired: a fresh token is needed.
        SubscriptionClaimed: somebody else holds the subscription.
        BoundTooOften: others of the same identity were in the way each time.
    """
    if registration.expired(now):
        raise RegistrationExpired
    purchase = registration.purchase
    for _ in range(_TRIES):
        claim = tables.claim_of(purchase.subscription_id)
        if claim is not None:
            break
        registered = _claim(tables, registration, details, identity, product, now)
        if registered is not None:
            return registered
    holder = tables.customer(claim.customer_id) if claim and claim.customer_id else None
    known_as = tables.customer_id_of(identity) if identity else None
    if judge(claim, holder, registration.registration_id, known_as) is not Verdict.OWN:
        raise SubscriptionClaimed(
            registration.registration_id, purchase.subscription_id, purchase.product_code
        )
    return Registered(registration.seen_with(claim))


def _claim(
    tables: Tables,
    registration: Registration,
    details: CustomerDetails,
    identity: Identity | None,
    product: Product | None,
    now: datetime,
) -> Registered | None:
    """None where another was quicker."""
    purchase = registration.purchase
    mine = Claim(
        subscription_id=purchase.subscription_id,
        customer_id=None,
        registration_id=registration.registration_id,
        product_code=purchase.product_code,
        claimed_at=now,
        customer_aws_account_id=purchase.customer_aws_account_id,
        offer_type=registration.offer_type,
    )
    if product is not None and product.hand_over_url is not None:
        # The back end's idempotency key: of this claim alone. After a refusal the next one asks anew.
        name = f"{purchase.subscription_id}-{random_id('ask')}"
        payload = _to_hand_over(registration, details, identity)
        item = new_item(Kind.HAND_OVER, name, purchase.subscription_id, None, now, payload, in_hand=True)
        if not tables.claim_for_hand_over(mine, item):
            return None
        return Registered(registration.seen_with(mine), to_ask=item)
    bound = bindings.bind(
        tables,
        mine,
        details,
        [identity] if identity else [],
        product,
        now,
        agreement_id=purchase.agreement_id,
    )
    if bound is None:
        return None
    return Registered(registration.seen_with(bound[0]), created=bound[1], joined=True)


def _to_hand_over(
    registration: Registration, details: CustomerDetails, identity: Identity | None
) -> Mapping[str, Any]:
    """What asking and binding later need: the registration itself lives for a short time only."""
    return {
        "registration_id": registration.registration_id,
        "agreement_id": registration.purchase.agreement_id,
        "email": details.email,
        "name": details.name,
        "company": details.company,
        "fields": dict(details.fields),
        "language": details.language,
        "identity": {"issuer": identity.issuer, "subject": identity.subject} if identity else None,
    }
