"""The notifications worker while tables and queues fail, before and after the commit, at each step.

Nothing is lost, nothing is applied twice, and each version of a row is signalled under one id.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.faults.faulty_house import ATTEMPTS, DEEP, FaultyHouse
from tests.journeys.house import (
    GENERATIONS,
    LISTENER_QUEUE,
    NEWS_QUEUE,
    SIGNALS_QUEUE,
    UNTIL_ACTIVE,
    UNTIL_ENDING,
    Buyer,
)

INBOX = "marketplane-notifications-inbox"
LOG = "marketplane-notifications-log"
EVENTS = "marketplane-notifications-webhook-events"
ROWS = "marketplane-subscriptions"

# The calls that the worker makes on the way of one message: name, operation, table or queue.
READS = {
    # One by one, or those of a receipt together, as they happen to come.
    "was it here before": ("GetItem|BatchGetItem", INBOX),
    "what is known of its subject": ("Query|BatchGetItem", LOG),
    "what do the rows say": ("BatchGetItem", ROWS),
    "what is to be told": ("Scan", LOG),
    "what is told": ("BatchGetItem", LOG),
}
WRITES = {
    "message, log entry and row": ("TransactWriteItems", INBOX),
    "the signal": ("SendMessageBatch", SIGNALS_QUEUE),
    "the event is kept": ("BatchWriteItem", EVENTS),
    "the mark is removed": ("UpdateItem", LOG),
    "news is received": ("ReceiveMessage", NEWS_QUEUE),
    "news is deleted": ("DeleteMessageBatch", NEWS_QUEUE),
}
# How a write fails: once our client library tries again by itself, ATTEMPTS times our own code sees it.
FAILURES: dict[str, tuple[str, int]] = {
    "before": ("error_before", ATTEMPTS),
    "after the commit": ("drop_after", ATTEMPTS),
    **({"after the commit, once": ("error_after", 1)} if DEEP else {}),
}
CASES: dict[str, list[tuple[str, str, str, dict[str, Any]]]] = {
    **{
        f"{name}, before": [("error_before", operation, resource, {"count": ATTEMPTS})]
        for name, (operation, resource) in READS.items()
    },
    **{
        f"{name}, {when}": [(kind, operation, resource, {"count": count})]
        for name, (operation, resource) in WRITES.items()
        for when, (kind, count) in FAILURES.items()
    },
    "another's transaction is in the way": [
        ("transaction_conflict", "TransactWriteItems", INBOX, {"count": 3})
    ],
    "others are always quicker": [("transaction_conflict", "TransactWriteItems", INBOX, {"count": 22})],
    "a part of the batch is not deleted": [
        ("unprocessed", "DeleteMessageBatch", NEWS_QUEUE, {"keep": 0, "count": 1})
    ],
    "a failed message cannot be postponed": [
        ("error_before", "GetItem|BatchGetItem", INBOX, {"count": 2 * ATTEMPTS}),
        ("error_before", "ChangeMessageVisibility", NEWS_QUEUE, {"count": ATTEMPTS}),
    ],
}


def row_of(house: FaultyHouse, buyer: Buyer) -> dict[str, Any]:
    """The published row, read past the services: nothing that watches may draw a fault upon itself."""
    rows = house.engine.rows(ROWS)
    return next((row for row in rows if row["subscription_id"] == buyer.subscription_id), {})


def subject_of(buyer: Buyer) -> str:
    if buyer.generation == "legacy":
        return f"{buyer.product_code}/{buyer.identity['customer_identifier']}"
    return buyer.agreement_id


def assert_applied_once(house: FaultyHouse, buyer: Buyer, pieces: int) -> None:
    """All news of a buyer is in the books once, signalled, and off the queue."""
    for queue in (NEWS_QUEUE, SIGNALS_QUEUE):
        house.until(lambda queue=queue: house.engine.queue(queue).depth() == 0, f"an empty {queue}")
    house.until(house.all_told, "everybody to be told")
    subject = subject_of(buyer)
    log = [row for row in house.engine.rows(LOG) if row["subject"] == subject]
    assert sorted(int(row["number"]) for row in log) == list(range(1, len(log) + 1))
    facts = [row for row in log if "notification_id" in row]
    assert len({fact["notification_id"] for fact in facts}) == len(facts) == pieces
    kept = [row for row in house.engine.rows(INBOX) if row.get("subject") == subject]
    assert {row["notification_id"] for row in kept} == {fact["notification_id"] for fact in facts}
    for queue in (NEWS_QUEUE, SIGNALS_QUEUE):
        assert house.engine.queue(f"{queue}-dlq").depth() == 0


def signals_of(house: FaultyHouse, buyer: Buyer) -> dict[int, dict[str, Any]]:
    """What a sibling heard of a buyer, by version. A signal may come twice, but it is the same one."""
    heard: dict[int, dict[str, Any]] = {}
    for message in house.engine.queue(LISTENER_QUEUE).take():
        signal = json.loads(message["Body"])
        if signal["subscription_id"] == buyer.subscription_id:
            assert heard.setdefault(signal["version"], signal) == signal
    return heard


@pytest.mark.parametrize("case", CASES)
def test_news_is_applied_once_whatever_fails(house: FaultyHouse, case: str) -> None:
    house.rest("notifications-worker")
    buyer = house.buy("concurrent_agreements")
    for kind, operation, resource, more in CASES[case]:
        house.fail(kind, operation, resource, **more)
    house.advance(UNTIL_ACTIVE)
    house.until(house.fired, "the fault")
    house.until(lambda: row_of(house, buyer).get("status") == "active", "the row")
    assert_applied_once(house, buyer, pieces=2)
    row = row_of(house, buyer)
    assert row["access"] == "granted"
    assert row["offer_id"]
    heard = signals_of(house, buyer)
    assert heard
    # Read anew: what AWS says when it is asked may have made one more version meanwhile.
    assert set(heard) <= set(range(1, int(row_of(house, buyer)["version"]) + 1))
    assert [signal["type"] for signal in heard.values()].count("subscription.activated") == 1


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_end_of_the_last_hour_whatever_fails(house: FaultyHouse, generation: str, failure: str) -> None:
    """For concurrent agreements no message announces it: the sweep ends them, row and log entry in one
    act."""
    house.rest("notifications-worker")
    buyer = house.buy_active(generation)
    house.cancel(buyer)
    house.advance(UNTIL_ENDING)
    house.until_status("ending", buyer)
    # Also of what else AWS says of the end: the fault is for the sweep.
    house.until_all_is_heard(buyer)
    signals_of(house, buyer)
    kind, count = FAILURES[failure]
    house.fail("error_before", "Scan", ROWS, count=ATTEMPTS)
    house.fail(kind, "TransactWriteItems", ROWS, count=count)
    house.begin_hour()
    house.begin_hour()
    house.until(house.fired, "the fault")
    house.until(lambda: row_of(house, buyer).get("status") == "ended", "the row")
    assert_applied_once(house, buyer, pieces=3 if generation == "legacy" else 4)
    ended = [signal for signal in signals_of(house, buyer).values() if signal["type"] == "subscription.ended"]
    assert len(ended) == 1


def test_an_outage_calls_no_news_dead(house: FaultyHouse) -> None:
    """However long the tables are away, good news waits: it is not received so often that SQS buries it."""
    house.rest("notifications-worker")
    buyers = [house.buy(generation) for generation in GENERATIONS]
    seen = len(house.stack.logs("notifications-worker"))
    for operation in ("GetItem", "Query", "DescribeTable", "TransactWriteItems"):
        house.fail("error_before", operation, "marketplane-notifications-")
    house.advance(UNTIL_ACTIVE)

    def waited() -> bool:
        text = house.stack.logs("notifications-worker")[seen:]
        return text.count("A part is away; nothing is received.") >= 3

    house.until(waited, "the worker to wait for its tables")
    assert house.engine.queue(f"{NEWS_QUEUE}-dlq").depth() == 0
    house.mend()
    house.until_status("active", *buyers)
    for buyer, pieces in zip(buyers, (1, 2), strict=True):
        assert_applied_once(house, buyer, pieces)


def test_poison_in_an_outage(house: FaultyHouse) -> None:
    """What cannot be read reaches the dead letters whole also when sending it there fails at first."""
    house.rest("notifications-worker")
    letters = house.engine.queue(f"{NEWS_QUEUE}-dlq")
    house.fail("error_before", "SendMessage", f"{NEWS_QUEUE}-dlq", count=ATTEMPTS)
    house.engine.queue(NEWS_QUEUE).send("not json")
    house.until(house.fired, "the fault")
    house.until(lambda: letters.depth() == 1, "the dead letter")
    assert [letter["Body"] for letter in letters.take()] == ["not json"]
