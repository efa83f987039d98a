"""The seller's own systems hear of what happens, by webhooks that a real receiver verifies, whatever goes
wrong on the way."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import yaml

from tests.journeys.catalogue import CONTRACT
from tests.journeys.house import (
    GENERATIONS,
    LEGACY_PRODUCT,
    LICENSED_PRODUCT,
    NEWS_QUEUE,
    UNTIL_ACTIVE,
    UNTIL_ENDING,
    UNTIL_TAKEN_OVER,
    Buyer,
    House,
    wire,
)
from tests.journeys.receiver import Receiver, receiving
from tools.stack import ROOT

ENDPOINTS = "/v1/webhook-endpoints"
DELIVERIES = "/v1/webhook-deliveries"
# Longer than each pause between two tries, with what chance adds to it.
LONGEST_PAUSE = timedelta(hours=30)
MOST_TRIES = 11
# Who wants only this is told nothing of what the house does meanwhile; a test comes all the same.
QUIET = "agreement.spend_vet_failed"
# What may have moved since the last version that anybody was told of, or moves without one.
SILENT = {"version", "changed_at", "changed_by", "entitlements_as_of"}
# So that all that has happened lies before `to`.
A_LITTLE = timedelta(seconds=10)

Make = Callable[..., tuple[str, Receiver]]


@pytest.fixture
def make(house: House) -> Iterator[Make]:
    """Makes an endpoint with a receiver of its own; both are gone after the test."""
    open_ones = []

    def made(*event_types: str) -> tuple[str, Receiver]:
        running = receiving()
        receiver = running.__enter__()
        wish = {"url": receiver.url, "event_types": list(event_types) or None}
        endpoint = house.operate("POST", ENDPOINTS, wish, expect=201)
        receiver.secrets.add(endpoint["secret"])
        house.secrets.add(endpoint["secret"])
        open_ones.append((endpoint["endpoint_id"], running))
        return endpoint["endpoint_id"], receiver

    yield made
    for endpoint_id, running in open_ones:
        running.__exit__(None, None, None)
        house.operate("DELETE", f"{ENDPOINTS}/{endpoint_id}", expect=204)


def try_it(house: House, endpoint_id: str) -> dict[str, Any]:
    """An event of no other meaning; its delivery."""
    return house.operate("POST", f"{ENDPOINTS}/{endpoint_id}/test-events", expect=202)


def delivery(house: House, one: dict[str, Any]) -> dict[str, Any]:
    return house.operate("GET", f"{DELIVERIES}/{one['delivery_id']}")


def until_state(house: House, one: dict[str, Any], state: str) -> dict[str, Any]:
    house.until(lambda: delivery(house, one)["state"] == state, f"a delivery that is {state}")
    return delivery(house, one)


def until_tried(house: House, one: dict[str, Any], tries: int) -> dict[str, Any]:
    house.until(lambda: delivery(house, one)["tries"] >= tries, f"try {tries}")
    return delivery(house, one)


# -- what is told --------------------------------------------------------------------------------------------


def event(name: str, buyer: Buyer, at: str, **detail: Any) -> str:
    """Worded as AWS's documents have it; for what the simulator does not play."""
    return json.dumps(
        {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": name,
            "source": "aws.agreement-marketplace",
            "time": at,
            "resources": [],
            "detail": {"catalog": "AWSMarketplace", "agreement": {"id": buyer.agreement_id}, **detail},
        }
    )


