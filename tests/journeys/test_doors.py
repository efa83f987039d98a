"""AWS's news by HTTPS, for sellers without a queue: SNS's posts, signed and confirmed, and EventBridge's API
destination. It comes to the same as by the queue; what is not proven comes to nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.journeys.house import (
    GENERATIONS,
    NEWS_QUEUE,
    UNTIL_ACTIVE,
    UNTIL_ENDING,
    Buyer,
    House,
)
from tools.stack import ACCOUNT, LOCAL_SECRET, REGION

HEADER = "X-EventBridge-Secret"
# What differs from one purchase to the next, or counts the steps of the way.
OWN = {
    "subscription_id",
    "license_arn",
    "agreement_id",
    "customer_identifier",
    "customer_aws_account_id",
    "offer_id",
    "changed_by",
    "entitlements_as_of",
    "version",
}
# How much news has come by each station of a life: active, ending, ended.
PIECES = {"legacy": (1, 2, 3), "concurrent_agreements": (2, 4, 4)}
OF_SNS = "text/plain; charset=UTF-8"


def doors(house: House) -> dict[str, str]:
    web = house.stack.urls["notifications-web"]
    return {
        "sns_url": f"{web}/v1/sns",
        "eventbridge_url": f"{web}/v1/eventbridge",
        "api_key_name": HEADER,
        "api_key_value": LOCAL_SECRET,
    }


@pytest.fixture
def by_https(house: House) -> Iterator[Callable[..., dict[str, Any]]]:
    """Lets AWS's news come by HTTPS until the test is over."""
    yield lambda **more: house.news_goes(**{**doors(house), **more})
    house.news_goes()
    house.sign_news("1")


def shown(house: House, buyer: Buyer) -> dict[str, Any]:
    return {name: value for name, value in house.subscription(buyer).items() if name not in OWN}


def kept(house: House, buyer: Buyer) -> list[dict[str, Any]]:
    """What came of a buyer, as operators see it."""
    legacy = buyer.identity.get("customer_identifier")
    subject = f"{buyer.product_code}/{legacy}" if legacy else buyer.agreement_id
    return house.listed("/v1/notifications", subject=subject)


@pytest.mark.parametrize(
    ("generation", "version"), [("legacy", "1"), ("legacy", "2"), ("concurrent_agreements", "1")]
)
def test_a_whole_life_by_https_is_the_same_as_by_the_queue(
    house: House, by_https: Callable[..., dict[str, Any]], generation: str, version: str
) -> None:
    house.sign_news(version)
    house.begin_hour()
    by_door, by_queue = house.buy(generation), house.buy(generation)
    so_far = PIECES[generation]
    for station, pieces in enumerate(so_far):
        one, other = step(house, by_https, station, pieces, by_door, by_queue)
        assert one == other, station
    messages = kept(house, by_door)
    assert [one["door"] for one in messages] == ["https"] * so_far[-1]
    assert [one["door"] for one in kept(house, by_queue)] == ["queue"] * so_far[-1]
    assert {one["source"] for one in messages} == {"sns" if generation == "legacy" else "eventbridge"}


def step(
    house: House,
    by_https: Callable[..., dict[str, Any]],
    station: int,
    pieces: int,
    by_door: Buyer,
    by_queue: Buyer,
) -> list[dict[str, Any]]:
    """One station of both lives; what the rows say there."""
    status = ("active", "ending", "ended")[station]
    # Held back for the other road.
    house.hold_news(by_queue)
    roads = by_https(queues=False)
    assert all(roads["topics"].values())
    assert roads["topics"]
    if status == "ending":
        for buyer in (by_door, by_queue):
            house.cancel(buyer)
    house.advance((UNTIL_ACTIVE, UNTIL_ENDING, timedelta(hours=1))[station])
    house.until(lambda: len(kept(house, by_door)) == pieces, "all news by https")
    house.news_goes()
    house.hold_no_news(by_queue)
    house.until(lambda: len(kept(house, by_door)) == len(kept(house, by_queue)) == pieces, "all news")
    house.until_status(status, by_door, by_queue)
    house.until_answered(by_door, by_queue)
    return [shown(house, buyer) for buyer in (by_door, by_queue)]


def test_copies_by_both_roads_count_once(house: House, by_https: Callable[..., dict[str, Any]]) -> None:
    house.begin_hour()
    by_https(queues=True)
    buyers = [house.buy_active(generation) for generation in GENERATIONS]
    for buyer in buyers:
        house.cancel(buyer)
    house.advance(UNTIL_ENDING)
    house.until_status("ending", *buyers)
    house.until(lambda: house.engine.queue(NEWS_QUEUE).depth() == 0, "an empty queue")
    house.until_answered(*buyers)
    for buyer in buyers:
        # Each message came twice, and is there once.
        house.until(lambda buyer=buyer: len(kept(house, buyer)) >= PIECES[buyer.generation][1], "all news")
        assert len({one["notification_id"] for one in kept(house, buyer)}) == PIECES[buyer.generation][1]
        versions = [
            entry["version"]
            for entry in house.listed(f"/v1/subscriptions/{buyer.subscription_id}/history")
            if entry["notice"] is None
        ]
        assert sorted(versions) == list(range(1, house.subscription(buyer)["version"] + 1))
    web = house.stack.urls["notifications-web"]
    accepted = [
        line
        for line in house.http.get(f"{web}/metrics").text.splitlines()
        if "notifications_posts_total{" in line and 'outcome="accepted"' in line
    ]
    assert len(accepted) == 2, "both doors were used"


