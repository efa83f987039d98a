"""Plugs metering together. The only file that reads settings; tests call `build_*` with other arguments."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import connexion

from chassis import aws
from chassis.assumed_role import marketplace_client
from chassis.auth import KeyRing
from chassis.checks import clock_check, queue_checks, table_checks
from chassis.clock import Clock, clock_for
from chassis.contract import load_contract, named_schema
from chassis.dead_letters import dead_letters_loop
from chassis.doctor import Check
from chassis.queues import Queue, create_queue_with_dlq
from chassis.quick_calls import QuickCalls, quick_calls
from chassis.readiness import Readiness
from chassis.tables import LEAST_POOL, ask, bind, create_tables
from chassis.web import build_web_app
from chassis.worker import run_worker
from metering import tables
from metering.auditor import Auditor, audit_loop
from metering.catalogue import Catalogue, read_catalogue
from metering.cycle import MeteringCycle
from metering.dry_run import DryRun
from metering.each import Stop, never
from metering.endpoint_desk import EndpointDesk
from metering.endpoint_tracker import EndpointTracker
from metering.folder import Folder
from metering.group_commit import GroupCommit
from metering.held_usage import HeldUsage
from metering.intake import Intake
from metering.log_writer import LogWriter
from metering.marketplace import Marketplace
from metering.pace import SharedPace
from metering.planner import Planner
from metering.quick_writes import QuickWrites
from metering.reconciler import Reconciler
from metering.record_desk import RecordDesk
from metering.run_now import RequestedRuns
from metering.sender import Sender
from metering.settings import Settings
from metering.statements import Statements
from metering.tables.call_rate import take as take_a_call
from metering.tables.decision_store import DecisionStore
from metering.tables.endpoint_store import EndpointStore
from metering.tables.health_store import HealthStore
from metering.tables.ledger_store import LedgerStore
from metering.tables.models import LedgerRowModel, MeteringKey, SegmentRow, SubscriptionRow
from metering.tables.published import Published
from metering.tables.reconciliation_store import ReconciliationStore
from metering.tables.record_store import RecordStore
from metering.tables.run_store import RunStore
from metering.usage_log import UsageLog
from metering.usage_queue import usage_loop
from metering.worker import fold_loop, loops


@dataclass(frozen=True)
class Metering:
    """What the HTTP door reaches."""

    intake: Intake
    statements: Statements
    ledger: LedgerStore
    published: Published
    record_desk: RecordDesk
    dry_run: DryRun
    runs: RunStore
    health: HealthStore
    held_usage: HeldUsage
    decisions: DecisionStore
    reconciler: Reconciler
    endpoint_desk: EndpointDesk
    clock: Clock


@dataclass(frozen=True)
class Books:
    """The tables, but for the usage log."""

    ledger: LedgerStore
    records: RecordStore
    decisions: DecisionStore
    endpoints: EndpointStore
    published: Published


def build_books(settings: Settings, quick: QuickCalls | None = None) -> Books:
    """Bind the tables and open the books; with `quick`, all their calls are tried by it first."""
    connection = bind([*tables.OWN, *tables.READ], settings, quick)
    return Books(
        LedgerStore(connection),
        RecordStore(connection),
        DecisionStore(connection),
        EndpointStore(connection),
        Published(),
    )


def build_usage_log(settings: Settings, clock: Clock) -> UsageLog:
    return UsageLog(aws.client(settings, "dynamodb"), clock, settings.age_limits)


def build_log_writers(settings: Settings, clock: Clock, count: int) -> list[LogWriter]:
    """Each may have one write under way."""
    quick = quick_calls(settings, connections=count)
    # A quick try is one of the attempts.
    client = aws.client(settings, "dynamodb", attempts=settings.aws_attempts - 1 if quick else None)
    dynamodb = QuickWrites(quick, client) if quick else client
    return [LogWriter(dynamodb, clock, settings.log_shards) for _ in range(count)]


def build_intake(settings: Settings, clock: Clock, published: Published, catalogue: Catalogue) -> Intake:
    document = load_contract(contract_file(settings))
    writers = build_log_writers(settings, clock, settings.log_writers)
    return Intake(
        {name: named_schema(document, name) for name in ("UsageEvent", "UsageCloudEvent")},
        writers[0].append,
        GroupCommit(
            [writer.append for writer in writers],
            settings.commit_linger_ms / 1000,
            settings.commit_most_waiting_events,
        ),
        published,
        catalogue,
        settings.age_limits,
        clock,
    )


def contract_file(settings: Settings) -> Path:
    return settings.contracts_dir / "metering.yaml"


def build_web(settings: Settings, clock: Clock | None = None) -> connexion.FlaskApp:
    """The web application."""
    clock = clock or clock_for(settings)
    books = build_books(settings, quick_calls(settings))
    catalogue = read_catalogue(settings.products_file)
    intake = build_intake(settings, clock, books.published, catalogue)
    statements = Statements(books.ledger, books.records, books.published, catalogue, clock, settings.limits)
    dry_run = DryRun(books.ledger, books.records, books.published, catalogue, settings.limits, clock)
    record_desk = RecordDesk(books.records, build_usage_log(settings, clock))
    reconciler = Reconciler(
        books.records,
        books.published,
        record_desk,
        ReconciliationStore(),
        clock,
        settings.marketplace_region,
        settings.limits.window,
    )
    return build_web_app(
        service="metering",
        contract=contract_file(settings),
        settings=settings,
        keys=KeyRing(MeteringKey),
        parts=Metering(
            intake,
            statements,
            books.ledger,
            books.published,
            record_desk,
            dry_run,
            RunStore(),
            HealthStore(clock),
            HeldUsage(books.ledger, statements, books.decisions, books.published, clock),
            books.decisions,
            reconciler,
            EndpointDesk(books.endpoints, books.published, catalogue, clock),
            clock,
        ),
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
        client = marketplace_client(
            settings, "meteringmarketplace", region=settings.marketplace_region, attempts=1
        )
    books = build_books(settings, _quick(settings))
    planner = Planner(
        books.ledger,
        books.records,
        books.published,
        read_catalogue(settings.products_file),
        settings.limits,
    )
    sender = Sender(
        books.records,
        books.published,
        Marketplace(client),
        clock,
        settings.limits,
        SharedPace(
            partial(take_a_call, settings.marketplace_region, settings.aws_calls_per_second),
            settings.aws_calls_per_second,
        ),
        settings.sender_threads,
    )
    usage_log = build_usage_log(settings, clock)
    folder = Folder(usage_log, books.ledger, settings.fold_most_events)
    [log_writer] = build_log_writers(settings, clock, 1)
    tracker = EndpointTracker(books.endpoints, books.published, log_writer.append)
    return MeteringCycle(tracker, usage_log, folder, planner, sender, clock, HealthStore(clock).note_steps)


def build_auditor(settings: Settings, clock: Clock) -> Auditor:
    books = build_books(settings, _quick(settings))
    usage_log = build_usage_log(settings, clock)
    return Auditor(usage_log, books.ledger, books.records, clock, HealthStore(clock).note_audit)


def work(settings: Settings) -> None:
    """Run the worker until it is told to stop."""
    clock = clock_for(settings)
    cycle = build_cycle(settings, clock)
    requested = RequestedRuns(RunStore(), cycle, clock)
    sqs = aws.client(settings, "sqs")
    signals = Queue(sqs, settings.metering_signals_queue)
    usage_events = Queue(sqs, settings.usage_events_queue)
    intake = build_intake(settings, clock, Published(), read_catalogue(settings.products_file))
    run_worker(
        "metering-worker",
        settings,
        loops(cycle, requested, signals, settings.cycle_seconds)
        | fold_loop(cycle, settings.fold_seconds)
        | usage_loop(intake, usage_events)
        | dead_letters_loop([signals, usage_events])
        | audit_loop(build_auditor(settings, clock), clock, timedelta(minutes=settings.audit_every_minutes)),
        _readiness(clock) | {"signals queue": signals.ask, "usage events queue": usage_events.ask},
    )


def submit(settings: Settings, stop: Stop = never) -> list[str]:
    """Run one metering cycle, and what a person asked for: for cron, or as an AWS Lambda function.

    Args:
        settings: the settings.
        stop: see there.

    Returns:
        sentences on what is left to the next cycle; empty where all went well.

    Raises:
        ExceptionGroup: the failures, after everything was tried.
    """
    clock = clock_for(settings)
    cycle = build_cycle(settings, clock)
    RequestedRuns(RunStore(), cycle, clock).take_all(stop)
    return cycle.run(stop)


def checks(settings: Settings) -> list[Check]:
    """What `doctor` looks at."""
    models = [*tables.OWN, *tables.READ]
    bind(models, settings)
    catalogue = read_catalogue(settings.products_file)
    marketplace = Marketplace(
        marketplace_client(settings, "meteringmarketplace", region=settings.marketplace_region, attempts=1)
    )
    return [
        clock_check(settings, models[0]),
        Check("catalogue", lambda: f"{len(catalogue.products)} products"),
        *table_checks(models, settings),
        *queue_checks(settings, read=[settings.metering_signals_queue, settings.usage_events_queue]),
        marketplace.check(),
    ]


def key_ring(settings: Settings) -> KeyRing:
    bind([MeteringKey], settings)
    return KeyRing(MeteringKey)


def create_local(settings: Settings) -> None:
    """Create metering's tables and queues on a local engine."""
    build_books(settings)
    create_tables(tables.OWN)
    sqs = aws.client(settings, "sqs")
    for name in (settings.metering_signals_queue, settings.usage_events_queue):
        create_queue_with_dlq(sqs, name)


def _quick(settings: Settings) -> QuickCalls | None:
    """For the worker, whose many small writes would wait for botocore's client."""
    return quick_calls(settings, connections=LEAST_POOL)


def _readiness(clock: Clock) -> Readiness:
    return {
        "usage log": lambda: ask(SegmentRow),
        "ledger": lambda: ask(LedgerRowModel),
        "subscriptions": lambda: ask(SubscriptionRow),
        "clock": clock.now,
    }
