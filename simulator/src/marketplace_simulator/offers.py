"""What a buyer can accept: the public offer, a free trial, a private offer, a channel partner's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from marketplace_simulator.products import Product

OfferKind = Literal["public", "private"]

TRIAL_DAYS = (7, 90)
LONGEST_TERM_DAYS = 3653
# "Future-dated agreements" start up to three years ahead.
LATEST_START = timedelta(days=3 * 365)


class OfferRefused(Exception):
    """There is no such offer; the message says why."""


@dataclass(frozen=True)
class Offer:
    """The terms that reach the seller's software; prices never do.

    Args:
        kind: a future start, a partner, or a term other than the public one makes it private.
        trial_lapses: the trial ends the agreement; otherwise a usage-priced trial becomes paid by itself.
        starts_at: later than now for a future-dated agreement.
        partner_account_id: the channel partner who proposes it (CPPO).
        term_days: how long; by default 365 for a contract and endless for a subscription.
        renewal_price_range: the renewal's price is settled late, which has news of its own.
        payment_fails: AWS cannot charge the buyer.
    """

    kind: OfferKind = "public"
    free_trial: bool = False
    trial_days: int = 30
    trial_lapses: bool = False
    starts_at: datetime | None = None
    partner_account_id: str | None = None
    term_days: int | None = None
    auto_renew: bool = False
    renewal_price_range: bool = False
    payment_fails: bool = False


def require_possible(offer: Offer, product: Product, *, buyer: str, seller: str, now: datetime) -> None:
    """Hold an offer against what AWS Marketplace has.

    Raises:
        OfferRefused: it cannot exist.
    """
    if offer.free_trial and offer.kind == "private":
        raise OfferRefused("A free trial belongs to the public offer.")
    if offer.free_trial and not TRIAL_DAYS[0] <= offer.trial_days <= TRIAL_DAYS[1]:
        raise OfferRefused("A free trial lasts 7 to 90 days.")
    if offer.starts_at is not None and offer.starts_at < now:
        raise OfferRefused("An agreement cannot start in the past.")
    if offer.starts_at is not None and offer.starts_at - now > LATEST_START:
        raise OfferRefused("An agreement starts three years ahead at most.")
    if offer.partner_account_id in (buyer, seller):
        raise OfferRefused("A channel partner is neither the buyer nor the seller.")
    if offer.term_days is not None and not 1 <= offer.term_days <= LONGEST_TERM_DAYS:
        raise OfferRefused(f"A term lasts 1 to {LONGEST_TERM_DAYS} days.")
    if offer.kind == "public" and offer.term_days is not None and not product.has_entitlements:
        raise OfferRefused("The public offer of a subscription has no term; a private offer can have one.")
    has_term = product.has_entitlements or offer.term_days is not None
    if offer.auto_renew and (not has_term or offer.free_trial):
        raise OfferRefused("Only an agreement with a term renews itself, and no free trial.")
    if offer.renewal_price_range and not offer.auto_renew:
        raise OfferRefused("A price range belongs to auto-renewal.")
