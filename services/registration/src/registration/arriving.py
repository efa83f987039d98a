"""A buyer arrives: the token is resolved at once and forgotten."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from registration import resolved_purchase
from registration.catalogue import Catalogue
from registration.entitlements import Entitlement
from registration.random_ids import random_id
from registration.registrations import Registration, open_registration
from registration.resolved_purchase import ResolvedPurchase
from registration.sessions import Session, new_session


class EntitlementsNotRead(Exception):
    """AWS did not say what a contract grants; it says nothing about the contract.

    Args:
        error_code: AWS's name of the error, for the log.
        our_fault: credentials, permissions, Region: a person of ours must mend it.
    """

    def __init__(self, error_code: str, our_fault: bool) -> None:
        super().__init__(error_code)
        self.error_code = error_code
        self.our_fault = our_fault


class Marketplace(Protocol):
    def resolve_customer(self, registration_token: str) -> Mapping[str, Any]: ...

    def entitlements(self, purchase: ResolvedPurchase) -> tuple[Entitlement, ...]: ...


class Tables(Protocol):
    def keep_registration(self, registration: Registration) -> None: ...

    def keep_entitlements(self, registration_id: str, entitlements: tuple[Entitlement, ...]) -> None: ...


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
    Nothing else: the buyer waits, and the token may be near its end. What a contract grants, and whether the
    subscription has a customer already, is looked up where it is shown.

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
    return registration, session


def granted(
    registration: Registration, *, marketplace: Marketplace, catalogue: Catalogue, tables: Tables
) -> tuple[Entitlement, ...] | None:
    """What the registration's contract grants; kept with the registration once there is something.

    Returns:
        None where the product is none that AWS could be asked about.

    Raises:
        EntitlementsNotRead: AWS could not be asked just now. Registering goes on without.
    """
    product = catalogue.find(registration.purchase.product_code)
    if product is None or product.pricing_model == "subscription":
        return None
    if registration.entitlements:
        return registration.entitlements
    found = marketplace.entitlements(registration.purchase)
    # Buyers come before AWS has activated what they bought: nothing now is not nothing in a few minutes.
    if found:
        tables.keep_entitlements(registration.registration_id, found)
    return found
