"""Zero records: an hour without usage is told to AWS with quantity 0, where the seller wants that.

AWS's guides ask for a record each hour. But the first quantity of an hour stands: a 0 that is told early
locks the hour against usage that is still to come. So it is told only when AWS is about to close the hour,
and nothing is left that could fill it.
"""

from collections.abc import Collection
from datetime import datetime

from metering.catalogue import Product
from metering.cut_over import may_fill
from metering.hours import ONE, after, end_of, hour_of, start_of
from metering.planning import Limits, is_sealed
from metering.records import MeteringRecord, identity_of
from metering.subscriptions import Subscription


def closing_hours(now: datetime, limits: Limits) -> list[str]:
    """The hours that AWS may be about to close for some subscription. In the hour of its activation one has a
    later timestamp than the others, and so an hour more at the most."""
    found: list[str] = []
    hour = hour_of(now - limits.window.age - ONE)
    while end_of(hour) <= now:
        opens = limits.window.closes_at(start_of(hour)) - limits.zero_before_close
        if opens <= now < limits.window.closes_at(start_of(hour)) + ONE:
            found.append(hour)
        hour = after(hour)
    return found


def without_record(
    hours: Collection[str], subscription: Subscription, product: Product, now: datetime, limits: Limits
) -> list[str]:
    """Those of the closing hours of which AWS is to hear of this subscription, be it a zero."""
    if subscription.status != "active" or not (product.zero_records and product.is_metered):
        return []
    return [
        hour
        for hour in hours
        if not subscription.begins_after(hour)
        and may_fill(hour, subscription, product.cut_over)
        and is_sealed(hour, subscription, now, limits)
        and _is_closing(subscription.timestamp_in(hour), now, limits)
    ]


def zero_record(subscription: Subscription, dimension: str, hour: str, now: datetime) -> MeteringRecord:
    """Frozen, sent and settled like any other; it has no sources.

    Raises:
        ValueError: see `identity_of`.
    """
    return MeteringRecord(
        subscription_id=subscription.subscription_id,
        dimension=dimension,
        hour=hour,
        timestamp=subscription.timestamp_in(hour),
        quantity=0,
        identity=identity_of(subscription),
        sources=(),
        created_at=now,
    )


def _is_closing(timestamp: datetime, now: datetime, limits: Limits) -> bool:
    closes = limits.window.closes_at(timestamp)
    return closes - limits.zero_before_close <= now < closes
