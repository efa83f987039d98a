"""A subscription as metering reads it from the published table of notifications."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Subscription:
    """The parts of the published row that decide what is billed, to whom and until when.

    `meter_until` is when AWS stops taking records of an ending subscription; `active_since` when it began to.
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

    @property
    def is_over(self) -> bool:
        """Its end has been announced: the running hour is its last."""
        return self.status in ("ending", "ended")

    def final_hour_is_over(self, now: datetime) -> bool:
        """True once AWS takes no more records of it."""
        return self.is_over and self.meter_until is not None and now >= self.meter_until
