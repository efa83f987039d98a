"""What to do with usage that no metering record holds yet: bill it, hold it, write it off, or wait."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from metering.allocations import within_limits
from metering.catalogue import Product
from metering.cut_over import may_fill, why_barred
from metering.entitlements import Unclear
from metering.holders import customers_usage
from metering.hours import AwsWindow, after, end_of, hour_of, start_of
from metering.ledger import LedgerRow
from metering.quantities import LARGEST_RECORD
from metering.records import MeteringRecord, Source, identity_of
from metering.subscriptions import Subscription
from metering.tags import less, part, tagged_only, total

_WEIGHT_WITH_TAGS = 3
"""Each of them writes up to `tags.MOST_BYTES`."""


@dataclass(frozen=True)
class Limits:
    """When an hour is sealed, and which hours AWS takes.

    Args:
        grace: how long after its end an hour waits for late events before it is sealed.
        window: which hours AWS takes.
        most_sources: so that a record and its allocations fit into one DynamoDB transaction of 100 items and
            4 MB; one with tags counts for three.
        zero_before_close: how long before AWS closes an hour without usage it is told so.
    """

    grace: timedelta = timedelta(minutes=5)
    window: AwsWindow = field(default_factory=AwsWindow)
    most_sources: int = 90
    zero_before_close: timedelta = timedelta(minutes=15)


@dataclass(frozen=True)
class Plan:
    """What is to be done. What is in none of the three lists stays open.

    `held` and `write_offs` give each ledger row with the reason.
    """

    records: list[MeteringRecord] = field(default_factory=list)
    held: list[tuple[LedgerRow, str]] = field(default_factory=list)
    write_offs: list[tuple[LedgerRow, str]] = field(default_factory=list)


def plan(
    rows: Iterable[LedgerRow],
    taken: set[str],
    subscription: Subscription | None,
    product: Product | None,
    now: datetime,
    limits: Limits,
) -> Plan:
    """Decide over the unbilled usage of one subscription and dimension.

    Args:
        rows: its ledger rows with something unbilled.
        taken: the hours that already have a metering record: AWS lets the first quantity of an hour stand for
            ever.
        subscription: the published row; None while nobody has heard of it.
        product: the subscription's product as the catalogue has it; usage may have been accepted before it
            was known.
        now: the present moment.
        limits: of the installation and of AWS.

    A row's usage goes out under its own hour if that slot is free and AWS still takes it; else it is carried
    forward to the earliest later hour that is sealed, free and open at AWS; else it waits for such an hour.
    Where the product was cut over, only the hours of the subscription's own generation are open to it.
    """
    unbilled = sorted((row for row in rows if row.unbilled > 0), key=lambda row: row.hour)
    if not unbilled:
        return Plan()
    dimension = unbilled[0].dimension
    reason = why_held(subscription, product, dimension)
    if subscription is None or reason:
        return Plan(held=[(row, reason or "subscription_unknown") for row in unbilled])
    cut_over = product.cut_over if product else None
    over = subscription.final_hour_is_over(now)

    slots: dict[str, list[Source]] = {}
    held: list[tuple[LedgerRow, str]] = []
    write_offs: list[tuple[LedgerRow, str]] = []
    for row in unbilled:
        if barred := why_barred(row.hour, subscription, cut_over, taken, now, limits.window):
            held.append((row, barred))
        elif is_before_activation(row, subscription):
            # Usage sent before activation is not billed, and another hour's bill is not the place for it.
            (write_offs if over else held).append((row, "before_activation"))
        elif over:
            write_offs.append((row, "after_final_hour"))
        elif is_sealed(row.hour, subscription, now, limits):
            _allot(row, slots, taken, subscription, cut_over, now, limits)
    records = [
        _record(hour, sources, dimension, subscription, now) for hour, sources in sorted(slots.items())
    ]
    return Plan(records, held, write_offs)


def _record(
    hour: str, sources: list[Source], dimension: str, subscription: Subscription, now: datetime
) -> MeteringRecord:
    fitting, tags_left_out = within_limits(sources)
    return MeteringRecord(
        subscription_id=subscription.subscription_id,
        dimension=dimension,
        hour=hour,
        timestamp=subscription.timestamp_in(hour),
        quantity=sum(source.quantity for source in sources),
        identity=identity_of(subscription),
        sources=fitting,
        created_at=now,
        tags_left_out=tags_left_out,
    )


def why_held(subscription: Subscription | None, product: Product | None, dimension: str) -> str | None:
    """Why nothing of a subscription and dimension can be billed for now; None where it can."""
    if subscription is None:
        return "subscription_unknown"
    if subscription.status in ("pending", "failed"):
        return f"subscription_{subscription.status}"
    if product is None:
        # Who knows whether it is billed by usage, or from its first unit?
        return "product_unknown"
    if not product.is_metered:
        return "not_metered"
    if dimension not in product.dimensions:
        return "unknown_dimension"
    try:
        identity_of(subscription)
    except ValueError:
        return "identity_unknown"
    return why_entitlement_is_unknown(subscription, product, dimension)


def why_it_waits(row: LedgerRow, subscription: Subscription, now: datetime, limits: Limits) -> str:
    """Why usage that is not held is in no record yet."""
    if is_sealed(row.hour, subscription, now, limits):
        return "no_free_hour"
    return "hour_not_over" if now < end_of(row.hour) else "hour_not_sealed"


def why_entitlement_is_unknown(subscription: Subscription, product: Product, dimension: str) -> str | None:
    """Why nobody can say yet how much of the usage the contract has paid for; None where that is known."""
    if not product.has_entitlements:
        return None
    if subscription.entitlements is None:
        return "entitlement_unknown"
    try:
        for one in subscription.entitlements:
            if one.dimension == product.entitlement_of(dimension):
                one.quantity  # noqa: B018 (reading it is the check)
    except Unclear:
        return "entitlement_unclear"
    return None


def is_sealed(hour: str, subscription: Subscription, now: datetime, limits: Limits) -> bool:
    """An hour is sealed after its end and the grace; the running hour of an ending subscription at once."""
    if subscription.is_over:
        return start_of(hour) <= now
    return now >= end_of(hour) + limits.grace


def unsealed_hours(now: datetime, limits: Limits) -> set[str]:
    """The hours until now that are not sealed for a subscription whose end nobody has announced."""
    hours: set[str] = set()
    hour = hour_of(now - limits.grace)
    while start_of(hour) <= now:
        hours.add(hour)
        hour = after(hour)
    return hours


def is_before_activation(row: LedgerRow, subscription: Subscription) -> bool:
    """Not where the usage came from the buyer's other identity: then the buyer was subscribed under that."""
    came_by_cut_over = any(customers_usage(holder) is None for holder in row.received)
    return subscription.begins_after(row.hour) and not came_by_cut_over


def _allot(
    row: LedgerRow,
    slots: dict[str, list[Source]],
    taken: set[str],
    subscription: Subscription,
    cut_over: str | None,
    now: datetime,
    limits: Limits,
) -> None:
    """Put a row's unbilled quantity into its own hour's slot or a later one; what fits nowhere stays open."""
    remaining = row.unbilled_by_tags
    hour = row.hour
    if not limits.window.takes(subscription.timestamp_in(hour), now):
        hour = max(hour, hour_of(now - limits.window.age))
    while remaining and start_of(hour) <= now:
        sources = slots.get(hour, [])
        room = LARGEST_RECORD - sum(source.quantity for source in sources)
        free = (
            hour not in taken
            and may_fill(hour, subscription, cut_over)
            and not subscription.begins_after(hour)
            and room > 0
            and sum(_WEIGHT_WITH_TAGS if source.tags else 1 for source in sources) < limits.most_sources
            and limits.window.takes(subscription.timestamp_in(hour), now)
            and is_sealed(hour, subscription, now, limits)
        )
        if free:
            fitting = part(remaining, room)
            slots.setdefault(hour, []).append(Source(row.hour, total(fitting), tagged_only(fitting)))
            remaining = less(remaining, fitting)
        hour = after(hour)
