"""Answers the question where every accepted unit of a subscription, or of a customer, is now."""

from collections import defaultdict
from collections.abc import Callable

from chassis.clock import Clock
from metering.balance import Balance, balance
from metering.catalogue import Catalogue
from metering.choosing import choose
from metering.holders import CustomersUsage, customers_usage
from metering.ledger import LedgerRow
from metering.planning import Limits, plan
from metering.records import MeteringRecord
from metering.tables.ledger_store import LedgerStore
from metering.tables.published import Published
from metering.tables.record_store import RecordStore

Held = list[tuple[LedgerRow, str]]
Rows = dict[str, list[LedgerRow]]
Records = dict[str, list[MeteringRecord]]


class Statements:
    """Strikes balances from the books as they are now.

    Args:
        ledger, records: the books.
        published: the subscriptions and customers.
        catalogue: our products.
        clock: the one clock.
        limits: as the metering cycle plans with, so that what it holds is held here by the same rule.
    """

    def __init__(
        self,
        ledger: LedgerStore,
        records: RecordStore,
        published: Published,
        catalogue: Catalogue,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._ledger = ledger
        self._records = records
        self._published = published
        self._catalogue = catalogue
        self._clock = clock
        self._limits = limits

    def balances(self, holder: str, dimension: str | None = None) -> dict[str, Balance]:
        """The balance of each dimension with usage.

        Records are read before the ledger: one frozen in between shows as an allocation without a record for
        a moment, so a dimension that does not balance is read once more.
        """
        struck = self._strike(holder, dimension)
        if any(not one.balanced for one in struck.values()):
            struck = self._strike(holder, dimension)
        return struck

    def held(self, holder: str, dimension: str | None = None) -> Held:
        """What is held of a holder's usage that is in no record, each row with the reason."""
        rows, records = self._read(holder, dimension)
        held = self._held_of(holder)
        return [one for name in rows for one in held(rows[name], records[name])]

    def _strike(self, holder: str, dimension: str | None) -> dict[str, Balance]:
        rows, records = self._read(holder, dimension)
        held = self._held_of(holder)
        return {name: balance(rows[name], records[name], held(rows[name], records[name])) for name in rows}

    def _read(self, holder: str, dimension: str | None) -> tuple[Rows, Records]:
        """Its books, by dimension."""
        records: Records = defaultdict(list)
        rows: Rows = defaultdict(list)
        for record in self._records.records(holder, dimension):
            records[record.dimension].append(record)
        for row in self._ledger.rows(holder, dimension):
            rows[row.dimension].append(row)
        return rows, records

    def _held_of(self, holder: str) -> Callable[[list[LedgerRow], list[MeteringRecord]], Held]:
        usage = customers_usage(holder)
        return self._held_of_customer(usage) if usage else self._held_of_subscription(holder)

    def _held_of_subscription(self, holder: str) -> Callable[[list[LedgerRow], list[MeteringRecord]], Held]:
        subscription = self._published.subscription(holder)
        product = self._catalogue.product(subscription.product_code) if subscription else None
        now = self._clock.now()

        def held(rows: list[LedgerRow], records: list[MeteringRecord]) -> Held:
            taken = {record.hour for record in records}
            return plan(rows, taken, subscription, product, now, self._limits).held

        return held

    def _held_of_customer(
        self, usage: CustomersUsage
    ) -> Callable[[list[LedgerRow], list[MeteringRecord]], Held]:
        customer = self._published.customer(usage.customer_id)
        subscriptions = self._published.subscriptions(customer.subscription_ids) if customer else []
        product = self._catalogue.product(usage.product_code)

        def held(rows: list[LedgerRow], _: list[MeteringRecord]) -> Held:
            found = ((row, choose(row.hour, customer, subscriptions, product)) for row in rows)
            return [
                (row, chosen.held_because)
                for row, chosen in found
                if row.unbilled > 0 and chosen.held_because
            ]

        return held
