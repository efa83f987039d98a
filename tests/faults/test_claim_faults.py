"""Registration while the engine fails: one customer or none, and whoever asks again gets theirs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.faulty_house import ATTEMPTS, SLOW_SECONDS, FaultyHouse, assert_unavailable, by_turns
from tests.journeys.house import DONE, DOORS, Buyer

# One act: the claim, the customer, and what follows (the letter).
CLAIM = ("TransactWriteItems", "marketplane-claims")

# Kind, what fails, how often, and whether the buyer has to ask again.
CLAIMING: dict[str, tuple[str, tuple[str, str], dict[str, Any], bool]] = {
    "error before": ("error_before", CLAIM, {"count": ATTEMPTS}, True),
    "error after the commit, once": ("error_after", CLAIM, {"count": 1}, False),
    "error after the commit": ("error_after", CLAIM, {"count": ATTEMPTS}, True),
    "dropped after the commit, once": ("drop_after", CLAIM, {"count": 1}, False),
    "dropped after the commit": ("drop_after", CLAIM, {"count": ATTEMPTS}, True),
    "throttled once": ("throttle", CLAIM, {"count": 1}, False),
    "throttled": ("throttle", CLAIM, {"count": ATTEMPTS}, True),
    "slower than the time-out": ("slow", CLAIM, {"count": ATTEMPTS, "seconds": SLOW_SECONDS}, True),
    "in another transaction's way": ("transaction_conflict", CLAIM, {"count": 2}, False),
    "always in another's way": ("transaction_conflict", CLAIM, {}, True),
    "the registration cannot be read": (
        "error_before",
        ("GetItem", "marketplane-registrations"),
        {"count": ATTEMPTS},
        True,
    ),
    "the claim cannot be read": (
        "error_before",
        ("GetItem", "marketplane-claims"),
        {"count": ATTEMPTS},
        True,
    ),
    "everything is down": ("down", ("", ""), {}, True),
}


def assert_one_customer(house: FaultyHouse, buyer: Buyer) -> None:
    """One claim, one customer, one of the other, past all services; and the letter that follows from both."""
    claim, customer = house.rows_of(buyer)
    assert claim["customer_id"] == customer["customer_id"]
    assert (customer["email"], customer["version"]) == (buyer.email, 1)
    customers = house.engine.rows("marketplane-customers")
    assert [row for row in customers if row.get("email") == buyer.email] == [customer]
    house.until_written(buyer, "welcome")


@pytest.mark.parametrize(("case", "door"), by_turns(CLAIMING, DOORS))
def test_one_claim_whatever_fails(house: FaultyHouse, case: str, door: str) -> None:
    kind, (operation, resource), more, asks_again = CLAIMING[case]
    buyer = house.buy("legacy" if door == "html" else "concurrent_agreements")
    landing = house.land(door, buyer)
    house.fail(kind, operation, resource, **more)
    answer = landing.submit(buyer.email)
    assert house.fired()
    before = house.rows_of(buyer)
    house.mend()
    # Both or neither.
    assert len(before) in (0, 2)
    if asks_again:
        assert_unavailable(answer)
        answer = landing.submit(buyer.email)
    assert answer.status_code in DONE, answer.text
    assert landing.is_registered()
    landing.close()
    assert_one_customer(house, buyer)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("kind", "operation", "resource"),
    [
        ("error_before", "PutItem", "marketplane-registrations"),
        ("drop_after", "PutItem", "marketplane-registrations"),
        ("down", "", ""),
    ],
)
def test_arriving_while_the_tables_are_away(
    house: FaultyHouse, kind: str, operation: str, resource: str, door: str
) -> None:
    buyer = house.buy("concurrent_agreements")
    web = house.stack.urls["registration-web"]
    house.fail(kind, operation, resource)
    if door == "html":
        answer = house.http.post(f"{web}/register", data={"x-amzn-marketplace-token": buyer.token})
    else:
        answer = house.http.post(f"{web}/v1/registrations", json={"registration_token": buyer.token})
    house.mend()
    assert_unavailable(answer)
    assert buyer.token not in answer.text
    # The token is as good as before.
    landing = house.land(door, buyer)
    assert landing.submit(buyer.email).status_code in DONE
    landing.close()
    assert_one_customer(house, buyer)


@pytest.mark.parametrize("door", DOORS)
def test_having_arrived_while_claims_cannot_be_read(house: FaultyHouse, door: str) -> None:
    """A browser is let in at once, and the page asks it to try again; a frontend is asked straight away."""
    buyer = house.buy("concurrent_agreements")
    web = house.stack.urls["registration-web"]
    house.fail("error_before", "GetItem", "marketplane-claims")
    if door == "html":
        landing = house.http.post(f"{web}/register", data={"x-amzn-marketplace-token": buyer.token})
        assert landing.status_code == 303, landing.text
        session = {"Cookie": landing.headers["set-cookie"].partition(";")[0]}
        assert_unavailable(house.http.get(f"{web}/register", headers=session))
        house.mend()
        # Nothing but loading the page again is needed.
        assert 'action="/register/customer"' in house.http.get(f"{web}/register", headers=session).text
    else:
        answer = house.http.post(f"{web}/v1/registrations", json={"registration_token": buyer.token})
        assert_unavailable(answer)
        house.mend()
    landed = house.land(door, buyer)
    assert landed.submit(buyer.email).status_code in DONE
    landed.close()
    assert_one_customer(house, buyer)


def test_the_sibling_table_is_not_needed_to_register(house: FaultyHouse) -> None:
    """`subscriptions` is read to tell about access; a claim must not wait for it."""
    buyer = house.buy("concurrent_agreements")
    house.fail("error_before", "", "marketplane-subscriptions")
    landing = house.land("json", buyer)
    assert landing.submit(buyer.email).status_code == 201
    house.mend()
    assert_one_customer(house, buyer)
