"""What operators can do when something went wrong: see it, mend it, send it again, and compare with AWS."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.journeys.catalogue import CONTRACT
from tests.journeys.house import (
    GENERATIONS,
    LISTENER_QUEUE,
    NEWS_QUEUE,
    UNTIL_ACTIVE,
    UNTIL_ENDING,
    Buyer,
    House,
)

LETTERS = "/v1/dead-letters"
NOTIFICATIONS = "/v1/notifications"


@pytest.fixture
def stopped(house: House) -> Iterator[Callable[[], None]]:
    """Stops the worker; it runs again after the test."""
    yield lambda: house.stack.kill("notifications-worker")
    if not house.stack.is_running("notifications-worker"):
        house.stack.start("notifications-worker")


def letters(house: House) -> list[dict[str, Any]]:
    return list(house.ask("notifications", LETTERS, limit=100)["dead_letters"])


def history(house: House, buyer: Buyer) -> list[dict[str, Any]]:
    """By version, the first one first."""
    found = house.listed(f"/v1/subscriptions/{buyer.subscription_id}/history")
    return sorted(found, key=lambda entry: (entry["version"], entry["recorded_at"]))


def reconcile(house: House, *buyers: Buyer) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One from beginning to end: its report, and what it found of these purchases."""
    begun = house.operate("POST", "/v1/reconciliations", expect=202)
    path = f"/v1/reconciliations/{begun['reconciliation_id']}"
    house.until(lambda: house.operate("GET", path)["state"] == "finished", "the end of the reconciliation")
    ids = {buyer.agreement_id for buyer in buyers} | {buyer.subscription_id for buyer in buyers}
    found = house.listed(f"{path}/differences")
    return house.operate("GET", path), [
        one for one in found if {one["agreement_id"], one["subscription_id"]} & ids
    ]


# -- dead letters --------------------------------------------------------------------------------------------


@pytest.fixture
def no_letters(house: House) -> Iterator[None]:
    yield
    house.engine.queue(f"{NEWS_QUEUE}-dlq").purge()


def break_off(body: str) -> str:
    """As a faulty tool on the way might."""
    return body.replace('"license"', '"licence"')


@pytest.mark.usefixtures("no_letters")
def test_poison_blocks_nobody_and_is_mended_and_sent_again(house: House, stopped: Callable[[], None]) -> None:
    """Of two purchases the news of the licence is broken on the way; around each good message lie two that
    nobody can read."""
    house.begin_hour()
    stopped()
    buyers = [house.buy("concurrent_agreements") for _ in range(3)]
    *ours, other = buyers
    house.advance(UNTIL_ACTIVE)
    queue = house.engine.queue(NEWS_QUEUE)
    whole: dict[str, str] = {}

    def all_came() -> bool:
        for message in queue.take():
            whole[message["Body"]] = message["Body"]
        return sum(buyer.agreement_id in body for body in whole for buyer in buyers) == 6

    house.until(all_came, "the news")
    broken: dict[str, str] = {}
    for body in whole:
        sent = break_off(body) if any(buyer.identity["license_arn"] in body for buyer in ours) else body
        if sent != body:
            broken[sent] = body
        queue.send("not json", sent, '{"detail-type": 7}')
    assert len(broken) == 2
    house.stack.start("notifications-worker")
    house.until_status("active", other)
    house.until(lambda: queue.depth() == 0, "an empty queue")
    assert [house.subscription(buyer) for buyer in ours] == [{}, {}]

    poison = {"not json", '{"detail-type": 7}', *broken}
    house.until(lambda: {letter["body"] for letter in letters(house)} == poison, "the letters")
    found = letters(house)
    assert all(letter["reason"] for letter in found)
    # Looking removes nothing.
    assert sorted(letter["dead_letter_id"] for letter in letters(house)) == sorted(
        letter["dead_letter_id"] for letter in found
    )
    mended = [
        {"dead_letter_id": letter["dead_letter_id"], "body": broken[letter["body"]]}
        for letter in found
        if letter["body"] in broken
    ]
    missing = str(uuid.uuid4())
    wish = {"mended": mended, "dead_letter_ids": [missing]}
    sent_again = house.operate("POST", f"{LETTERS}/redrive", wish)
    assert sent_again == {"redriven": len(mended), "not_found": [missing]}
    house.until_status("active", *ours)
    # The rest as it is: it comes back with the reason, and blocks nobody this time either.
    rest = house.operate("POST", f"{LETTERS}/redrive", {})["redriven"]
    assert 2 <= rest <= len(found) - len(mended)
    house.buy_active("concurrent_agreements")
    house.until(lambda: queue.depth() == 0, "an empty queue")
    house.until(lambda: {letter["body"] for letter in letters(house)} == poison - {*broken}, "the letters")


