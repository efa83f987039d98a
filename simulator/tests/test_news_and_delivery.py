"""News goes out in its due order, survives an engine that is away, and arrives as AWS sends it."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest

from marketplace_simulator.settings import Settings

START = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
QUEUE = "marketplane-notifications"


def test_a_long_advance_releases_all_news_in_due_order_before_it_answers(seller):
    product = seller.product()
    seller.buy(product, active=False)
    seller.advance(5)
    seller.buy(product, active=False)
    seller.advance(30 * 24 * 3600)
    due = [news.due_at for news in seller.mailbox.delivered]
    assert due == sorted(due)
    assert [news.name.split(" -")[0] for news in seller.mailbox.delivered] == [
        "Purchase Agreement Created",
        "Purchase Agreement Created",
        "License Updated",
        "License Updated",
    ]


def test_news_waits_in_order_while_the_engine_is_away(seller):
    seller.mailbox.away = True
    bought = seller.buy(seller.product())
    seller.do("POST", f"agreements/{bought['agreement_id']}/cancel")
    news = seller.do("GET", "news")["news"]
    assert [item["state"] for item in news] == ["due", "due", "due", "scheduled"]
    assert news[0]["last_error"] == "the engine is away"
    assert seller.do("GET", "health")["news_waiting"] == 3
    seller.mailbox.away = False
    for _ in range(100):
        if seller.do("GET", "health")["news_waiting"] == 0:
            break
        time.sleep(0.05)
    assert [news.name.split(" -")[0] for news in seller.mailbox.delivered] == [
        "Purchase Agreement Created",
        "License Updated",
        "Purchase Agreement Ended",
    ]
    assert [item["state"] for item in seller.do("GET", "news")["news"]] == [*["delivered"] * 3, "scheduled"]


def test_a_running_clock_releases_news_by_itself(seller):
    seller.buy(seller.product(), active=False)
    seller.do("PUT", "clock", {"speed": 200})
    for _ in range(100):
        if len(seller.mailbox.delivered) == 2:
            return
        time.sleep(0.05)
    pytest.fail("the news did not go out")


def test_a_contract_of_a_legacy_product_has_entitlement_news(seller):
    product = seller.product("legacy", pricing_model="contract")
    bought = seller.buy(product)
    seller.do("POST", f"agreements/{bought['agreement_id']}/cancel")
    entitlement_news = [news for news in seller.mailbox.delivered if news.topic == product["topics"][1]]
    assert [json.loads(news.body) for news in entitlement_news] == [
        {
            "action": "entitlement-updated",
            "customer-identifier": bought["customer_identifier"],
            "product-code": product["product_code"],
        }
    ] * 2


def test_eventbridge_news_arrives_on_the_queue_as_the_event_itself(serve, inbox):
    inbox.create()
    seller = serve(inbox.settings, real_post=True)
    bought = seller.buy(seller.product())
    created, updated = sorted(inbox.bodies(), key=lambda event: event["time"])
    assert created["detail-type"] == "Purchase Agreement Created - Proposer"
    assert updated["detail"]["license"]["arn"] == bought["license_arn"]
    assert {item["state"] for item in seller.do("GET", "news")["news"]} == {"delivered"}


def test_sns_news_arrives_through_the_topic_in_an_envelope_of_the_simulated_moment(serve, inbox):
    inbox.create()
    seller = serve(inbox.settings, real_post=True)
    before = seller.product("legacy")
    first = seller.do("POST", "deliveries", {"sns_to_queue": QUEUE})
    assert first == seller.do("POST", "deliveries", {"sns_to_queue": QUEUE})
    assert len(first["subscriptions"]) == 1
    after = seller.product("legacy")
    for product in (before, after):
        seller.buy(product, active=False)
    seller.advance(10)
    envelopes = inbox.bodies()
    for envelope in envelopes:
        assert set(envelope) == {
            "Type", "MessageId", "TopicArn", "Message", "Timestamp", "SignatureVersion", "Signature",
            "SigningCertURL", "UnsubscribeURL",
        }  # fmt: skip
        assert (envelope["Type"], envelope["Timestamp"]) == ("Notification", "2026-11-22T14:00:10.000Z")
        assert json.loads(envelope["Message"])["action"] == "subscribe-success"
    sent = {item["message_id"] for item in seller.do("GET", "news")["news"]}
    assert {envelope["MessageId"] for envelope in envelopes} == sent
    assert {envelope["TopicArn"].rpartition("-")[2] for envelope in envelopes} == {
        before["product_code"],
        after["product_code"],
    }


def test_the_engine_can_write_the_envelope_instead(serve, inbox):
    inbox.create()
    settings = Settings(**{**vars(inbox.settings), "sns_envelope": "engine"})
    seller = serve(settings, real_post=True)
    seller.do("POST", "deliveries", {"sns_to_queue": QUEUE})
    seller.buy(seller.product("legacy"))
    (envelope,) = inbox.bodies()
    assert json.loads(envelope["Message"])["action"] == "subscribe-success"


def test_a_queue_that_comes_late_still_gets_its_news(serve, inbox):
    seller = serve(inbox.settings, real_post=True)
    assert seller.control("POST", "deliveries", {"sns_to_queue": QUEUE}).status == 503
    seller.buy(seller.product())
    assert seller.do("GET", "health")["news_waiting"] == 2
    inbox.create()
    # Any act offers the waiting news again; the background does so too.
    seller.advance(1)
    assert len(inbox.bodies()) == 2


def test_an_engine_that_is_away_fails_no_control_call(serve):
    nowhere = "http://127.0.0.1:9"
    seller = serve(Settings(start=START, sns_endpoint=nowhere, sqs_endpoint=nowhere), real_post=True)
    for generation in ("legacy", "concurrent_agreements"):
        bought = seller.buy(seller.product(generation))
        seller.do("POST", f"agreements/{bought['agreement_id']}/cancel")
    assert seller.do("GET", "health")["news_waiting"] == 5
    answer = seller.control("POST", "deliveries", {"sns_to_queue": QUEUE})
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
