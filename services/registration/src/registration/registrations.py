"""A registration: what a token was resolved to, kept for a short time in the token's stead."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from registration.claims import Claim
from registration.resolved_purchase import ResolvedPurchase


class RegistrationExpired(Exception):
    """Its time is over. A fresh token makes a new one."""


@dataclass(frozen=True)
class Registration:
    registration_id: str
    secret_hash: str
    purchase: ResolvedPurchase
    offer_type: str | None
    created_at: datetime
    expires_at: datetime
    customer_id: str | None = None
    """Who holds the subscription, once someone does."""
    made_the_customer: bool = False
    """Whether it was this registration that made the customer: only then may it show who that is."""

    @property
    def status(self) -> str:
        return "registered" if self.customer_id else "open"

    def expired(self, now: datetime) -> bool:
        return now >= self.expires_at

    def seen_with(self, claim: Claim | None) -> "Registration":
        """The registration as it stands, given its subscription's claim: another may have been quicker."""
        if claim is None:
            return self
        return replace(
            self,
            customer_id=claim.customer_id,
            made_the_customer=claim.registration_id == self.registration_id,
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