# -- kept messages -------------------------------------------------------------------------------------------


def test_what_nobody_understands_is_kept_counted_and_never_an_error(house: House) -> None:
    buyer = house.buy_active("concurrent_agreements")
    house.until_answered(buyer)
    before = house.subscription(buyer)
    name = f"Purchase Agreement Teleported {uuid.uuid4().hex[:8]} - Proposer"
    unknown = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": name,
        "source": "aws.agreement-marketplace",
        "time": before["active_since"],
        "resources": [],
        "detail": {"agreement": {"id": buyer.agreement_id}, "to": "the moon"},
    }
    house.engine.queue(NEWS_QUEUE).send(json.dumps(unknown))
    (kept,) = house.until(lambda: house.listed(NOTIFICATIONS, name=name), "the message")
    assert (kept["outcome"], kept["subject"]) == ("ignored", buyer.agreement_id)
    path = f"{NOTIFICATIONS}/{unknown['id']}"
    assert json.loads(house.operate("GET", path)["body"]) == unknown
    assert unknown["id"] not in house.engine.queue(f"{NEWS_QUEUE}-dlq").peek()
    assert house.operate("POST", f"{path}/replay")["outcome"] == "ignored"
    assert house.subscription(buyer) == before


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_kept_message_taken_again_changes_nothing(house: House, generation: str) -> None:
    buyer = house.buy_active(generation)
    house.cancel(buyer)
    house.advance(UNTIL_ENDING)
    house.until_status("ending", buyer)
    house.until_all_is_heard(buyer)
    listener = house.engine.queue(LISTENER_QUEUE)
    listener.take()
    before = (house.subscription(buyer), history(house, buyer))
    kept = house.listed(NOTIFICATIONS, subscription_id=buyer.subscription_id)
    assert kept
    for one in kept:
        replayed = house.operate("POST", f"{NOTIFICATIONS}/{one['notification_id']}/replay")
        assert replayed == one
    assert (house.subscription(buyer), history(house, buyer)) == before
    assert not any(buyer.subscription_id in message["Body"] for message in listener.take())


# -- reconciliation ------------------------------------------------------------------------------------------