def test_every_type_of_event_arrives_verified(house: House, make: Make) -> None:
    """Lives of every kind, at once: of the contract's list no type is missing, and of the subscriptions no
    version; the last one says what the API says."""
    _, receiver = make()
    house.begin_hour()
    bought = {generation: house.buy(generation) for generation in GENERATIONS}
    failing = house.buy_product(LEGACY_PRODUCT, payment_fails=True)
    contract = house.buy_product(CONTRACT, entitlements={"editors": 20}, offer="private", term_days=200)
    asked = [house.buy_product(LICENSED_PRODUCT, offer="private", term_days=90) for _ in range(4)]
    early = house.buy(next(iter(GENERATIONS)))
    house.hold_news(early)
    # A legacy buyer whose entitlements are told of first.
    told = {"action": "entitlement-updated", "product-code": LEGACY_PRODUCT, **_customer(early)}
    house.engine.queue(NEWS_QUEUE).send(json.dumps(told))
    house.advance(UNTIL_ACTIVE)
    house.until_status("active", *bought.values(), contract, *asked)
    house.until_status("failed", failing)
    house.until_status("pending", early)
    house.let_news_go(early)
    house.until_status("active", early)
    house.until_answered(contract)

    approved, rejected, withdrawn, renewed = asked
    house.amend(contract, entitlements={"editors": 30})
    for buyer in (approved, rejected, withdrawn):
        house.act(buyer, "request-cancellation")
    house.act(approved, "approve-cancellation")
    house.act(rejected, "reject-cancellation")
    house.act(withdrawn, "withdraw-cancellation")
    house.act(rejected, "issue-advisory")
    house.act(rejected, "resolve-advisory")
    at = wire(house.now())
    house.engine.queue(NEWS_QUEUE).send(
        event(
            "Agreement Cancellation Request Validation Failed - Proposer",
            renewed,
            at,
            agreementCancellationRequest={"id": "acr-1", "statusCode": "VALIDATION_FAILED"},
        ),
        *(
            event(
                f"Purchase Agreement Billing Adjustment {word} - Proposer",
                renewed,
                at,
                billingAdjustmentRequest={"id": "ba-1", "adjustmentAmount": "1.00", "currencyCode": "USD"},
                invoice={"originalInvoiceId": "1"},
            )
            for word in ("Completed", "Failed")
        ),
        *(
            event(f"{what} - Manufacturer", renewed, at)
            for what in ("Spend Threshold Reached", "Vet Succeeded", "Vet Failed")
        ),
        *(
            event(
                f"Purchase Agreement {what} - Proposer",
                renewed,
                at,
                renewalSummary={"tcv": "1.00", "currency": "USD", "termsFinalizedTime": at},
            )
            for what in ("Renewal Terms Finalized", "Renewal Upcoming")
        ),
        event("Purchase Agreement Ending - Proposer", renewed, at),
    )
    for buyer in bought.values():
        house.cancel(buyer)
    house.advance(UNTIL_ENDING + UNTIL_ACTIVE)
    house.until_status("ending", *bought.values())
    house.begin_hour()
    house.begin_hour()
    house.until_status("ended", *bought.values())
    buyers = [*bought.values(), failing, contract, early, *asked]
    subjects = [name for buyer in buyers for name in (buyer.subscription_id, buyer.agreement_id)]
    promised = set(contract_of_notifications()["components"]["schemas"]["WebhookEventType"]["enum"])

    def missing() -> set[str]:
        return promised - {one.type for one in receiver.about(*subjects)}

    house.until(lambda: not missing(), f"all of {len(promised)} types")
    house.until_answered(*buyers)

    def last_words() -> bool:
        """Of each subscription the newest event says what the API says. (A version in which a reader learns
        nothing but which message it was is told to nobody.)"""
        for buyer in buyers:
            row = house.subscription(buyer)
            versions = {
                one.told["data"]["subscription"]["version"]: one.told["data"]["subscription"]
                for one in receiver.about(buyer.subscription_id)
                if one.type.startswith("subscription.")
            }
            assert max(versions) <= row["version"]
            last = versions[max(versions)]
            if any(last[name] != value for name, value in row.items() if name not in SILENT):
                return False
        return True

    house.until(last_words, "the last word on each subscription")
    assert receiver.forged == 0


def _customer(buyer: Buyer) -> dict[str, str]:
    return {"customer-identifier": buyer.identity["customer_identifier"]}


def contract_of_notifications() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "openapi" / "notifications.yaml").read_text()))


# -- until they have taken it --------------------------------------------------------------------------------


def test_tried_until_it_is_given_up_and_sent_again_by_hand(house: House, make: Make) -> None:
    endpoint_id, receiver = make(QUIET)
    receiver.status = 503
    one = try_it(house, endpoint_id)
    for tries in range(1, MOST_TRIES + 1):
        until_tried(house, one, tries)
        house.advance(LONGEST_PAUSE)
    given_up = until_state(house, one, "dead")
    assert (given_up["tries"], given_up["next_attempt_at"]) == (MOST_TRIES, None)
    assert len(receiver.arrivals) == MOST_TRIES
    (dead,) = house.listed(DELIVERIES, endpoint_id=endpoint_id, state="dead")
    assert dead["delivery_id"] == one["delivery_id"]
    house.operate("POST", f"{DELIVERIES}/{one['delivery_id']}/redeliver", expect=202)
    until_tried(house, one, 1)
    receiver.status = 204
    house.advance(LONGEST_PAUSE)
    done = until_state(house, one, "delivered")
    statuses = [attempt["status"] for attempt in done["attempts"]]
    assert statuses == [503] * (len(statuses) - 1) + [204]
    assert len({json.dumps(arrival.told) for arrival in receiver.arrivals}) == 1
    assert {arrival.webhook_id for arrival in receiver.arrivals} == {one["webhook_id"]}


