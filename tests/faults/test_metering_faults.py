"""The metering worker cannot read, or not reach its tables for a while: nothing is lost, nothing doubled.

What it writes and tells fails in `test_money_path.py`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.faults.faulty_house import ATTEMPTS, FaultyHouse
from tests.faults.money_path import HOURS, LEDGER, LOG, RECORDS, TRANSACT, UPDATE
from tests.journeys.house import Buyer

SUBSCRIPTIONS = "marketplane-subscriptions"
ENDPOINTS = "marketplane-metering-endpoints"

# What an hour's fold reads: operation, table.
FOLDING = {
    "which hours are open": ("Query", HOURS),
    "the hour": ("GetItem", HOURS),
    "the log": ("Query", LOG),
}
# And what is read on a record's way to AWS.
BILLING = {
    "what runs": ("Scan", ENDPOINTS),
    "what may be unbilled": ("Scan", LEDGER),
    "the ledger": ("BatchGetItem", LEDGER),
    "whose usage it is": ("GetItem", SUBSCRIPTIONS),
    "which slots are taken": ("Query", RECORDS),
    "what is due": ("Scan", RECORDS),
    "the due records": ("BatchGetItem", RECORDS),
}
REFUSED: dict[str, Any] = {"kind": "error_before", "count": ATTEMPTS}
IN_PART: dict[str, Any] = {"kind": "unprocessed", "keep": 0, "count": 2}
UNREAD = [
    *((read, "error_before") for read in BILLING),
    *((read, "unprocessed") for read in ("the ledger", "the due records")),
]


def user_of(house: FaultyHouse, generation: str = "legacy") -> Buyer:
    """A buyer in a new hour, in a house where nothing else is left to be metered."""
    house.rest("metering-worker")
    buyer = house.buy_active(generation)
    house.seal_hour()
    house.until_nothing_is_metered()
    return buyer


@pytest.mark.parametrize("read", FOLDING)
def test_a_fold_that_cannot_read(house: FaultyHouse, read: str) -> None:
    buyer = user_of(house)
    house.report(buyer, count=1)
    house.until(lambda: house.usage(buyer) == buyer.total, "the first fold")
    operation, resource = FOLDING[read]
    house.fail(**REFUSED, operation=operation, resource=resource, caller="metering-worker")
    house.report(buyer, count=3)
    house.until(house.fired, "the fault")
    house.until(lambda: house.usage(buyer) == buyer.total, "the second fold")
    house.seal_hour()
    house.assert_billed_exactly(buyer)


@pytest.mark.parametrize(("read", "kind"), UNREAD)
def test_a_way_to_aws_that_cannot_be_read(house: FaultyHouse, read: str, kind: str) -> None:
    buyer = user_of(house, "concurrent_agreements")
    operation, resource = BILLING[read]
    failure = REFUSED if kind == "error_before" else IN_PART
    house.fail(**failure, operation=operation, resource=resource, caller="metering-worker")
    house.report(buyer, count=4)
    house.seal_hour()
    house.until(house.fired, "the fault")
    house.assert_billed_exactly(buyer)
    (record,) = house.records(buyer)
    assert record["outcome"] == "billed"


def test_a_record_that_could_never_be_sent_goes_to_a_later_hour(house: FaultyHouse) -> None:
    """The books cannot note an attempt for a day: AWS is not called, the hour expires, its usage does not."""
    buyer = user_of(house)
    house.report(buyer)
    house.fail("error_before", UPDATE, RECORDS)
    house.seal_hour()
    house.until(lambda: any("due" in row for row in house.engine.rows(RECORDS)), "the frozen record")
    house.until(house.fired, "the fault")
    house.advance(timedelta(hours=25))
    house.mend()
    # Giving it up fails too, at first.
    house.fail("drop_after", TRANSACT, RECORDS, count=ATTEMPTS)
    house.until(lambda: house.billed(buyer) == buyer.total, "the bill")
    house.mend()
    house.assert_billed_exactly(buyer)
    assert sorted(record["outcome"] for record in house.records(buyer)) == ["billed", "expired"]


def test_an_outage_of_all_tables(house: FaultyHouse) -> None:
    buyer = user_of(house)
    house.report(buyer)
    house.fail("down")
    seen = len(house.stack.logs("metering-worker"))
    house.seal_hour()
    house.until(
        lambda: "A loop failed" in house.stack.logs("metering-worker")[seen:], "the worker to notice it"
    )
    assert house.bill(buyer) == []
    house.mend()
    house.assert_billed_exactly(buyer)
