"""What metering asks of products and agreements, remembered until one of them may have changed."""

from __future__ import annotations

from collections.abc import Sequence

from marketplace_simulator.agreements import Agreement
from marketplace_simulator.metering import BilledRecord
from marketplace_simulator.products import Product
from marketplace_simulator.store import Store

# A batch of 25 licences read anew with each call cost three times the rest of the call.
_MOST_REMEMBERED = 10_000


class MemoryLedger:
    """The store as BatchMeterUsage needs it; one for the life of the process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._market = store.market_version
        self._products: dict[str, Product | None] = {}
        self._licenses: dict[str, Agreement | None] = {}
        self._customers: dict[tuple[str, str | None, str | None], Sequence[Agreement]] = {}

    def fresh(self) -> MemoryLedger:
        """Itself, with nothing remembered that may have changed since."""
        if self._market != self._store.market_version or len(self._licenses) > _MOST_REMEMBERED:
            self._market = self._store.market_version
            self._products.clear()
            self._licenses.clear()
            self._customers.clear()
        return self

    def product(self, product_code: str) -> Product | None:
        if product_code not in self._products:
            self._products[product_code] = self._store.product(product_code)
        return self._products[product_code]

    def agreement_by_license(self, license_arn: str) -> Agreement | None:
        if license_arn not in self._licenses:
            self._licenses[license_arn] = self._store.agreement_by_license(license_arn)
        return self._licenses[license_arn]

    def agreements_of_customer(
        self, product_code: str, customer_identifier: str | None, customer_aws_account_id: str | None
    ) -> Sequence[Agreement]:
        key = (product_code, customer_identifier, customer_aws_account_id)
        if key not in self._customers:
            self._customers[key] = self._store.agreements_of_customer(*key)
        return self._customers[key]

    def fill(self, records: Sequence[BilledRecord]) -> Sequence[BilledRecord]:
        return self._store.bill.fill(records)