def test_what_was_lost_on_the_way_is_found_and_healed(house: House) -> None:
    """Purchases, ends and a change of entitlements that no news ever told of."""
    house.begin_hour()
    ended, kept = (house.buy_active("concurrent_agreements") for _ in range(2))
    upgraded = house.buy_product(CONTRACT, entitlements={"editors": 20})
    house.advance(UNTIL_ACTIVE)
    house.until_status("active", upgraded)
    house.until_answered(ended, kept, upgraded)
    bought = house.buy("concurrent_agreements")
    for buyer in (bought, ended, upgraded):
        house.lose_news(buyer)
    house.cancel(ended)
    house.amend(upgraded, entitlements={"editors": 30})
    house.advance(UNTIL_ACTIVE)
    assert house.subscription(bought) == {}
    assert house.subscription(ended)["status"] == "active"

    report, differences = reconcile(house, bought, ended, kept, upgraded)
    by_kind = {one["kind"]: one for one in differences}
    assert sorted(one["kind"] for one in differences) == ["ended_at_aws", "entitlements", "unknown_agreement"]
    unknown, over, other = (by_kind[kind] for kind in ("unknown_agreement", "ended_at_aws", "entitlements"))
    assert (unknown["agreement_id"], unknown["action"]) == (bought.agreement_id, "recorded")
    assert (over["ours"], over["theirs"], over["action"]) == ("active", "CANCELLED", "recorded")
    assert (other["ours"], other["theirs"]) == ("editors=20", "editors=30")
    assert report["differences"] >= 3
    assert report["healed"] >= 3

    house.until_status("active", bought)
    row = house.subscription(bought)
    assert (row["access"], row["agreement_id"]) == ("granted", bought.agreement_id)
    assert row["customer_aws_account_id"] == bought.customer_aws_account_id
    house.until(lambda: house.subscription(ended)["status"] in ("ending", "ended"), "the end")
    assert house.subscription(ended)["end_reason"] == "CANCELLED"
    house.until(
        lambda: [one["value"] for one in house.subscription(upgraded)["entitlements"]] == ["30"],
        "what was bought since",
    )
    assert house.subscription(kept)["status"] == "active"
    # How it was learnt stands in the history, and its message among all others.
    for buyer, difference in ((bought, unknown), (ended, over)):
        causes = {entry["notification_id"] for entry in history(house, buyer)}
        assert causes & set(difference["notification_ids"])
        for notification_id in difference["notification_ids"]:
            assert house.operate("GET", f"{NOTIFICATIONS}/{notification_id}")["door"] == "reconciliation"
    # Once healed, nothing differs any more.
    assert reconcile(house, bought, ended, kept, upgraded)[1] == []
    # Metering heard of the purchase that nobody was told of.
    house.report(bought)
    house.seal_hour()
    house.assert_billed_exactly(bought)


# -- the history ---------------------------------------------------------------------------------------------


def test_the_history_tells_the_life_with_its_causes(house: House) -> None:
    house.begin_hour()
    buyer = house.buy_active("concurrent_agreements")
    house.until_answered(buyer)
    house.act(buyer, "issue-advisory")
    house.advance(timedelta(seconds=40))
    house.until(lambda: any(entry["notice"] for entry in history(house, buyer)), "the advisory")
    house.cancel(buyer)
    house.advance(UNTIL_ENDING)
    house.until_status("ending", buyer)
    house.until(lambda: len(house.listed(NOTIFICATIONS, subject=buyer.agreement_id)) == 5, "all news")
    house.begin_hour()
    house.begin_hour()
    house.until_status("ended", buyer)
    house.until_answered(buyer)
    told = history(house, buyer)
    row = house.subscription(buyer)
    changes = [entry for entry in told if entry["notice"] is None]
    assert [entry["version"] for entry in changes] == list(range(1, row["version"] + 1))

    def attribute(entry: dict[str, Any], name: str) -> tuple[Any, Any] | None:
        return next(
            ((one["before"], one["after"]) for one in entry["changes"] if one["attribute"] == name), None
        )

    statuses = [(entry["cause"], entry["name"], attribute(entry, "status")) for entry in changes]
    assert [step for step in statuses if step[2]] == [
        ("notification", "License Updated - Manufacturer", (None, "active")),
        ("notification", "Purchase Agreement Ended - Proposer", ("active", "ending")),
        ("time", None, ("ending", "ended")),
    ]
    (notice,) = [entry for entry in told if entry["notice"] is not None]
    assert notice["name"].startswith("Purchase Agreement Advisory Issued")
    # What the entries say, one after the other, is what the row says in the end.
    played: dict[str, Any] = {}
    for entry in changes:
        for one in entry["changes"]:
            assert played.get(one["attribute"]) == one["before"], entry
            played[one["attribute"]] = one["after"]
    assert {name: row.get(name) for name in played} == played
    ids = {one["notification_id"] for one in house.listed(NOTIFICATIONS, subject=buyer.agreement_id)}
    assert {entry["notification_id"] for entry in told if entry["cause"] == "notification"} <= ids
