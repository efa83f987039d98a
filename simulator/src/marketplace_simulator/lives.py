"""`marketplace-simulator-lives`: lives of purchases made up by chance, each as the news that AWS would send.

    marketplace-simulator-lives --seed 7 --count 100

Prints one JSON object per line and life: a buyer's dealings with one product, from the first purchase on,
most of them until nothing of it is left. For whoever wants to hold a consumer of news against more lives than
they can think of. (Identifiers differ from run to run; the acts and their times follow from the seed.)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

from marketplace_simulator.agreement_acts import Conflict
from marketplace_simulator.agreements import NO_END, LifeRefused
from marketplace_simulator.clock import Clock, ClockState
from marketplace_simulator.delivery import Courier
from marketplace_simulator.marketplace import Marketplace
from marketplace_simulator.news import News
from marketplace_simulator.offers import Offer, OfferRefused
from marketplace_simulator.products import GENERATIONS, PRICING_MODELS, Dimension, Product
from marketplace_simulator.settings import Settings
from marketplace_simulator.sns import envelope_of
from marketplace_simulator.sns_desk import SnsDesk
from marketplace_simulator.store import Store
from marketplace_simulator.times import rfc3339

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
MOST_ACTS = 7
A_PARTNER = "999988887777"
TOPIC_ARN = "arn:aws:sns:us-east-1:287250355862:{topic}"
# What a buyer waits between two acts: within AWS's minutes, within the last hour, days, most of a term.
PAUSES = (
    timedelta(0),
    timedelta(seconds=30),
    timedelta(minutes=5),
    timedelta(minutes=50),
    timedelta(hours=2),
    timedelta(days=3),
    timedelta(days=40),
)

PRODUCTS = [
    Product(
        product_code=f"lives-{generation}-{pricing_model}".replace("_", "-"),
        product_id=f"prod-lives-{number}",
        title=f"{generation} {pricing_model}",
        generation=generation,
        pricing_model=pricing_model,
        dimensions=(Dimension("seats", "Seats", "Units"),),
    )
    for number, (generation, pricing_model) in enumerate(
        (generation, pricing_model) for generation in GENERATIONS for pricing_model in PRICING_MODELS
    )
]


class Gathering:
    """Takes the place of the seller's queues, and keeps what comes."""

    def __init__(self, desk: SnsDesk) -> None:
        self._desk = desk
        self.messages: list[tuple[str, dict[str, str]]] = []

    def deliver(self, news: News, subscribed_queues: list[str]) -> None:
        body = news.body
        if news.topic is not None:
            envelope = envelope_of(
                news,
                TOPIC_ARN.format(topic=news.topic),
                key=self._desk.key,
                signature_version="1",
                certificate_url=self._desk.certificate_url,
            )
            body = json.dumps(envelope)
        message = {"name": news.name, "at": rfc3339(news.due_at), "body": body}
        self.messages.append((news.agreement_id, message))

    def prepare(self, topic: str, subscribed_queues: list[str]) -> None:
        """There are no topics here."""

    def subscribe(self, topics: list[str], queue: str) -> list[str]:
        return []


