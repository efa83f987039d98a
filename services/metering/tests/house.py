"""Metering put together for a test: real rules, real tables, AWS Marketplace on a shelf."""

import itertools
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from pynamodb.connection import Connection
from shelf_marketplace import Buyer, ShelfMarketplace

from chassis.clock import FrozenClock
from chassis.contract import load_contract, named_schema
from metering import tables
from metering.auditor import Auditor
from metering.balance import Balance
from metering.catalogue import read_catalogue
from metering.cycle import MeteringCycle
from metering.endpoint_desk import EndpointDesk
from metering.endpoint_tracker import EndpointTracker
from metering.folder import Folder
from metering.group_commit import GroupCommit
from metering.hours import hour_of
from metering.intake import Intake
from metering.log_writer import LogWriter
from metering.marketplace import Marketplace
from metering.planner import Planner
from metering.quantities import to_micro, to_text
from metering.records import MeteringRecord, Outcome
from metering.sender import Sender
from metering.settings import Settings
from metering.statements import Statements
from metering.tables.endpoint_store import EndpointStore
from metering.tables.ledger_store import LedgerStore
from metering.tables.models import CustomerRow, SubscriptionRow
from metering.tables.published import Published
from metering.tables.record_store import RecordStore
from metering.usage_log import UsageLog

LEGACY, CONCURRENT, OTHER, CONTRACT = "5legacy", "74concurrent", "74other", "74contract"
OLDEST, CONSUMPTION, SWITCHED = "74oldest", "74consumption", "5switched"
ZEROS, ZEROS_CONTRACT = "74zeros", "74zeroscontract"
ENDPOINTS = "74endpoints"
DIMENSIONS = {"gpu_hours", "requests"}

PRODUCTS_YAML = f"""
products:
  - {{product_code: {LEGACY}, pricing_model: subscription, dimensions: [{{key: gpu_hours}}, {{key:
      requests}}]}}
  - {{product_code: {CONCURRENT}, pricing_model: subscription, dimensions: [{{key: gpu_hours}}, {{key:
      requests}}]}}
  - {{product_code: {OTHER}, pricing_model: subscription, dimensions: [{{key: gpu_hours}}],
      metering: {{usage_by_customer: named}}}}
  - {{product_code: {OLDEST}, pricing_model: subscription, dimensions: [{{key: gpu_hours}}],
      metering: {{usage_by_customer: oldest}}}}
  - {{product_code: {CONSUMPTION}, pricing_model: contract_with_consumption, dimensions: [{{key: gpu_hours,
  draws_on:
      plan}}, {{key: plan}}, {{key: requests}}]}}
  - {{product_code: {SWITCHED}, pricing_model: subscription, dimensions: [{{key: gpu_hours}}, {{key:
      requests}}], metering: {{cut_over: '2026-11-22T12:00:00Z'}}}}
  - {{product_code: {ZEROS}, pricing_model: subscription, dimensions: [{{key: gpu_hours}}],
      metering: {{zero_records: true}}}}
  - {{product_code: {ZEROS_CONTRACT}, pricing_model: contract_with_consumption, dimensions: [{{key: gpu_hours,
      draws_on: plan}}, {{key: plan}}], metering: {{zero_records: true}}}}
  - {{product_code: {ENDPOINTS}, pricing_model: subscription, dimensions: [{{key: cpu_hours}}, {{key:
      gpu_hours}}], endpoints: {{CPU: cpu_hours, GPU: gpu_hours}}}}
  - {{product_code: {CONTRACT}, pricing_model: contract, dimensions: [{{key: seats}}, {{key: gpu_hours}}]}}
"""

OPENAPI = Path(__file__).parents[3] / "openapi"
_CONTRACT = load_contract(OPENAPI / "metering.yaml")
EVENT_SCHEMAS = {name: named_schema(_CONTRACT, name) for name in ("UsageEvent", "UsageCloudEvent")}

LONG_AGO = datetime(2026, 11, 1, 12, tzinfo=UTC)


def at(text: str) -> datetime:
    """`22T10:30` is a moment of November 2026."""
    return datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=UTC)


