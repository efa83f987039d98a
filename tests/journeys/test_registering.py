"""Registration before, between and after AWS's news, by page and by JSON: always the same end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from tests.journeys.house import (
    DONE,
    DOORS,
    GENERATIONS,
    UNTIL_ACTIVE,
    UNTIL_ENDING,
    Buyer,
    House,
    Landing,
    assert_belongs_to_another,
    together,
)

# What happens in which order: the buyer Lands, Submits the form; AWS's news of Activation, of Cancellation.
ORDERS = ("LSAC", "LASC", "LACS", "ALSC", "ALCS", "ACLS")


def state(house: House, buyer: Buyer) -> dict[str, Any]:
    """All that registration and notifications say of a buyer, but for ids and moments."""
    (customer,) = house.customers_of(buyer)
    assert customer["email"] == buyer.email
    (held,) = customer["subscriptions"]
    assert held["subscription_id"] == buyer.subscription_id
    subscription = house.subscription(buyer)
    return {
        "customer": {name: customer.get(name) for name in ("access", "name", "company", "version")},
        "held": {name: held[name] for name in ("status", "access")},
        "subscription": {name: subscription.get(name) for name in ("status", "access", "end_reason")},
    }


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("order", ORDERS)
def test_the_order_of_registration_and_news_plays_no_part(
    house: House, land: Callable[..., Landing], order: str, generation: str, door: str
) -> None:
    buyer = house.buy(generation)
    landing: Landing | None = None
    for step in order:
        if step == "L":
            landing = land(door, buyer)
        elif step == "S":
            assert landing
            assert landing.submit(buyer.email).status_code in DONE
        elif step == "A":
            house.advance(UNTIL_ACTIVE)
            house.until_status("active", buyer)
            # Access follows the news, and never waits for the form.
            assert house.subscription(buyer)["access"] == "granted"
            if order.startswith("LSA"):
                assert state(house, buyer)["customer"]["access"] == "granted"
        else:
            house.cancel(buyer)
            house.advance(UNTIL_ENDING)
            house.until_status("ending", buyer)
    assert landing
    assert landing.is_registered()
    assert state(house, buyer) == {
        "customer": {
            "access": "denied",
            "name": "Ada",
            "company": "Analytics Ltd",
            "version": 1,
        },
        "held": {"status": "ending", "access": "denied"},
        "subscription": {
            "status": "ending",
            "access": "denied",
            "end_reason": None if generation == "legacy" else "CANCELLED",
        },
    }


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("generation", GENERATIONS)
def test_registration_in_the_very_moment_of_the_news(
    house: House, land: Callable[..., Landing], generation: str, door: str
) -> None:
    buyers = [house.buy(generation) for _ in range(4)]
    landings = [land(door, buyer) for buyer in buyers]
    house.advance(UNTIL_ACTIVE - timedelta(seconds=74))
    answers = together(
        *(partial(landing.submit, buyer.email) for landing, buyer in zip(landings, buyers, strict=True)),
        lambda: house.advance(UNTIL_ACTIVE),
    )[:-1]
    assert all(answer is not None and answer.status_code in DONE for answer in answers)
    house.until_status("active", *buyers)
    for buyer in buyers:
        found = state(house, buyer)
        assert (found["customer"]["access"], found["customer"]["version"]) == ("granted", 1)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("generation", GENERATIONS)
def test_landing_again_changes_nothing(
    house: House, land: Callable[..., Landing], generation: str, door: str
) -> None:
    buyer = house.buy_active(generation)
    first = land(door, buyer)
    assert first.submit(buyer.email).status_code in DONE
    # The letter leaves a mark with the claim.
    house.until_written(buyer, "welcome")
    house.until_answered(buyer)
    before = house.rows_of(buyer), house.subscription(buyer)
    assert len(before[0]) == 2

    for token in (house.new_token(buyer), buyer.token):
        for other_door in DOORS:
            again = land(other_door, buyer, token)
            assert again.is_registered()
            if other_door == "html":
                # It proves the purchase, not that this is the person who registered: it names nobody.
                assert "nothing has changed" in again.reads()
                assert buyer.email not in again.reads()
            else:
                # What somebody enters makes nothing theirs: who has registered is not to be found out so.
                for email in (buyer.email, buyer.email.upper(), "somebody@else.example"):
                    assert_belongs_to_another(again.submit(email), buyer)
    assert (house.rows_of(buyer), house.subscription(buyer)) == before


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("generation", GENERATIONS)
def test_two_people_one_subscription(
    house: House, land: Callable[..., Landing], generation: str, door: str
) -> None:
    buyer = house.buy(generation)
    landings = [land(door, buyer), land(door, buyer, house.new_token(buyer))]
    emails = [buyer.email, buyer.email.replace("@", "-second@")]
    house.emails.update(emails)
    answers = together(
        *(partial(landing.submit, email) for landing, email in zip(landings, emails, strict=True))
    )
    won, lost = sorted(answers, key=lambda answer: answer.status_code)
    assert (won.status_code in DONE, lost.status_code) == (True, 409)

    assert_belongs_to_another(lost, buyer)
    (customer,) = house.customers_of(buyer)
    loser = next(email for email in emails if email != customer["email"])
    assert customer["email"] not in lost.text
    assert customer["customer_id"] not in lost.text
    if door == "json":
        problem = lost.json()
        assert problem["registration_id"] in {one.registration["registration_id"] for one in landings}  # type: ignore[attr-defined]
    # Nothing of the loser was kept.
    assert house.customers_called(loser) == []
    assert len(house.rows_of(buyer)) == 2
    assert loser not in repr(house.engine.rows("marketplane-customers"))


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_form_sent_many_times_at_once(
    house: House, land: Callable[..., Landing], generation: str, door: str
) -> None:
    buyer = house.buy(generation)
    landing = land(door, buyer)
    answers = together(*([partial(landing.submit, buyer.email)] * 8))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == ([200] * 7 + [201] if door == "json" else [303] * 8)
    (customer,) = house.customers_called(buyer.email)
    if door == "json":
        assert {answer.json()["customer_id"] for answer in answers} == {customer["customer_id"]}
    assert house.customers_of(buyer) == [customer]
    assert customer["version"] == 1
    assert len(house.rows_of(buyer)) == 2
