"""What the seller's product is told on each login: access, trials by agreement, what a contract holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.journeys.catalogue import CONTRACT
from tests.journeys.house import DONE, DOORS, GENERATIONS, UNTIL_ACTIVE, UNTIL_ENDING, Buyer, House
from tools.story import LICENSED_PRODUCT

Land = Callable[..., Any]


def registered(house: House, land: Land, door: str, buyer: Buyer) -> str:
    """A registered customer's id."""
    assert land(door, buyer).submit(buyer.email).status_code in DONE
    (customer,) = house.customers_of(buyer)
    return str(customer["customer_id"])


def held(house: House, customer_id: str) -> dict[str, Any]:
    """The one subscription that a customer has."""
    (subscription,) = house.access(customer_id)["subscriptions"]
    return dict(subscription)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_access_follows_the_news(house: House, land: Land, generation: str) -> None:
    house.begin_hour()
    buyer = house.buy(generation)
    customer_id = registered(house, land, "json", buyer)
    seen = []

    def note() -> None:
        told = house.access(customer_id)
        (one,) = told["subscriptions"]
        seen.append((one["status"], one["access"], told["access"], told["can_pay"]))

    note()
    house.advance(UNTIL_ACTIVE)
    house.until_status("active", buyer)
    note()
    house.cancel(buyer)
    house.advance(UNTIL_ENDING)
    house.until_status("ending", buyer)
    note()
    assert seen == [
        ("pending", "denied", "denied", False),
        ("active", "granted", "granted", True),
        ("ending", "denied", "denied", False),
    ]


def test_an_answer_is_good_until_something_changes(house: House, land: Land) -> None:
    buyer = house.buy("concurrent_agreements")
    customer_id = registered(house, land, "json", buyer)
    url = f"{house.stack.urls['registration-web']}/v1/customers/{customer_id}/access"
    first = house.http.get(url, headers=house.keys["registration"])
    known = house.keys["registration"] | {"If-None-Match": first.headers["etag"]}
    assert house.http.get(url, headers=known).status_code == 304
    house.advance(UNTIL_ACTIVE)
    house.until_status("active", buyer)
    second = house.http.get(url, headers=known)
    assert (second.status_code, second.json()["access"]) == (200, "granted")


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("order", ["registration first", "news first"])
def test_a_trial_is_what_the_agreement_says(house: House, land: Land, order: str, door: str) -> None:
    buyer = house.buy_product(LICENSED_PRODUCT, free_trial=True, trial_days=14)
    customer_id = ""
    for step in ("registration", "news") if order == "registration first" else ("news", "registration"):
        if step == "registration":
            customer_id = registered(house, land, door, buyer)
        else:
            house.advance(UNTIL_ACTIVE)
            house.until_status("active", buyer)
    # No browser has said so (the form had no offer type): it is the agreement that AWS was asked for.
    house.until(lambda: held(house, customer_id)["free_trial"], "the trial")
    agreement = house.agreement(buyer)
    subscription = held(house, customer_id)
    assert moment(subscription["trial_ends_at"]) == moment(agreement["trial_ends_at"])
    lasts = moment(subscription["trial_ends_at"]) - moment(agreement["starts_at"])
    assert lasts == timedelta(days=14)
    assert (subscription["access"], subscription["can_pay"]) == ("granted", True)


def test_who_claims_a_trial_in_the_form_has_none(house: House, land: Land) -> None:
    buyer = house.buy_product(LICENSED_PRODUCT)
    web = house.stack.urls["registration-web"]
    body = {"registration_token": buyer.token, "offer_type": "free-trial"}
    arrived = house.http.post(f"{web}/v1/registrations", json=body).json()
    session = {"X-Registration-Session": arrived["session_secret"]}
    customer = {"email": buyer.email}
    registered = house.http.put(
        f"{web}/v1/registrations/{arrived['registration_id']}/customer", json=customer, headers=session
    ).json()
    # Until AWS has said, there is only the browser's word.
    assert held(house, registered["customer_id"])["free_trial"] is True
    house.advance(UNTIL_ACTIVE)
    house.until_status("active", buyer)
    house.until(lambda: not held(house, registered["customer_id"])["free_trial"], "AWS's word")
    assert held(house, registered["customer_id"])["trial_ends_at"] is None


@pytest.mark.parametrize("order", ["registration first", "news first"])
def test_what_a_contract_holds(house: House, land: Land, order: str) -> None:
    bought = {"editors": 3, "viewers": 40}
    buyer = house.buy_product(CONTRACT, entitlements=bought)
    if order == "news first":
        house.advance(UNTIL_ACTIVE)
        house.until_status("active", buyer)
    landing = land("html", buyer)
    page = landing.reads()
    assert "What you bought" in page
    if order == "news first":
        assert "Editors 3 Users" in page
    assert landing.submit(buyer.email).status_code in DONE
    (customer,) = house.customers_of(buyer)
    customer_id = str(customer["customer_id"])
    if order == "registration first":
        house.advance(UNTIL_ACTIVE)
        house.until_status("active", buyer)
    until_entitled(house, customer_id, bought)
    ends = moment(house.agreement(buyer)["end_time"])
    for entitlement in held(house, customer_id)["entitlements"]:
        assert entitlement["type"] == "integer"
        assert moment(entitlement["expires_at"]) == ends
    # More seats: AWS sends news, and is asked again.
    more = {"editors": 5, "viewers": 40}
    house.amend(buyer, entitlements=more)
    house.advance(UNTIL_ACTIVE)
    until_entitled(house, customer_id, more)


def until_entitled(house: House, customer_id: str, wanted: dict[str, int]) -> None:
    def entitled() -> dict[str, str]:
        found = held(house, customer_id)["entitlements"] or []
        return {one["dimension"]: one["value"] for one in found}

    expected = {dimension: str(value) for dimension, value in wanted.items()}
    house.until(lambda: entitled() == expected, f"the entitlements {wanted}")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
