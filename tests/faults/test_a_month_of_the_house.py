"""The whole house lives on through all kinds of trouble: at the end of each day AWS's bill is the truth, less
what the books name.

`make test` plays some hours, `make faults` ten days, over the end of a month. SEED plays another life, and
DAYS a longer one: a day takes some two minutes. The purchases, the usage and the trouble of a seed are always
the same; what the trouble meets in the processes' hands is not.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.faults.faulty_house import DEEP, READ_TIMEOUT_SECONDS, USAGE_QUEUE, FaultyHouse
from tests.faults.metered_products import WITH_CONSUMPTION, WITH_ZEROS
from tests.faults.money_path import WEB, WORKER
from tests.journeys.house import DIMENSION, GENERATIONS, UNTIL_ACTIVE, UNTIL_ENDING, Buyer

SEED = int(os.environ.get("SEED") or 7)
DAYS, HOURS, MOST = (int(os.environ.get("DAYS") or 10), 24, 60) if DEEP else (1, 8, 6)
PRODUCTS = [*GENERATIONS.values(), WITH_CONSUMPTION, WITH_ZEROS]
QUANTITIES = ["0.25", "1.5", "0.000001", "12"]
# Of the process that suffers it. The others are killed only: what they owe is their own tests'.
SUFFERING = {WORKER: 3, WEB: 1}
KINDS = {
    "throttle": {},
    "error_before": {},
    "error_after": {},
    "drop_before": {},
    "drop_after": {},
    "slow": {"seconds": READ_TIMEOUT_SECONDS + 0.5},
    "unprocessed": {"keep": 1},
    "transaction_conflict": {},
}
KILLED = (WORKER, WORKER, WEB, "notifications-worker", "notifications-web", "registration-worker")
LARGER_KILLED = ("engine", "simulator", "fault-proxy") if DEEP else ()


@dataclass(eq=False)
class Subscriber:
    buyer: Buyer
    since: datetime
    entitled: int = 0
    is_gone: bool = False


class Life:
    """One life of the house.

    Args:
        chance: decides everything.
    """

    def __init__(self, house: FaultyHouse, chance: random.Random) -> None:
        self.house = house
        self.chance = chance
        self.subscribers: list[Subscriber] = []
        self.faults: Counter[str] = Counter()
        self.kills: Counter[str] = Counter()
        self._last_batch: list[dict[str, Any]] = []
        self._outage_ends: datetime | None = None

    def live(self) -> list[Subscriber]:
        return [one for one in self.subscribers if not one.is_gone]

    def an_hour(self) -> None:
        house = self.house
        house.begin_hour()
        self._end_outage()
        house.all_up()
        if len(self.live()) < MOST:
            self._somebody_comes()
        if self.chance.random() < 0.1 and not self._outage_ends:
            self._somebody_goes()
        self._trouble()
        self._use()
        if self.chance.random() < 0.3:
            self._kill()
        self._calm()

    def wait_it_out(self) -> None:
        """No more trouble and no more usage, until what came late has found an hour."""
        house = self.house
        self._outage_ends = self._outage_ends and house.now()
        self._end_outage()
        house.all_up()
        for _ in range(3):
            house.begin_hour()
            self._calm()

    def _somebody_comes(self) -> None:
        house = self.house
        product_code = self.chance.choice(PRODUCTS)
        terms: dict[str, Any] = {}
        entitled = 0
        if product_code == WITH_CONSUMPTION:
            entitled = self.chance.randint(0, 20)
            terms = {"entitlements": {DIMENSION: entitled}}
        elif product_code != GENERATIONS["legacy"]:
            terms = {"offer": "private", "term_days": 90}
        self._join(house.buy_product(product_code, **terms), entitled)

    def _join(self, buyer: Buyer, entitled: int = 0) -> None:
        house = self.house
        house.advance(UNTIL_ACTIVE)
        wanted = {"status"} | ({"entitlements"} if entitled else set())
        house.until(
            lambda: (
                self._published(buyer).get("status") == "active" and wanted <= self._published(buyer).keys()
            ),
            "a new subscription",
            buyer,
        )
        self.subscribers.append(Subscriber(buyer, house.now(), entitled))

    def _somebody_goes(self) -> None:
        house = self.house
        if not self.live():
            return
        one = self.chance.choice(self.live())
        one.is_gone = True
        renewable = one.buyer.generation != "legacy" and not one.entitled
        if renewable and one.buyer.product_code != WITH_CONSUMPTION and self.chance.random() < 0.5:
            self._join(house.succeed("renew", one.buyer))
        else:
            house.cancel(one.buyer)
            house.advance(UNTIL_ENDING)

    def _published(self, buyer: Buyer) -> dict[str, Any]:
        rows = self.house.engine.rows("marketplane-subscriptions")
        return next((row for row in rows if row["subscription_id"] == buyer.subscription_id), {})

    def _use(self) -> None:
        house, chance = self.house, self.chance
        batch = []
        for one in self.live():
            if chance.random() < 0.7:
                late = timedelta(hours=chance.choice([0, 0, 0, 1, 3, 10]))
                moment = max(house.now() - late, one.since)
                batch += house.events(
                    one.buyer, chance.randint(1, 3), moment, quantity=chance.choice(QUANTITIES)
                )
        doubled = [event for event in self._last_batch if chance.random() < 0.2]
        self._last_batch = batch
        if not batch + doubled:
            return
        if chance.random() < 0.3:
            house.engine.queue(USAGE_QUEUE).send(json.dumps({"events": batch + doubled}))
        else:
            house.report_until_taken(batch + doubled)

    def _trouble(self) -> None:
        chance = self.chance
        for _ in range(chance.choice([0, 1, 1, 2])):
            kind = chance.choice(list(KINDS))
            (caller,) = chance.choices(list(SUFFERING), list(SUFFERING.values()))
            self.house.fail(
                kind, caller=caller, skip=chance.randint(0, 8), count=chance.randint(1, 4), **KINDS[kind]
            )
        if chance.random() < 0.05 and not self._outage_ends:
            self._outage_ends = self.house.now() + timedelta(hours=chance.randint(2, 6))
            self.house.relieved.add(WORKER)
            self.house.stack.kill(WORKER)
            self.kills[f"{WORKER}, for hours"] += 1

    def _end_outage(self) -> None:
        if self._outage_ends and self._outage_ends <= self.house.now():
            self._outage_ends = None
            self.house.relieved.discard(WORKER)

    def _kill(self) -> None:
        name = self.chance.choice([*KILLED, *LARGER_KILLED])
        if self.house.stack.is_running(name):
            if name == "fault-proxy":
                self._count()
            self.house.stack.kill(name)
            self.house.stack.start(name)
            self.kills[name] += 1

    def _calm(self) -> None:
        """The trouble of the hour is over; what is under way is done."""
        house = self.house
        self._count()
        house.mend()
        if not self._outage_ends:
            house.rest(WORKER)
            usage = house.engine.queue(USAGE_QUEUE)
            house.until(lambda: usage.depth() == 0, "an empty queue")
            # A message that failed too often; an operator sends it again.
            for letter in house.engine.queue(f"{USAGE_QUEUE}-dlq").take():
                house.report_until_taken(json.loads(letter["Body"])["events"])
            house.until_gone_round(WORKER)

    def _count(self) -> None:
        for fault in self.house.faults():
            self.faults[fault["kind"]] += fault["fired"]

    def check(self) -> str:
        """Holds AWS's bill and the books against the truth; answers what there was."""
        house = self.house
        users = [one for one in self.subscribers if one.buyer.used]
        house.until_settled(*(one.buyer for one in users))
        lost = doubled = imbalances = 0
        billed = Decimal(0)
        for one in users:
            row, aws = house.balance(one.buyer), house.billed(one.buyer)
            due = one.buyer.total - Decimal(row["included"]) - Decimal(row["written_off"])
            lost += due > aws
            doubled += due < aws
            imbalances += not row["balanced"] or Decimal(row["billed"]) != aws
            billed += aws
            # Of one whose end came while the worker was away for hours.
            reasons = {reason["reason"] for reason in row["reasons"]}
            assert reasons <= ({"after_final_hour"} if one.is_gone else set()), row
            if not one.is_gone:
                assert Decimal(row["included"]) == min(Decimal(one.entitled), one.buyer.total), row
        assert (lost, doubled, imbalances) == (0, 0, 0)
        return (
            f"{len(self.subscribers)} subscriptions, {sum(len(one.buyer.used) for one in users)} events "
            f"accepted, {billed} units billed, lost {lost}, doubled {doubled}, imbalances {imbalances}; "
            f"faults {dict(self.faults)}, killed {dict(self.kills)}"
        )


@pytest.fixture(scope="module")
def life(standing_house: FaultyHouse) -> Iterator[Life]:
    life = Life(standing_house, random.Random(SEED))
    yield life
    # Who lives on would be told of in the tests to come.
    for one in life.live():
        standing_house.cancel(one.buyer)
    standing_house.advance(timedelta(hours=2))


@pytest.mark.parametrize("day", range(DAYS))
def test_a_day(house: FaultyHouse, life: Life, day: int, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(HOURS):
        life.an_hour()
    life.wait_it_out()
    told = life.check()
    with capsys.disabled():
        print(f"\nthe house, seed {SEED}, day {day + 1}: {told}")