def test_a_range_is_sent_again(house: House, make: Make) -> None:
    """To a system that was not there: it hears each event once, with the ids that all others heard."""
    _, there = make()
    house.begin_hour()
    since = house.now()
    buyers = [house.buy_active(generation) for generation in GENERATIONS]
    for buyer in buyers:
        house.cancel(buyer)
    house.advance(UNTIL_ENDING)
    house.until_status("ending", *buyers)
    house.until_answered(*buyers)
    subjects = [buyer.subscription_id for buyer in buyers]
    told = sum(len(house.told_versions(buyer)) for buyer in buyers)
    house.until(lambda: len(there.about(*subjects)) >= told, "what others heard", *buyers)
    heard = {one.webhook_id for one in there.about(*subjects)}

    endpoint_id, late = make()
    house.advance(A_LITTLE)
    wish = {"from": wire(since), "to": wire(house.now())}
    begun = house.operate("POST", f"{ENDPOINTS}/{endpoint_id}/replays", wish, expect=202)
    path = f"{ENDPOINTS}/{endpoint_id}/replays/{begun['replay_id']}"
    house.until(lambda: house.operate("GET", path)["state"] == "done", "the end of the replay")
    house.until(lambda: heard <= {one.webhook_id for one in late.arrivals}, "the range")
    assert set(Counter(one.webhook_id for one in late.about(*subjects)).values()) == {1}
    assert {one.webhook_id for one in late.about(*subjects)} == heard


def test_a_new_secret_signs_beside_the_old_one_until_the_overlap_is_over(house: House, make: Make) -> None:
    endpoint_id, receiver = make(QUIET)
    (old,) = receiver.secrets
    wish = {"overlap_seconds": 3600}
    new = house.operate("POST", f"{ENDPOINTS}/{endpoint_id}/secrets", wish, expect=201)["secret"]
    house.secrets.add(new)
    # Who knows the old one only, and who knows the new one only: both verify it.
    receiver.secrets = {old, new}
    until_state(house, try_it(house, endpoint_id), "delivered")
    (both,) = receiver.arrivals
    assert (both.by, both.signatures) == ({old, new}, 2)
    house.advance(timedelta(seconds=3601))
    until_state(house, try_it(house, endpoint_id), "delivered")
    assert (receiver.arrivals[-1].by, receiver.arrivals[-1].signatures) == ({new}, 1)


def test_an_endpoint_that_is_gone_is_left_in_peace_until_it_is_enabled(house: House, make: Make) -> None:
    (endpoint_id, receiver), (_, witness) = make(), make()
    receiver.status = 410
    until_state(house, try_it(house, endpoint_id), "dead")
    endpoint = house.operate("GET", f"{ENDPOINTS}/{endpoint_id}")
    assert (endpoint["enabled"], endpoint["disabled_reason"]) == (False, "gone")
    problem = house.operate("POST", f"{ENDPOINTS}/{endpoint_id}/test-events", expect=409)
    assert problem["type"].endswith("/webhook-endpoint-disabled")
    buyer = house.buy_active("concurrent_agreements")
    house.until_answered(buyer)
    told = len(house.told_versions(buyer))
    house.until(lambda: len(witness.about(buyer.subscription_id)) == told, "what another heard", buyer)
    receiver.status = 204
    house.operate("PATCH", f"{ENDPOINTS}/{endpoint_id}", {"enabled": True})
    until_state(house, try_it(house, endpoint_id), "delivered")
    assert receiver.about(buyer.subscription_id) == []


def test_a_worker_killed_while_the_receiver_has_it_in_hand(house: House, make: Make) -> None:
    """Between the call and its conclusion: what it had in hand comes twice, as one event; nothing is lost."""
    endpoint_id, receiver = make()
    house.begin_hour()
    receiver.go_on.clear()
    one = try_it(house, endpoint_id)
    buyer = house.buy("concurrent_agreements")
    house.advance(UNTIL_ACTIVE)
    house.until(lambda: receiver.of(one["webhook_id"]) and receiver.about(buyer.subscription_id), "calls")
    in_hand = {arrival.webhook_id for arrival in receiver.arrivals}
    house.stack.kill("notifications-worker")
    receiver.go_on.set()
    assert delivery(house, one)["state"] == "pending"
    house.stack.start("notifications-worker")
    # It belongs to the killed process until its minute is over.
    house.advance(UNTIL_TAKEN_OVER)
    until_state(house, one, "delivered")
    house.until_answered(buyer)

    def all_told() -> bool:
        deliveries = house.listed(DELIVERIES, endpoint_id=endpoint_id)
        return len(deliveries) > 1 and {found["state"] for found in deliveries} == {"delivered"}

    house.until(all_told, "all deliveries")
    times = Counter(arrival.webhook_id for arrival in receiver.arrivals)
    assert {times[webhook_id] for webhook_id in in_hand} == {2}
    assert {count for webhook_id, count in times.items() if webhook_id not in in_hand} <= {1}
    versions = {one.told["data"]["subscription"]["version"] for one in receiver.about(buyer.subscription_id)}
    assert versions == house.told_versions(buyer)
