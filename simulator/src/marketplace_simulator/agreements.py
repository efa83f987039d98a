"""The life of an agreement: bought, active, amended, suspended, ending, ended, followed by another.

Every state is a function of the moments kept in the agreement and of the clock. Only what changes by itself
(a term that runs out, a renewal, an approval by silence) needs `timed_act`, and it is done as of its own
moment, however late it is noticed: a clock that jumps a month or a process that was killed changes nothing.

Timings are those of a live purchase (accepted 14:23:11, Created 14:23:22, License Updated 14:24:23, Ended
14:24:57, Deprovisioned 14:25:28), rounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from marketplace_simulator import identifiers
from marketplace_simulator.cancellation_requests import CancellationRequest
from marketplace_simulator.offers import Offer, OfferKind
from marketplace_simulator.products import Generation, Product

CREATED_AFTER = timedelta(seconds=11)
LICENSE_UPDATED_AFTER_CREATED = timedelta(seconds=60)
DEPROVISIONED_AFTER_ENDED = timedelta(seconds=31)
SUBSCRIBE_SUCCESS_AFTER = timedelta(seconds=10)
# From Deprovisioned (concurrent agreements) or unsubscribe-pending (legacy): last usage is taken until then.
FINAL_HOUR = timedelta(hours=1)
CONTRACT_TERM = timedelta(days=365)
# Auto-renewal can be switched until then; AWS's example has 30 days between the two.
LOCKOUT_BEFORE_END = timedelta(days=30)
# What events of a pay-as-you-go agreement show as endTime.
NO_END = datetime(9999, 1, 1, tzinfo=UTC)

Status = Literal["pending", "active", "ending", "ended"]
Intent = Literal["NEW", "RENEW", "REPLACE"]
EndReason = Literal["CANCELLED", "EXPIRED", "TERMINATED", "RENEWED", "REPLACED"]
Party = Literal["ACCEPTOR", "PROPOSER"]
TimedAct = Literal["approve_cancellation", "renew", "expire"]


class LifeRefused(Exception):
    """The agreement's life does not allow this now; the message says why."""


@dataclass(frozen=True)
class Agreement:
    """One purchase.

    `starts_at` begins the term: `accepted_at`, or later for a future-dated offer. `activates_at` is when
    License Updated or subscribe-success goes out; usage counts from then. `end_time` is the term's end as
    agreed (NO_END without one); `ended_at` the end as it came, possibly planned ahead; `meter_until` the last
    moment at which AWS takes its records.
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
    starts_at: datetime
    activates_at: datetime
    end_time: datetime
    proposer_account_id: str
    ended_at: datetime | None = None
    end_reason: EndReason | None = None
    meter_until: datetime | None = None
    entitlements: Mapping[str, int] = field(default_factory=dict)
    offer_kind: OfferKind = "public"
    resale_authorization_id: str | None = None
    intent: Intent = "NEW"
    initial_agreement_id: str | None = None
    previous_agreement_id: str | None = None
    next_agreement_id: str | None = None
    auto_renew: bool = False
    renewal_disabled_by: Party | None = None
    renewal_price_range: bool = False
    trial_ends_at: datetime | None = None
    payment_failed: bool = False
    suspended_at: datetime | None = None
    advisory_issued_at: datetime | None = None
    cancellation_request: CancellationRequest | None = None

    @property
    def has_term(self) -> bool:
        return self.end_time != NO_END

    @property
    def by_partner(self) -> bool:
        """Whether a channel partner proposed it (CPPO): the seller is its manufacturer only."""
        return self.resale_authorization_id is not None

    @property
    def lockout_starts_at(self) -> datetime | None:
        """From then on the renewal is settled; None without auto-renewal or with too short a term."""
        moment = self.end_time - LOCKOUT_BEFORE_END
        return moment if self.auto_renew and moment > self.starts_at else None

    @property
    def ends_at(self) -> datetime | None:
        """When it ends, as far as is known now; a renewal that is due counts as an end too."""
        return self.ended_at or (self.end_time if self.has_term else None)

    def status(self, now: datetime) -> Status:
        if self.ends_at is not None and now >= self.ends_at:
            return "ending" if self.meters_at(now) else "ended"
        return "active" if now >= self.activates_at else "pending"

    def agreement_status(self, now: datetime) -> str:
        """The status as the Agreement API and the events say it: ACTIVE until it ends, then why it ended."""
        if self.ends_at is None or now < self.ends_at:
            return "ACTIVE"
        return self.end_reason or ("RENEWED" if self.auto_renew else "EXPIRED")

    def meters_at(self, now: datetime) -> bool:
        """Whether AWS takes usage at this moment; the final hour's last instant is still inside."""
        until = self.meter_until
        if until is None and self.ends_at is not None:
            until = _meter_until(self, self.ends_at)
        return self.suspended_at is None and now >= self.activates_at and (until is None or now <= until)

    def entitles_at(self, now: datetime) -> bool:
        """Whether GetEntitlements shows it: a contract that ended leaves an empty list, not a past date."""
        # A successor takes over at once, so that its buyer is never without.
        begins = self.activates_at if self.intent == "NEW" else self.starts_at
        return not self.payment_failed and begins <= now < (self.ends_at or NO_END)

    def timed_act(self, now: datetime) -> tuple[datetime, TimedAct] | None:
        """What has to happen to it by itself by now, and as of which moment; None: nothing."""
        if self.ended_at is not None:
            return None
        acts: list[tuple[datetime, TimedAct]] = []
        if self.cancellation_request is not None and self.cancellation_request.pending:
            acts.append((self.cancellation_request.approved_by_silence_at, "approve_cancellation"))
        if self.has_term:
            acts.append((self.end_time, "renew" if self.auto_renew else "expire"))
        due = [act for act in acts if act[0] <= now]
        return min(due) if due else None


