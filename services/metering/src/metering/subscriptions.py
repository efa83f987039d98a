"""A subscription as metering reads it from the published table of notifications."""

from dataclasses import dataclass
from datetime import datetime

from metering.entitlements import Entitlement
from metering.hours import end_of, start_of


@dataclass(frozen=True)
class Subscription:
    """The parts of the published row that decide what is billed, to whom and until when.

    `meter_until` is when AWS stops taking records of an ending subscription; `active_since` when it began to;
    `access` what its buyer may do now, `granted` or `denied`; `next_subscription_id` what has renewed or
    replaced it; `entitlements` what a contract entitles its buyer to, None where AWS has never said.
    """

    subscription_id: str
    product_code: str
    generation: str
    status: str
    customer_identifier: str | None = None
    license_arn: str | None = None
    customer_aws_account_id: str | None = None
    active_since: datetime | None = None
    meter_until: datetime | None = None
    access: str = "denied"
    next_subscription_id: str | None = None
    entitlements: tuple[Entitlement, ...] | None = None

    @property
    def is_legacy(self) -> bool:
        """Whether AWS knows it by product code and customer identifier, and not by its licence."""
        return self.generation == "legacy"

    @property
    def gives_access(self) -> bool:
        return self.access == "granted"

    @property
    def is_over(self) -> bool:
        """Its end has been announced: the running hour is its last."""
        return self.status in ("ending", "ended")

    def final_hour_is_over(self, now: datetime) -> bool:
        """True once AWS takes no more records of it."""
        return self.is_over and self.meter_until is not None and now >= self.meter_until

    def was_active_in(self, hour: str) -> bool:
        """True where usage of that hour may be this subscription's."""
        if self.status in ("pending", "failed") or self.active_since is None:
            return False
        return self.active_since < end_of(hour) and (
            self.meter_until is None or start_of(hour) < self.meter_until
        )

    def begins_after(self, hour: str) -> bool:
        """True where an hour was over before the subscription began."""
        return self.active_since is not None and end_of(hour) <= self.active_since

    def timestamp_in(self, hour: str) -> datetime:
        """What AWS is told for an hour: its start; in the hour of activation that moment, because AWS refuses
        a time before it."""
        start, since = start_of(hour), self.active_since
        return since if since and start < since < end_of(hour) else start
