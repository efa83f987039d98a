"""What the next metering cycle would do, and why it would not do the rest: by its own rules, on paper."""

from dataclasses import dataclass
from datetime import datetime

from chassis.clock import Clock
from metering.catalogue import Catalogue
from metering.choosing import choose
from metering.corrections import CORRECTED
from metering.holders import CustomersUsage, customers_usage
from metering.ledger import LedgerRow
from metering.paper import PaperLedger, PaperRecords
from metering.planner import Planner
from metering.planning import Limits, is_before_activation, why_held, why_it_waits
from metering.records import MeteringRecord
from metering.tables.ledger_store import LedgerStore
from metering.tables.published import Published
from metering.tables.record_store import RecordStore


class _Silence:
    """Nothing is written, so nothing is said."""

    def info(self, *_: object, **__: object) -> None: ...

    def warning(self, *_: object, **__: object) -> None: ...


@dataclass(frozen=True)
class Fate:
    """What becomes of so much of a row's usage, and why.

    Attributes:
        becomes: `moved`, `corrected`, `included`, `written_off`, `held` or `waits`.
        reason: of what is moved, the subscription; otherwise a name.
    """

    row: LedgerRow
    quantity: int
    becomes: str
    reason: str


@dataclass(frozen=True)
class Foresight:
    """Attributes:
    frozen: the records that would be frozen and sent.
    due: those that are frozen already, and not answered for.
    rest: everything else that is unbilled.
    """

    as_of: datetime
    frozen: list[MeteringRecord]
    due: list[MeteringRecord]
    rest: list[Fate]


class DryRun:
    """Plans on paper.

    Args:
        ledger, records: the books; they are only read.
        published: the subscriptions and customers.
        catalogue: our products.
        limits: as the metering cycle plans with.
        clock: the one clock.
    """

    def __init__(
        self,
        ledger: LedgerStore,
        records: RecordStore,
        published: Published,
        catalogue: Catalogue,
        limits: Limits,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._records = records
        self._published = published
        self._catalogue = catalogue
        self._limits = limits
        self._clock = clock

    def look(self, subscription_id: str | None = None) -> Foresight:
        """What would be done now, from what the last fold found.

        Args:
            subscription_id: of this one only; usage that names a customer counts once it is moved.
        """
        now = self._clock.now()
        ledger = PaperLedger(self._ledger)
        records = PaperRecords(self._records, ledger)
        planner = Planner(
            ledger,
            records,
            self._published,
            self._catalogue,
            self._limits,
            say=_Silence(),
            show_left=lambda _: None,
        )
        failures = planner.plan(now, subscription_id=subscription_id)
        if failures:
            raise failures[0]
        due = self._records.due()
        left = ledger.left()
        return Foresight(
            now,
            records.frozen,
            [one for one in due if subscription_id in (None, one.subscription_id)],
            [
                *_decided(ledger),
                *(self._left(row, now) for row in left if subscription_id in (None, row.holder)),
            ],
        )

    def _left(self, row: LedgerRow, now: datetime) -> Fate:
        usage = customers_usage(row.holder)
        if usage:
            return Fate(row, row.unbilled, "held", self._why_nobodys(row, usage))
        subscription = self._published.subscription(row.holder)
        product = self._catalogue.product(subscription.product_code) if subscription else None
        reason = why_held(subscription, product, row.dimension)
        if subscription and not reason and is_before_activation(row, subscription):
            reason = "before_activation"
        if reason or subscription is None:
            return Fate(row, row.unbilled, "held", reason or "subscription_unknown")
        return Fate(row, row.unbilled, "waits", why_it_waits(row, subscription, now, self._limits))

    def _why_nobodys(self, row: LedgerRow, usage: CustomersUsage) -> str:
        customer = self._published.customer(usage.customer_id)
        subscriptions = self._published.subscriptions(customer.subscription_ids) if customer else []
        chosen = choose(row.hour, customer, subscriptions, self._catalogue.product(usage.product_code))
        return chosen.held_because or "just_decided"


def _decided(ledger: PaperLedger) -> list[Fate]:
    return [
        *(Fate(row, row.unbilled, "moved", to) for row, to in ledger.moves),
        *(Fate(one.usage, one.quantity, "corrected", CORRECTED) for one in ledger.nettings),
        *(Fate(one.row, one.quantity, "included", "entitlement") for one in ledger.coverings),
        *(Fate(row, row.unbilled, "written_off", reason) for row, reason in ledger.write_offs),
    ]
