"""A subscription as the published table tells it: a value, with the few things that can be asked of it."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from notifications.news import Generation, legacy_subject


class Status(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    ENDING = "ending"
    ENDED = "ended"
    FAILED = "failed"


class Access(StrEnum):
    GRANTED = "granted"
    DENIED = "denied"


CARRIED_ON = frozenset({"RENEWED", "REPLACED"})
"""Ends of an agreement that are no loss of the customer: a newer agreement goes on in its place."""


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """What the news so far amounts to.

    Attributes:
        meter_until: AWS takes usage records until then; None while there is no end in sight.
        previous_subscription_id, next_subscription_id: what this one renewed or replaced, and what renewed or
            replaced this one; the customer goes along.
        changed_at, changed_by: event time and notification id of the last news that changed anything else in
            here.
    """

    subscription_id: str
    generation: Generation
    product_code: str
    status: Status
    customer_identifier: str | None = None
    license_arn: str | None = None
    agreement_id: str | None = None
    customer_aws_account_id: str | None = None
    offer_id: str | None = None
    free_trial: bool | None = None
    active_since: datetime | None = None
    ended_at: datetime | None = None
    end_reason: str | None = None
    meter_until: datetime | None = None
    previous_subscription_id: str | None = None
    next_subscription_id: str | None = None
    changed_at: datetime
    changed_by: str

    @property
    def subject(self) -> str:
        """Whose facts it is made of."""
        if self.generation == Generation.LEGACY:
            return legacy_subject(self.product_code, self.customer_identifier or "")
        return self.agreement_id or ""

    @property
    def access(self) -> Access:
        """An agreement that was renewed or replaced keeps its access through its last hour, so that the buyer
        notices nothing while the new licence takes over. Where License Deprovisioned overtakes the news of
        the end, nobody knows yet that it was: denied, until that news is here."""
        carried_on = self.status == Status.ENDING and self.end_reason in CARRIED_ON
        return Access.GRANTED if self.status == Status.ACTIVE or carried_on else Access.DENIED

    def says_the_same_as(self, other: "Subscription") -> bool:
        """Whether a reader learns the same from both, whichever news they come from."""
        return replace(self, changed_at=other.changed_at, changed_by=other.changed_by) == other

    def expired(self, now: datetime) -> "Subscription":
        """The same, ended if its last hour is over. `now` is aware."""
        if self.status != Status.ENDING or self.meter_until is None or now < self.meter_until:
            return self
        return replace(self, status=Status.ENDED, changed_at=self.meter_until)
