"""Assembles the service. The only file that reads settings; the outside world comes in as arguments."""

import sys
from typing import Any

import connexion
from pynamodb.connection import Connection

from chassis.auth import KeyRing
from chassis.aws import client
from chassis.clock import Clock, clock_for
from chassis.tables import ask, bind, create_tables
from chassis.web import build_web_app
from registration.catalogue import Catalogue, CatalogueError, read_catalogue
from registration.marketplace import Marketplace
from registration.parts import Parts
from registration.sessions import SessionSeal
from registration.settings import Settings
from registration.tables import (
    ALL_MODELS,
    OWN_MODELS,
    ApiKeyRow,
    ClaimRow,
    CustomerRow,
    RegistrationRow,
    Tables,
)

_SECURE_COOKIE = "__Host-registration"
_LOCAL_COOKIE = "registration"


def build(settings: Settings, *, marketplace: Any, clock: Clock, catalogue: Catalogue) -> connexion.FlaskApp:
    """The web application.

    Args:
        settings: everything else.
        marketplace: what resolves registration tokens: `registration.marketplace.Marketplace` or, in tests,
            its like.
        clock: the one clock.
        catalogue: the products served.
    """
    bind(ALL_MODELS, settings)
    cookie_name, other_cookie = (
        (_SECURE_COOKIE, _LOCAL_COOKIE) if settings.cookie_secure else (_LOCAL_COOKIE, _SECURE_COOKIE)
    )
    parts = Parts(
        catalogue=catalogue,
        marketplace=marketplace,
        tables=Tables(_connection(settings)),
        clock=clock,
        seal=SessionSeal(settings.session_secret.get_secret_value()),
        session_minutes=settings.session_minutes,
        cookie_name=cookie_name,
        cookie_secure=settings.cookie_secure,
    )
    return build_web_app(
        service="registration",
        contract=settings.contracts_dir.resolve() / "registration.yaml",
        settings=settings,
        keys=KeyRing(ApiKeyRow),
        parts=parts,
        # Not the sibling's `subscriptions`: registering does not need it, and must go on without it.
        readiness={
            "registrations table": lambda: ask(RegistrationRow),
            "claims table": lambda: ask(ClaimRow),
            "customers table": lambda: ask(CustomerRow),
        },
        sessions={
            "X-Registration-Session": parts.holder_of,
            cookie_name: parts.cookie_holder_of,
            # Behind https a cookie without the `__Host-` prefix could have been set by another host of the
            # domain.
            other_cookie: lambda _sealed: None,
        },
    )


def build_from(settings: Settings) -> connexion.FlaskApp:
    """The web application as it runs: AWS or its stand-in by the endpoint variables, the clock by settings.

    Raises:
        SystemExit: the catalogue cannot be used; the reason has been printed.
    """
    try:
        catalogue = read_catalogue(settings.products_file)
    except CatalogueError as error:
        print(f"Cannot start. {error}", file=sys.stderr)
        raise SystemExit(78) from None  # EX_CONFIG
    return build(
        settings,
        marketplace=Marketplace(client(settings, "meteringmarketplace")),
        clock=clock_for(settings),
        catalogue=catalogue,
    )


def create_local(settings: Settings) -> None:
    """Create the tables that this service owns."""
    bind(OWN_MODELS, settings)
    create_tables(OWN_MODELS)


def key_ring(settings: Settings) -> KeyRing:
    bind([ApiKeyRow], settings)
    return KeyRing(ApiKeyRow)


def _connection(settings: Settings) -> Connection:
    return Connection(
        region=settings.aws_region,
        connect_timeout_seconds=settings.aws_connect_timeout_seconds,
        read_timeout_seconds=settings.aws_read_timeout_seconds,
        max_retry_attempts=settings.aws_attempts - 1,
        max_pool_connections=settings.web_threads,
    )
