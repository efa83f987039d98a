"""An endpoint's life: created, metered hour by hour, perhaps gone along to another subscription, ended.

Each of its states is written only in the place of the one that was read, and metering takes two writes for
each part: it is *claimed* (`metering_until`), its usage event is put into the log, it is *metered*
(`metered_until`). From this it follows that a part is always the same event, whoever emits it and however
often:

- A part begins at `metered_until` and ends at `metering_until`, of the subscription that the row names.
  Between the claim and its end nothing of that changes: no other claim is made, and the subscription is
  changed only by the write that ends the claim.
- A deletion or a stop is never earlier than `metering_until`. So what is claimed has run, whatever the
  clocks of the worker that claimed it and of the web process that deletes say of each other.
- Who dies after the claim leaves it behind, and the next one emits the same event. Who dies after the event
  too: it is in the log twice, which counts once. Who stands still between the two, for however long, emits
  an event that is there already.
- `metered_until` moves on only after the event is durable. So nothing is lost.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from metering.hours import end_of, hour_of
from metering.running_time import event_of_part, full_second
from metering.subscriptions import Subscription
from metering.usage_events import UsageEvent

LAST_MOMENTS = timedelta(minutes=5)
"""So long before AWS takes no more usage of a renewed agreement, an endpoint of it that has nowhere to go is
stopped: its last part has to be billed yet."""


class EndedBecause(StrEnum):
    """Why an endpoint runs no more. The contract says each in a sentence."""

    DELETED_BY_OWNER = "deleted_by_owner"
    DELETED_BY_OPERATOR = "deleted_by_operator"
    SUBSCRIPTION_ENDED = "subscription_ended"
    CUSTOMER_DELETED = "customer_deleted"


@dataclass(frozen=True)
class Endpoint:
    """One endpoint. All times are full seconds.

    Attributes:
        owner: see `callers.py`.
        metered_until: its time until then is in the usage log.
        metering_until: its time until then is, or is about to be.
        moves_to: the subscription that it goes along to once the claimed part is metered.
        version: how often it was written.
    """

    owner: str
    endpoint_id: str
    name: str
    repository: str
    accelerator: str
    subscription_id: str
    product_code: str
    dimension: str
    created_at: datetime
    metered_until: datetime
    metering_until: datetime
    moves_to: str | None = None
    deleted_at: datetime | None = None
    ended_because: EndedBecause | None = None
    version: int = 1

    @property
    def state(self) -> str:
        return "running" if self.deleted_at is None else "deleted"

    @property
    def is_claimed(self) -> bool:
        """Whether a part of it is about to be metered."""
        return self.metering_until > self.metered_until or self.moves_to is not None

    @property
    def is_settled(self) -> bool:
        """Whether it is ended, and metered to its end."""
        return self.deleted_at is not None and self.metered_until >= self.deleted_at and not self.is_claimed

    @property
    def claimed_usage(self) -> UsageEvent | None:
        """The usage event of the claimed part; None where it has no time in it."""
        if self.metering_until == self.metered_until:
            return None
        return event_of_part(
            self.endpoint_id,
            self.subscription_id,
            self.dimension,
            self.created_at,
            self.metered_until,
            self.metering_until,
        )

    def ended(self, at: datetime, because: EndedBecause) -> "Endpoint":
        """It, stopped at a moment, but never before what is claimed; as it is where it is ended already."""
        if self.deleted_at is not None:
            return self
        return replace(self, deleted_at=max(full_second(at), self.metering_until), ended_because=because)

    def metered(self) -> "Endpoint":
        """It, once the event of the claimed part is durable."""
        return replace(
            self,
            metered_until=self.metering_until,
            subscription_id=self.moves_to or self.subscription_id,
            moves_to=None,
        )


@dataclass(frozen=True)
class Circumstances:
    """What decides whether an endpoint goes on.

    Attributes:
        subscription: of the endpoint; None where nobody has heard of it.
        following: what has renewed or replaced that one.
        customer_is_gone: whether its owner is a customer, and deleted.
    """

    subscription: Subscription | None
    following: Subscription | None = None
    customer_is_gone: bool = False


def next_state(endpoint: Endpoint, around: Circumstances, now: datetime) -> Endpoint | None:
    """What is to be written of an endpoint in which nothing is claimed; None where its time has not come.

    An end comes before all else, and then what is claimed is an hour that is over, or what is left of one
    that has an end.

    Args:
        endpoint: as it was read.
        around: see there.
        now: by the worker's clock.
    """
    if endpoint.is_settled:
        return None
    now = full_second(now)
    moment, because, to = now, None, None
    if endpoint.deleted_at is None:
        moment, because, to = _fate(endpoint, around, now)
        if because is not None:
            return endpoint.ended(moment, because)
    else:
        moment = endpoint.deleted_at
    moment = max(moment, endpoint.metered_until)
    border = end_of(hour_of(endpoint.metered_until))
    if moment >= border:
        return replace(endpoint, metering_until=border)
    if to is not None:
        return replace(endpoint, metering_until=moment, moves_to=to)
    if endpoint.deleted_at is not None:
        return replace(endpoint, metering_until=moment)
    return None


def _fate(
    endpoint: Endpoint, around: Circumstances, now: datetime
) -> tuple[datetime, EndedBecause | None, str | None]:
    """Until when it runs on its subscription, as far as is known now; why it ends then, or where it goes."""
    subscription, following = around.subscription, around.following
    over = subscription is not None and subscription.is_over
    meter_until = subscription.meter_until if subscription and over else None
    moment = now if meter_until is None else min(now, full_second(meter_until))
    if around.customer_is_gone:
        return moment, EndedBecause.CUSTOMER_DELETED, None
    if subscription is None:
        return moment, None, None
    goes_along = over and following is not None and following.gives_access
    if goes_along and following and following.product_code == endpoint.product_code:
        return moment, None, following.subscription_id
    if not subscription.gives_access:
        return moment, EndedBecause.SUBSCRIPTION_ENDED, None
    if meter_until is not None and now >= meter_until - LAST_MOMENTS:
        return moment, EndedBecause.SUBSCRIPTION_ENDED, None
    return moment, None, None
