"""Who may claim a subscription: one subscription belongs to one customer."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from registration.customers import Customer


@dataclass(frozen=True)
class Claim:
    """A subscription's bond to its customer: made once, never moved, kept when the customer is deleted."""

    subscription_id: str
    customer_id: str
    registration_id: str
    product_code: str
    claimed_at: datetime


class SubscriptionClaimed(Exception):
    """The subscription belongs to another customer.

    Args:
        registration_id: with `subscription_id`, what support needs to look into it.
    """

    def __init__(self, registration_id: str, subscription_id: str, product_code: str) -> None:
        super().__init__(subscription_id)
        self.registration_id = registration_id
        self.subscription_id = subscription_id
        self.product_code = product_code


class Verdict(Enum):
    FREE = "free"
    OWN = "own"
    OTHER = "other"


def judge(claim: Claim | None, holder: Customer | None, registration_id: str, email: str) -> Verdict:
    """Whose the subscription is, seen from one submitted form.

    Args:
        claim: the subscription's claim, if any.
        holder: the claim's customer.
        registration_id: where the form was submitted.
        email: what was entered.

    Returns:
        FREE: nobody's yet.
        OWN: this registration made the claim (a doubled submit, or one whose answer was lost), or a person
            with the same e-mail address did, on an earlier landing.
        OTHER: somebody else's. So is a deleted customer's: whether the next person is the same is for support
            to judge.
    """
    if claim is None:
        return Verdict.FREE
    if holder is None or holder.status == "deleted":
        return Verdict.OTHER
    same_registration = claim.registration_id == registration_id
    return Verdict.OWN if same_registration or holder.has_email(email) else Verdict.OTHER
