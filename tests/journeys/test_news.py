"""News that comes late, twice, in any order or not at all; lost signals; messages that nobody can read."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.journeys.house import (
    GENERATIONS,
    LISTENER_QUEUE,
    NEWS_QUEUE,
    SIGNALS_QUEUE,
    UNTIL_ACTIVE,
    UNTIL_ENDING,
    Buyer,
    House,
)


@pytest.fixture
def stopped(house: House) -> Iterator[Callable[[str], None]]:
    """Stops a process; it runs again after the test."""
    names: list[str] = []

    def stop(name: str) -> None:
        house.stack.kill(name)
        names.append(name)

    yield stop
    for name in names:
        if not house.stack.is_running(name):
            house.stack.start(name)


def subscription_but_for_ids(house: House, buyer: Buyer) -> dict[str, Any]:
    """A row without what differs from one purchase to the next, or counts the steps of the way; and without
    what AWS is asked for: how often that is depends on the way too."""
    row = house.subscription(buyer)
    own = {"subscription_id", "license_arn", "agreement_id", "customer_identifier", "customer_aws_account_id"}
    own |= {"offer_id", "changed_by", "version"}
    own |= {"free_trial", "trial_ends_at", "agreement_ends_at", "entitlements", "entitlements_as_of"}
    assert row["offer_id"].startswith("offer-"), row
    return {name: value for name, value in row.items() if name not in own}


def notification_id(body: str) -> str:
    message = json.loads(body)
    return str(message.get("MessageId") or message["id"])


def news_of(house: House, buyers: list[Buyer], most: int) -> dict[Buyer, list[str]]:
    """Takes the news of these buyers off the queue: `most` messages of each, as they happened."""
    bodies: dict[Buyer, list[str]] = defaultdict(list)

    def all_came() -> bool:
        for message in house.engine.queue(NEWS_QUEUE).take():
            for buyer in buyers:
                # Legacy news names the customer, the other the agreement.
                if (buyer.identity.get("customer_identifier") or buyer.agreement_id) in message["Body"]:
                    bodies[buyer].append(message["Body"])
        return all(len(bodies[buyer]) == most for buyer in buyers)

    house.until(all_came, "AWS's news")
    return bodies


@pytest.mark.parametrize("generation", GENERATIONS)
def test_news_in_every_order_and_twice(house: House, stopped: Callable[[str], None], generation: str) -> None:
    """A whole life's news is kept back and then delivered by hand, in each possible order."""
    pieces = 2 if generation == "legacy" else 4
    house.begin_hour()
    straight = house.buy(generation)
    stopped("notifications-worker")
    orders = list(itertools.permutations(range(pieces)))
    buyers = [house.buy(generation) for _ in orders]
    house.advance(UNTIL_ACTIVE)
    for buyer in (straight, *buyers):
        house.report(buyer, count=4, quantity="1.5")
    for buyer in (straight, *buyers):
        house.cancel(buyer)
    house.advance(UNTIL_ENDING)
    bodies = news_of(house, [straight, *buyers], pieces)

    house.stack.start("notifications-worker")
    queue = house.engine.queue(NEWS_QUEUE)

    def deliver(*messages: str) -> None:
        queue.send(*messages)
        wanted = {notification_id(message) for message in messages}
        house.until(
            lambda: wanted <= {row["notification_id"] for row in inbox(house)} and queue.depth() == 0,
            "the inbox",
        )

    for body in bodies[straight]:
        deliver(body)
    for step in range(pieces):
        # The same step of every order at once, twice; and once more what was delivered in the step before.
        now = [bodies[buyer][order[step]] for buyer, order in zip(buyers, orders, strict=True)]
        before = [bodies[buyer][order[step - 1]] for buyer, order in zip(buyers, orders, strict=True) if step]
        deliver(*now, *before, *now)

    house.until_status("ending", straight, *buyers)
    expected = subscription_but_for_ids(house, straight)
    assert expected["status"] == "ending"
    assert expected["active_since"]
    for buyer, order in zip(buyers, orders, strict=True):
        assert subscription_but_for_ids(house, buyer) == expected, order
    house.assert_billed_exactly(straight, *buyers)
    assert {house.billed(buyer) for buyer in (straight, *buyers)} == {Decimal("6")}
    assert {record["hour"] for buyer in buyers for record in house.bill(buyer)} == {
        record["hour"] for record in house.bill(straight)
    }


def test_news_in_a_burst(house: House, stopped: Callable[[str], None]) -> None:
    """Two threads have news of the same agreements in hand at once: neither decides on half of it."""
    stopped("notifications-worker")
    buyers = [house.buy("concurrent_agreements") for _ in range(10)]
    house.advance(UNTIL_ACTIVE)
    for buyer in buyers:
        house.cancel(buyer)
    house.advance(UNTIL_ENDING)
    bodies = news_of(house, buyers, 4)
    queue = house.engine.queue(NEWS_QUEUE)
    # A thread takes ten at a time: the first all of one kind, the second all of the next. Those of the
    # agreement first (Created, Ended): with no licence known there is no row yet that could guard them.
    for piece in (0, 2, 1, 3):
        queue.send(*(bodies[buyer][piece] for buyer in buyers))
    house.stack.start("notifications-worker")
    house.until_status("ending", *buyers)
    house.until(lambda: queue.depth() == 0, "an empty queue")
    log = house.engine.rows("marketplane-notifications-log")
    for buyer in buyers:
        # Between the facts may stand what AWS answered to our own questions.
        entries = [row for row in log if row["subject"] == buyer.agreement_id]
        assert sorted(int(row["number"]) for row in entries) == list(range(1, len(entries) + 1))
        assert len({row["notification_id"] for row in entries if "notification_id" in row}) == 4
        row = house.subscription(buyer)
        assert (row["end_reason"], row["status"]) == ("CANCELLED", "ending")
        assert row["offer_id"].startswith("offer-")


