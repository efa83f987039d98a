"""`kill -9` of notifications' processes on the running house: the engine has done what it was asked, and the
process that asked is gone before it hears of it.

(To be killed before a call is to be killed after the one before it.) Every step of everybody, and what stands
in the books after it, is in `services/notifications/tests/test_killed_at_every_step.py`, which needs no
processes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import pytest

from tests.faults.faulty_house import FaultyHouse
from tests.faults.test_news_faults import signals_of
from tests.journeys.house import (
    NEWS_QUEUE,
    SIGNALS_QUEUE,
    UNTIL_ACTIVE,
    UNTIL_ENDING,
    UNTIL_TAKEN_OVER,
    Buyer,
)
from tests.journeys.receiver import Receiver, receiving
from tools.stack import LOCAL_SECRET

TABLES = "marketplane-notifications-"
# Longer than it takes to kill who waits for the answer; the proxy itself waits no longer when it is stopped.
HELD_SECONDS = 15
# What the worker does from a message to the seller's systems: operation, table or queue, how many pass first.
STEPS = {
    "a message is applied": ("TransactWriteItems", TABLES, 0),
    "a signal is sent": ("SendMessageBatch", SIGNALS_QUEUE, 0),
    "messages are deleted": ("DeleteMessageBatch", NEWS_QUEUE, 0),
    "an entry's mark is removed": ("UpdateItem", f"{TABLES}log", 0),
    "a delivery is claimed": ("PutItem", f"{TABLES}webhook-deliveries", 1),
    "a delivery is concluded": ("PutItem", f"{TABLES}webhook-deliveries", 2),
}


@pytest.fixture
def receiver(house: FaultyHouse) -> Iterator[Receiver]:
    """One of the seller's systems."""
    with receiving() as one:
        endpoint = house.operate("POST", "/v1/webhook-endpoints", {"url": one.url}, expect=201)
        one.secrets.add(endpoint["secret"])
        yield one
        house.mend()
        house.operate("DELETE", f"/v1/webhook-endpoints/{endpoint['endpoint_id']}", expect=204)


@pytest.fixture(autouse=True)
def all_up(house: FaultyHouse) -> Iterator[None]:
    """Also after a test that failed."""
    yield
    for name in ("notifications-web", "notifications-worker"):
        if not house.stack.is_running(name):
            house.stack.start(name)


def kill_at(house: FaultyHouse, process: str) -> None:
    """Kills who waits for the answer to the call that the fault holds up; it runs again after."""
    house.until(house.fired, "the call")
    house.stack.kill(process)
    house.mend()
    house.stack.start(process)


def assert_whole(house: FaultyHouse, buyer: Buyer, status: str, pieces: int, receiver: Receiver) -> None:
    """All news of a purchase counts once; everybody who is to hear of it has heard."""
    house.until(lambda: house.engine.queue(NEWS_QUEUE).depth() == 0, "an empty queue")
    house.until_status(status, buyer)
    house.until_answered(buyer)
    kept = house.listed("/v1/notifications", subject=buyer.agreement_id)
    assert len(kept) == len({one["notification_id"] for one in kept}) == pieces
    versions = list(range(1, house.subscription(buyer)["version"] + 1))
    told = house.listed(f"/v1/subscriptions/{buyer.subscription_id}/history")
    assert sorted(entry["version"] for entry in told) == versions
    loud = house.told_versions(buyer)
    heard: dict[int, dict[str, Any]] = {}

    def all_heard() -> bool:
        for version, signal in signals_of(house, buyer).items():
            # Once more is the same signal.
            assert heard.setdefault(version, signal) == signal
        return set(heard) == loud

    house.until(all_heard, "every signal")

    def arrived() -> list[int]:
        return [one.told["data"]["subscription"]["version"] for one in receiver.about(buyer.subscription_id)]

    # What a killed sender had in hand is due again after its minute.
    house.advance(UNTIL_TAKEN_OVER)
    house.until(lambda: set(arrived()) == loud, "every webhook")
    of_each = Counter(one.webhook_id for one in receiver.about(buyer.subscription_id))
    assert len(of_each) == len(loud)
    assert max(of_each.values()) <= 2
    assert house.engine.queue(f"{NEWS_QUEUE}-dlq").depth() == 0


