"""The cut-over of a product from legacy agreements to concurrent ones: a buyer's hour goes out under exactly
one identity.

AWS keeps a meter for each identity, and an hour that is sent under both is billed twice (botocore 1.44.5,
BatchMeterUsage, ProductCode). So legacy subscriptions fill the hours before the cut-over only, and licences
those from it on, also with usage that is carried forward.
"""

from collections.abc import Collection, Iterable
from datetime import datetime

from metering.hours import AwsWindow, after, hour_of, start_of
from metering.subscriptions import Subscription


def may_fill(hour: str, subscription: Subscription, cut_over: str | None) -> bool:
    """Whether a record of a subscription may be for an hour.

    Args:
        cut_over: the product's first hour of concurrent agreements; None where it has but one generation.
    """
    return cut_over is None or (hour < cut_over) == subscription.is_legacy


def can_go_out(
    hour: str,
    subscription: Subscription,
    cut_over: str,
    taken: Collection[str],
    now: datetime,
    window: AwsWindow,
) -> bool:
    """Whether usage of an hour can, now or later, go out under a subscription's own identity: in that hour,
    or carried forward.

    Args:
        taken: the hours of the subscription that have a record already.
        window: which hours AWS takes.
    """
    if subscription.final_hour_is_over(now):
        return False
    if not subscription.is_legacy:
        return True
    hour = max(hour, hour_of(now - window.age))
    while hour < cut_over:
        if hour not in taken and now < window.closes_at(subscription.timestamp_in(hour)):
            return True
        hour = after(hour)
    return False


def why_barred(
    hour: str,
    subscription: Subscription,
    cut_over: str | None,
    taken: Collection[str],
    now: datetime,
    window: AwsWindow,
) -> str | None:
    """Why usage of an hour cannot go out under a subscription's own identity now; None where the cut-over
    does not keep it. Who knows the buyer's other subscription moves it there."""
    if cut_over is None:
        return None
    if subscription.is_legacy:
        if hour < cut_over and subscription.final_hour_is_over(now):
            return None  # Not for the cut-over: the agreement had ended.
        return None if can_go_out(hour, subscription, cut_over, taken, now, window) else "after_cut_over"
    return "before_cut_over" if hour < cut_over and now < start_of(cut_over) else None


def other_identity(
    own: Subscription, subscriptions: Iterable[Subscription], now: datetime
) -> Subscription | None:
    """The same buyer's live subscription of the same product under the other identity, where exactly one is
    known; by the buyer's account."""
    if own.customer_aws_account_id is None:
        return None
    found = [
        one
        for one in subscriptions
        if one.is_legacy != own.is_legacy
        and one.product_code == own.product_code
        and one.customer_aws_account_id == own.customer_aws_account_id
        and one.status in ("active", "ending")
        and not one.final_hour_is_over(now)
    ]
    return found[0] if len(found) == 1 else None
