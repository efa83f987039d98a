"""A registration: what a token was resolved to, kept for a short time in the token's stead."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from registration.claims import Claim
from registration.entitlements import Entitlement
from registration.resolved_purchase import ResolvedPurchase


class RegistrationExpired(Exception):
    """Its time is over. A fresh token makes a new one."""


@dataclass(frozen=True)
class Registration:
    """What is known of one arrival.

    Args:
        entitlements: what AWS said of a contract; None while it has not.
        signed_in: who signed in, encrypted for the session; None while nobody has.
        refusal: the words with which the seller's back end refused the last submit.
        customer_id: who holds the subscription, once someone does.
        made_the_customer: whether it was this registration that bound the customer: only then may it show who
            that is.
        handing_over: whether the seller's back end has been asked for this registration's account and has not
            named it yet.
    """

    registration_id: str
    secret_hash: str
    purchase: ResolvedPurchase
    offer_type: str | None
    created_at: datetime
    expires_at: datetime
    entitlements: tuple[Entitlement, ...] | None = None
    signed_in: str | None = None
    refusal: str | None = None
    customer_id: str | None = None
    made_the_customer: bool = False
    handing_over: bool = False

    @property
    def status(self) -> str:
        return "registered" if self.customer_id else "open"

    def expired(self, now: datetime) -> bool:
        return now >= self.expires_at

    def seen_with(self, claim: Claim | None) -> "Registration":
        """The registration as it stands, given its subscription's claim: another may have been quicker."""
        if claim is None:
            return self
        mine = claim.registration_id == self.registration_id
        return replace(
            self,
            customer_id=claim.customer_id,
            made_the_customer=mine and claim.customer_id is not None,
            handing_over=mine and claim.customer_id is None,
            refusal=None if mine else self.refusal,
        )


def open_registration(
    registration_id: str,
    secret_hash: str,
    purchase: ResolvedPurchase,
    offer_type: str | None,
    now: datetime,
    minutes: int,
) -> Registration:
    return Registration(
        registration_id=registration_id,
        secret_hash=secret_hash,
        purchase=purchase,
        offer_type=offer_type,
        created_at=now,
        expires_at=now + timedelta(minutes=minutes),
    )
