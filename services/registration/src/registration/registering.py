"""A buyer says who they are: the subscription is claimed and the customer created, as one act."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from registration.claims import Claim, SubscriptionClaimed, Verdict, judge
from registration.customers import Customer, CustomerDetails, new_customer
from registration.random_ids import random_id
from registration.registrations import Registration, RegistrationExpired


class Tables(Protocol):
    def claim_of(self, subscription_id: str) -> Claim | None: ...

    def customer(self, customer_id: str) -> Customer | None: ...

    def claim_for_new_customer(self, claim: Claim, customer: Customer, registration_id: str) -> bool:
        """Write claim, customer and registration as one; False, and nothing written, if there is a claim."""
        ...


@dataclass(frozen=True)
class Registered:
    registration: Registration
    created: bool
    """False where the customer was there already; then nothing was changed."""


def register(
    tables: Tables, registration: Registration, details: CustomerDetails, now: datetime
) -> Registered:
    """Claim the registration's subscription for a new customer.

    1. Read the claim. A doubled submit, or one whose answer was lost, ends here with the customer that it
       made.
    2. Write claim, customer and registration in one transaction, on the condition that there is no claim. If
       the answer is lost, both or neither are there, and the next submit finds out in step 1.
    3. If another was quicker, read its claim: it may be the same person's.
    Nothing here waits for AWS's news of the subscription: news may come before, during or after.

    Args:
        tables: where claims and customers are; reads must be consistent.
        registration: from `arrive`.
        details: what the buyer entered.
        now: the clock's time.

    Raises:
        RegistrationExpired: a fresh token is needed.
        SubscriptionClaimed: somebody else holds the subscription.
    """
    if registration.expired(now):
        raise RegistrationExpired
    subscription_id = registration.purchase.subscription_id
    claim = tables.claim_of(subscription_id)
    if claim is None:
        customer = new_customer(random_id("cus"), details, subscription_id, now)
        mine = Claim(
            subscription_id=subscription_id,
            customer_id=customer.customer_id,
            registration_id=registration.registration_id,
            product_code=registration.purchase.product_code,
            claimed_at=now,
        )
        if tables.claim_for_new_customer(mine, customer, registration.registration_id):
            return Registered(registration.seen_with(mine), created=True)
        claim = tables.claim_of(subscription_id)
    holder = tables.customer(claim.customer_id) if claim else None
    if judge(claim, holder, registration.registration_id, details.email) is not Verdict.OWN:
        raise SubscriptionClaimed(
            registration.registration_id, subscription_id, registration.purchase.product_code
        )
    return Registered(registration.seen_with(claim), created=False)
