"""A buyer arrives: the token is resolved at once and forgotten."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from registration import resolved_purchase
from registration.catalogue import Catalogue
from registration.claims import Claim
from registration.random_ids import random_id
from registration.registrations import Registration, open_registration
from registration.sessions import Session, new_session


class Marketplace(Protocol):
    def resolve_customer(self, registration_token: str) -> Mapping[str, Any]: ...


class Tables(Protocol):
    def keep_registration(self, registration: Registration) -> None: ...

    def claim_of(self, subscription_id: str) -> Claim | None: ...


def arrive(
    registration_token: str,
    offer_type: str | None,
    *,
    marketplace: Marketplace,
    catalogue: Catalogue,
    tables: Tables,
    now: datetime,
    minutes: int,
) -> tuple[Registration, Session]:
    """Turn a registration token into a registration and the session that opens it.

    1. Ask AWS what the token stands for. If this fails nothing was kept, and the same token may come again.
    2. Keep the answer under a random id. If this fails, again nothing was kept.
    3. See whether the subscription already has a customer: landing again is welcome and changes nothing.

    Args:
        registration_token: lives only in this call.
        offer_type: the form's `x-amzn-marketplace-offer-type`.
        now: the clock's time.
        minutes: how long the registration lives.

    Raises:
        TokenNotResolved, UnknownProduct, IncompleteAnswer: see there.
    """
    purchase = resolved_purchase.understand(marketplace.resolve_customer(registration_token), catalogue)
    session = new_session(random_id("reg"))
    registration = open_registration(
        session.registration_id, session.secret_hash(), purchase, offer_type, now, minutes
    )
    tables.keep_registration(registration)
    return registration.seen_with(tables.claim_of(purchase.subscription_id)), session
