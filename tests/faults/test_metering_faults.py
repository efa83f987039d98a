"""The metering worker while its tables fail, before and after the commit, at each step: the bill is exact."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.faults.faulty_house import ATTEMPTS, DEEP, FaultyHouse
from tests.journeys.house import Buyer

HOURS = "marketplane-usage-hours"
LOG = "marketplane-usage-log"
LEDGER = "marketplane-metering-ledger"
RECORDS = "marketplane-metering-records"
SUBSCRIPTIONS = "marketplane-subscriptions"

# How a call fails: once our client library tries again by itself, ATTEMPTS times our own code sees it.
FAILURES: dict[str, tuple[str, int]] = {
    "before": ("error_before", ATTEMPTS),
    "after the commit": ("drop_after", ATTEMPTS),
    **({"after the commit, once": ("error_after", 1)} if DEEP else {}),
}

# The steps of an hour's fold: operation, table, how many such calls pass first.
FOLDING = {
    "which hours are open": ("Query", HOURS, 0, ["before"]),
    "the hour is read": ("GetItem", HOURS, 0, ["before"]),
    "the log is read": ("Query", LOG, 0, ["before"]),
    "the fold is booked": ("UpdateItem", LEDGER, 0, list(FAILURES)),
    "the hour is marked as folded": ("UpdateItem", HOURS, 0, list(FAILURES)),
}
# And of a record's way to AWS.
BILLING = {
    "what may be unbilled": ("Scan", LEDGER, 0, ["before"]),
    "the ledger is read": ("BatchGetItem", LEDGER, 0, ["before"]),
    "whose usage it is": ("GetItem", SUBSCRIPTIONS, 0, ["before"]),
    "which slots are taken": ("Query", RECORDS, 0, ["before"]),
    "the record is frozen": ("TransactWriteItems", RECORDS, 0, list(FAILURES)),
    "what is due": ("Scan", RECORDS, 0, ["before"]),
    "the due records are read": ("BatchGetItem", RECORDS, 0, ["before"]),
    "an attempt begins": ("UpdateItem", RECORDS, 0, list(FAILURES)),
    "the answer is written": ("UpdateItem", RECORDS, 1, list(FAILURES)),
}


def cases(steps: dict[str, tuple[str, str, int, list[str]]]) -> dict[str, dict[str, Any]]:
    return {
        f"{step}, {when}": {
            "kind": FAILURES[when][0],
            "operation": operation,
            "resource": resource,
            "skip": skip,
            "count": FAILURES[when][1],
        }
        for step, (operation, resource, skip, failures) in steps.items()
        for when in failures
    }


FOLDING_CASES = cases(FOLDING)
BILLING_CASES = {
    **cases(BILLING),
    "another's transaction is in the way": {
        "kind": "transaction_conflict",
        "operation": "TransactWriteItems",
        "resource": RECORDS,
        "count": 2,
    },
    "a part of the ledger is not read": {
        "kind": "unprocessed",
        "operation": "BatchGetItem",
        "resource": LEDGER,
        "keep": 0,
        "count": 2,
    },
    "a part of the due records is not read": {
        "kind": "unprocessed",
        "operation": "BatchGetItem",
        "resource": RECORDS,
        "keep": 0,
        "count": 2,
    },
}


def user_of(house: FaultyHouse, generation: str = "legacy") -> Buyer:
    """A buyer in a new hour, in a house where nothing else is left to be metered."""
    house.rest("metering-worker")
    buyer = house.buy_active(generation)
    house.seal_hour()
    house.until(lambda: not any("unbilled" in row for row in house.engine.rows(LEDGER)), "old usage")
    house.until(lambda: not any("due" in row for row in house.engine.rows(RECORDS)), "old records")
    return buyer


@pytest.mark.parametrize("case", FOLDING_CASES)
def test_a_failing_fold(house: FaultyHouse, case: str) -> None:
    buyer = user_of(house)
    house.report(buyer, count=1)
    house.until(lambda: house.usage(buyer) == buyer.total, "the first fold")
    # The web process has announced this hour already, so that what fails now is the worker's.
    house.fail(**FOLDING_CASES[case])
    house.report(buyer, count=3)
    house.until(house.fired, "the fault")
    house.until(lambda: house.usage(buyer) == buyer.total, "the second fold")
    house.seal_hour()
    house.assert_billed_exactly(buyer)


@pytest.mark.parametrize("case", BILLING_CASES)
def test_a_failing_way_to_aws(house: FaultyHouse, case: str) -> None:
    buyer = user_of(house, "concurrent_agreements")
    house.report(buyer, count=1)
    house.until(lambda: house.usage(buyer) == buyer.total, "the first fold")
    # The web process knows the subscription now, so that what fails is the worker's.
    house.fail(**BILLING_CASES[case])
    house.report(buyer, count=4)
    house.until(lambda: house.usage(buyer) == buyer.total, "the second fold")
    house.seal_hour()
    house.until(house.fired, "the fault")
    # Past the services: whoever asks them would draw the fault upon himself.
    house.until(lambda: house.billed(buyer) == buyer.total, "the bill")
    house.assert_billed_exactly(buyer)
    (record,) = house.records(buyer)
    assert record["outcome"] == "billed"


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failing_write_off(house: FaultyHouse, failure: str) -> None:
    buyer = user_of(house)
    house.report(buyer)
    used_up = buyer.total
    house.cancel(buyer)
    house.assert_billed_exactly(buyer)
    house.advance(timedelta(hours=2))
    house.until_status("ended", buyer)
    kind, count = FAILURES[failure]
    # The first is the fold's booking, the second the write-off.
    house.fail(kind, "UpdateItem", LEDGER, skip=1, count=count)
    house.report(buyer, count=1, at=house.now() - timedelta(hours=2), quantity="0.75")
    house.until(house.fired, "the fault")
    house.until_settled(buyer)
    row = house.balance(buyer)
    assert (Decimal(row["billed"]), Decimal(row["written_off"])) == (used_up, Decimal("0.75"))
    assert row["balanced"]
    assert [reason["reason"] for reason in row["reasons"]] == ["after_final_hour"]
    assert house.billed(buyer) == used_up


def test_a_record_that_could_never_be_sent_goes_to_a_later_hour(house: FaultyHouse) -> None:
    """The books cannot note an attempt for a day: AWS is not called, the hour expires, its usage does not."""
    buyer = user_of(house)
    house.report(buyer)
    house.fail("error_before", "UpdateItem", RECORDS)
    house.seal_hour()
    house.until(lambda: any("due" in row for row in house.engine.rows(RECORDS)), "the frozen record")
    house.until(house.fired, "the fault")
    house.advance(timedelta(hours=25))
    house.mend()
    # Giving it up fails too, at first.
    house.fail("drop_after", "TransactWriteItems", RECORDS, count=ATTEMPTS)
    house.until(lambda: house.billed(buyer) == buyer.total, "the bill")
    house.mend()
    house.assert_billed_exactly(buyer)
    assert sorted(record["outcome"] for record in house.records(buyer)) == ["billed", "expired"]


def test_old_hours_are_folded_no_more(house: FaultyHouse) -> None:
    """An hour that can get no more events leaves the worker's round, also when saying so fails at first."""
    buyer = user_of(house)
    house.report(buyer)
    house.until(lambda: house.usage(buyer) == buyer.total, "the fold")
    hour = f"{house.now():%Y-%m-%dT%H}"
    house.seal_hour()
    house.assert_billed_exactly(buyer)
    house.fail("error_after", "UpdateItem", HOURS, count=ATTEMPTS)
    house.advance(timedelta(hours=27))

    def retired() -> bool:
        rows = {row["hour"]: row for row in house.engine.rows(HOURS)}
        return "open" not in rows[hour]

    house.until(retired, "the hour's retirement")
    house.assert_billed_exactly(buyer)


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
