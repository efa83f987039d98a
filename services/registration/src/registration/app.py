"""Assembles the service. The only file that reads settings; the outside world comes in as arguments."""

import sys
from typing import Any, NoReturn

import connexion
import httpx

from chassis.assumed_role import marketplace_client
from chassis.auth import KeyRing
from chassis.aws import client
from chassis.checks import clock_check, queue_checks, table_checks
from chassis.clock import Clock, clock_for
from chassis.dead_letters import dead_letters_loop
from chassis.doctor import Check
from chassis.queues import Queue, create_queue_with_dlq
from chassis.quick_calls import quick_calls
from chassis.rates import RateLimit
from chassis.readiness import Readiness
from chassis.tables import ask, bind, create_tables
from chassis.web import build_web_app
from chassis.worker import run_worker
from registration.catalogue import Catalogue, CatalogueError, read_catalogue
from registration.mail import DirectoryMail, NoMail, SesMail
from registration.marketplace import Marketplace
from registration.outbox_work import Mail, OutboxWork
from registration.pages import problem_page
from registration.parts import Parts, Rates
from registration.sealing import Box
from registration.seller_backend import SellerBackend
from registration.sessions import SessionSeal
from registration.settings import Settings
from registration.sign_in_providers import GitHubProvider, OpenIdProvider, Provider
from registration.tables import (
    ALL_MODELS,
    OWN_MODELS,
    ApiKeyRow,
    ClaimRow,
    CustomerRow,
    IdentityRow,
    OutboxRow,
    RegistrationRow,
    Tables,
)
from registration.worker import loops

_SECURE_COOKIE = "__Host-registration"
_LOCAL_COOKIE = "registration"

# The one Region of each partition that has the entitlement service; boto3 would build a host that does not
# exist from any other (AWS's Region table of the service).
_ENTITLEMENT_REGIONS = {"cn": "cn-northwest-1", "eusc": "eusc-de-east-1"}
_COMMERCIAL_REGION = "us-east-1"


def build(
    settings: Settings,
    *,
    marketplace: Any,
    clock: Clock,
    catalogue: Catalogue,
    mail: Mail | None = None,
    backend: SellerBackend | None = None,
    providers: dict[str, Provider] | None = None,
) -> connexion.FlaskApp:
    """The web application.

    Args:
        settings: everything else.
        marketplace: `registration.marketplace.Marketplace` or, in tests, its like.
        clock: the one clock.
        catalogue: the products served.
        mail: sends letters.
        backend: the seller's own; the settings' when None.
        providers: where buyers may sign in, by key; the settings' when None.
    """
    cookie_name, other_cookie = (
        (_SECURE_COOKIE, _LOCAL_COOKIE) if settings.cookie_secure else (_LOCAL_COOKIE, _SECURE_COOKIE)
    )
    tables = Tables(bind(ALL_MODELS, settings), quick_calls(settings))
    parts = Parts(
        catalogue=catalogue,
        marketplace=marketplace,
        tables=tables,
        clock=clock,
        outbox=_outbox(settings, tables, marketplace, clock, catalogue, mail or NoMail(), backend),
        providers=_providers(settings) if providers is None else providers,
        rates=Rates(
            RateLimit(settings.landings_rate, "landings"),
            RateLimit(settings.api_arrivals_rate, "api_arrivals"),
            RateLimit(settings.submits_rate, "submits"),
        ),
        seal=SessionSeal(settings.session_secrets),
        retry_box=Box(settings.session_secrets, "retry of an arrival"),
        session_minutes=settings.session_minutes,
        cookie_name=cookie_name,
        cookie_secure=settings.cookie_secure,
        public_url=settings.public_url.rstrip("/"),
    )
    return build_web_app(
        service="registration",
        contract=settings.contracts_dir.resolve() / "registration.yaml",
        settings=settings,
        keys=KeyRing(ApiKeyRow),
        parts=parts,
        readiness=_readiness(),
        sessions={
            "X-Registration-Session": parts.holder_of,
            cookie_name: parts.cookie_holder_of,
            # Behind https a cookie without the `__Host-` prefix could have been set by another host of the
            # domain.
            other_cookie: lambda _sealed: None,
        },
        headers={"Strict-Transport-Security": "max-age=31536000"} if settings.cookie_secure else None,
        problem_pages={"/register": problem_page},
    )


def build_from(settings: Settings) -> connexion.FlaskApp:
    """The web application as it runs: AWS or its stand-in by the endpoint variables, the clock by settings.

    Raises:
        SystemExit: the catalogue cannot be used; the reason has been printed.
    """
    return build(
        settings,
        marketplace=_marketplace(settings),
        clock=clock_for(settings),
        catalogue=_catalogue(settings),
        mail=_mail(settings),
    )


