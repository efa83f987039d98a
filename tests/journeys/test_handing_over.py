"""The seller's own back end names the account: asked once or many times, by whichever process is alive."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.journeys.back_end import SellersBackEnd
from tests.journeys.catalogue import HANDING_OVER, PRODUCT_IDS
from tests.journeys.house import (
    DONE,
    DOORS,
    NEXT_TRY,
    UNTIL_ACTIVE,
    UNTIL_TAKEN_OVER,
    Buyer,
    House,
    Landing,
    assert_belongs_to_another,
)

Land = Callable[..., Any]
ANSWERS = {"purpose": "translation"}


def assert_registered(house: House, back_end: SellersBackEnd, buyer: Buyer, landing: Landing) -> str:
    """One claim, one customer, the account's name with it, Quick Launch served once. Answers the account."""
    house.until(landing.is_registered, "the account")
    (customer,) = house.customers_of(buyer)
    (claim, row) = house.rows_of(buyer)
    assert claim["customer_id"] == row["customer_id"] == customer["customer_id"]
    assert (row["email"], customer["fields"]) == (buyer.email, ANSWERS)
    account: str = customer["account_id"]
    house.until_written(buyer, "welcome")
    assert account in house.letters(buyer)["welcome"].get_content()
    (parameter,) = house.parameters(buyer, PRODUCT_IDS[HANDING_OVER])
    assert parameter["secret_string"] == back_end.secrets[account]
    # However often it was asked, it was always the same question.
    questions = back_end.asked_of(buyer.subscription_id)
    assert all(question.genuine for question in questions)
    assert len({(question.key, question.body) for question in questions}) == 1
    return account


@pytest.mark.parametrize("door", DOORS)
def test_the_back_end_names_the_account(
    house: House, back_end: SellersBackEnd, land: Land, door: str
) -> None:
    buyer = house.buy_product(HANDING_OVER)
    landing = land(door, buyer)
    answer = landing.submit(buyer.email, **ANSWERS)
    assert answer.status_code == (303 if door == "html" else 201), answer.text
    # It has answered in time, so the account is there at once.
    assert landing.is_registered()
    assert_registered(house, back_end, buyer, landing)
    (question,) = back_end.asked_of(buyer.subscription_id)
    assert question.address == "/accounts"
    told = question.asked
    assert told.pop("registration_id").startswith("reg_")
    assert told == {
        "type": "registration.hand_over",
        "subscription_id": buyer.subscription_id,
        "product_code": HANDING_OVER,
        "product_id": PRODUCT_IDS[HANDING_OVER],
        "customer_aws_account_id": buyer.customer_aws_account_id,
        "agreement_id": buyer.agreement_id,
        "free_trial": False,
        "email": buyer.email,
        "name": "Ada",
        "company": "Analytics Ltd",
        "fields": ANSWERS,
        "language": "en",
        "identity": None,
    }


@pytest.mark.parametrize("door", DOORS)
def test_what_the_product_asks_must_be_answered(
    house: House, back_end: SellersBackEnd, land: Land, door: str
) -> None:
    buyer = house.buy_product(HANDING_OVER)
    landing = land(door, buyer)
    answer = landing.submit(buyer.email)
    assert answer.status_code == 400, answer.text
    assert "purpose" in answer.text
    assert back_end.asked_of(buyer.subscription_id) == []
    assert house.rows_of(buyer) == []


@pytest.mark.parametrize("news", ["before", "meanwhile", "after"])
@pytest.mark.parametrize("door", DOORS)
def test_while_the_back_end_is_down_the_buyer_waits_and_loses_nothing(
    house: House, back_end: SellersBackEnd, land: Land, door: str, news: str
) -> None:
    buyer = house.buy_product(HANDING_OVER)
    if news == "before":
        house.advance(UNTIL_ACTIVE)
        house.until_status("active", buyer)
        house.until_all_is_heard(buyer)
    else:
        house.hold_news(buyer)
    landing = land(door, buyer)
    with back_end.down():
        answer = landing.submit(buyer.email, **ANSWERS)
        assert answer.status_code == (303 if door == "html" else 200), answer.text
        assert landing.is_waiting()
        # It is theirs already: nobody else can claim it, and asking again asks nothing new.
        other = land("json", buyer, house.new_token(buyer))
        assert_belongs_to_another(other.submit("somebody@else.example", **ANSWERS), buyer)
        assert landing.submit(buyer.email, **ANSWERS).status_code in DONE
        (item,) = house.waiting(buyer)
        assert (item["kind"], item["state"], item["attempts"]) == ("hand_over", "waiting", 1)
        assert "did not answer" in item["last_error"]
        assert buyer.email not in repr(item)
        if news == "meanwhile":
            house.let_news_go(buyer)
            house.until_status("active", buyer)
            house.until_all_is_heard(buyer)
        house.advance(NEXT_TRY)
        house.until_tried(buyer, 2)
        assert landing.is_waiting()
        assert house.customers_of(buyer) == []
    house.advance(NEXT_TRY)
    if news == "after":
        assert_registered(house, back_end, buyer, landing)
        house.let_news_go(buyer)
        house.until_status("active", buyer)
        house.until_written(buyer, "welcome", "access")
    else:
        assert_registered(house, back_end, buyer, landing)
        # It came when access was there, and says so; there is nothing to write again.
        house.until_all_is_heard()
        assert set(house.letters(buyer)) == {"welcome"}
    (customer,) = house.customers_of(buyer)
    assert customer["access"] == "granted"


