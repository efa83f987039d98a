"""For any life that the simulator can play, every order, number and delay of its news ends in the state of
the in-order run, which is what the simulator itself says of its agreements; and nothing dead comes back.

Some two thousand interleavings each time; `make notifications-deep` goes through more than 20,000, other ones
each time.
"""

import json
import os
import random
import subprocess
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chassis.times import parse_rfc3339
from notifications import subscription_ids
from notifications.changes import Published, changes
from notifications.folding import fold
from notifications.inbox import read
from notifications.news import Generation, Kind, News
from notifications.renewals import join
from notifications.subscription import Status, Subscription

DEEP = os.environ.get("NOTIFICATIONS_DEEP") == "1"
SEED = int(os.environ.get("SEED") or (random.randrange(2**31) if DEEP else 20261122))
LIVES, ORDERS = (800, 30) if DEEP else (120, 15)
REPOSITORY = Path(__file__).resolve().parents[3]
ENDINGS = (Kind.UNSUBSCRIBE_PENDING, Kind.UNSUBSCRIBE_SUCCESS)


@dataclass(frozen=True)
class Life:
    """What the simulator says of a buyer's dealings with one product."""

    told: dict[str, Any]
    news: list[News]

    @property
    def over_at(self) -> datetime:
        return parse_rfc3339(self.told["over_at"])

    def expected(self) -> dict[str, str]:
        """The status of each subscription, by the simulator's own books."""
        agreements = self.told["agreements"]
        if not self.news:
            return {}
        if self.told["generation"] == "legacy":
            # One subscription for all agreements of the buyer: the liveliest of them.
            # A renewal that has not begun yet changes nothing for the buyer: nobody unsubscribed.
            statuses = {
                "active" if one["status"] == "pending" and one["previous_agreement_id"] else one["status"]
                for one in agreements
            }
            customer = agreements[0]["customer_identifier"]
            subscription_id = subscription_ids.of_customer(self.told["product_code"], customer)
            liveliest = next(
                one for one in ("active", "ending", "ended", "failed", "pending") if one in statuses
            )
            return {subscription_id: liveliest}
        licensed = {one.facts.license_arn for one in self.news if one.kind is Kind.LICENSE_UPDATED}
        return {
            subscription_ids.of_license(one["license_arn"]): one["status"]
            for one in agreements
            if one["license_arn"] in licensed
        }


@dataclass
class Books:
    """What the worker keeps, without an engine: facts by subject, and rows."""

    facts: dict[str, list[News]] = field(default_factory=dict)
    rows: dict[str, Published] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def arrive(self, news: News, now: datetime) -> None:
        if news.notification_id in self.seen:
            return
        self.seen.add(news.notification_id)
        joined = join(news, lambda subject: (list(self.facts.get(subject, [])), 0))
        for subject in joined.changed_subjects():
            self.facts[subject] = joined.facts[subject]
            self._write(fold(self.facts[subject], now), now)

    def sweep(self, now: datetime) -> None:
        self._write([row.subscription.expired(now) for row in self.rows.values()], now)

    def _write(self, after: list[Subscription], now: datetime) -> None:
        for change in changes(self.rows, after, now):
            if change.before:
                self._not_risen(change.before.subscription, change.after.subscription)
            self.rows[change.after.subscription.subscription_id] = change.after

    def _not_risen(self, before: Subscription, after: Subscription) -> None:
        """A dead subscription never revives without a newer agreement."""
        if before.status not in (Status.ENDING, Status.ENDED) or after.status is not Status.ACTIVE:
            return
        assert after.generation is Generation.LEGACY, "an agreement came back to life"
        known = [one for facts in self.facts.values() for one in facts]
        successes = [one.event_time for one in known if one.kind is Kind.SUBSCRIBE_SUCCESS]
        assert max(successes) >= max(one.event_time for one in known if one.kind in ENDINGS)

    def subscriptions(self) -> dict[str, Subscription]:
        return {name: row.subscription for name, row in self.rows.items()}


