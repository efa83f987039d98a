"""Assembles the service. The only file that reads settings; the outside world comes in as arguments."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from threading import Event
from typing import Any

import connexion

from chassis.auth import KeyRing
from chassis.aws import client
from chassis.clock import Clock
from chassis.outbox import relay
from chassis.queues import Queue, consume, create_queue_with_dlq
from chassis.readiness import Readiness
from chassis.tables import ask, bind, create_tables
from chassis.web import build_web_app
from chassis.worker import Loop, every
from notifications.api import Api
from notifications.catalogue import read_catalogue
from notifications.marketplace import Marketplace, home_region
from notifications.questions import Schedule
from notifications.settings import Settings
from notifications.tables.models import TABLES, InboxRow, NotificationsKey, SignalOutbox, SubscriptionRow
from notifications.tables.store import Store
from notifications.worker.applying import Worker
from notifications.worker.asking import Asker

SERVICE = "notifications"


@dataclass(frozen=True)
class AssembledWorker:
    """The worker, and what its process runs."""

    worker: Worker
    asker: Asker
    loops: dict[str, Loop]
    readiness: Readiness


def build_web(settings: Settings, clock: Clock) -> connexion.FlaskApp:
    """The API."""
    bind(TABLES, settings)
    return build_web_app(
        service=SERVICE,
        contract=settings.contracts_dir.resolve() / "notifications.yaml",
        settings=settings,
        keys=KeyRing(NotificationsKey),
        parts=Api(clock, _retention(settings)),
        readiness={"tables": lambda: ask(SubscriptionRow)},
    )


def build_marketplace(settings: Settings) -> Marketplace:
    """AWS Marketplace, where it lives: not in the Region of our tables."""
    region = home_region(settings.aws_region)
    return Marketplace(
        client(settings, "marketplace-entitlement", region=region),
        client(settings, "marketplace-agreement", region=region),
    )


def build_worker(settings: Settings, clock: Clock, sqs: Any, marketplace: Marketplace) -> AssembledWorker:
    """The worker.

    Args:
        settings: names, limits and where the catalogue lies.
        clock: the time that rules go by.
        sqs: a boto3 `sqs` client.
        marketplace: who is asked what no news says.

    Raises:
        SystemExit: the catalogue cannot be read; the text says what to mend.
    """
    try:
        catalogue = read_catalogue(settings.products_file)
    except ValueError as error:
        raise SystemExit(f"Cannot start. {error}") from error
    store = Store(bind(TABLES, settings), settings.signal_queue_names, _retention(settings))
    schedule = Schedule(
        catalogue.sells_entitlements,
        settings.describe_agreements,
        timedelta(seconds=settings.entitlements_every_seconds),
    )
    worker = Worker(store, catalogue, schedule, clock, timedelta(seconds=settings.sweep_seconds))
    asker = Asker(store, marketplace, schedule, clock)
    inbox = Queue(sqs, settings.notifications_queue)

    @cache
    def queue_by_name(name: str) -> Queue:
        return Queue(sqs, name)

    readiness: Readiness = {"tables": lambda: ask(InboxRow), "queue": inbox.ask, "clock": clock.now}

    def take_news(stop: Event) -> None:
        # Not while a part is away: an outage would use up the receipts of good news, and SQS would bury it.
        consume(inbox, worker.handle, stop, ready=lambda: [ask_part() for ask_part in readiness.values()])

    loops: dict[str, Loop] = {f"news-{number}": take_news for number in range(1, settings.worker_threads + 1)}
    loops["relay"] = lambda stop: relay(SignalOutbox, queue_by_name, stop)
    # Each second of ours, because a simulated clock may have moved on by an hour since.
    loops["sweep"] = every(1.0, worker.sweep_when_due)
    # A thread of its own: while AWS is slow to answer, news is still applied.
    loops["questions"] = every(2.0, asker.ask_what_is_due)
    return AssembledWorker(worker, asker, loops, readiness)


def create_local(settings: Settings, sqs: Any | None = None) -> None:
    """Tables and queues on a local engine. A queue that only hears our signals belongs to who reads it."""
    bind(TABLES, settings)
    create_tables(TABLES)
    create_queue_with_dlq(sqs or client(settings, "sqs"), settings.notifications_queue)


def key_ring(settings: Settings) -> KeyRing:
    """The API keys of this service."""
    bind([NotificationsKey], settings)
    return KeyRing(NotificationsKey)


def _retention(settings: Settings) -> timedelta:
    return timedelta(days=settings.inbox_retention_days)
