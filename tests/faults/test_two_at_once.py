"""Two of everything: two workers at the same step of the same hour, two webs with the same events, and who
writes late against who seals. One of them stands still at the worst moment, and goes on when all is over.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.faults.faulty_house import DEEP, SPARES, FaultyHouse
from tests.faults.money_path import HOURS, LEDGER, RECORDS, STEPS, TRANSACT, WEB, WORKER, Step
from tests.faults.money_stories import by_queue
from tests.journeys.house import Buyer

STANDS_STILL, GOES_ON = "metering-worker-2", "metering-worker-3"
OTHER_WEB = "metering-web-2"

WRITES, BOOKS, FREEZES, ATTEMPTS, IS_TOLD, CLEARS, RELEASES = (
    STEPS[number - 1] for number in (3, 9, 16, 19, 21, 22, 24)
)
# Of a cycle; only one can be at the clearing of a doubt.
WORKERS_STEPS = [
    step for step in STEPS if step.process == WORKER and step.story is not by_queue and step is not CLEARS
]
# `make test` plays those at which money could be lost or doubled most easily.
PLAYED = WORKERS_STEPS if DEEP else [FREEZES, IS_TOLD, RELEASES]


@pytest.fixture(scope="module", autouse=True)
def twins(standing_house: FaultyHouse) -> Iterator[None]:
    """Two workers in the place of one, and a second web."""
    standing_house.stack.kill(WORKER)
    standing_house.relieved.add(WORKER)
    standing_house.start(*SPARES)
    yield
    for name in SPARES:
        standing_house.stack.kill(name)
    standing_house.relieved.clear()
    standing_house.stack.start(WORKER)


def hold(house: FaultyHouse, step: Step, process: str) -> int:
    return house.fail("hold_before", **{**step.fault, "caller": process})


def buyer_of_a_new_hour(house: FaultyHouse) -> Buyer:
    buyer = house.buy_active("concurrent_agreements")
    house.until_nothing_is_metered()
    house.begin_hour()
    return buyer


def books(house: FaultyHouse) -> list[Any]:
    """All that AWS was told, and where every unit stands."""
    places = ("metered", "received", "moved", "allocated", "included", "written_off", "corrected")
    return [
        house.whole_bill(),
        {
            (row["holder"], row["usage_key"]): [row.get(name) for name in places]
            for row in house.engine.rows(LEDGER)
        },
        {
            (row["subscription_id"], row["slot"]): (row["quantity"], row["outcome"])
            for row in house.engine.rows(RECORDS)
        },
    ]


@pytest.mark.parametrize("step", PLAYED, ids=str)
def test_two_workers_at_the_same_step(house: FaultyHouse, step: Step) -> None:
    acts = step.story(house)
    next(acts)
    held, going_on = (hold(house, step, worker) for worker in (STANDS_STILL, GOES_ON))
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(next, acts)
        house.until_fired(held, going_on)
        house.forget(going_on)
        taken.result()
    assert next(acts, "the end") == "the end"
    before = books(house)
    house.forget(held)
    house.until_gone_round(STANDS_STILL)
    assert books(house) == before


def test_a_plan_of_what_has_changed_is_not_frozen(house: FaultyHouse) -> None:
    """The slot is free, the row is another: frozen all the same, the late usage would be out of sight."""
    buyer = buyer_of_a_new_hour(house)
    held = hold(house, FREEZES, STANDS_STILL)
    house.fail("transaction_conflict", TRANSACT, RECORDS, caller=GOES_ON)
    house.report(buyer)
    late = house.now()
    house.seal_hour()
    house.until_fired(held)
    house.report(buyer, at=late, count=1, quantity="7")
    house.until(lambda: house.usage(buyer) == buyer.total, "the fold of it by the other", buyer)
    house.forget(held)
    house.until_gone_round(STANDS_STILL)
    house.mend()
    house.assert_adds_up(buyer)
    assert len(house.records(buyer)) == 1


def test_a_slot_that_was_filled_is_not_frozen_again(house: FaultyHouse) -> None:
    """The row is as it was, the slot is not free: frozen all the same, one record would take the other's
    place."""
    buyer = buyer_of_a_new_hour(house)
    earlier = house.now()
    house.report(buyer)
    house.seal_hour()
    house.assert_adds_up(buyer)
    later = house.now()
    house.begin_hour()
    # Who goes on knows nothing of the earlier hour's late usage, which is carried forward to the later hour.
    house.fail("error_before", "GetItem", HOURS, about=f"{earlier:%Y-%m-%dT%H}", caller=GOES_ON)
    held = hold(house, FREEZES, STANDS_STILL)
    house.report(buyer, at=earlier, count=1, quantity="7")
    house.until_fired(held)
    billed = house.billed(buyer)
    house.report(buyer, at=later, count=1, quantity="3")
    house.until(lambda: house.billed(buyer) == billed + 3, "the later hour's own", buyer)
    house.forget(held)
    house.until_gone_round(STANDS_STILL)
    house.mend()
    house.seal_hour()
    house.assert_adds_up(buyer)
    assert {record["outcome"] for record in house.records(buyer)} == {"billed"}


def test_an_older_fold_does_not_undo_a_newer(house: FaultyHouse) -> None:
    buyer = buyer_of_a_new_hour(house)
    held = hold(house, BOOKS, STANDS_STILL)
    first = hold(house, BOOKS, GOES_ON)
    house.report(buyer)
    house.until_fired(held, first)
    house.report(buyer)
    house.forget(first)
    house.until(lambda: house.usage(buyer) == buyer.total, "the newer fold", buyer)
    house.forget(held)
    house.until_gone_round(STANDS_STILL)
    assert house.usage(buyer) == buyer.total
    house.seal_hour()
    house.assert_adds_up(buyer)


def test_a_doubt_that_another_raised_is_not_cleared(house: FaultyHouse) -> None:
    """One was throttled; before it says so, the other is counted and does not hear of it. Were the doubt
    gone, the record would expire, be given back, and be billed twice."""
    buyer = buyer_of_a_new_hour(house)
    house.report(buyer)
    house.fail("throttle", IS_TOLD.operation, caller=STANDS_STILL)
    counted = house.fail("drop_after", IS_TOLD.operation, caller=GOES_ON)
    held, waiting = hold(house, CLEARS, STANDS_STILL), hold(house, ATTEMPTS, GOES_ON)
    house.seal_hour()
    house.until_fired(held, waiting)
    house.forget(waiting)
    house.until_fired(counted)
    hold(house, ATTEMPTS, GOES_ON)
    house.forget(held)
    house.until_gone_round(STANDS_STILL)
    house.advance(timedelta(hours=25))
    house.until(lambda: house.records(buyer)[0]["outcome"] != "planned", "the outcome", buyer)
    house.mend()
    house.until_gone_round(STANDS_STILL)
    assert [record["outcome"] for record in house.records(buyer)] == ["unknown"]
    assert house.billed(buyer) == buyer.total
    row = house.balance(buyer)
    assert (Decimal(row["held"]), row["balanced"]) == (buyer.total, True)


@pytest.mark.parametrize("passes", [timedelta(hours=1), timedelta(hours=27)], ids=["sealed", "retired"])
def test_who_writes_late_against_who_seals(house: FaultyHouse, passes: timedelta) -> None:
    """It is announced; the hour is billed, or even done with, and only then it is written."""
    buyer = buyer_of_a_new_hour(house)
    house.report(buyer)
    held = hold(house, WRITES, OTHER_WEB)
    with ThreadPoolExecutor(1) as pool:
        late = house.events(buyer, 2, quantity="3")
        soon = buyer.total - 6
        writing = pool.submit(house.report_until_taken, late, OTHER_WEB)
        house.until_fired(held)
        hour = f"{house.now():%Y-%m-%dT%H}"
        house.seal_hour()
        house.until(lambda: house.billed(buyer) == soon, "what was there in time", buyer)
        house.advance(passes)
        if passes > timedelta(hours=26):
            rows = lambda: {row["hour"] for row in house.engine.rows(HOURS) if "open" in row}  # noqa: E731
            house.until(lambda: hour not in rows(), "the hour's retirement")
        house.forget(held)
        writing.result()
    house.seal_hour()
    house.assert_adds_up(buyer)


def test_two_webs_take_the_same_events(house: FaultyHouse) -> None:
    """The reporter gave up waiting for one and asked the other."""
    buyer = buyer_of_a_new_hour(house)
    events = house.events(buyer)
    held = hold(house, WRITES, OTHER_WEB)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(house.report_until_taken, events, OTHER_WEB)
        house.until_fired(held)
        house.report_until_taken(events, WEB)
        house.until(lambda: house.usage(buyer) == buyer.total, "the fold", buyer)
        house.forget(held)
        writing.result()
    house.seal_hour()
    house.assert_adds_up(buyer)
