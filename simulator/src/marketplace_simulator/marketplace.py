"""What a seller or a buyer does at the counter: list, buy, set up; and the clock.

Both doors of people and tests (control API, storefront) come through here. Each act is one transaction that
holds its change and its news; then whatever is due by now goes out. What happens to an agreement later is
`agreement_acts.py`'s.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from marketplace_simulator import agreements, identifiers, news, offers, tokens
from marketplace_simulator.agreement_acts import AgreementActs, Conflict, NotFound, require_units
from marketplace_simulator.agreements import Agreement, LifeRefused
from marketplace_simulator.clock import Clock
from marketplace_simulator.delivery import Courier
from marketplace_simulator.https_roads import HttpsRoads, new_token
from marketplace_simulator.news_rules import NewsRule
from marketplace_simulator.offers import Offer
from marketplace_simulator.products import Product
from marketplace_simulator.settings import Settings
from marketplace_simulator.sns import SnsSettings
from marketplace_simulator.sns_desk import SnsDesk
from marketplace_simulator.store import Store
from marketplace_simulator.times import hour_of

log = logging.getLogger(__name__)

# How often the clock is looked at for what comes due by itself; how soon a failed delivery is tried again.
LOOK_SECONDS = 0.2
RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class HandOver:
    """What the buyer's browser brings to the seller: a token, shown once and kept nowhere.

    A future-dated agreement has none before its start.
    """

    agreement: Agreement
    product: Product
    registration_token: str | None
    expires_at: datetime | None

    @property
    def form_fields(self) -> dict[str, str]:
        """The fields of AWS's form POST to the registration page."""
        if self.registration_token is None:
            return {}
        fields = {"x-amzn-marketplace-token": self.registration_token}
        if self.agreement.free_trial:
            fields["x-amzn-marketplace-offer-type"] = "free-trial"
        return fields