def subscription_id(number: int) -> str:
    """A well-formed subscription id."""
    digits = "abcdefghijklmnopqrstuvwxyz234567"
    return "sub_" + "".join(digits[number // 32**place % 32] for place in reversed(range(26)))


# Never the same buyer in two tests: a web process remembers whose product is whose.
_numbers = itertools.count(1)


class Clients(NamedTuple):
    """What is slow to make, and holds no state of metering's."""

    connection: Connection
    dynamodb: Any
    marketplace: Any


class House:
    """The running service as a test sees it.

    `restart` makes everything anew but the clients, as a new process would.
    """

    def __init__(self, settings: Settings, clock: FrozenClock, clients: Clients) -> None:
        self.settings, self.clock = settings, clock
        self.catalogue = read_catalogue(settings.products_file)
        self.aws = ShelfMarketplace(
            clock, {code: set(product.dimensions) for code, product in self.catalogue.products.items()}
        )
        self.aws.stand_behind(clients.marketplace)
        self.marketplace = Marketplace(clients.marketplace)
        self.connection, self.dynamodb = clients.connection, clients.dynamodb
        self.identities: dict[str, str] = {}
        self.truth: dict[tuple[str, str], dict[tuple[str, str], int]] = defaultdict(dict)
        self.restart()

    def restart(self) -> None:
        """A new process on the same tables: nothing is remembered but what they hold."""
        self.ledger, self.record_store = LedgerStore(self.connection), RecordStore(self.connection)
        self.endpoints = EndpointStore(self.connection)
        self.published = Published()
        self.endpoint_desk = EndpointDesk(self.endpoints, self.published, self.catalogue, self.clock)
        self.usage_log = UsageLog(self.dynamodb, self.clock, self.settings.age_limits)
        self.log_writer = LogWriter(self.dynamodb, self.clock, self.settings.log_shards)
        self.intake = Intake(
            EVENT_SCHEMAS,
            self.log_writer.append,
            GroupCommit([self.log_writer.append], 0, 10_000),
            self.published,
            self.catalogue,
            self.settings.age_limits,
            self.clock,
        )
        self.cycle = self.new_cycle()
        self.statements = Statements(
            self.ledger, self.record_store, self.published, self.catalogue, self.clock, self.settings.limits
        )

    def new_auditor(self) -> Auditor:
        return Auditor(self.usage_log, self.ledger, self.record_store, self.clock)

    def new_tracker(self) -> EndpointTracker:
        """Another worker's, which has parts of the log to itself."""
        writer = LogWriter(self.dynamodb, self.clock, self.settings.log_shards)
        return EndpointTracker(self.endpoints, self.published, writer.append)

    def new_cycle(self) -> MeteringCycle:
        """One more worker on the same data."""
        limits = self.settings.limits
        planner = Planner(self.ledger, self.record_store, self.published, self.catalogue, limits)
        sender = Sender(
            self.record_store, self.published, self.marketplace, self.clock, limits, pace=lambda: None
        )
        folder = Folder(self.usage_log, self.ledger, self.settings.fold_most_events)
        return MeteringCycle(self.new_tracker(), self.usage_log, folder, planner, sender, self.clock)

    # The world around --------------------------------------------------------------------------------------

    def buy(
        self,
        product_code: str = CONCURRENT,
        *,
        since: datetime = LONG_AGO,
        status: str = "active",
        known: bool = True,
        legacy: bool = False,
    ) -> str:
        """A buyer subscribes at AWS, and (unless not `known`) notifications publishes it. Answers its id.

        Args:
            legacy: under product code and customer identifier, as of the product LEGACY all are.
        """
        number = next(_numbers)
        sub = subscription_id(number)
        legacy = legacy or product_code == LEGACY
        identity = (
            f"X01BUYER{number}"
            if legacy
            else f"arn:aws:license-manager::294406891311:license:l-{number:032x}"
        )
        account = None if legacy else f"{111122220000 + number}"
        self.identities[sub] = identity
        self.aws.buyers[identity] = Buyer(product_code, since, account=account)
        if known:
            self.publish(sub, status=status)
        return sub

    def publish(self, sub: str, **changes: Any) -> None:
        """Notifications writes its row."""
        identity = self.identities[sub]
        buyer = self.aws.buyers[identity]
        legacy = buyer.account is None
        row: dict[str, Any] = {
            "product_code": buyer.product_code,
            "generation": "legacy" if legacy else "concurrent_agreements",
            "status": "active",
            "active_since": buyer.since,
            "customer_identifier": identity if legacy else None,
            "license_arn": None if legacy else identity,
            "customer_aws_account_id": buyer.account,
            "meter_until": buyer.until,
        }
        row |= changes
        row.setdefault("access", "granted" if row["status"] == "active" else "denied")
        SubscriptionRow(sub, **row).save()

    def register(self, *subs: str, customer_id: str = "") -> str:
        """A customer registers with these subscriptions; answers the customer's id."""
        customer_id = customer_id or "cus_" + subscription_id(next(_numbers))[4:]
        CustomerRow(customer_id, status="active", subscription_ids=list(subs)).save()
        return customer_id

    def end(self, sub: str, meter_until: datetime) -> None:
        """The buyer cancels: AWS takes usage until then, and notifications says so."""
        self.aws.buyers[self.identities[sub]].until = meter_until
        self.publish(sub, status="ending")

    # What the product reports ------------------------------------------------------------------------------

    def event(
        self, sub: str, quantity: str = "1", *, time: datetime | None = None, event_id: str = "", **more: Any
    ) -> dict[str, Any]:
        """A usage event as the product reports it; now, unless told otherwise."""
        return {
            "source": "test",
            "id": event_id or f"e{next(_numbers)}",
            "subscription_id": sub,
            "dimension": "gpu_hours",
            "quantity": quantity,
            "time": (time or self.clock.now()).isoformat(),
        } | more

    def cloud_event(self, event: dict[str, Any]) -> dict[str, Any]:
        """The same as CloudEvents have it."""
        of_every_event = {name: event[name] for name in ("source", "id", "time")}
        data = {name: value for name, value in event.items() if name not in of_every_event}
        return {"specversion": "1.0", "type": "marketplane.usage", **of_every_event, "data": data}

    def customers_event(
        self, customer_id: str, quantity: str = "1", product_code: str = CONCURRENT, **more: Any
    ) -> dict[str, Any]:
        """A usage event that names its customer only."""
        event = self.event("", quantity, **more)
        del event["subscription_id"]
        return event | {"customer_id": customer_id, "product_code": product_code}

    def report(self, *events: dict[str, Any]) -> None:
        """Report events, all of which must be taken. From then on they are the truth."""
        accepted, refused = self.intake.take(list(events), self.intake.plain)
        assert (accepted, refused) == (len(events), [])
        for event in events:
            hour = hour_of(datetime.fromisoformat(event["time"]))
            holder = event.get("subscription_id") or f"{event['customer_id']}/{event['product_code']}"
            self.truth[holder, event["dimension"]].setdefault(
                (event["id"], hour), to_micro(event["quantity"])
            )

    def use(self, sub: str, quantity: str = "1", **more: Any) -> dict[str, Any]:
        """Report one event, and answer it."""
        event = self.event(sub, quantity, **more)
        self.report(event)
        return event

    # What came of it ---------------------------------------------------------------------------------------

    def run(self, cycles: int = 1) -> None:
        for _ in range(cycles):
            self.cycle.run()

    def run_and_fail(self) -> ExceptionGroup[Exception]:
        """One cycle that must end with failures; answers them."""
        try:
            self.cycle.run()
        except ExceptionGroup as failures:
            return failures
        raise AssertionError("The cycle should have failed.")

    def records(self, sub: str, dimension: str = "gpu_hours") -> list[MeteringRecord]:
        return self.record_store.records(sub, dimension)

    def outcomes(self, sub: str) -> list[str]:
        return [record.outcome.value for record in self.records(sub)]

    def balance(self, sub: str, dimension: str = "gpu_hours") -> Balance:
        return self.statements.balances(sub)[dimension]

    def billed(self, sub: str, dimension: str = "gpu_hours") -> str:
        """What AWS will invoice."""
        return to_text(self.aws.bill().get((self.identities[sub], dimension), 0))

    def hours(self, sub: str, dimension: str = "gpu_hours") -> dict[str, str]:
        """What AWS has in each hour, by `22T10`."""
        return {
            hour[8:]: quantity for hour, quantity in self.aws.hours(self.identities[sub], dimension).items()
        }

    def must_be_exact(self) -> None:
        """The promise: AWS's bill is the truth less what the balance names, and every balance is balanced.

        An `unknown` record may have been counted: exactly so much may stand on both sides.
        """
        bill = self.aws.bill()
        assert {identity for identity, _ in bill} <= set(self.identities.values())
        holders = {holder for holder, _ in self.truth} | set(self.identities)
        found = {holder: self.statements.balances(holder) for holder in holders}
        for dimension in {dimension for _, dimension in self.truth}:
            truth = sum(
                max(quantity, 0)
                for (_, of), events in self.truth.items()
                for quantity in events.values()
                if of == dimension
            )
            struck = {
                holder: balances[dimension] for holder, balances in found.items() if dimension in balances
            }
            assert sum(balance.accepted for balance in struck.values()) == truth, (dimension, struck)
            for holder, balance in struck.items():
                assert balance.balanced, (holder, dimension, balance)
                named = balance.open + balance.planned + balance.included + balance.held
                named += balance.conflicting + balance.written_off
                billed = bill.get((self.identities.get(holder, ""), dimension), 0)
                in_doubt = self._perhaps_counted(holder, dimension)
                assert billed == balance.accepted - named + in_doubt, (holder, dimension, balance)

    def _perhaps_counted(self, holder: str, dimension: str) -> int:
        return sum(
            record.quantity
            for record in self.records(holder, dimension)
            if (record.outcome is Outcome.UNKNOWN or record.in_doubt or record.reason == "sent_before")
            and record.outcome is not Outcome.BILLED
            and (self.identities[holder], dimension, record.hour) in self.aws.slots
        )


class HousesClock:
    """The clock of whichever test is running: the application is made once, because that takes long."""

    house: House

    def now(self) -> datetime:
        return self.house.clock.now()


def empty_tables() -> None:
    """Delete every row; quicker than new tables."""
    for model in (*tables.OWN, *tables.READ):
        with model.batch_write() as batch:
            for row in model.scan():
                batch.delete(row)
