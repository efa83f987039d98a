"""The registration worker while tables and queues fail: letters go out, tombstones go, and nothing twice."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.faulty_house import ATTEMPTS, FaultyHouse
from tests.journeys.house import DONE, REGISTRATION_SIGNALS_QUEUE, UNTIL_ACTIVE, Buyer

CLAIMS = "marketplane-claims"
OUTBOX = "marketplane-registration-outbox"
TELL = ("TransactWriteItems", CLAIMS)

Wish = tuple[str, tuple[str, str], dict[str, Any]]
TELLING: dict[str, Wish] = {
    "signals are not received": (
        "error_before",
        ("ReceiveMessage", REGISTRATION_SIGNALS_QUEUE),
        {"count": ATTEMPTS},
    ),
    "signals are not deleted": (
        "error_before",
        ("DeleteMessageBatch", REGISTRATION_SIGNALS_QUEUE),
        {"count": ATTEMPTS},
    ),
    "the claim is not read": ("error_before", ("GetItem", CLAIMS), {"count": ATTEMPTS}),
    "the sibling's row is not read": (
        "error_before",
        ("BatchGetItem", "marketplane-subscriptions"),
        {"count": ATTEMPTS},
    ),
    "error before": ("error_before", TELL, {"count": ATTEMPTS}),
    "error after the commit": ("drop_after", TELL, {"count": ATTEMPTS}),
    "in another's way": ("transaction_conflict", TELL, {"count": 3}),
    "the letter is not ticked off": ("error_before", ("DeleteItem", OUTBOX), {"count": ATTEMPTS}),
    "the letter is ticked off, the answer lost": ("drop_after", ("DeleteItem", OUTBOX), {"count": ATTEMPTS}),
}


def registered(house: FaultyHouse, buyer: Buyer) -> str:
    """A registered customer's id; the letter that confirms it is out."""
    landing = house.land("json", buyer)
    assert landing.submit(buyer.email).status_code in DONE
    house.until_written(buyer, "welcome")
    claim, _ = house.rows_of(buyer)
    return str(claim["customer_id"])


@pytest.mark.parametrize("case", TELLING)
def test_access_is_told_whatever_fails(house: FaultyHouse, case: str) -> None:
    house.rest("registration-worker")
    kind, (operation, resource), more = TELLING[case]
    buyer = house.buy("legacy")
    registered(house, buyer)
    house.fail(kind, operation, resource, **more)
    house.advance(UNTIL_ACTIVE)
    house.until_status("active", buyer)
    house.until(house.fired, "the fault")
    house.mend()
    house.until(lambda: house.rows_of(buyer)[0].get("access_told_at"), "the mark")
    # A letter that could not be ticked off is due again after a pause.
    house.until_at_rest(buyer)
    house.advance(UNTIL_ACTIVE)
    house.until_written(buyer, "welcome", "access")
    signals = house.engine.queue(REGISTRATION_SIGNALS_QUEUE)
    house.until(lambda: signals.depth() == 0, "an empty queue")
    assert house.engine.queue(f"{REGISTRATION_SIGNALS_QUEUE}-dlq").depth() == 0


def test_the_sweep_heals_a_lost_signal(house: FaultyHouse) -> None:
    """The worker is up, and never hears of it."""
    house.rest("registration-worker")
    buyer = house.buy("concurrent_agreements")
    registered(house, buyer)
    signals = house.engine.queue(REGISTRATION_SIGNALS_QUEUE)
    house.fail("error_before", "SendMessageBatch", REGISTRATION_SIGNALS_QUEUE)
    house.advance(UNTIL_ACTIVE)
    house.until_status("active", buyer)
    house.until(house.fired, "the signal that does not leave")
    house.until_written(buyer, "welcome", "access")
    assert signals.depth() == 0


@pytest.mark.parametrize(
    ("kind", "count"), [("error_before", ATTEMPTS), ("error_after", 1), ("drop_after", ATTEMPTS)]
)
def test_a_tombstone_goes_whatever_fails(house: FaultyHouse, kind: str, count: int) -> None:
    house.rest("registration-worker")
    buyer = house.buy_active("legacy")
    customer_id = registered(house, buyer)
    url = f"{house.stack.urls['registration-web']}/v1/customers/{customer_id}"
    assert house.http.delete(url, headers=house.keys["registration"]).status_code == 204
    house.until_all_is_heard(buyer)
    house.fail(kind, "TransactWriteItems", "marketplane-customers", count=count)
    house.end(buyer)
    house.until(house.fired, "the fault")
    house.until(lambda: house.rows_of(buyer) == [], "the tombstone to go")
