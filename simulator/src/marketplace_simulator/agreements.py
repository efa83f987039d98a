"""The life of an agreement: bought, active, ending, ended.

Every state is a function of the moments kept in the agreement and of the clock; nothing has to run at the
moment itself, so a clock that jumps a month or a process that was killed changes nothing.

Timings are those of a live purchase (accepted 14:23:11, Created 14:23:22, License Updated 14:24:23, Ended
14:24:57, Deprovisioned 14:25:28), rounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from marketplace_simulator import identifiers
from marketplace_simulator.products import Generation, Product

CREATED_AFTER = timedelta(seconds=11)
LICENSE_UPDATED_AFTER_CREATED = timedelta(seconds=60)
DEPROVISIONED_AFTER_ENDED = timedelta(seconds=31)
SUBSCRIBE_SUCCESS_AFTER = timedelta(seconds=10)
# From Deprovisioned (concurrent agreements) or unsubscribe-pending (legacy): last usage is taken until then.
FINAL_HOUR = timedelta(hours=1)
CONTRACT_TERM = timedelta(days=365)
# What events of a pay-as-you-go agreement show as endTime.
NO_END = datetime(9999, 1, 1, tzinfo=UTC)

Status = Literal["pending", "active", "ending", "ended"]


class LifeRefused(Exception):
    """The agreement's life does not allow this now; the message says why."""


@dataclass(frozen=True)
class Agreement:
    """One purchase.

    `activates_at` is when License Updated or subscribe-success goes out; usage counts from then.
    `ended_at` is the cancellation; `meter_until` the last moment at which AWS takes its records.
    """

    agreement_id: str
    product_code: str
    generation: Generation
    customer_aws_account_id: str
    customer_identifier: str | None
    license_arn: str
    offer_id: str
    free_trial: bool
    accepted_at: datetime
    activates_at: datetime
    end_time: datetime
    ended_at: datetime | None = None
    meter_until: datetime | None = None
    entitlements: Mapping[str, int] = field(default_factory=dict)

    def status(self, now: datetime) -> Status:
        if self.ended_at is not None and now >= self.ended_at:
            return "ending" if self.meters_at(now) else "ended"
        return "active" if now >= self.activates_at else "pending"

    def meters_at(self, now: datetime) -> bool:
        """Whether AWS takes usage at this moment; the final hour's last instant is still inside."""
        return now >= self.activates_at and (self.meter_until is None or now <= self.meter_until)

    def entitles_at(self, now: datetime) -> bool:
        """Whether GetEntitlements shows it: a contract that ended leaves an empty list, not a past date."""
        return self.activates_at <= now < (self.ended_at or self.end_time)


def accept(
    product: Product,
    *,
    customer_aws_account_id: str,
    free_trial: bool,
    entitlements: Mapping[str, int],
    held: list[Agreement],
    now: datetime,
) -> Agreement:
    """A buyer accepts the public offer.

    Args:
        product: what is bought.
        entitlements: for a contract, units bought of each dimension; empty for a subscription.
        held: the agreements that this account already has for this product.

    Raises:
        LifeRefused: a second live subscription of one account to a legacy product.
    """
    legacy = product.generation == "legacy"
    if legacy and any(agreement.status(now) in ("pending", "active") for agreement in held):
        raise LifeRefused(
            f"Account {customer_aws_account_id} already subscribes to legacy product {product.product_code};"
            " only concurrent-agreement products can be bought twice."
        )
    delay = SUBSCRIBE_SUCCESS_AFTER if legacy else CREATED_AFTER + LICENSE_UPDATED_AFTER_CREATED
    return Agreement(
        agreement_id=identifiers.new_agreement_id(),
        product_code=product.product_code,
        generation=product.generation,
        customer_aws_account_id=customer_aws_account_id,
        customer_identifier=(
            identifiers.customer_identifier(product.product_code, customer_aws_account_id) if legacy else None
        ),
        license_arn=identifiers.new_license_arn(),
        offer_id=identifiers.new_offer_id(),
        free_trial=free_trial,
        accepted_at=now,
        activates_at=now + delay,
        end_time=now + CONTRACT_TERM if product.pricing_model == "contract" else NO_END,
        entitlements=dict(entitlements),
    )


def cancel(agreement: Agreement, now: datetime) -> Agreement:
    """The buyer cancels; the final hour begins at Deprovisioned, or at unsubscribe-pending for legacy.

    Raises:
        LifeRefused: it is not active yet, or has ended already.
    """
    status = agreement.status(now)
    if status == "pending":
        raise LifeRefused("The agreement is not active yet; advance the clock past its activation first.")
    if status != "active":
        raise LifeRefused("The agreement has already been cancelled.")
    final_hour_starts = now if agreement.generation == "legacy" else now + DEPROVISIONED_AFTER_ENDED
    return replace(agreement, ended_at=now, meter_until=final_hour_starts + FINAL_HOUR)


def require_set_up(agreement: Agreement, now: datetime) -> None:
    """ "Set up your account" is offered while the agreement lives.

    Raises:
        LifeRefused: it has been cancelled.
    """
    if agreement.status(now) in ("ending", "ended"):
        raise LifeRefused("The agreement has been cancelled; there is nothing left to set up.")