@pytest.fixture(scope="module")
def lives() -> list[Life]:
    command = [REPOSITORY / ".venv/simulator/bin/python", "-m", "marketplace_simulator.lives"]
    words = ["--seed", str(SEED), "--count", str(LIVES)]
    said = subprocess.run([*command, *words], check=True, capture_output=True, text=True).stdout
    return [Life(told, _news_of(told)) for told in map(json.loads, said.splitlines())]


def _news_of(told: dict[str, Any]) -> list[News]:
    news = []
    for message in told["messages"]:
        entry = read(message["body"], "no other id", parse_rfc3339(message["at"]))
        assert entry.news is not None, f"{message['name']} is no news to us"
        news.append(entry.news)
    return news


def in_order(life: Life, until: datetime | None = None) -> Books:
    books = Books()
    for one in life.news:
        books.arrive(one, one.event_time)
        books.sweep(one.event_time)
    books.sweep(until or life.over_at)
    return books


def shuffled(life: Life, die: random.Random) -> tuple[Books, datetime]:
    """Any order, any of it doubled, any delay, the sweep at any moment; and when the last of it was over."""
    arriving = life.news + die.choices(life.news, k=die.randint(0, 5))
    if die.random() < 0.8:
        die.shuffle(arriving)
    books, now = Books(), life.news[0].event_time
    for one in arriving:
        now += timedelta(minutes=die.choice((0, 0, 1, 30, 90, 3000)))
        books.arrive(one, now)
        if die.random() < 0.4:
            books.sweep(now)
    last = max(now, life.over_at)
    books.sweep(last)
    return books, last


def test_the_lives_are_worth_it(lives: list[Life]) -> None:
    """Both generations, renewals, replacements and comings back are among them."""
    kinds = {one.kind for life in lives for one in life.news}
    assert kinds >= {
        Kind.AGREEMENT_CREATED,
        Kind.AGREEMENT_AMENDED,
        Kind.AGREEMENT_ENDED,
        Kind.LICENSE_UPDATED,
        Kind.LICENSE_DEPROVISIONED,
        Kind.SUBSCRIBE_SUCCESS,
        Kind.SUBSCRIBE_FAIL,
        Kind.UNSUBSCRIBE_PENDING,
        Kind.UNSUBSCRIBE_SUCCESS,
        Kind.ENTITLEMENT_UPDATED,
    }
    reasons = {one.facts.agreement_status for life in lives for one in life.news}
    assert reasons >= {"CANCELLED", "TERMINATED", "EXPIRED", "RENEWED", "REPLACED"}
    statuses = [status for life in lives for status in life.expected().values()]
    assert set(statuses) >= {"active", "ended", "failed"}


def test_the_in_order_run_ends_in_the_simulators_own_books(lives: list[Life]) -> None:
    for life in lives:
        found = {name: row.status.value for name, row in in_order(life).subscriptions().items()}
        assert found == life.expected(), json.dumps(life.told, indent=1)


def test_a_renewal_links_the_old_and_the_new(lives: list[Life]) -> None:
    linked = 0
    for life in lives:
        if life.told["generation"] == "legacy":
            continue
        rows = in_order(life).subscriptions()
        by_agreement = {row.agreement_id: row for row in rows.values()}
        for agreement in life.told["agreements"]:
            old = by_agreement.get(agreement["previous_agreement_id"])
            new = by_agreement.get(agreement["agreement_id"])
            if agreement["previous_agreement_id"] and old and new:
                assert new.previous_subscription_id == old.subscription_id
                assert old.next_subscription_id == new.subscription_id
                linked += 1
    assert linked >= LIVES / 40


def test_every_interleaving_ends_in_the_state_of_the_in_order_run(lives: list[Life]) -> None:
    die = random.Random(SEED)
    interleavings = 0
    for life in lives:
        for _ in range(ORDERS if life.news else 0):
            books, last = shuffled(life, die)
            assert books.subscriptions() == in_order(life, last).subscriptions(), json.dumps(
                life.told, indent=1
            )
            interleavings += 1
    print(f"{interleavings} interleavings of {len(lives)} lives, SEED={SEED}")
    assert interleavings >= (20_000 if DEEP else 1_000)
