"""Handing over while the engine fails: the back end is asked one question, and one account comes of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.faulty_house import ATTEMPTS, FaultyHouse, assert_unavailable, by_turns
from tests.journeys.back_end import SellersBackEnd
from tests.journeys.catalogue import HANDING_OVER, PRODUCT_IDS
from tests.journeys.house import DONE, DOORS, NEXT_TRY, Buyer, Landing

ANSWERS = {"purpose": "translation"}
OUTBOX = "marketplane-registration-outbox"
# The first act claims and remembers the question; the second binds, or gives up, and ends it.
ACT = ("TransactWriteItems", "marketplane-claims")
CLAIMING, CONCLUDING = {"skip": 0}, {"skip": 1}
NOTING = ("PutItem", OUTBOX)

Wish = tuple[str, tuple[str, str], dict[str, Any]]
# The faults, and whether the buyer has to ask again.
CASES: dict[str, tuple[list[Wish], bool]] = {
    "claiming: error before": ([("error_before", ACT, {**CLAIMING, "count": ATTEMPTS})], True),
    "claiming: error after the commit, once": ([("error_after", ACT, {**CLAIMING, "count": 1})], False),
    "claiming: dropped after the commit": ([("drop_after", ACT, {**CLAIMING, "count": ATTEMPTS})], True),
    "claiming: in another's way": ([("transaction_conflict", ACT, {**CLAIMING, "count": 2})], False),
    "concluding: error before": ([("error_before", ACT, {**CONCLUDING, "count": ATTEMPTS})], False),
    "concluding: error after the commit, once": ([("error_after", ACT, {**CONCLUDING, "count": 1})], False),
    "concluding: dropped after the commit": (
        [("drop_after", ACT, {**CONCLUDING, "count": ATTEMPTS})],
        False,
    ),
    "concluding: throttled": ([("throttle", ACT, {**CONCLUDING, "count": ATTEMPTS})], False),
    "concluding: always in another's way": (
        [("transaction_conflict", ACT, {**CONCLUDING, "count": 5})],
        False,
    ),
    "nobody can say whose the account is": (
        [("error_before", ("GetItem", "marketplane-identities"), {"count": ATTEMPTS})],
        False,
    ),
    "neither concluded nor noted": (
        [
            ("error_before", ACT, {**CONCLUDING, "count": ATTEMPTS}),
            ("error_before", NOTING, {"count": ATTEMPTS}),
        ],
        True,
    ),
}


def assert_one_question(back_end: SellersBackEnd, buyer: Buyer) -> None:
    questions = back_end.asked_of(buyer.subscription_id)
    assert questions
    assert all(question.genuine for question in questions)
    assert len({(question.key, question.body) for question in questions}) == 1


@pytest.mark.parametrize(("case", "door"), by_turns(CASES, DOORS))
def test_one_account_whatever_fails(
    house: FaultyHouse, back_end: SellersBackEnd, case: str, door: str
) -> None:
    house.rest("registration-worker")
    wishes, asks_again = CASES[case]
    buyer = house.buy_product(HANDING_OVER)
    landing = house.land(door, buyer)
    for kind, (operation, resource), more in wishes:
        house.fail(kind, operation, resource, **more)
    answer = landing.submit(buyer.email, **ANSWERS)
    assert house.fired()
    house.mend()
    if asks_again:
        assert_unavailable(answer)
        answer = landing.submit(buyer.email, **ANSWERS)
    assert answer.status_code in DONE, answer.text
    # Registered, or waiting to be: never back at the start.
    assert landing.is_registered() or landing.is_waiting()
    house.advance(NEXT_TRY)
    assert_account(house, back_end, buyer, landing)
    landing.close()


def assert_account(house: FaultyHouse, back_end: SellersBackEnd, buyer: Buyer, landing: Landing) -> None:
    house.until(landing.is_registered, "the account")
    house.until_written(buyer, "welcome")
    claim, customer = house.rows_of(buyer)
    assert claim["customer_id"] == customer["customer_id"]
    assert (customer["email"], customer["version"]) == (buyer.email, 1)
    identities = house.engine.rows("marketplane-identities")
    mine = [row["private_subject"] for row in identities if row["customer_id"] == customer["customer_id"]]
    assert mine == [customer["account_id"]]
    (parameter,) = house.parameters(buyer, PRODUCT_IDS[HANDING_OVER])
    assert parameter["secret_string"] == back_end.secrets[customer["account_id"]]
    assert_one_question(back_end, buyer)


# What fails when a no is acted on: its words are kept first, then the claim and the question go as one.
REFUSING: dict[str, Wish] = {
    "the words are not kept": (
        "error_before",
        ("UpdateItem", "marketplane-registrations"),
        {"count": ATTEMPTS},
    ),
    "the claim is not given up": ("error_before", ACT, {**CONCLUDING, "count": ATTEMPTS}),
    "the answer is lost": ("drop_after", ACT, {**CONCLUDING, "count": ATTEMPTS}),
}


@pytest.mark.parametrize("case", REFUSING)
def test_a_no_is_acted_on_whatever_fails(house: FaultyHouse, back_end: SellersBackEnd, case: str) -> None:
    house.rest("registration-worker")
    kind, (operation, resource), more = REFUSING[case]
    buyer = house.buy_product(HANDING_OVER)
    landing = house.land("json", buyer)
    house.fail(kind, operation, resource, **more)
    with back_end.refusing("Not from your country."):
        answer = landing.submit(buyer.email, **ANSWERS)
        assert answer.status_code == 200, answer.text
        assert house.fired()
        house.mend()
        house.advance(NEXT_TRY)
        house.until(lambda: not house.waiting(buyer), "the end of the question")
    assert house.rows_of(buyer) == []
    assert_one_question(back_end, buyer)
    hand_over = landing.asked_again()["hand_over"]  # type: ignore[attr-defined]
    assert hand_over == {"status": "refused", "detail": "Not from your country."}
    # The purchase is free again, and this is another question.
    assert landing.submit(buyer.email, **ANSWERS).status_code == 201
    landing.close()


@pytest.mark.parametrize("operation", ["Scan", "PutItem"])
def test_the_worker_cannot_see_its_work_for_a_while(
    house: FaultyHouse, back_end: SellersBackEnd, operation: str
) -> None:
    house.rest("registration-worker")
    buyer = house.buy_product(HANDING_OVER)
    landing = house.land("html", buyer)
    with back_end.down():
        assert landing.submit(buyer.email, **ANSWERS).status_code in DONE
        assert landing.is_waiting()
    house.fail("error_before", operation, OUTBOX, count=ATTEMPTS)
    house.advance(NEXT_TRY)
    house.until(house.fired, "the fault")
    house.mend()
    assert_account(house, back_end, buyer, landing)
    landing.close()