def inbox(house: House) -> list[dict[str, Any]]:
    return house.engine.rows("marketplane-notifications-inbox")


def test_news_that_never_comes(house: House, stopped: Callable[[str], None]) -> None:
    """The licence's own events say all that the bill needs: those of the agreement may be lost for good."""
    house.begin_hour()
    stopped("notifications-worker")
    buyer = house.buy("concurrent_agreements")
    house.advance(UNTIL_ACTIVE)
    house.report(buyer)
    house.cancel(buyer)
    house.advance(UNTIL_ENDING)
    bodies = news_of(house, [buyer], 4)[buyer]
    house.engine.queue(NEWS_QUEUE).send(*(body for body in bodies if '"License ' in body))
    house.stack.start("notifications-worker")
    house.until_status("ending", buyer)
    house.assert_billed_exactly(buyer)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_lost_signal_costs_time_only(house: House, stopped: Callable[[str], None], generation: str) -> None:
    house.begin_hour()
    buyer = house.buy_active(generation)
    house.report(buyer)
    house.until(lambda: house.usage(buyer) == buyer.total, "the fold")
    stopped("metering-worker")
    listener = house.engine.queue(LISTENER_QUEUE)
    listener.take()
    house.cancel(buyer)
    house.advance(UNTIL_ENDING)
    house.until_status("ending", buyer)
    # The other reader has heard; once everybody is told, metering's copy has been sent too.
    house.until(lambda: any("subscription.ending" in one["Body"] for one in listener.take()), "the signal")
    house.until(house.all_told, "metering to be told")
    # A poll of the killed worker may have taken it along; then it comes back first.
    house.until(lambda: house.engine.queue(SIGNALS_QUEUE).take(), "metering's copy of the signal")
    house.stack.start("metering-worker")
    # The final hour was billed all the same, and while AWS still took it.
    house.assert_billed_exactly(buyer)


POISON = {
    NEWS_QUEUE: [
        "not json",
        "[]",
        '{"detail-type": "License Updated - Manufacturer", "no": "id"}',
        '{"ü": 1}',
    ],
    SIGNALS_QUEUE: ["not json", "[1]", '{"id": "x", "type": "subscription.activated"}', '{"time": "ü"}'],
}


@pytest.mark.parametrize("queue", POISON)
def test_poison_goes_to_the_dead_letters_whole(house: House, queue: str) -> None:
    poisoned, letters = house.engine.queue(queue), house.engine.queue(f"{queue}-dlq")
    assert letters.depth() == 0
    house.begin_hour()
    buyers = []
    for generation, poison in zip([*GENERATIONS] * 2, POISON[queue], strict=True):
        poisoned.send(poison)
        buyers.append(house.buy(generation))
    house.advance(UNTIL_ACTIVE)
    for buyer in buyers:
        house.report(buyer)
    # Between the poison, the others' news and signals went their way.
    house.until_status("active", *buyers)
    house.cancel(buyers[0])
    house.until_status("ending", buyers[0])
    house.seal_hour()
    house.assert_billed_exactly(*buyers)

    house.until(lambda: letters.depth() == len(POISON[queue]), "the dead letters")
    house.until(lambda: poisoned.depth() == 0, "an empty queue")
    buried = letters.take()
    assert sorted(letter["Body"] for letter in buried) == sorted(POISON[queue])
    for letter in buried:
        assert letter["MessageAttributes"]["reason"]["StringValue"]
        assert letter["MessageAttributes"]["original_message_id"]["StringValue"]
    # Poison is looked at once, not five times.
    assert letters.depth() == 0


def test_old_news_changes_nothing(house: House) -> None:
    """All news of a buyer comes a second time, days of AWS's time after it was applied."""
    house.begin_hour()
    buyers = [house.buy_active(generation) for generation in GENERATIONS]
    for buyer in buyers:
        house.report(buyer)
    house.seal_hour()
    house.assert_billed_exactly(*buyers)
    for buyer in buyers:
        house.cancel(buyer)
    house.advance(timedelta(hours=2))
    house.until_status("ended", *buyers)
    subjects = {buyer.agreement_id for buyer in buyers} | {
        f"{buyer.product_code}/{buyer.identity.get('customer_identifier')}" for buyer in buyers
    }

    def bodies() -> list[str]:
        kept = [row["notification_id"] for row in inbox(house) if row.get("subject") in subjects]
        return [house.ask("notifications", f"/v1/notifications/{one}")["body"] for one in kept]

    house.until(lambda: len(bodies()) == 7, "all news")
    house.until_answered(*buyers)
    before = [(house.subscription(buyer), house.bill(buyer)) for buyer in buyers]
    house.advance(timedelta(days=2))
    queue = house.engine.queue(NEWS_QUEUE)
    queue.send(*bodies(), *reversed(bodies()))
    house.until(lambda: queue.depth() == 0, "an empty queue")
    assert [(house.subscription(buyer), house.bill(buyer)) for buyer in buyers] == before
    assert len(bodies()) == 7