@pytest.mark.parametrize("killed", ["registration-web", "registration-worker"])
@pytest.mark.parametrize("door", DOORS)
def test_whoever_asks_is_killed_in_mid_question(
    house: House, back_end: SellersBackEnd, land: Land, door: str, killed: str
) -> None:
    buyer = house.buy_product(HANDING_OVER)
    landing = land(door, buyer)
    if killed == "registration-worker":
        with back_end.down():
            assert landing.submit(buyer.email, **ANSWERS).status_code in DONE
    with ThreadPoolExecutor() as pool:
        with back_end.holding():
            if killed == "registration-web":
                submitted = pool.submit(landing.submit, buyer.email, **ANSWERS)
            else:
                house.advance(NEXT_TRY)
            house.until(lambda: back_end.asked_of(buyer.subscription_id), "the question")
            house.stack.kill(killed)
        if killed == "registration-web":
            assert isinstance(submitted.exception(), httpx.TransportError)
    # The account may be there; we have not heard of it.
    house.start(killed)
    assert [item["kind"] for item in house.waiting(buyer)] == ["hand_over"]
    assert landing.is_waiting()
    house.advance(UNTIL_TAKEN_OVER)
    assert_registered(house, back_end, buyer, landing)
    assert len(back_end.asked_of(buyer.subscription_id)) == 2


@pytest.mark.parametrize("door", DOORS)
def test_a_no_gives_the_purchase_free_again(
    house: House, back_end: SellersBackEnd, land: Land, door: str
) -> None:
    buyer = house.buy_product(HANDING_OVER)
    landing = land(door, buyer)
    with back_end.refusing("We do not serve <b>translation</b> yet."):
        assert landing.submit(buyer.email, **ANSWERS).status_code in DONE
    assert not landing.is_registered()
    if door == "html":
        landing.visitor.open("/register")
        assert "We do not serve <b>translation</b> yet." in landing.reads()  # as words, not as markup
    else:
        assert landing.asked_again()["hand_over"] == {
            "status": "refused",
            "detail": "We do not serve <b>translation</b> yet.",
        }
    assert house.rows_of(buyer) == house.waiting(buyer) == []
    # With better answers, or somebody else altogether.
    again = land(door, buyer, house.new_token(buyer)) if door == "json" else landing
    assert again.submit(buyer.email, **ANSWERS).status_code in DONE
    assert again.is_registered()
    assert len(house.rows_of(buyer)) == 2


@pytest.mark.parametrize("door", DOORS)
def test_two_purchases_of_one_account_belong_to_one_customer(
    house: House, back_end: SellersBackEnd, land: Land, door: str
) -> None:
    buyers = [house.buy_product(HANDING_OVER) for _ in range(2)]
    subject = f"account-holder-{door}"
    for buyer in buyers:
        landing = land(door, buyer)
        landing.sign_in(subject)
        assert landing.submit(buyer.email, **ANSWERS).status_code in DONE
        assert landing.is_registered()
        (question,) = back_end.asked_of(buyer.subscription_id)
        assert question.asked["identity"] == {"issuer": house.stack.urls["identity"], "subject": subject}
    (first,), (second,) = (house.customers_of(buyer) for buyer in buyers)
    assert first == second
    assert first["account_id"]
    assert len(first["subscriptions"]) == 2
    # The back end's word is an identity, and so is the provider's.
    rows = house.engine.rows("marketplane-identities")
    mine = {row["private_subject"] for row in rows if row["customer_id"] == first["customer_id"]}
    assert mine == {first["account_id"], subject}


def test_an_unsigned_question_is_not_believed(house: House, back_end: SellersBackEnd) -> None:
    """What the tests above rest on."""
    answer = house.http.post(
        f"{back_end.url}/accounts",
        json={"subscription_id": "sub_nobody"},
        headers={"webhook-id": "1", "webhook-timestamp": "1", "webhook-signature": "v1,bm8="},
    )
    assert answer.status_code == 401
    back_end.questions.pop()
