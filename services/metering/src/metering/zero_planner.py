"""Plans zero records: for hours that AWS is about to close, and that nothing can fill any more."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog

from metering.catalogue import Catalogue, Product
from metering.each import Stop, try_each
from metering.holders import customers_usage
from metering.paper import PaperRecords
from metering.planning import Limits, why_held
from metering.roll import Roll
from metering.subscriptions import Subscription
from metering.tables.ledger_store import Overtaken, rows_of
from metering.tables.published import Published
from metering.tables.record_store import RecordStore
from metering.zero_records import closing_hours, without_record, zero_record

log = structlog.get_logger()

Slot = tuple[str, str, str]
"""Subscription, dimension and hour."""


class ZeroPlanner:
    """Freezes zero records.

    Args:
        records: where they go.
        published: the subscriptions.
        roll: who is subscribed.
        catalogue: our products.
        limits: when hours are sealed, and which ones AWS takes.
        say: the log of what is written.
    """

    def __init__(
        self,
        records: RecordStore | PaperRecords,
        published: Published,
        roll: Roll,
        catalogue: Catalogue,
        limits: Limits,
        say: Any = log,
    ) -> None:
        self._records = records
        self._published = published
        self._roll = roll
        self._catalogue = catalogue
        self._limits = limits
        self._say = say
        self._taken: set[Slot] = set()

    def plan(
        self,
        unbilled: Mapping[tuple[str, str], str],
        not_folded: set[str],
        now: datetime,
        stop: Stop,
        subscription_id: str | None = None,
    ) -> list[Exception]:
        """Freeze what is due. Killed at any instant: the next cycle looks again.

        Args:
            unbilled: by holder and dimension, the earliest hour of use with anything unbilled.
            not_folded: hours whose fold failed: nobody knows what they hold.
            now: as the planner's.
            stop: see there.
            subscription_id: of this one only.

        Returns:
            what failed.
        """
        hours = closing_hours(now, self._limits)
        if not hours or not any(product.zero_records for product in self._catalogue.products.values()):
            return []
        # A slot that is taken stays so; it is asked for once.
        self._taken = {slot for slot in self._taken if slot[2] >= hours[0]}
        could_fill = _with_planned(unbilled, self._records)

        def tell(known: Subscription) -> None:
            self._tell(known, [hour for hour in hours if hour not in not_folded], could_fill, now)

        subscribed = self._roll.subscriptions(now)
        wanted = [one for one in subscribed if subscription_id in (None, one.subscription_id)]
        return try_each(wanted, tell, stop=stop)

    def _tell(
        self, known: Subscription, hours: list[str], could_fill: Mapping[tuple[str, str], str], now: datetime
    ) -> None:
        product = self._catalogue.product(known.product_code)
        if product is None or not self._slots(known, product, hours, now):
            return
        subscription = self._published.subscription(known.subscription_id)
        if subscription is None:
            return
        for dimension, hour in self._slots(subscription, product, hours, now):
            holders = [subscription.subscription_id, product.product_code]
            since = [could_fill[holder, dimension] for holder in holders if (holder, dimension) in could_fill]
            if not why_held(subscription, product, dimension) and hour < min(since, default="~"):
                self._freeze(subscription, dimension, hour, now)

    def _slots(
        self, subscription: Subscription, product: Product, hours: list[str], now: datetime
    ) -> list[tuple[str, str]]:
        """The dimensions and hours that may want a zero."""
        wanted = without_record(hours, subscription, product, now, self._limits)
        return [
            (dimension, hour)
            for hour in wanted
            for dimension in sorted(product.metered_dimensions)
            if (subscription.subscription_id, dimension, hour) not in self._taken
        ]

    def _freeze(self, subscription: Subscription, dimension: str, hour: str, now: datetime) -> None:
        holder = subscription.subscription_id
        if hour not in self._records.taken_hours(holder, dimension, hour):
            # The index of what is unbilled may be behind; the row itself is not.
            if rows_of(holder, dimension, [hour])[hour].unbilled > 0:
                return
            try:
                self._records.freeze(zero_record(subscription, dimension, hour, now), {})
            except Overtaken:
                return
            self._say.info(
                "An hour without usage is told.", subscription_id=holder, dimension=dimension, hour=hour
            )
        self._taken.add((holder, dimension, hour))


def _with_planned(
    unbilled: Mapping[tuple[str, str], str], records: RecordStore | PaperRecords
) -> dict[tuple[str, str], str]:
    """By holder and dimension, the earliest hour with anything that may still fill a later one. Usage that
    names a customer stands under its product: it may be for any subscription of it. A planned record that
    expires is carried forward."""
    found: dict[tuple[str, str], str] = {}
    planned = (((one.subscription_id, one.dimension), one.hour) for one in records.due())
    for (holder, dimension), hour in [*unbilled.items(), *planned]:
        usage = customers_usage(holder)
        key = (usage.product_code if usage else holder, dimension)
        found[key] = min(hour, found.get(key, hour))
    return found