def accept(
    product: Product,
    offer: Offer,
    *,
    customer_aws_account_id: str,
    entitlements: Mapping[str, int],
    held: Sequence[Agreement],
    seller: str,
    now: datetime,
) -> Agreement:
    """A buyer accepts an offer.

    Args:
        product: what is bought.
        entitlements: for a contract, units bought of each dimension; empty for a subscription.
        held: the agreements that this account already has for this product.
        seller: the account that published the product.

    Raises:
        LifeRefused: a second live subscription of one account to a legacy product, a second trial, or a
            suspended account.
    """
    legacy = product.generation == "legacy"
    if any(agreement.suspended_at is not None for agreement in held):
        raise LifeRefused(f"Account {customer_aws_account_id} is suspended.")
    if legacy and any(agreement.status(now) in ("pending", "active") for agreement in held):
        raise LifeRefused(
            f"Account {customer_aws_account_id} already subscribes to legacy product {product.product_code};"
            " only concurrent-agreement products can be bought twice."
        )
    if offer.free_trial and any(agreement.free_trial for agreement in held):
        raise LifeRefused(f"Account {customer_aws_account_id} has had its free trial of this product.")
    if offer.payment_fails and not legacy:
        raise LifeRefused("Only legacy products report a failed payment (subscribe-fail).")
    starts_at = offer.starts_at or now
    activates_at = starts_at + _activation_delay(product.generation)
    trial_ends_at = starts_at + timedelta(days=offer.trial_days) if offer.free_trial else None
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
        free_trial=offer.free_trial,
        accepted_at=now,
        starts_at=starts_at,
        activates_at=activates_at,
        end_time=_end_of_term(product, offer, starts_at, trial_ends_at),
        proposer_account_id=offer.partner_account_id or seller,
        ended_at=activates_at if offer.payment_fails else None,
        end_reason="CANCELLED" if offer.payment_fails else None,
        # Before the activation: not a moment of usage is taken.
        meter_until=now if offer.payment_fails else None,
        entitlements=dict(entitlements),
        offer_kind=offer.kind,
        resale_authorization_id=(
            identifiers.new_resale_authorization_id() if offer.partner_account_id else None
        ),
        auto_renew=offer.auto_renew,
        renewal_price_range=offer.renewal_price_range,
        trial_ends_at=trial_ends_at,
        payment_failed=offer.payment_fails,
    )


def end(agreement: Agreement, reason: EndReason, at: datetime) -> Agreement:
    """It ends; the final hour begins at Deprovisioned, or at unsubscribe-pending for legacy."""
    return replace(agreement, ended_at=at, end_reason=reason, meter_until=_meter_until(agreement, at))


def succeed(
    agreement: Agreement,
    intent: Literal["RENEW", "REPLACE"],
    *,
    at: datetime,
    now: datetime,
    entitlements: Mapping[str, int],
    term: timedelta | None = None,
    new_offer: bool = True,
) -> tuple[Agreement, Agreement]:
    """Another agreement takes its place, with a licence of its own: a renewal or a replacement.

    Args:
        at: when the one ends and the other starts.
        now: when the buyer accepted.
        term: of the new one; by default as long as the old one's.
        new_offer: False for an auto-renewal, which goes on under the same offer.

    Returns:
        The old one, ended RENEWED or REPLACED, and the new one.
    """
    successor = replace(
        agreement,
        agreement_id=identifiers.new_agreement_id(),
        license_arn=identifiers.new_license_arn(),
        offer_id=identifiers.new_offer_id() if new_offer else agreement.offer_id,
        free_trial=False,
        trial_ends_at=None,
        accepted_at=now,
        starts_at=at,
        activates_at=at + _activation_delay(agreement.generation),
        end_time=at + (term or agreement.end_time - agreement.starts_at),
        entitlements=dict(entitlements),
        intent=intent,
        initial_agreement_id=agreement.initial_agreement_id or agreement.agreement_id,
        previous_agreement_id=agreement.agreement_id,
        advisory_issued_at=None,
        cancellation_request=None,
    )
    ended = end(agreement, "RENEWED" if intent == "RENEW" else "REPLACED", at)
    return replace(ended, next_agreement_id=successor.agreement_id), successor