# -- what is not proven --------------------------------------------------------------------------------------


@pytest.fixture
def envelope(house: House) -> dict[str, str]:
    """A genuine message of SNS, on its way by the queue, of a purchase that is ours."""
    buyer = house.buy("legacy")
    house.stack.kill("notifications-worker")
    try:
        house.advance(UNTIL_ACTIVE)
        queue = house.engine.queue(NEWS_QUEUE)

        def found() -> dict[str, str] | None:
            for message in queue.take():
                if buyer.identity["customer_identifier"] in message["Body"]:
                    return dict(json.loads(message["Body"]))
            return None

        return house.until(found, "the message")
    finally:
        house.stack.start("notifications-worker")
        house.until(lambda: house.engine.queue(NEWS_QUEUE).depth() == 0, "an empty queue")


def post_sns(house: House, envelope: dict[str, str]) -> httpx.Response:
    url = house.stack.urls["notifications-web"] + "/v1/sns"
    return house.http.post(url, content=json.dumps(envelope), headers={"Content-Type": OF_SNS})


def nothing_is_left(house: House, notification_id: str) -> None:
    """Whatever lay on the queue has been seen to, and this was not among it."""
    house.until(lambda: house.engine.queue(NEWS_QUEUE).depth() == 0, "an empty queue")
    house.operate("GET", f"/v1/notifications/{notification_id}", expect=404)
    assert notification_id not in house.engine.queue(f"{NEWS_QUEUE}-dlq").peek()


def assert_refused(answer: httpx.Response, slug: str) -> None:
    assert answer.status_code == 403, answer.text
    assert answer.json()["type"] == f"https://marketplane.dev/problems/{slug}"


def test_what_sns_did_not_send_is_refused_and_leaves_nothing(house: House, envelope: dict[str, str]) -> None:
    forged = json.dumps(json.loads(envelope["Message"]) | {"action": "unsubscribe-success"})
    signature = base64.b64encode(b"x" * 256).decode()
    elsewhere = f"{house.stack.urls['registration-web']}/SimpleNotificationService-0abc1234.pem"
    nearly = "https://sns.us-east-1.amazonaws.com.example/SimpleNotificationService-0abc1234.pem"
    other_topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:aws-mp-subscription-notification-ofanotherseller"
    for change, slug in (
        ({"Message": forged}, "sns-forged-signature"),
        ({"Signature": signature}, "sns-forged-signature"),
        ({"SignatureVersion": "2"}, "sns-forged-signature"),
        ({"SigningCertURL": elsewhere}, "sns-foreign-certificate"),
        ({"SigningCertURL": nearly}, "sns-foreign-certificate"),
        ({"TopicArn": other_topic}, "sns-foreign-topic"),
        ({"TopicArn": envelope["TopicArn"].replace(ACCOUNT, "444455556666")}, "sns-foreign-topic"),
    ):
        assert_refused(post_sns(house, envelope | change), slug)
        nothing_is_left(house, envelope["MessageId"])
    # The genuine one is taken, so it was the change that each was refused for.
    assert post_sns(house, envelope).status_code == 200
    house.until(
        lambda: house.listed("/v1/notifications", outcome="applied", name="subscribe-success"), "the message"
    )


def test_an_old_message_played_again_is_refused(house: House, envelope: dict[str, str]) -> None:
    house.advance(timedelta(hours=2, minutes=1))
    assert_refused(post_sns(house, envelope), "sns-old-message")
    nothing_is_left(house, envelope["MessageId"])


@pytest.mark.parametrize("secret", [None, "", "guessed", LOCAL_SECRET[:-1], LOCAL_SECRET + "x"])
def test_an_event_with_a_wrong_secret_is_refused(house: House, secret: str | None) -> None:
    buyer = house.buy("concurrent_agreements")
    house.lose_news(buyer)
    house.advance(UNTIL_ACTIVE)
    event = house.news(buyer)[0]
    url = house.stack.urls["notifications-web"] + "/v1/eventbridge"
    headers = {"Content-Type": "application/json; charset=utf-8"}
    if secret is not None:
        headers[HEADER] = secret
    answer = house.http.post(url, content=event["body"], headers=headers)
    assert answer.status_code == 401, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    nothing_is_left(house, event["message_id"])