class Lives:
    """A simulator of its own, in this process, with a die.

    Args:
        seed: of the die.
    """

    def __init__(self, seed: int) -> None:
        self._die = random.Random(seed)  # nosec B311 # made-up lives are to be repeatable
        settings = Settings(start=START)
        self._store = Store(":memory:", settings.keep_calls)
        self._clock = Clock(ClockState(START, START))
        desk = SnsDesk(self._store, settings)
        # Made now: the courier's thread must not write into the store.
        _ = desk.key
        self._gathering = Gathering(desk)
        courier = Courier(self._store, self._clock, self._gathering)
        self._marketplace = Marketplace(settings, self._store, self._clock, courier, desk)
        for product in PRODUCTS:
            self._store.keep_product(product)

    async def one(self) -> dict[str, Any]:
        """The next life.

        Returns:
            `product_code`, `generation`, `pricing_model`; `messages` in the order in which AWS sent them,
            each with its name, its time and the body that an SQS queue would hold; `agreements` as they stand
            after, which is the truth that the messages tell of; `over_at`, when nothing more comes.
        """
        self._gathering.messages = []
        product = self._die.choice(PRODUCTS)
        account = f"{self._die.randrange(10**11, 10**12)}"
        await self._buy(product, account)
        for _ in range(self._die.randint(0, MOST_ACTS)):
            await self._wait(self._die.choice(PAUSES))
            await self._act(product, account)
        if self._die.random() < 0.7:
            await self._to_the_end(account)
        # In the last instant of a final hour the news of its end is out, and usage is still taken.
        await self._wait(timedelta(seconds=1))
        now = self._clock.now()
        agreements = self._store.agreements_of_account(account)
        ids = {agreement.agreement_id for agreement in agreements}
        return {
            "product_code": product.product_code,
            "generation": product.generation,
            "pricing_model": product.pricing_model,
            # A life before this one may not be over, and is still told of.
            "messages": [message for about, message in self._gathering.messages if about in ids],
            "agreements": [
                {
                    "agreement_id": agreement.agreement_id,
                    "license_arn": agreement.license_arn,
                    "previous_agreement_id": agreement.previous_agreement_id,
                    "customer_identifier": agreement.customer_identifier,
                    "status": "failed" if agreement.payment_failed else agreement.status(now),
                }
                for agreement in agreements
            ],
            "over_at": rfc3339(now),
        }

    async def _act(self, product: Product, account: str) -> None:
        acts = self._marketplace.acts
        agreement_id = self._die.choice(self._store.agreements_of_account(account)).agreement_id
        switch = self._die.random() < 0.5
        seats = {"seats": self._die.randint(2, 9)}
        # Suspending is not among them: no news tells of it.
        choices: list[Callable[[], Coroutine[Any, Any, Any]]] = [
            lambda: self._buy(product, account),
            lambda: self._buy(product, account),
            lambda: acts.end(agreement_id, "CANCELLED"),
            lambda: acts.end(agreement_id, "CANCELLED"),
            lambda: acts.end(agreement_id, "TERMINATED"),
            lambda: acts.end(agreement_id, "EXPIRED"),
            lambda: acts.amend(agreement_id, auto_renew=switch),
            lambda: acts.amend(agreement_id, entitlements=seats),
            lambda: acts.renew(agreement_id, at_end=switch),
            lambda: acts.replace(agreement_id),
            lambda: acts.advise(agreement_id),
            lambda: acts.advise(agreement_id, resolved=True),
            lambda: acts.request_cancellation(agreement_id),
            lambda: acts.answer_cancellation(agreement_id, "APPROVED"),
            lambda: acts.answer_cancellation(agreement_id, "REJECTED"),
            lambda: acts.answer_cancellation(agreement_id, "CANCELLED"),
        ]
        try:
            await self._die.choice(choices)()
        except (LifeRefused, Conflict):
            return  # not at this moment of such a life

    async def _buy(self, product: Product, account: str) -> None:
        die = self._die
        offer = die.choice(
            [
                Offer(),
                Offer(free_trial=True, trial_days=die.randint(7, 90), trial_lapses=die.random() < 0.5),
                Offer(kind="private", term_days=die.randint(1, 400), auto_renew=die.random() < 0.5),
                Offer(kind="private", starts_at=self._clock.now() + timedelta(hours=die.randint(1, 50))),
                Offer(kind="private", partner_account_id=A_PARTNER),
                Offer(payment_fails=True),
            ]
        )
        try:
            await self._marketplace.buy(product.product_code, customer_aws_account_id=account, offer=offer)
        except (LifeRefused, Conflict, OfferRefused):
            if not self._store.agreements_of_account(account):
                await self._marketplace.buy(product.product_code, customer_aws_account_id=account)

    async def _to_the_end(self, account: str) -> None:
        """Wait until all that has a term is over; what renews itself or has no term is cancelled."""
        for _ in range(50):
            running = [
                agreement
                for agreement in self._store.agreements_of_account(account)
                if agreement.ended_at is None and not agreement.payment_failed
            ]
            if not running:
                break
            for agreement in running:
                if agreement.auto_renew or agreement.end_time == NO_END:
                    try:
                        await self._marketplace.acts.end(agreement.agreement_id, "CANCELLED")
                    except LifeRefused:
                        continue  # not yet: it starts later
            await self._wait(timedelta(days=30))
        await self._wait(timedelta(hours=2))

    async def _wait(self, how_long: timedelta) -> None:
        await self._marketplace.move_clock(advance_seconds=how_long.total_seconds())


async def print_lives(seed: int, count: int) -> None:
    """One line each."""
    lives = Lives(seed)
    for _ in range(count):
        print(json.dumps(await lives.one()))


def main() -> None:
    """Reads the words of the command line."""
    parser = argparse.ArgumentParser(
        prog="marketplace-simulator-lives", description=str(__doc__).partition("\n")[0]
    )
    parser.add_argument("--seed", type=int, default=1, help="of the die; the same seed, the same acts")
    parser.add_argument("--count", type=int, default=10, help="how many lives")
    chosen = parser.parse_args()
    asyncio.run(print_lives(chosen.seed, chosen.count))


if __name__ == "__main__":
    main()