def amend(
    agreement: Agreement,
    *,
    entitlements: Mapping[str, int] | None,
    end_time: datetime | None,
    auto_renew: bool | None,
    switched_by: Party,
    now: datetime,
) -> Agreement:
    """The terms change while it lives; new terms come by a new offer, a mere switch of auto-renewal does not.

    Args:
        switched_by: who turned auto-renewal off, if that is what changes.

    Raises:
        LifeRefused: nothing would change, it has no term, or the renewal is settled already.
    """
    if not agreement.has_term:
        raise LifeRefused(
            "A pay-as-you-go agreement without a term has no terms to amend; buy another offer."
        )
    if auto_renew is not None and agreement.lockout_starts_at and now >= agreement.lockout_starts_at:
        raise LifeRefused("The renewal is settled: auto-renewal can be switched until the lockout only.")
    if end_time is not None and end_time <= now:
        raise LifeRefused("The new end of the term is past.")
    amended = replace(
        agreement,
        entitlements=agreement.entitlements if entitlements is None else dict(entitlements),
        end_time=end_time or agreement.end_time,
        auto_renew=agreement.auto_renew if auto_renew is None else auto_renew,
    )
    if agreement.auto_renew != amended.auto_renew:
        amended = replace(amended, renewal_disabled_by=None if amended.auto_renew else switched_by)
    if amended == agreement:
        raise LifeRefused("The amendment changes nothing: give other entitlements, end_time or auto_renew.")
    if license_changes(agreement, amended):
        amended = replace(amended, offer_id=identifiers.new_offer_id())
    return amended


def license_changes(before: Agreement, after: Agreement) -> bool:
    """Whether an amendment reaches the licence: what is owned, and until when."""
    return (before.entitlements, before.end_time) != (after.entitlements, after.end_time)


def require_active(agreement: Agreement, now: datetime) -> None:
    """What changes or ends an agreement needs one that is active and not already followed by another.

    Raises:
        LifeRefused: it is not active yet, has ended, or its end has been settled.
    """
    status = agreement.status(now)
    if status == "pending":
        raise LifeRefused("The agreement is not active yet; advance the clock past its activation first.")
    if status != "active":
        raise LifeRefused(f"The agreement has ended already: {agreement.agreement_status(now)}.")
    if agreement.next_agreement_id is not None:
        raise LifeRefused("The agreement has a renewal already, which takes its place when it ends.")


def require_term(agreement: Agreement, act: str) -> None:
    """Raises LifeRefused for pay as you go without an end."""
    if not agreement.has_term:
        raise LifeRefused(f"A pay-as-you-go agreement without a term has nothing to {act}.")


def require_set_up(agreement: Agreement, now: datetime) -> None:
    """ "Set up your account" is offered from the start of the agreement to its end.

    Raises:
        LifeRefused: it has ended, or is future-dated.
    """
    if agreement.status(now) in ("ending", "ended"):
        raise LifeRefused("The agreement has been cancelled; there is nothing left to set up.")
    if now < agreement.starts_at:
        raise LifeRefused("The agreement starts in the future; it can be set up from then.")


def _activation_delay(generation: Generation) -> timedelta:
    if generation == "legacy":
        return SUBSCRIBE_SUCCESS_AFTER
    return CREATED_AFTER + LICENSE_UPDATED_AFTER_CREATED


def _meter_until(agreement: Agreement, ended_at: datetime) -> datetime:
    legacy = agreement.generation == "legacy"
    return (ended_at if legacy else ended_at + DEPROVISIONED_AFTER_ENDED) + FINAL_HOUR


def _end_of_term(
    product: Product, offer: Offer, starts_at: datetime, trial_ends_at: datetime | None
) -> datetime:
    if trial_ends_at is not None and (offer.trial_lapses or product.has_entitlements):
        return trial_ends_at
    if offer.term_days is not None:
        return starts_at + timedelta(days=offer.term_days)
    return starts_at + CONTRACT_TERM if product.has_entitlements else NO_END