@pytest.mark.parametrize("step", STEPS)
def test_the_worker(house: FaultyHouse, receiver: Receiver, step: str) -> None:
    buyer = house.buy("concurrent_agreements")
    operation, resource, skip = STEPS[step]
    house.fail("slow", operation, resource, skip=skip, count=1, seconds=HELD_SECONDS)
    house.advance(UNTIL_ACTIVE)
    kill_at(house, "notifications-worker")
    assert_whole(house, buyer, "active", 2, receiver)


def test_the_sweep(house: FaultyHouse, receiver: Receiver) -> None:
    buyer = house.buy_active("concurrent_agreements")
    house.cancel(buyer)
    house.advance(UNTIL_ENDING)
    house.until_status("ending", buyer)
    house.until(lambda: len(house.listed("/v1/notifications", subject=buyer.agreement_id)) == 4, "all news")
    house.until_all_is_heard(buyer)
    house.fail("slow", "TransactWriteItems", "marketplane-subscriptions", count=1, seconds=HELD_SECONDS)
    house.begin_hour()
    house.begin_hour()
    kill_at(house, "notifications-worker")
    assert_whole(house, buyer, "ended", 4, receiver)


@pytest.mark.parametrize(
    ("operation", "resource"),
    [("PutItem", f"{TABLES}differences"), ("TransactWriteItems", TABLES)],
    ids=["noted, not healed", "healed, not moved on"],
)
def test_a_reconciliation(house: FaultyHouse, receiver: Receiver, operation: str, resource: str) -> None:
    buyer = house.buy("concurrent_agreements")
    house.lose_news(buyer)
    house.advance(UNTIL_ACTIVE)
    house.fail("slow", operation, resource, count=1, seconds=HELD_SECONDS)
    begun = house.operate("POST", "/v1/reconciliations", expect=202)
    kill_at(house, "notifications-worker")
    path = f"/v1/reconciliations/{begun['reconciliation_id']}"
    house.until(lambda: house.operate("GET", path)["state"] == "finished", "the end of it")
    found = house.listed(f"{path}/differences")
    (difference,) = [one for one in found if one["agreement_id"] == buyer.agreement_id]
    assert difference["kind"] == "unknown_agreement"
    assert_whole(house, buyer, "active", 2, receiver)


def test_the_door(house: FaultyHouse, receiver: Receiver) -> None:
    """The message is on the queue, and AWS hears nothing: it sends it once more."""
    buyer = house.buy("concurrent_agreements")
    house.lose_news(buyer)
    house.advance(UNTIL_ACTIVE)
    created, licensed = house.news(buyer)
    url = house.stack.urls["notifications-web"] + "/v1/eventbridge"
    headers = {"X-EventBridge-Secret": LOCAL_SECRET, "Content-Type": "application/json"}

    def post(event: dict[str, Any]) -> httpx.Response:
        return house.http.post(url, content=event["body"], headers=headers)

    assert post(created).status_code == 200
    house.fail("slow", "SendMessage", NEWS_QUEUE, count=1, seconds=HELD_SECONDS)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(post, licensed)
        kill_at(house, "notifications-web")
        with suppress(httpx.TransportError):
            assert answer.result().status_code >= 500
    assert post(licensed).status_code == 200
    assert_whole(house, buyer, "active", 2, receiver)


def test_a_dead_letter_sent_again(house: FaultyHouse, receiver: Receiver) -> None:
    """Sent and removed, and the operator hears nothing: they do it once more, and it counts once."""
    buyer = house.buy("concurrent_agreements")
    house.lose_news(buyer)
    house.advance(UNTIL_ACTIVE)
    created, licensed = (event["body"] for event in house.news(buyer))
    letters = house.engine.queue(f"{NEWS_QUEUE}-dlq")
    # As a release that could not read it would have left it.
    letters.send(licensed)
    house.engine.queue(NEWS_QUEUE).send(created)
    house.until(lambda: house.listed("/v1/notifications", subject=buyer.agreement_id), "the first news")
    house.fail("slow", "DeleteMessageBatch", letters.name, count=1, seconds=HELD_SECONDS)
    url = house.stack.urls["notifications-web"] + "/v1/dead-letters/redrive"

    def redrive() -> httpx.Response:
        return house.http.post(url, content=json.dumps({}), headers=headers)

    headers = {**house.keys["notifications"], "Content-Type": "application/json"}
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(redrive)
        kill_at(house, "notifications-web")
        with suppress(httpx.TransportError):
            assert answer.result().status_code >= 500

    assert redrive().json() == {"redriven": 0, "not_found": []}
    assert_whole(house, buyer, "active", 2, receiver)
