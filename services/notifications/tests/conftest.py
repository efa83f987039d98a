"""The service assembled against a real local engine, with a clock that stands still."""

import json
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import boto3
import pytest
import samples
from played_aws import PlayedAws
from played_sns import PlayedSns

from chassis.clock import FrozenClock
from chassis.queues import Message, Queue, create_queue_with_dlq, handle_batch
from chassis.tables import create_tables
from notifications.app import build_web, build_worker, create_local, key_ring
from notifications.history import Happening
from notifications.marketplace import Marketplace
from notifications.queues import SignalQueue
from notifications.settings import Settings
from notifications.subject_log import LogEntry, history_of
from notifications.tables.customers import READ
from notifications.tables.log_rows import log_entry
from notifications.tables.models import TABLES, InboxRow, LogRow, NotificationsKey, SubscriptionRow
from notifications.tables.reconciliation_store import ReconciliationStore
from notifications.tables.rows import published
from notifications.tables.telling_store import TellingStore
from notifications.tables.webhook_store import WebhookStore
from notifications.worker.applying import Worker
from notifications.worker.asking import Asker
from notifications.worker.reconciling import Reconciler
from notifications.worker.telling import Teller
from notifications.worker.webhooks import FanOut

pytest_plugins = ["chassis.testing"]

REPOSITORY = Path(__file__).resolve().parents[3]
NEWS_QUEUE, SIGNALS, OTHER_SIGNALS = "test-notifications", "test-signals", "test-other-signals"


