"""Signing in with an identity provider: who signed in holds the purchase, in all orders of events."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.journeys.catalogue import SIGN_IN_ONLY
from tests.journeys.house import (
    DONE,
    DOORS,
    Browser,
    Buyer,
    Frontend,
    House,
    assert_belongs_to_another,
    together,
)
from tools.story import LEGACY_PRODUCT, LICENSED_PRODUCT

# Two purchases of one person: the 1st and the 2nd are registered, AWS's news comes of the first (A) and of
# the second (B). Which purchase is registered first makes no difference, so it is always the same.
ORDERS = ["".join(order) for order in itertools.permutations("12AB") if order.index("1") < order.index("2")]
PRODUCTS = [
    (LEGACY_PRODUCT, LICENSED_PRODUCT),
    (LICENSED_PRODUCT, LICENSED_PRODUCT),
    (SIGN_IN_ONLY, LEGACY_PRODUCT),
]
# Each order by other doors and of other products; all pairs of doors and of products come up.
VARIANTS = list(
    zip(ORDERS, itertools.cycle(itertools.product(DOORS, DOORS)), itertools.cycle(PRODUCTS), strict=False)
)

Land = Callable[..., Any]


def somebody() -> str:
    """What the identity provider calls a person who has never been here."""
    return f"person-{uuid.uuid4().hex[:12]}"


@pytest.mark.parametrize(("order", "doors", "products"), VARIANTS, ids=[one[0] for one in VARIANTS])
def test_two_purchases_of_one_person(
    house: House, land: Land, order: str, doors: tuple[str, str], products: tuple[str, str]
) -> None:
    subject = somebody()
    buyers = [house.buy_product(product_code) for product_code in products]
    for buyer in buyers:
        house.hold_news(buyer)
    for step in order:
        number = "12AB".index(step) % 2
        buyer = buyers[number]
        if step in "12":
            landing = land(doors[number], buyer)
            landing.sign_in(subject)
            answer = landing.submit(buyer.email)
            assert answer.status_code in DONE, answer.text
            assert landing.is_registered()
        else:
            house.let_news_go(buyer)
            house.until_status("active", buyer)
    customer = house.customer_signed_in_as(subject, *buyers)
    # The second purchase joined what the first one made, and changed nothing of it.
    assert customer["email"] == buyers[0].email
    assert customer["access"] == "granted"
    assert [one["status"] for one in customer["subscriptions"]] == ["active", "active"]
    told = house.access(customer["customer_id"])
    assert {one["product"]["product_code"] for one in told["subscriptions"]} == set(products)
    for buyer in buyers:
        house.until_written(buyer, "welcome")
        assert house.letters(buyer)["welcome"]["To"] == buyers[0].email


@pytest.mark.parametrize("door", DOORS)
def test_many_purchases_of_one_person_in_one_moment(house: House, land: Land, door: str) -> None:
    subject = somebody()
    buyers = [house.buy_product(LICENSED_PRODUCT) for _ in range(3)]
    landings = [land(door, buyer) for buyer in buyers]
    for landing in landings:
        landing.sign_in(subject)
    answers = together(
        *(
            lambda landing=landing, buyer=buyer: landing.submit(buyer.email)
            for landing, buyer in zip(landings, buyers, strict=True)
        )
    )
    assert [answer.status_code in DONE for answer in answers] == [True] * len(buyers), answers
    house.customer_signed_in_as(subject, *buyers)


@pytest.mark.parametrize("door", DOORS)
def test_where_signing_in_is_demanded_a_form_is_not_enough(house: House, land: Land, door: str) -> None:
    buyer = house.buy_product(SIGN_IN_ONLY)
    landing = land(door, buyer)
    if door == "html":
        landing.visitor.open("/register")
        assert landing.form == {}
        refused = forged_form(house, landing, buyer)
    else:
        refused = landing.submit(buyer.email)
        assert refused.json()["type"].endswith("/sign-in-needed")
    assert refused.status_code == 403, refused.text
    assert house.rows_of(buyer) == []
    subject = somebody()
    landing.sign_in(subject)
    assert landing.submit(buyer.email).status_code in DONE
    house.customer_signed_in_as(subject, buyer)


def forged_form(house: House, landing: Browser, buyer: Buyer) -> httpx.Response:
    """The form that the page does not show, with the token of one that it has shown in another session."""
    other = house.land("html", house.buy_product(LICENSED_PRODUCT))
    assert isinstance(other, Browser)
    fields = {"csrf_token": other.form["csrf_token"], "email": buyer.email}
    other.close()
    url = house.stack.urls["registration-web"] + "/register/customer"
    return house.http.post(url, data=fields, headers=landing._session)


@pytest.mark.parametrize("door", DOORS)
def test_who_signed_in_is_known_again_and_nobody_else_is(house: House, land: Land, door: str) -> None:
    buyer = house.buy_product(LICENSED_PRODUCT)
    subject = somebody()
    first = land(door, buyer)
    first.sign_in(subject)
    assert first.submit(buyer.email).status_code in DONE
    house.until_written(buyer, "welcome")
    before = house.rows_of(buyer)
    # By the other way to the seller, from which only the provider's word is the same.
    again = land("json", buyer, house.new_token(buyer))
    assert_belongs_to_another(again.submit(buyer.email), buyer)
    again.sign_in(subject)
    assert again.submit("somebody@else.example").status_code == 200
    stranger = land("json", buyer, house.new_token(buyer))
    stranger.sign_in(somebody())
    assert_belongs_to_another(stranger.submit(buyer.email), buyer)
    assert house.rows_of(buyer) == before


def test_while_the_provider_is_away_the_form_remains(house: House, land: Land) -> None:
    buyers = [house.buy_product(LICENSED_PRODUCT), house.buy_product(LICENSED_PRODUCT)]
    visitors = [land("html", buyer) for buyer in buyers]
    subject = somebody()
    house.stack.kill("identity")
    try:
        # What the provider said of itself is remembered for a while, so it is its page that is not there.
        first = visitors[0]
        first.visitor.open("/register")
        with pytest.raises(httpx.ConnectError):
            first.visitor.follow("/register/sign-in/")
        first.visitor.open("/register")
        assert first.submit(buyers[0].email).status_code in DONE
    finally:
        house.start("identity")
    # It has come back with other keys.
    visitors[1].sign_in(subject)
    assert visitors[1].submit(buyers[1].email).status_code in DONE
    house.customer_signed_in_as(subject, buyers[1])


def test_the_provider_goes_away_in_mid_sign_in(house: House, land: Land) -> None:
    buyer = house.buy_product(LICENSED_PRODUCT)
    landing: Browser = land("html", buyer)
    back = sent_back(house, landing, somebody())
    house.stack.kill("identity")
    try:
        landing.visitor.open(back)
        assert landing.visitor.answer.status_code == 503, landing.reads()
        assert int(landing.visitor.answer.headers["Retry-After"]) > 0
    finally:
        house.start("identity")
    subject = somebody()
    landing.sign_in(subject)
    assert landing.submit(buyer.email).status_code in DONE
    house.customer_signed_in_as(subject, buyer)


def test_a_sign_in_that_another_began_opens_nothing(house: House, land: Land) -> None:
    """Somebody lures a buyer's browser to the end of a sign-in of their own (RFC 9700 §4.7)."""
    attacker: Browser = land("html", house.buy_product(LICENSED_PRODUCT))
    buyer = house.buy_product(LICENSED_PRODUCT)
    victim: Browser = land("html", buyer)
    lure = sent_back(house, attacker, somebody())
    victim.visitor.open(lure)
    assert victim.visitor.answer.status_code == 400, victim.reads()
    victim.visitor.open("/register")
    assert "You signed in with" not in victim.reads()
    assert victim.submit(buyer.email).status_code in DONE
    (customer,) = house.customers_of(buyer)
    owners = {row["customer_id"] for row in house.engine.rows("marketplane-identities")}
    assert customer["customer_id"] not in owners


