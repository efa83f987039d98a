"""A customer is deleted: personal data goes at once, the link that bills need goes with the last of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.journeys.house import DONE, DOORS, GENERATIONS, Buyer, House, assert_belongs_to_another

Land = Callable[..., Any]
PERSONAL = ("email", "name", "company", "account_id", "private_email_key", "private_fields")


def registered(house: House, land: Land, door: str, buyer: Buyer, subject: str = "") -> str:
    """A registered customer's id."""
    landing = land(door, buyer)
    if subject:
        landing.sign_in(subject)
    assert landing.submit(buyer.email).status_code in DONE
    house.until_written(buyer, "welcome")
    (customer,) = house.customers_of(buyer)
    return str(customer["customer_id"])


def request(house: House, method: str, path: str) -> Any:
    url = house.stack.urls["registration-web"] + path
    return house.http.request(method, url, headers=house.keys["registration"])


def delete(house: House, customer_id: str) -> None:
    answer = request(house, "DELETE", f"/v1/customers/{customer_id}")
    assert answer.status_code == 204, answer.text


def tables_with(house: House, text: str) -> list[str]:
    tables = house.engine.tables()
    return [table for table in tables if text in repr(house.engine.rows(table))]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("generation", GENERATIONS)
def test_usage_is_billed_to_the_end_and_then_nothing_is_left(
    house: House, land: Land, generation: str, door: str
) -> None:
    house.begin_hour()
    buyer = house.buy_active(generation)
    subject = f"leaver-{generation}-{door}"
    customer_id = registered(house, land, door, buyer, subject)
    house.report(buyer)
    assert "marketplane-customers" in tables_with(house, buyer.email)
    assert tables_with(house, subject) == ["marketplane-identities"]

    delete(house, customer_id)
    # The person is gone from all tables, the purchase is not.
    assert tables_with(house, buyer.email) == []
    assert tables_with(house, subject) == []
    claim, tombstone = house.rows_of(buyer)
    assert (claim["customer_id"], tombstone["customer_id"]) == (customer_id, customer_id)
    assert (tombstone["status"], tombstone["subscription_ids"]) == ("deleted", [buyer.subscription_id])
    assert not any(tombstone.get(name) for name in PERSONAL)
    for path in ("", "/access", "/export"):
        answer = request(house, "GET", f"/v1/customers/{customer_id}{path}")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert house.customers_called(buyer.email) == house.customers_of(buyer) == []
    # Whether the next one who comes is the same person is for the seller's support to judge.
    again = land(door, buyer, house.new_token(buyer))
    if door == "json":
        assert_belongs_to_another(again.submit(buyer.email), buyer)

    # What the product goes on using is billed all the same.
    house.report(buyer)
    house.seal_hour()
    house.assert_billed_exactly(buyer)
    house.begin_hour()
    house.report(buyer)
    house.end(buyer)
    house.assert_billed_exactly(buyer)
    house.until(lambda: house.rows_of(buyer) == [], "the tombstone to go")
    assert tables_with(house, customer_id) == []


def test_a_tombstone_waits_for_the_last_of_its_purchases(house: House, land: Land) -> None:
    house.begin_hour()
    buyers = [house.buy_active(generation) for generation in GENERATIONS]
    ids = {registered(house, land, "html", buyer, "leaver-with-two") for buyer in buyers}
    (customer_id,) = ids
    delete(house, customer_id)
    house.end(buyers[0])
    house.until_all_is_heard()
    assert len(house.rows_of(*buyers)) == 3
    house.end(buyers[1])
    house.until(lambda: house.rows_of(*buyers) == [], "the tombstone to go")


def test_who_leaves_after_the_end_leaves_nothing(house: House, land: Land) -> None:
    """No signal comes any more: the sweep finds it, at the worker's next start at the latest."""
    buyer = house.buy_active("concurrent_agreements")
    customer_id = registered(house, land, "json", buyer)
    house.end(buyer)
    house.until_all_is_heard()
    delete(house, customer_id)
    house.stack.kill("registration-worker")
    house.start("registration-worker")
    house.until(lambda: house.rows_of(buyer) == [], "the tombstone to go")


def test_who_comes_back_is_somebody_new(house: House, land: Land) -> None:
    subject = "comes-back"
    first, second = (house.buy_active("concurrent_agreements") for _ in range(2))
    left = registered(house, land, "html", first, subject)
    delete(house, left)
    came = registered(house, land, "html", second, subject)
    assert came != left
    (customer,) = house.customers_of(second)
    assert [one["subscription_id"] for one in customer["subscriptions"]] == [second.subscription_id]


def test_a_letter_that_waits_is_not_written_to_who_has_left(house: House, land: Land) -> None:
    buyer = house.buy("concurrent_agreements")
    house.stack.kill("registration-worker")
    try:
        assert land("json", buyer).submit(buyer.email).status_code in DONE
        (item,) = house.waiting(buyer)
        assert item["kind"] == "welcome_letter"
        delete(house, item["customer_id"])
    finally:
        house.start("registration-worker")
    house.until(lambda: not house.waiting(buyer), "the outbox")
    assert house.letters(buyer) == {}
