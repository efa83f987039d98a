"""A subscription is renewed or replaced: another licence takes over, and for its customer nothing changes."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.journeys.back_end import SellersBackEnd
from tests.journeys.catalogue import HANDING_OVER, PRODUCT_IDS
from tests.journeys.house import DONE, UNTIL_ACTIVE, UNTIL_ENDED, UNTIL_ENDING, Buyer, House
from tools.story import LICENSED_PRODUCT

Land = Callable[..., Any]


def buy_for_a_term(house: House, product_code: str = LICENSED_PRODUCT) -> Buyer:
    """A purchase that can be renewed, with its news arrived and applied."""
    buyer = house.buy_product(product_code, offer="private", term_days=30)
    house.advance(UNTIL_ACTIVE)
    house.until_status("active", buyer)
    return buyer


def registered(house: House, land: Land, buyer: Buyer, **fields: str) -> str:
    """A registered customer's id, once their letter is written."""
    assert land("json", buyer).submit(buyer.email, **fields).status_code in DONE
    (customer,) = house.customers_of(buyer)
    house.until_written(buyer, "welcome")
    return str(customer["customer_id"])


def carried_on(house: House, action: str, old: Buyer) -> Buyer:
    """Renews or replaces; answers the new one, once it is known why the old one ends.

    AWS tells it half a minute before it tells that the licence has gone. Where news of the one overtakes that
    of the other, access is denied between them: of a licence that has gone we only know that it has.
    """
    new = house.succeed(action, old)
    house.advance(UNTIL_ENDED)
    house.until_status("ending", old)
    return new


def until_held(house: House, customer_id: str, *buyers: Buyer) -> dict[str, Any]:
    """Waits until a customer has all these, and sees that access never goes meanwhile."""
    wanted = [buyer.subscription_id for buyer in buyers]

    def held() -> dict[str, Any] | None:
        told = house.access(customer_id)
        assert (told["access"], told["can_pay"]) == ("granted", True), told
        return told if [one["subscription_id"] for one in told["subscriptions"]] == wanted else None

    return house.until(held, f"{customer_id} to hold {wanted}") or {}


def test_a_renewed_customer_notices_nothing(house: House, land: Land) -> None:
    house.begin_hour()
    old = buy_for_a_term(house)
    customer_id = registered(house, land, old)
    house.report(old)

    new = carried_on(house, "renew", old)
    house.advance(UNTIL_ENDING)
    # The old licence is gone and the new one not there yet: access goes on, and so does use.
    until_held(house, customer_id, old)
    house.report(old, quantity="0.5")
    house.advance(UNTIL_ACTIVE)
    told = until_held(house, customer_id, old, new)
    first, second = told["subscriptions"]
    assert (first["status"], first["access"], second["status"]) == ("ending", "granted", "active")
    assert first["next_subscription_id"] == new.subscription_id
    assert second["previous_subscription_id"] == old.subscription_id
    house.report(new, quantity="2")
    # What is in flight under the old licence is billed to it as long as AWS takes it.
    house.report(old, quantity="0.125")
    house.seal_hour()
    house.assert_billed_exactly(old, new)
    assert (house.billed(old), house.billed(new)) == (Decimal("4.375"), Decimal("10"))

    # Nobody had to land, nobody was welcomed or told again. Who lands all the same is known.
    house.until_all_is_heard(old, new)
    assert (set(house.letters(old)), house.letters(new)) == ({"welcome"}, {})
    (before,) = house.customers_of(new)
    landing = land("html", new, house.new_token(new))
    assert landing.is_registered()
    assert old.email not in landing.reads()
    assert house.customers_of(new) == [before]
    assert (before["customer_id"], before["version"]) == (customer_id, 2)

    # After the old licence's last hour, the new one alone gives access; what comes for the old one is not
    # billed, and not lost from sight.
    house.begin_hour()
    house.until_status("ended", old)
    until_held(house, customer_id, old, new)
    billed = house.billed(old), house.billed(new)
    house.report(old, count=3, quantity="1")
    house.until(lambda: house.balance(old)["written_off"] == "3", "the write-off")
    row = house.balance(old)
    assert row["balanced"]
    assert Decimal(row["billed"]) + 3 == old.total
    assert (house.billed(old), house.billed(new)) == billed


def test_what_is_replaced_and_renewed_again_stays_one_account(
    house: House, back_end: SellersBackEnd, land: Land
) -> None:
    """With a product that hands over: its back end named the account, and hears of each that goes along."""
    house.begin_hour()
    first = buy_for_a_term(house, HANDING_OVER)
    customer_id = registered(house, land, first, purpose="translation")
    account = house.access(customer_id)["account_id"]

    held = [first]
    for action in ("replace", "renew"):
        previous, new = held[-1], carried_on(house, action, held[-1])
        held.append(new)
        house.advance(UNTIL_ACTIVE)
        until_held(house, customer_id, *held)
        house.until(lambda new=new: not house.waiting(new), "nothing to wait any more")
        (parameter,) = house.parameters(new, PRODUCT_IDS[HANDING_OVER])
        assert parameter["secret_string"] == back_end.secrets[account]
        (notice,) = back_end.asked_of(new.subscription_id)
        assert notice.genuine
        assert notice.asked == {
            "type": "registration.renewed",
            "subscription_id": new.subscription_id,
            "previous_subscription_id": previous.subscription_id,
            "product_code": HANDING_OVER,
            "product_id": PRODUCT_IDS[HANDING_OVER],
            "customer_id": customer_id,
            "account_id": account,
            "customer_aws_account_id": first.customer_aws_account_id,
            "agreement_id": new.agreement_id,
        }
        assert house.letters(new) == {}


def test_a_renewal_that_came_before_its_buyer(house: House, land: Land) -> None:
    """The news is there when the first of the two is registered: the second goes along at once."""
    house.begin_hour()
    old = buy_for_a_term(house)
    new = house.succeed("renew", old)
    house.advance(UNTIL_ACTIVE)
    house.until_status("active", new)
    house.until_status("ending", old)
    house.until_all_is_heard(old, new)
    assert house.customers_of(new) == []

    customer_id = registered(house, land, old)
    until_held(house, customer_id, old, new)
    house.report(new)
    house.seal_hour()
    house.assert_billed_exactly(new)
    assert (set(house.letters(old)), house.letters(new)) == ({"welcome"}, {})


def test_what_somebody_else_registered_first_is_not_moved(house: House, land: Land) -> None:
    house.begin_hour()
    old = buy_for_a_term(house)
    customer_id = registered(house, land, old)
    new = house.succeed("renew", old)
    house.hold_news(new)
    # That it renews another nobody knows yet.
    assert land("html", new, house.new_token(new)).submit("colleague@company.example").status_code in DONE
    house.emails.add("colleague@company.example")
    (other,) = house.customers_of(new)
    assert other["customer_id"] != customer_id
    house.let_news_go(new)
    house.until_status("active", new)
    house.until_all_is_heard(old, new)

    (one,) = until_held(house, customer_id, old)["subscriptions"]
    assert one["next_subscription_id"] == new.subscription_id
    (two,) = house.access(other["customer_id"])["subscriptions"]
    assert (two["access"], two["previous_subscription_id"]) == ("granted", old.subscription_id)
    assert [found["customer_id"] for found in house.customers_of(new)] == [other["customer_id"]]