class World:
    """The service and what surrounds it. Assembled once for all tests, since botocore's clients take long to
    make; each test begins with empty tables and queues."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = FrozenClock(samples.T0)
        self.sqs = boto3.client("sqs", region_name="us-east-1")
        create_local(settings, self.sqs)
        self.make_queues()
        self.aws = PlayedAws()
        self.sns = PlayedSns()
        self.marketplace = Marketplace(self.aws, self.aws)
        self.assembled = build_worker(settings, self.clock, self.sqs, self.marketplace)
        create_tables(READ)  # registration's
        self.worker = self.assembled.worker
        self.queue = Queue(self.sqs, NEWS_QUEUE)

    def begin(self) -> None:
        for model in (*TABLES, *READ):
            if model is NotificationsKey:
                continue
            with model.batch_write() as batch:
                for row in model.scan(consistent_read=True):
                    batch.delete(row)
        there = self.sqs.list_queues()["QueueUrls"]
        if len(there) < len(self.queues):
            self.make_queues()  # a test has deleted one
        for url in self.queues:
            self.sqs.purge_queue(QueueUrl=url)
        self.clock.advance(seconds=(samples.T0 - self.clock.now()).total_seconds())
        self.worker = self.another_worker()
        self.aws.begin()
        self.sns.begin()
        self.asker = self.another_asker()

    def make_queues(self) -> None:
        """Those that are there already stay as they are."""
        names = (NEWS_QUEUE, *self.settings.signal_queue_names)
        for name in names:
            create_queue_with_dlq(self.sqs, name)
        self.queues = [Queue(self.sqs, queue).url for name in names for queue in (name, f"{name}-dlq")]

    def another_worker(self) -> Worker:
        old = self.assembled.worker
        sweep_every = timedelta(seconds=self.settings.sweep_seconds)
        return Worker(old.store, old.catalogue, old.schedule, self.clock, sweep_every)

    def another_reconciler(self) -> Reconciler:
        old, worker = self.assembled.worker, self.worker
        store = ReconciliationStore(timedelta(days=800))
        return Reconciler(store, worker, self.marketplace, old.schedule, self.clock)

    @classmethod
    def history(cls, subscription_id: str = samples.CONCURRENT_ID) -> list[Happening]:
        """The oldest first."""
        log = cls.log(published(cls.row(subscription_id)).subscription.subject)
        return history_of(log, subscription_id)[::-1]

    @staticmethod
    def log(subject: str = "agmt-EXAMPLE") -> list[LogEntry]:
        return [log_entry(row) for row in LogRow.query(subject, consistent_read=True)]

    def another_fan_out(self) -> FanOut:
        return FanOut(WebhookStore(timedelta(days=30)), self.clock, TellingStore())

    def another_teller(self, **changes: Any) -> Teller:
        queues = [SignalQueue(self.sqs, name) for name in self.settings.signal_queue_names]
        values: dict[str, Any] = {"store": TellingStore(), "queues": queues} | changes
        return Teller(**{"fan_out": self.assembled.fan_out, "clock": self.clock} | values)

    def another_asker(self, marketplace: Marketplace | None = None) -> Asker:
        old = self.assembled.worker
        return Asker(old.store, marketplace or self.marketplace, old.schedule, self.clock)

    def send(self, *bodies: str) -> None:
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.queue.url, MessageBody=body)

    def work_off(self) -> None:
        """Receive and handle until the queue shows no more messages."""
        while messages := self.queue.receive(wait_seconds=0):
            handle_batch(self.queue, messages, self.worker.handle, self.worker.handle_together)

    def apply(self, *bodies: str, worker: Worker | None = None) -> None:
        """Hand messages to the worker, as the queue loop would."""
        for number, body in enumerate(bodies):
            message = Message(id=f"sqs-{number}", body=body, receipt="r", sent_at=samples.T0)
            (worker or self.worker).handle(message)

    def tell(self) -> int:
        """One round of a teller that has just begun. Returns how many entries it told everybody of."""
        return self.another_teller().tell()

    def signals(self, queue: str = SIGNALS) -> list[dict[str, Any]]:
        """What lies on a signal queue; it is gone after."""
        found = []
        reader = Queue(self.sqs, queue)
        while messages := reader.receive(wait_seconds=0):
            found += [json.loads(message.body) for message in messages]
            reader.delete(messages)
        return sorted(found, key=lambda signal: signal["version"])

    def dead_letters(self) -> list[Message]:
        return self.queue.dead_letters().receive(wait_seconds=0)

    @staticmethod
    def row(subscription_id: str = samples.CONCURRENT_ID) -> SubscriptionRow:
        return SubscriptionRow.get(subscription_id, consistent_read=True)

    @classmethod
    def rows_of(cls, agreement_id: str) -> list[SubscriptionRow]:
        return [cls.row(row.subscription_id) for row in SubscriptionRow.of_agreement.query(agreement_id)]

    @staticmethod
    def inbox(notification_id: str) -> InboxRow:
        return InboxRow.get(notification_id, consistent_read=True)

    @staticmethod
    def counts() -> dict[str, int]:
        """How many rows there are, and how many entries bear a mark."""
        rows = {
            model.__name__: len(list(model.scan(consistent_read=True)))
            for model in (InboxRow, LogRow, SubscriptionRow)
        }
        return rows | {"untold": len(TellingStore().marks())}

    @cached_property
    def client(self) -> Any:
        return build_web(self.settings, self.clock, self.sqs, self.sns.sns).test_client()

    @cache  # noqa: B019 - there is one world
    def key(self, *scopes: str) -> dict[str, str]:
        return {"X-API-Key": key_ring(self.settings).add("test", set(scopes))}


@pytest.fixture(scope="session")
def whole_world(engine_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    products = tmp_path_factory.mktemp("catalogue") / "products.yaml"
    products.write_text(
        json.dumps(
            {
                "products": [
                    {
                        "product_code": code,
                        "product_id": f"prod-{code}",
                        "generation": generation,
                        "pricing_model": pricing_model,
                    }
                    for code, generation, pricing_model in samples.PRODUCTS
                ]
            }
        )
    )
    with pytest.MonkeyPatch.context() as environment:
        # An account that no other run has: the engine keeps each account's tables apart.
        environment.setenv("AWS_ACCESS_KEY_ID", str(200_000_000_000 + os.getpid()))
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        for service in ("DYNAMODB", "SQS"):
            environment.setenv(f"AWS_ENDPOINT_URL_{service}", engine_url)
        yield World(
            Settings(
                environment="test",
                table_prefix="test-",
                notifications_queue=NEWS_QUEUE,
                signal_queues=f"{SIGNALS},{OTHER_SIGNALS}",
                eventbridge_secrets=",".join(samples.EVENTBRIDGE_SECRETS),
                products_file=products,
                contracts_dir=REPOSITORY / "openapi",
                aws_attempts=2,  # the tables': one quickly, one by the client
                webhooks_allow_inside=True,
            )
        )


@pytest.fixture
def world(whole_world: World) -> World:
    whole_world.begin()
    return whole_world


@pytest.fixture
def crash() -> Callable[..., Any]:
    """A call that ends as a killed process would: nothing after it happens."""

    def killed(*_args: Any, **_kwargs: Any) -> None:
        raise KeyboardInterrupt

    return killed
