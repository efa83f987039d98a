"""What the doors may reach: assembled once by app.py, asked for by `the_parts()` in each request."""

from dataclasses import dataclass
from datetime import datetime

from chassis import web
from chassis.auth import Caller
from chassis.clock import Clock
from registration.catalogue import Catalogue
from registration.marketplace import Marketplace
from registration.registrations import Registration
from registration.sessions import Session, SessionSeal
from registration.tables import Tables


@dataclass(frozen=True)
class SessionHolder(Caller):
    """Whoever holds the session of one registration. It carries no scope: it opens that registration only."""


@dataclass(frozen=True)
class Parts:
    catalogue: Catalogue
    marketplace: Marketplace
    tables: Tables
    clock: Clock
    seal: SessionSeal
    session_minutes: int
    cookie_name: str
    cookie_secure: bool

    def now(self) -> datetime:
        return self.clock.now()

    def registration_of(self, session: Session) -> Registration | None:
        """The registration that a session opens, as its subscription's claim stands; expired ones too."""
        registration = self.tables.registration(session.registration_id)
        if registration is None or not session.opens(registration.secret_hash):
            return None
        return registration.seen_with(self.tables.claim_of(registration.purchase.subscription_id))

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