class Marketplace:
    """The acts; rules decide, the store keeps, the courier carries.

    Args:
        settings: seller's account and first moment of the clock.
    """

    def __init__(
        self, settings: Settings, store: Store, clock: Clock, courier: Courier, sns_desk: SnsDesk
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._courier = courier
        self._sns_desk = sns_desk
        self.acts = AgreementActs(settings.seller_account, store, clock, courier)

    def product(self, product_code: str) -> Product:
        """Raises NotFound."""
        product = self._store.product(product_code)
        if product is None:
            raise NotFound(f"There is no product {product_code!r}.")
        return product

    def agreement(self, agreement_id: str) -> Agreement:
        """Raises NotFound."""
        return self.acts.agreement(agreement_id)

    async def list_product(self, product: Product) -> bool:
        """List a product, or list it anew under the same code; whether it is new.

        Its SNS topics are made at once if the engine is there, else before the first news.

        Raises:
            Conflict: the entity id is another product's, or sold agreements would change their generation.
        """
        with self._store.transaction():
            other = self._store.product_by_id(product.product_id)
            if other is not None and other.product_code != product.product_code:
                raise Conflict(f"{product.product_id} is the id of product {other.product_code}.")
            known = self._store.product(product.product_code)
            if (
                known is not None
                and (known.generation, known.pricing_model) != (product.generation, product.pricing_model)
                and self._store.agreements(product.product_code)
            ):
                raise Conflict("A product that has been sold keeps its generation and its pricing model.")
            self._store.keep_product(product)
        await self._courier.prepare(product.topics)
        return known is None

    async def buy(
        self,
        product_code: str,
        *,
        customer_aws_account_id: str | None = None,
        offer: Offer | None = None,
        entitlements: Mapping[str, int] | None = None,
    ) -> HandOver:
        """A buyer accepts an offer and is handed a token, unless the agreement starts in the future.

        Args:
            customer_aws_account_id: 12 digits; a new account by default.
            offer: the public one by default.
            entitlements: units of each dimension of a contract; one of each by default.

        Raises:
            NotFound, Conflict, LifeRefused, OfferRefused.
        """
        offer = offer or Offer()
        with self._store.transaction():
            product = self.product(product_code)
            bought = _bought(product, entitlements)
            account = customer_aws_account_id or identifiers.new_account_id()
            seller, now = self._settings.seller_account, self._clock.now()
            offers.require_possible(offer, product, buyer=account, seller=seller, now=now)
            everything_held = self._store.agreements_of_account(account)
            if any(agreement.suspended_at is not None for agreement in everything_held):
                raise LifeRefused(f"Account {account} is suspended and cannot buy.")
            held = [agreement for agreement in everything_held if agreement.product_code == product_code]
            agreement = agreements.accept(
                product,
                offer,
                customer_aws_account_id=account,
                entitlements=bought,
                held=held,
                seller=seller,
                now=now,
            )
            if not agreement.payment_failed and agreement.starts_at == now:
                for earlier in held:
                    # Re-subscribed within the hour: subscribe-success comes in unsubscribe-success's place.
                    self._store.withdraw_news(earlier.agreement_id, "unsubscribe-success", now)
            self._store.add_agreement(agreement)
            self._store.add_news(news.of_purchase(agreement, product, seller))
            hand_over = self._hand_over(agreement, product)
        await self._courier.release()
        return hand_over

    def set_up_again(self, agreement_id: str) -> HandOver:
        """ "Set up your account": another token for the same purchase, and no news.

        Raises:
            NotFound, LifeRefused.
        """
        with self._store.transaction():
            agreement = self.agreement(agreement_id)
            agreements.require_set_up(agreement, self._clock.now())
            return self._hand_over(agreement, self.product(agreement.product_code))

    async def move_clock(
        self, *, now: datetime | None = None, advance_seconds: float | None = None, speed: float | None = None
    ) -> None:
        """Move the clock in one of its three ways; what came due has been offered when this returns.

        Raises:
            ClockRefused.
        """
        if now is not None:
            self._clock.set_now(now)
        elif advance_seconds is not None:
            self._clock.advance(advance_seconds)
        elif speed is not None:
            self._clock.set_speed(speed)
        with self._store.transaction():
            self._store.keep_clock_state(self._clock.state)
        self.acts.catch_up()
        await self._courier.release()

    async def run(self) -> None:
        """Look for ever for what comes due by itself: on a running clock, or after an engine was away."""
        while True:
            arrived = True
            try:
                self.acts.catch_up()
                if self._courier.waiting():
                    arrived = await self._courier.release()
            except Exception:
                log.exception("What came due could not be done; trying again.")
                arrived = False
            await asyncio.sleep(LOOK_SECONDS if arrived else RETRY_SECONDS)

    def news_waiting(self) -> int:
        """How much news could have left by now and has not."""
        return self._courier.waiting()

    async def rule_news(self, rule: NewsRule) -> None:
        """Let the road to the seller misbehave, or not any more; news that this lets go goes out."""
        with self._store.transaction():
            if rule.agreement_id is not None:
                self.agreement(rule.agreement_id)
            self._store.keep_news_rule(rule)
        await self._courier.release()

    async def forget_news_rules(self) -> None:
        """Let the road behave again; news that was held back goes out."""
        with self._store.transaction():
            self._store.forget_news_rules()
        await self._courier.release()

    def change_sns(self, settings: SnsSettings) -> None:
        """Wrap and sign legacy news otherwise from now on."""
        self._sns_desk.change(settings)

    async def subscribe_queue(self, queue: str) -> list[str]:
        """Subscribe a queue to every legacy topic, those of later products included.

        Raises:
            NotDelivered: the engine is away or has no such queue; nothing has been kept.
        """
        topics = [topic for product in self._store.products() for topic in product.topics]
        subscriptions = await self._courier.subscribe(topics, queue)
        with self._store.transaction():
            self._store.add_subscribed_queue(queue)
        return subscriptions

    async def lead_by_https(self, roads: HttpsRoads) -> None:
        """Let news go by HTTPS from now on, beside the queues or in their place.

        Raises:
            NotDelivered: the seller does not answer a confirmation; the roads are kept all the same, and news
                waits.
        """
        _ = self._sns_desk.key  # made here: the courier's thread must not write into the store
        with self._store.transaction():
            self._store.keep_https_roads(asdict(roads))
        if roads.sns_url:
            topics = [topic for product in self._store.products() for topic in product.topics]
            await self._courier.confirm(topics, new_token)

    def confirm_topic(self, topic: str, token: str) -> bool:
        """The seller asked for the address in a SubscriptionConfirmation. False where it was another."""
        with self._store.transaction():
            return self._store.confirm_https_topic(topic, token)

    def reset(self) -> None:
        """Forget everything and begin again, frozen, at the first moment."""
        with self._store.transaction():
            self._store.empty()
            self._clock.restart(first_moment(self._settings, self._clock.real_now()))
            self._store.keep_clock_state(self._clock.state)
        self._sns_desk.reset()

    def _hand_over(self, agreement: Agreement, product: Product) -> HandOver:
        if self._clock.now() < agreement.starts_at:
            return HandOver(agreement, product, None, None)
        registration_token = identifiers.new_registration_token()
        expires_at = self._clock.now() + tokens.life(self._store.switches.current)
        self._store.add_token(
            tokens.Token(tokens.fingerprint(registration_token), agreement.agreement_id, expires_at)
        )
        return HandOver(agreement, product, registration_token, expires_at)


def first_moment(settings: Settings, real_now: datetime) -> datetime:
    """Where a new clock stands."""
    return settings.start or hour_of(real_now)


def _bought(product: Product, entitlements: Mapping[str, int] | None) -> dict[str, int]:
    require_units(product, entitlements or {})
    if entitlements is None and product.has_entitlements:
        return {dimension.key: dimension.one for dimension in product.dimensions}
    return dict(entitlements or {})
