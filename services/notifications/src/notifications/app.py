"""Assembles the service. The only file that reads settings; the outside world comes in as arguments."""

from dataclasses import dataclass
from datetime import timedelta
from threading import Event
from typing import Any

import connexion

from chassis.assumed_role import marketplace_client
from chassis.auth import KeyRing
from chassis.aws import client
from chassis.checks import clock_check, queue_checks, table_checks
from chassis.clock import Clock
from chassis.dead_letters import dead_letters_loop
from chassis.doctor import Check
from chassis.queues import Queue, consume, create_queue_with_dlq
from chassis.quick_calls import quick_calls
from chassis.rates import RateLimit
from chassis.readiness import Readiness
from chassis.tables import LEAST_POOL, ask, bind, create_tables
from chassis.web import build_web_app
from chassis.worker import Loop, every
from notifications.api import Api, Operations
from notifications.catalogue import Catalogue, read_catalogue
from notifications.doors import SECRET_HEADER, Doors, SharedSecrets
from notifications.marketplace import Marketplace, home_region
from notifications.questions import Schedule
from notifications.queues import DeadLetters, Inlet, SignalQueue
from notifications.settings import Settings, names
from notifications.sns_certificates import Sns
from notifications.sns_messages import Rules
from notifications.tables.customers import READ
from notifications.tables.models import TABLES, InboxRow, NotificationsKey, SubscriptionRow
from notifications.tables.reconciliation_store import ReconciliationStore
from notifications.tables.store import Store
from notifications.tables.telling_store import TellingStore
from notifications.tables.webhook_store import WebhookStore
from notifications.webhook_addresses import AddressPolicy, networks
from notifications.webhook_call import WebhookCall
from notifications.webhook_secrets import Secrets
from notifications.webhooks import Webhooks
from notifications.worker.applying import Worker
from notifications.worker.asking import Asker
from notifications.worker.reconciling import Reconciler
from notifications.worker.telling import Teller
from notifications.worker.webhooks import FanOut, Sender

SERVICE = "notifications"


@dataclass(frozen=True)
class AssembledWorker:
    """The worker, and what its process runs."""

    worker: Worker
    asker: Asker
    reconciler: Reconciler
    teller: Teller
    fan_out: FanOut
    sender: Sender
    loops: dict[str, Loop]
    readiness: Readiness


def build_web(
    settings: Settings, clock: Clock, sqs: Any | None = None, sns: Sns | None = None
) -> connexion.FlaskApp:
    """The API.

    Args:
        settings: names, limits and where contract and catalogue lie.
        clock: the time that rules go by.
        sqs: a boto3 `sqs` client; our own when None.
        sns: who is asked for SNS's certificates; SNS itself when None.

    Raises:
        SystemExit: the catalogue cannot be read; the text says what to mend.
    """
    catalogue = _catalogue(settings)
    worker = _worker(settings, catalogue, clock)
    sqs = sqs or client(settings, "sqs")
    queue = Queue(sqs, settings.notifications_queue)
    webhooks = Webhooks(
        WebhookStore(_webhook_retention(settings)),
        build_webhook_call(settings),
        Secrets(settings.webhook_keys),
        clock,
    )
    return build_web_app(
        service=SERVICE,
        contract=settings.contracts_dir.resolve() / "notifications.yaml",
        settings=settings,
        keys=KeyRing(NotificationsKey),
        parts=Api(
            clock,
            _retention(settings),
            webhooks,
            Operations(worker, DeadLetters(sqs, queue), _reconciliations(settings)),
            Doors(
                Inlet(sqs, queue),
                _sns_rules(settings, catalogue),
                sns or Sns(),
                clock,
                RateLimit(settings.sns_rate, "sns"),
            ),
        ),
        sessions={SECRET_HEADER: SharedSecrets(settings.eventbridge_secret_list).check},
        readiness={"tables": lambda: ask(SubscriptionRow)},
    )


def build_marketplace(settings: Settings) -> Marketplace:
    """AWS Marketplace, where it lives: not in the Region of our tables."""
    region = home_region(settings.aws_region)
    return Marketplace(
        marketplace_client(settings, "marketplace-entitlement", region=region),
        marketplace_client(settings, "marketplace-agreement", region=region),
    )


def build_webhook_call(settings: Settings) -> WebhookCall:
    """What speaks to the seller's systems, and to none that it may not."""
    return WebhookCall(
        AddressPolicy(settings.webhooks_allow_inside, networks(settings.webhooks_allowed_networks))
    )


