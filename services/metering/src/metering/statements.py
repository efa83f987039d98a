"""Answers the question where every accepted unit of a subscription is now."""

from collections import defaultdict

from chassis.clock import Clock
from metering.balance import Balance, balance
from metering.books import Books
from metering.catalogue import Catalogue
from metering.ledger import LedgerRow
from metering.planning import Limits, plan
from metering.records import MeteringRecord


class Statements:
    """Strikes balances from the books as they are now.

    Args:
        books: ledger and metering records.
        catalogue: our products.
        clock: the one clock.
        limits: as the metering cycle plans with, so that what it holds is held here by the same rule.
    """

    def __init__(self, books: Books, catalogue: Catalogue, clock: Clock, limits: Limits) -> None:
        self._books = books
        self._catalogue = catalogue
        self._clock = clock
        self._limits = limits

    def balances(self, subscription_id: str, dimension: str | None = None) -> dict[str, Balance]:
        """The balance of each dimension with usage.

        Records are read before the ledger: one frozen in between shows as an allocation without a record for
        a moment, so a dimension that does not balance is read once more.
        """
        struck = self._strike(subscription_id, dimension)
        if any(not one.balanced for one in struck.values()):
            struck = self._strike(subscription_id, dimension)
        return struck

    def _strike(self, subscription_id: str, dimension: str | None) -> dict[str, Balance]:
        records: dict[str, list[MeteringRecord]] = defaultdict(list)
        rows: dict[str, list[LedgerRow]] = defaultdict(list)
        for record in self._books.records(subscription_id, dimension):
            records[record.dimension].append(record)
        for row in self._books.ledger(subscription_id, dimension):
            rows[row.dimension].append(row)
        subscription = self._books.subscription(subscription_id)
        product = self._catalogue.product(subscription.product_code) if subscription else None
        now = self._clock.now()

        def held(name: str) -> list[tuple[LedgerRow, str]]:
            taken = {record.hour for record in records[name]}
            return plan(rows[name], taken, subscription, product, now, self._limits).held

        return {name: balance(rows[name], records[name], held(name)) for name in rows}
