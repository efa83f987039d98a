"""What the doors may reach: assembled once by app.py, asked for by `the_parts()` in each request."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from chassis import web
from chassis.auth import Caller
from chassis.clock import Clock
from chassis.rates import RateLimit
from registration.catalogue import Catalogue, Product
from registration.log_sentences import say_followed
from registration.marketplace import Marketplace
from registration.outbox_work import OutboxWork
from registration.registrations import Registration
from registration.sealing import Box
from registration.sessions import Session, SessionSeal
from registration.settling import settle_renewal
from registration.sign_in_providers import Provider
from registration.tables import Tables

# How long the apology page's button works: what AWS calls the shortest life of a token
# (marketplace-agreement's GetAgreementEntitlements hands out tokens for 30 minutes).
RETRY_LASTS = timedelta(minutes=30)


@dataclass(frozen=True)
class SessionHolder(Caller):
    """Whoever holds the session of one registration. It carries no scope: it opens that registration only."""


@dataclass(frozen=True)
class Rates:
    """How often the public may: arrive by page and by API (by address), submit and sign in (by session)."""

    landings: RateLimit
    api_arrivals: RateLimit
    submits: RateLimit


@dataclass(frozen=True)
class Parts:
    catalogue: Catalogue
    marketplace: Marketplace
    tables: Tables
    clock: Clock
    outbox: OutboxWork
    providers: Mapping[str, Provider]
    rates: Rates
    seal: SessionSeal
    retry_box: Box
    session_minutes: int
    cookie_name: str
    cookie_secure: bool
    public_url: str

    def now(self) -> datetime:
        return self.clock.now()

    def product_of(self, registration: Registration) -> Product | None:
        return self.catalogue.find(registration.purchase.product_code)

    def registration_of(self, session: Session) -> Registration | None:
        """The registration that a session opens, as its subscription's claim stands; expired ones too."""
        registration = self.tables.registration(session.registration_id)
        if registration is None or not session.opens(registration.secret_hash):
            return None
        return self.seen(registration)

    def seen(self, registration: Registration) -> Registration:
        """The registration as its subscription's claim stands now."""
        return registration.seen_with(self.tables.claim_of(registration.purchase.subscription_id))

    def gone_along(self, registration: Registration) -> Registration:
        """The same, for a buyer at the door: where the purchase renews one that has a customer, it is that
        customer's, also if the worker has not seen to it yet."""
        if registration.customer_id is not None or registration.handing_over:
            return registration
        subscription_id = registration.purchase.subscription_id
        published = self.tables.news_of(subscription_id)
        if published is None or published.previous_subscription_id is None:
            return registration
        say_followed(settle_renewal(self.tables, subscription_id, self.catalogue, self.now()).followed)
        return self.seen(registration)

    def holder_of(self, sealed: str) -> SessionHolder | None:
        """Who sends this session in the header of the JSON API; None where it is not valid."""
        session = self.seal.unseal(sealed)
        if session is None:
            return None
        registration = self.tables.registration(session.registration_id)
        if registration is None or not session.opens(registration.secret_hash):
            return None
        return _holder(session)

    def cookie_holder_of(self, sealed: str) -> SessionHolder | None:
        """Who sends this session in a cookie, by its signature alone: the page tells the rest, in words."""
        session = self.seal.unseal(sealed)
        return _holder(session) if session else None


def _holder(session: Session) -> SessionHolder:
    return SessionHolder(name="a registration session", scopes=frozenset(), subject=session.registration_id)


def the_parts() -> Parts:
    found: Parts = web.parts()
    return found