def build_worker(
    settings: Settings,
    clock: Clock,
    sqs: Any,
    marketplace: Marketplace,
    webhook_call: WebhookCall | None = None,
) -> AssembledWorker:
    """The worker.

    Args:
        settings: names, limits and where the catalogue lies.
        clock: the time that rules go by.
        sqs: a boto3 `sqs` client.
        marketplace: who is asked what no news says.
        webhook_call: speaks to the seller's systems; what `build_webhook_call` gives when None.

    Raises:
        SystemExit: the catalogue cannot be read; the text says what to mend.
    """
    catalogue = _catalogue(settings)
    worker = _worker(settings, catalogue, clock)
    store, schedule = worker.store, worker.schedule
    asker = Asker(store, marketplace, schedule, clock)
    webhook_store = WebhookStore(_webhook_retention(settings))
    telling_store = TellingStore()
    fan_out = FanOut(webhook_store, clock, telling_store)
    sender = Sender(
        webhook_store,
        webhook_call or build_webhook_call(settings),
        Secrets(settings.webhook_keys),
        clock,
        settings.webhook_threads,
    )
    signal_queues = [SignalQueue(sqs, name) for name in settings.signal_queue_names]
    teller = Teller(telling_store, signal_queues, fan_out, clock)
    inbox = Queue(sqs, settings.notifications_queue)
    readiness: Readiness = {"tables": lambda: ask(InboxRow), "queue": inbox.ask, "clock": clock.now}

    def take_news(stop: Event) -> None:
        # Not while a part is away: an outage would use up the receipts of good news, and SQS would bury it.
        consume(
            inbox,
            worker.handle,
            stop,
            ready=lambda: [ask_part() for ask_part in readiness.values()],
            together=worker.handle_together,
        )

    loops: dict[str, Loop] = {f"news-{number}": take_news for number in range(1, settings.worker_threads + 1)}
    loops["teller"] = teller.run
    # Each second of ours, because a simulated clock may have moved on by an hour since.
    loops["sweep"] = every(1.0, worker.sweep_when_due)
    # A thread of its own: while AWS is slow to answer, news is still applied.
    loops["questions"] = every(2.0, asker.ask_what_is_due)
    reconciler = Reconciler(_reconciliations(settings), worker, marketplace, schedule, clock)
    loops["reconciliations"] = reconciler.run
    loops["webhook-replays"] = every(1.0, fan_out.replay)
    loops["webhook-sender"] = sender.run
    loops |= dead_letters_loop([inbox])
    return AssembledWorker(worker, asker, reconciler, teller, fan_out, sender, loops, readiness)


def create_local(settings: Settings, sqs: Any | None = None) -> None:
    """Tables and queues on a local engine. A queue that only hears our signals belongs to who reads it."""
    bind(TABLES, settings)
    create_tables(TABLES)
    create_queue_with_dlq(sqs or client(settings, "sqs"), settings.notifications_queue)


def checks(settings: Settings) -> list[Check]:
    """What `doctor` looks at."""
    models = [*TABLES, *READ]
    bind(models, settings)
    catalogue = _catalogue(settings)
    return [
        clock_check(settings, models[0]),
        Check("catalogue", lambda: f"{len(catalogue.product_codes)} products"),
        *table_checks(models, settings),
        *queue_checks(settings, read=[settings.notifications_queue], sent_to=settings.signal_queue_names),
        *build_marketplace(settings).checks(
            filter(catalogue.sells_entitlements, sorted(catalogue.product_codes)),
            settings.describe_agreements,
        ),
    ]


def key_ring(settings: Settings) -> KeyRing:
    """The API keys of this service."""
    bind([NotificationsKey], settings)
    return KeyRing(NotificationsKey)


def _catalogue(settings: Settings) -> Catalogue:
    try:
        return read_catalogue(settings.products_file)
    except ValueError as error:
        raise SystemExit(f"Cannot start. {error}") from error


def _worker(settings: Settings, catalogue: Catalogue, clock: Clock) -> Worker:
    schedule = Schedule(
        catalogue.sells_entitlements,
        settings.describe_agreements,
        timedelta(seconds=settings.entitlements_every_seconds),
    )
    sweep_every = timedelta(seconds=settings.sweep_seconds)
    return Worker(_store(settings), catalogue, schedule, clock, sweep_every)


def _reconciliations(settings: Settings) -> ReconciliationStore:
    return ReconciliationStore(_retention(settings))


def _sns_rules(settings: Settings, catalogue: Catalogue) -> Rules:
    return Rules(
        catalogue.product_codes,
        names(settings.sns_topics),
        names(settings.sns_topic_accounts),
        timedelta(seconds=settings.sns_window_seconds),
        names(settings.sns_certificate_hosts),
    )


def _store(settings: Settings) -> Store:
    quick = quick_calls(settings, connections=LEAST_POOL)
    return Store(bind([*TABLES, *READ], settings, quick), _retention(settings))


def _retention(settings: Settings) -> timedelta:
    return timedelta(days=settings.inbox_retention_days)


def _webhook_retention(settings: Settings) -> timedelta:
    return timedelta(days=settings.webhook_retention_days)
