"""Plugs metering together. The only file that reads settings; tests call `build_*` with other arguments."""

from dataclasses import dataclass
from typing import Any

import connexion

from chassis import aws
from chassis.auth import KeyRing
from chassis.clock import Clock, clock_for
from chassis.contract import load_contract, named_schema
from chassis.queues import Queue, create_queue_with_dlq
from chassis.readiness import Readiness
from chassis.tables import ask, bind, create_tables
from chassis.web import build_web_app
from chassis.worker import run_worker
from metering import tables
from metering.books import Books
from metering.catalogue import read_catalogue
from metering.cycle import MeteringCycle, pace
from metering.intake import Intake
from metering.marketplace import Marketplace
from metering.settings import Settings
from metering.statements import Statements
from metering.usage_log import UsageLog
from metering.worker import loops


@dataclass(frozen=True)
class Metering:
    """What the HTTP door reaches."""

    intake: Intake
    statements: Statements
    books: Books


def build_books(settings: Settings) -> Books:
    """Bind the tables and open the books."""
    return Books(bind([*tables.OWN, *tables.READ], settings))


def build_usage_log(settings: Settings, clock: Clock) -> UsageLog:
    return UsageLog(aws.client(settings, "dynamodb"), clock, settings.log_shards, settings.age_limits)


def build_web(settings: Settings, clock: Clock | None = None) -> connexion.FlaskApp:
    """The web application."""
    clock = clock or clock_for(settings)
    books = build_books(settings)
    catalogue = read_catalogue(settings.products_file)
    contract = settings.contracts_dir / "metering.yaml"
    intake = Intake(
        named_schema(load_contract(contract), "UsageEvent"),
        build_usage_log(settings, clock),
        books,
        catalogue,
        settings.age_limits,
        clock,
    )
    return build_web_app(
        service="metering",
        contract=contract,
        settings=settings,
        keys=KeyRing(tables.MeteringKey),
        parts=Metering(intake, Statements(books, catalogue, clock, settings.limits), books),
        readiness=_readiness(clock),
    )


def build_cycle(settings: Settings, clock: Clock, client: Any | None = None) -> MeteringCycle:
    """The metering cycle.

    Args:
        settings: the settings.
        clock: the one clock.
        client: a boto3 `meteringmarketplace` client; one of the settings' Region when None.
    """
    if client is None:
        client = aws.client(settings, "meteringmarketplace", region=settings.marketplace_region, attempts=1)
    return MeteringCycle(
        build_usage_log(settings, clock),
        build_books(settings),
        Marketplace(client),
        read_catalogue(settings.products_file),
        clock,
        settings.limits,
        pace(settings.aws_calls_per_second),
    )


def work(settings: Settings) -> None:
    """Run the worker until it is told to stop."""
    clock = clock_for(settings)
    cycle = build_cycle(settings, clock)
    signals = Queue(aws.client(settings, "sqs"), settings.metering_signals_queue)
    run_worker(
        "metering-worker",
        settings,
        loops(cycle, signals, settings.cycle_seconds),
        _readiness(clock) | {"signals queue": signals.ask},
    )


def key_ring(settings: Settings) -> KeyRing:
    bind([tables.MeteringKey], settings)
    return KeyRing(tables.MeteringKey)


def create_local(settings: Settings) -> None:
    """Create metering's tables and queue on a local engine."""
    build_books(settings)
    create_tables(tables.OWN)
    create_queue_with_dlq(aws.client(settings, "sqs"), settings.metering_signals_queue)


def _readiness(clock: Clock) -> Readiness:
    return {
        "usage log": lambda: ask(tables.SegmentRow),
        "ledger": lambda: ask(tables.LedgerRowModel),
        "subscriptions": lambda: ask(tables.SubscriptionRow),
        "clock": clock.now,
    }