def work(settings: Settings) -> None:
    """Run the worker until it is told to stop.

    Raises:
        SystemExit: the catalogue cannot be used; the reason has been printed.
    """
    clock = clock_for(settings)
    tables = Tables(bind(ALL_MODELS, settings))
    catalogue = _catalogue(settings)
    outbox = _outbox(settings, tables, _marketplace(settings), clock, catalogue, _mail(settings), None)
    signals = Queue(client(settings, "sqs"), settings.registration_signals_queue)
    run_worker(
        "registration-worker",
        settings,
        loops(tables, outbox, catalogue, signals, clock.now, settings.sweep_seconds)
        | dead_letters_loop([signals]),
        _readiness() | {"signals queue": signals.ask, "clock": clock.now},
    )


def create_local(settings: Settings) -> None:
    """Create the tables and the queue that this service owns."""
    bind(OWN_MODELS, settings)
    create_tables(OWN_MODELS)
    create_queue_with_dlq(client(settings, "sqs"), settings.registration_signals_queue)


def checks(settings: Settings) -> list[Check]:
    """What `doctor` looks at."""
    bind(ALL_MODELS, settings)
    catalogue = _catalogue(settings)
    return [
        clock_check(settings, ALL_MODELS[0]),
        Check("catalogue", lambda: f"{len(catalogue.products)} products"),
        *table_checks(ALL_MODELS, settings),
        *queue_checks(settings, read=[settings.registration_signals_queue]),
        *_marketplace(settings).checks(
            code for code, product in catalogue.products.items() if product.pricing_model != "subscription"
        ),
    ]


def key_ring(settings: Settings) -> KeyRing:
    bind([ApiKeyRow], settings)
    return KeyRing(ApiKeyRow)


def _catalogue(settings: Settings) -> Catalogue:
    try:
        catalogue = read_catalogue(settings.products_file)
    except CatalogueError as error:
        _refuse_to_start(str(error))
    for product in catalogue.products.values():
        if product.hand_over_url and not settings.hand_over_secrets:
            _refuse_to_start(f"{product.product_code} hands over, but HAND_OVER_SECRET is not set: set it.")
        if product.sign_in == "required" and not (settings.oidc_issuer or settings.github_client_id):
            _refuse_to_start(
                f"{product.product_code} requires buyers to sign in, but no provider is set: set "
                "OIDC_ISSUER or GITHUB_CLIENT_ID."
            )
    return catalogue


def _refuse_to_start(reason: str) -> NoReturn:
    print(f"Cannot start. {reason}", file=sys.stderr)
    raise SystemExit(78)  # EX_CONFIG


def _marketplace(settings: Settings) -> Marketplace:
    partition = settings.aws_region.partition("-")[0]
    return Marketplace(
        marketplace_client(settings, "meteringmarketplace"),
        marketplace_client(
            settings,
            "marketplace-entitlement",
            region=_ENTITLEMENT_REGIONS.get(partition, _COMMERCIAL_REGION),
        ),
        marketplace_client(settings, "marketplace-deployment", region=_COMMERCIAL_REGION),
    )


def _mail(settings: Settings) -> Mail:
    if settings.mail == "ses":
        return SesMail(client(settings, "sesv2"), settings.mail_from)
    if settings.mail == "directory" and settings.mail_directory is not None:
        return DirectoryMail(settings.mail_directory)
    return NoMail()


def _outbox(
    settings: Settings,
    tables: Tables,
    marketplace: Any,
    clock: Clock,
    catalogue: Catalogue,
    mail: Mail,
    backend: SellerBackend | None,
) -> OutboxWork:
    if backend is None and settings.hand_over_secrets:
        http = httpx.Client(timeout=settings.hand_over_seconds, trust_env=False)
        backend = SellerBackend(http, settings.hand_over_secrets)
    box = Box(settings.session_secrets, "deployment secret")
    return OutboxWork(tables, catalogue, marketplace, backend, mail, box, clock.now)


def _providers(settings: Settings) -> dict[str, Provider]:
    found: list[Provider] = []
    try:
        if settings.oidc_issuer:
            found.append(
                OpenIdProvider(
                    settings.oidc_issuer,
                    settings.oidc_client_id,
                    settings.oidc_client_secret.get_secret_value(),
                    settings.oidc_title,
                )
            )
        if settings.github_client_id:
            found.append(
                GitHubProvider(
                    settings.github_client_id,
                    settings.github_client_secret.get_secret_value(),
                    settings.github_url,
                    settings.github_api_url,
                )
            )
    except ValueError as error:
        _refuse_to_start(f"OIDC_ISSUER, GITHUB_URL or GITHUB_API_URL cannot be used: {error}")
    return {provider.key: provider for provider in found}


def _readiness() -> Readiness:
    # Not the sibling's `subscriptions`: registering does not need it, and must go on without it.
    return {
        "registrations table": lambda: ask(RegistrationRow),
        "claims table": lambda: ask(ClaimRow),
        "customers table": lambda: ask(CustomerRow),
        "identities table": lambda: ask(IdentityRow),
        "outbox table": lambda: ask(OutboxRow),
    }
