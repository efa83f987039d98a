"""Plans what is unbilled: which subscription it is for, what a correction takes off it, what a contract has
paid for, and what goes into a metering record."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

import structlog

from metering import measures
from metering.catalogue import Catalogue, Product
from metering.choosing import choose
from metering.corrections import next_netting
from metering.cut_over import can_go_out, other_identity
from metering.each import Stop, never, try_each
from metering.entitlements import allowances, next_covering
from metering.holders import CustomersUsage, customers_usage
from metering.ledger import LedgerRow
from metering.paper import PaperLedger, PaperRecords
from metering.planning import (
    Limits,
    is_before_activation,
    is_sealed,
    plan,
    unsealed_hours,
    why_held,
)
from metering.roll import Roll
from metering.subscriptions import Subscription
from metering.tables.ledger_store import LedgerStore, Overtaken
from metering.tables.published import Published
from metering.tables.record_store import RecordStore
from metering.window_left import unplanned_seconds_left
from metering.zero_planner import ZeroPlanner

log = structlog.get_logger()


class Planner:
    """Takes usage from the ledger into metering records.

    Args:
        ledger: where it stands; or on paper.
        records: where it goes; or on paper.
        published: the subscriptions and customers.
        catalogue: our products.
        limits: when hours are sealed, and which ones AWS takes.
        say: the log of what is written.
        show_left: is told how many seconds AWS still takes the most urgent hour that is in no record.
    """

    def __init__(
        self,
        ledger: LedgerStore | PaperLedger,
        records: RecordStore | PaperRecords,
        published: Published,
        catalogue: Catalogue,
        limits: Limits,
        say: Any = log,
        show_left: Callable[[float], object] = measures.unplanned_window_left,
    ) -> None:
        self._ledger = ledger
        self._records = records
        self._published = published
        self._catalogue = catalogue
        self._limits = limits
        self._say = say
        self._show_left = show_left
        self._roll = Roll(published.every_subscription)
        self._zeros = ZeroPlanner(records, published, self._roll, catalogue, limits, say)

    def plan(
        self,
        now: datetime,
        not_folded: Collection[str] = (),
        stop: Stop = never,
        subscription_id: str | None = None,
        may_be_used: Callable[[str], bool] = lambda _: False,
    ) -> list[Exception]:
        """Freeze a metering record for all that can be billed, and write off what never will be.

        Args:
            now: a moment no later than the start of the last fold.
            not_folded: hours whose fold failed: what the ledger says of them may be old, so they wait.
            stop: see there.
            subscription_id: of this one only; usage that names a customer waits until that is moved.
            may_be_used: whether what runs on a subscription that ends is not metered to its end; then its
                hours are sealed no sooner than any other's.

        Returns:
            what failed. Who was overtaken by another worker did not fail: the next cycle looks again.
        """
        of_customers: list[tuple[CustomersUsage, list[LedgerRow]]] = []
        of_subscriptions: list[list[LedgerRow]] = []
        unbilled = self._ledger.unbilled()
        for (holder, _), found in unbilled.items():
            rows = [row for row in found if row.hour not in not_folded]
            if not rows or subscription_id not in (None, holder):
                continue
            if usage := customers_usage(holder):
                of_customers.append((usage, rows))
            else:
                of_subscriptions.append(rows)
        failures = try_each(of_customers, lambda group: self._move(*group), stop=stop)
        failures += try_each(
            of_subscriptions,
            lambda rows: self._plan_rows(rows, now, set(not_folded), may_be_used),
            stop=stop,
        )
        # As it stood before planning: what was planned just now, or moved, keeps a zero back as well.
        since = {
            key: min(hours)
            for key, rows in unbilled.items()
            if (hours := [row.hour for row in rows if row.unbilled > 0])
        }
        if not (subscription_id or stop()):
            every_row = (row for rows in unbilled.values() for row in rows)
            self._show_left(unplanned_seconds_left(every_row, self._limits.window, now))
        return failures + self._zeros.plan(since, set(not_folded), now, stop, subscription_id)

    def _move(self, usage: CustomersUsage, rows: list[LedgerRow]) -> None:
        """Give a customer's usage to the subscription that it is for, hour by hour; the next cycle plans
        it."""
        customer = self._published.customer(usage.customer_id)
        subscriptions = self._published.subscriptions(customer.subscription_ids) if customer else []
        product = self._catalogue.product(usage.product_code)
        for row in rows:
            if not row.needs_work:
                self._ledger.clear_unbilled(row)
                continue
            chosen = choose(row.hour, customer, subscriptions, product)
            if chosen.subscription_id is None:
                continue
            try:
                self._ledger.move(row, chosen.subscription_id)
            except Overtaken:
                continue
            self._say.info(
                "A customer's usage is given to a subscription.",
                customer_id=usage.customer_id,
                subscription_id=chosen.subscription_id,
                dimension=row.dimension,
                hour=row.hour,
                micro_units=row.unbilled,
            )

    def _plan_rows(
        self,
        rows: list[LedgerRow],
        now: datetime,
        not_folded: set[str],
        may_be_used: Callable[[str], bool],
    ) -> None:
        """Plan one subscription's unbilled usage of one dimension."""
        subscription_id, dimension = rows[0].holder, rows[0].dimension
        subscription = self._published.subscription(subscription_id)
        if subscription and subscription.is_over and may_be_used(subscription_id):
            not_folded = not_folded | unsealed_hours(now, self._limits)
            rows = [row for row in rows if row.hour not in not_folded]
            if not rows:
                return
        product = self._catalogue.product(subscription.product_code) if subscription else None
        try:
            if subscription and product and product.cut_over:
                rows = self._cross_over(rows, subscription, product.cut_over, now)
                if not rows:
                    return
            rows = self._net(rows)
            if subscription and product and product.has_entitlements:
                rows = self._use_up(rows, subscription, product, now)
            self._freeze(rows, subscription, product, now, not_folded)
        except Overtaken:
            self._say.info(
                "Another worker is at the same usage; the next cycle looks again.",
                subscription_id=subscription_id,
                dimension=dimension,
            )

    def _cross_over(
        self, rows: list[LedgerRow], subscription: Subscription, cut_over: str, now: datetime
    ) -> list[LedgerRow]:
        """Give what cannot go out under its own identity to the buyer's other one, where it is known: usage
        goes to the identity of its hour, and to the licence once the legacy one's hours are closed. The rows
        that stay."""
        of_interest = [
            row for row in rows if row.needs_work and (subscription.is_legacy or row.hour < cut_over)
        ]
        if not of_interest:
            return rows
        other = other_identity(subscription, self._roll.subscriptions(now), now)
        other = other and self._published.subscription(other.subscription_id)
        if other is None:
            return rows
        legacy = subscription if subscription.is_legacy else other
        dimension, window = rows[0].dimension, self._limits.window
        earliest = min(row.hour for row in of_interest)
        taken = self._records.taken_hours(legacy.subscription_id, dimension, earliest)
        moved: list[str] = []
        for row in of_interest:
            if can_go_out(row.hour, legacy, cut_over, taken, now, window) != subscription.is_legacy:
                self._ledger.move(row, other.subscription_id)
                moved.append(row.hour)
                self._say.info(
                    "Usage is given to the buyer's other identity.",
                    subscription_id=row.holder,
                    to=other.subscription_id,
                    dimension=dimension,
                    hour=row.hour,
                    micro_units=row.unbilled,
                )
        return [row for row in rows if row.hour not in moved]

    def _net(self, rows: list[LedgerRow]) -> list[LedgerRow]:
        """Take corrections off unbilled usage; the rows as they are then."""
        while netting := next_netting(rows):
            self._ledger.net(netting)
            self._say.info(
                "Usage is corrected.",
                subscription_id=netting.usage.holder,
                dimension=netting.usage.dimension,
                hour=netting.usage.hour,
                corrected_by_hour=netting.correction.hour,
                micro_units=netting.quantity,
            )
            rows = self._ledger.again(rows)
        return rows

    def _use_up(
        self, rows: list[LedgerRow], subscription: Subscription, product: Product, now: datetime
    ) -> list[LedgerRow]:
        """Let the contract pay for what it entitles to; the rows as they are then."""
        dimension = rows[0].dimension
        if why_held(subscription, product, dimension):
            return rows
        entitlement = product.entitlement_of(dimension)
        while True:
            periods = allowances(
                subscription.subscription_id,
                entitlement,
                subscription.entitlements or (),
                self._ledger.allowances(subscription.subscription_id, entitlement),
                subscription.is_over,
                now,
            )
            ready = [
                row
                for row in rows
                if is_sealed(row.hour, subscription, now, self._limits)
                and not is_before_activation(row, subscription)
            ]
            covering = next_covering(ready, periods)
            if covering is None:
                return rows
            self._ledger.cover(covering)
            rows = self._ledger.again(rows)

    def _freeze(
        self,
        rows: list[LedgerRow],
        subscription: Subscription | None,
        product: Product | None,
        now: datetime,
        not_folded: set[str],
    ) -> None:
        for row in rows:
            if not row.needs_work:
                self._ledger.clear_unbilled(row)
        first = rows[0]
        earliest = min(row.hour for row in rows)
        # Nor may late usage be carried into an hour of which we do not know what it holds itself.
        taken = self._records.taken_hours(first.holder, first.dimension, earliest) | not_folded
        decided = plan(rows, taken, subscription, product, now, self._limits)
        by_hour: Mapping[str, LedgerRow] = {row.hour: row for row in rows}
        for record in decided.records:
            self._records.freeze(record, by_hour)
            self._say.info(
                "A metering record is frozen.",
                metering_record_id=record.metering_record_id,
                subscription_id=record.subscription_id,
                micro_units=record.quantity,
                hours=[source.hour for source in record.sources],
                tags_left_out=record.tags_left_out,
            )
        for row, reason in decided.write_offs:
            self._ledger.write_off(row, reason)
            self._say.warning(
                "Usage is written off.",
                subscription_id=row.holder,
                dimension=row.dimension,
                hour=row.hour,
                micro_units=row.unbilled,
                reason=reason,
            )
