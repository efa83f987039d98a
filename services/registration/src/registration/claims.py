"""Who may claim a subscription: one subscription belongs to one customer."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from registration.customers import Customer


@dataclass(frozen=True)
class Claim:
    """A subscription's bond to its customer: made once, never moved, kept when the customer is deleted.

    Args:
        customer_id: None only while the seller's own back end has not named the account yet. Nobody else can
            claim it in that time.
        customer_aws_account_id: the AWS account that bought; it may have bought more.
        offer_type: as the buyer's browser brought it.
        access_told_at: when a letter told the customer that access is there.
        follows: the subscription that this one renewed or replaced, where its customer came along by that and
            nobody landed (`renewals.py`).
    """

    subscription_id: str
    customer_id: str | None
    registration_id: str
    product_code: str
    claimed_at: datetime
    customer_aws_account_id: str | None = None
    offer_type: str | None = None
    access_told_at: datetime | None = None
    follows: str | None = None


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


def judge(
    claim: Claim | None, holder: Customer | None, registration_id: str, known_as: str | None
) -> Verdict:
    """Whose the subscription is, seen from one submitted form.

    Args:
        claim: the subscription's claim, if any.
        holder: the claim's customer.
        registration_id: where the form was submitted.
        known_as: the customer id of the identity that signed in, if it has one.

    Returns:
        FREE: nobody's yet.
        OWN: this registration made the claim (a doubled submit, or one whose answer was lost), or its
            customer has signed in. What somebody enters in a form makes nothing theirs, and must not even be
            compared: the answer would tell who registered.
        OTHER: somebody else's. So is a deleted customer's: whether the next person is the same is for support
            to judge.
    """
    if claim is None:
        return Verdict.FREE
    if claim.customer_id is None:
        return Verdict.OWN if claim.registration_id == registration_id else Verdict.OTHER
    if holder is None or holder.status == "deleted":
        return Verdict.OTHER
    own = claim.registration_id == registration_id or claim.customer_id == known_as
    return Verdict.OWN if own else Verdict.OTHER
