"""Signing in while the engine fails: one person stays one customer, with their first purchase and the next.

The identity's row is written in the act that binds the purchase, so there is never one without the other.
"""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.faults.faulty_house import ATTEMPTS, SLOW_SECONDS, FaultyHouse, assert_unavailable
from tests.journeys.house import DONE, DOORS, Browser

IDENTITY = "marketplane-identities"
BIND, LOOK_UP = ("TransactWriteItems", IDENTITY), ("GetItem", IDENTITY)
CUSTOMER = ("GetItem", "marketplane-customers")

# Kind, what fails, how often, and whether the buyer has to ask again.
BINDING: dict[str, tuple[str, tuple[str, str], dict[str, Any], bool]] = {
    "nobody can say whose it is": ("error_before", LOOK_UP, {"count": ATTEMPTS}, True),
    "error before": ("error_before", BIND, {"count": ATTEMPTS}, True),
    "error after the commit, once": ("error_after", BIND, {"count": 1}, False),
    "dropped after the commit": ("drop_after", BIND, {"count": ATTEMPTS}, True),
    "throttled": ("throttle", BIND, {"count": ATTEMPTS}, True),
    "slower than the time-out": ("slow", BIND, {"count": ATTEMPTS, "seconds": SLOW_SECONDS}, True),
    "in another transaction's way": ("transaction_conflict", BIND, {"count": 2}, False),
    "always in another's way": ("transaction_conflict", BIND, {}, True),
}


@pytest.mark.parametrize("purchase", ["first", "second"])
@pytest.mark.parametrize("case", BINDING)
def test_one_customer_whatever_fails(house: FaultyHouse, case: str, purchase: str) -> None:
    kind, (operation, resource), more, asks_again = BINDING[case]
    subject = f"person-{uuid.uuid4().hex[:12]}"
    buyers = [house.buy("concurrent_agreements") for _ in range(2 if purchase == "second" else 1)]
    # By turns, so that each case goes by both doors.
    doors = DOORS if len(case) % 2 else DOORS[::-1]
    for number, buyer in enumerate(buyers, start=1):
        landing = house.land(doors[number - 1], buyer)
        landing.sign_in(subject)
        faulty = number == len(buyers)
        if faulty:
            house.fail(kind, operation, resource, **more)
        answer = landing.submit(buyer.email)
        if faulty:
            assert house.fired()
            before = [row for row in house.rows_of(buyer) if "claimed_at" in row]
            identities = [row for row in house.engine.rows(IDENTITY) if row["private_subject"] == subject]
            house.mend()
            if number == 1:
                assert len(before) == len(identities)
            if asks_again:
                assert_unavailable(answer)
                answer = landing.submit(buyer.email)
        assert answer.status_code in DONE, answer.text
        assert landing.is_registered()
        landing.close()
    house.customer_signed_in_as(subject, *buyers)


def test_who_signed_in_could_not_be_remembered(house: FaultyHouse) -> None:
    buyer = house.buy("concurrent_agreements")
    subject = f"person-{uuid.uuid4().hex[:12]}"
    landing = house.land("html", buyer)
    assert isinstance(landing, Browser)
    house.fail("error_before", "UpdateItem", "marketplane-registrations", count=ATTEMPTS)
    landing.visitor.open("/register")
    landing.visitor.follow("/register/sign-in/")
    landing.visitor.submit("", sub=subject)
    assert_unavailable(landing.visitor.answer)
    assert house.fired()
    house.mend()
    # Nobody has signed in, and the page does not say so either.
    landing.visitor.open("/register")
    assert "You signed in with" not in landing.reads()
    landing.sign_in(subject)
    assert "You signed in with" in landing.reads()
    assert landing.submit(buyer.email).status_code in DONE
    landing.close()
    house.customer_signed_in_as(subject, buyer)