def test_who_says_no_at_the_provider_comes_back_to_the_form(house: House, land: Land) -> None:
    buyer = house.buy_product(LICENSED_PRODUCT)
    landing: Browser = land("html", buyer)
    landing.visitor.follow("/register/sign-in/")
    landing.visitor.post(str(landing.visitor.answer.url), action="deny")
    assert landing.visitor.answer.status_code == 400, landing.reads()
    assert "error_description" not in landing.reads()
    landing.visitor.open("/register")
    assert landing.submit(buyer.email).status_code in DONE
    assert landing.is_registered()


def sent_back(house: House, landing: Browser, subject: str) -> str:
    """Where the provider sends a browser after its page; the browser has not gone there yet."""
    landing.visitor.open("/register")
    landing.visitor.follow("/register/sign-in/")
    page = landing.visitor.answer.url
    answer = house.http.post(page, data={"sub": subject})
    back = answer.headers["location"]
    assert {"code", "state"} <= parse_qs(urlsplit(back).query).keys()
    return str(back)


def test_a_token_for_somebody_else_proves_nobody(house: House, land: Land) -> None:
    """A bearer token is asked for beside the session, not instead of it."""
    buyer = house.buy_product(LICENSED_PRODUCT)
    landing: Frontend = land("json", buyer)
    landing._who = "signed-in-customer"
    assert landing.submit(buyer.email).status_code == 401
    landing.sign_in(somebody())
    session = landing._session.pop("X-Registration-Session")
    assert landing.submit(buyer.email).status_code == 401
    landing._session["X-Registration-Session"] = session + "x"
    assert landing.submit(buyer.email).status_code == 401
    assert house.rows_of(buyer) == []
