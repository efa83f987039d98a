"""How running time is metered: whole seconds, as decimal hours in micro-units, one usage event for each hour.

What has run for some seconds has used `seconds / 3600` hours, cut off after six decimals, and a part is what
lies between two such sums. So a full hour is exactly 1 wherever it begins, and all parts of a life, however
it is cut, sum up to the whole.
"""

from datetime import datetime, timedelta

from metering.hours import hour_of, start_of
from metering.quantities import MICRO
from metering.usage_events import UsageEvent

SOURCE = "marketplane/endpoints"

SECOND = timedelta(seconds=1)
_SECONDS_OF_AN_HOUR = 3600


def full_second(moment: datetime) -> datetime:
    """The second that a moment lies in: the one rule by which an endpoint's times become whole."""
    return moment.replace(microsecond=0)


def used_until(moment: datetime, created_at: datetime) -> int:
    """Micro-units that were used from the beginning until a moment; both full seconds."""
    return (moment - created_at) // SECOND * MICRO // _SECONDS_OF_AN_HOUR


def event_of_part(
    endpoint_id: str,
    subscription_id: str,
    dimension: str,
    created_at: datetime,
    since: datetime,
    until: datetime,
) -> UsageEvent:
    """The usage event of a part of an endpoint's life. The same part is always the same event.

    A part begins when the endpoint was created, when an hour begins, or, within an hour, when the endpoint
    went along to another subscription: then its id says to which, for the hour has a part of the other one
    too.

    Args:
        endpoint_id, subscription_id, dimension, created_at: the endpoint's.
        since, until: of one hour, and not the same.
    """
    hour = hour_of(since)
    event_id = f"endpoint/{endpoint_id}/{hour}"
    if since not in (created_at, start_of(hour)):
        event_id += f"/{subscription_id}"
    quantity = used_until(until, created_at) - used_until(since, created_at)
    return UsageEvent(SOURCE, event_id, subscription_id, dimension, quantity, since)
