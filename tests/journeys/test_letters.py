"""What buyers get by mail: that the account is confirmed, and that access is there. Each once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.journeys.house import (
    DONE,
    DOORS,
    GENERATIONS,
    REGISTRATION_SIGNALS_QUEUE,
    UNTIL_ACTIVE,
    UNTIL_ENDING,
    UNTIL_TAKEN_OVER,
    Buyer,
    House,
)

Land = Callable[..., Any]
TITLES = {"legacy": "Inference Classic", "concurrent_agreements": "Inference Endpoints"}


def register(land: Land, door: str, buyer: Buyer) -> None:
    assert land(door, buyer).submit(buyer.email).status_code in DONE


def written(house: House, buyer: Buyer, kind: str) -> str:
    """The words of a letter; all else about it is as it should be."""
    letter = house.letters(buyer)[kind]
    assert letter["To"] == buyer.email
    assert TITLES[buyer.generation] in letter["Subject"]
    words: str = letter.get_content()
    assert "Hello Ada," in words
    assert "support@seller.example" in words
    assert buyer.subscription_id in words
    return words


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("generation", GENERATIONS)
def test_who_registers_before_the_news_gets_two_letters(
    house: House, land: Land, generation: str, door: str
) -> None:
    buyer = house.buy(generation)
    register(land, door, buyer)
    house.until_written(buyer, "welcome")
    assert "as soon as" in written(house, buyer, "welcome")
    assert set(house.letters(buyer)) == {"welcome"}
    house.advance(UNTIL_ACTIVE)
    # By the signal: the sweep has its next turn in five minutes.
    house.until_written(buyer, "welcome", "access")
    assert "has confirmed your subscription" in written(house, buyer, "access")


@pytest.mark.parametrize("generation", GENERATIONS)
def test_who_registers_after_the_news_gets_one_letter(house: House, land: Land, generation: str) -> None:
    buyer = house.buy_active(generation)
    house.until_all_is_heard(buyer)
    register(land, "html", buyer)
    house.until_written(buyer, "welcome")
    assert "as soon as" not in written(house, buyer, "welcome")
    # Later news is no reason to write, and neither is the sweep.
    house.cancel(buyer)
    house.advance(UNTIL_ENDING)
    house.until_status("ending", buyer)
    house.until_all_is_heard()
    house.stack.kill("registration-worker")
    house.start("registration-worker")
    assert not house.waiting(buyer)
    assert set(house.letters(buyer)) == {"welcome"}


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_lost_signal_costs_time_but_no_letter(house: House, land: Land, generation: str) -> None:
    buyer = house.buy(generation)
    register(land, "json", buyer)
    house.until_written(buyer, "welcome")
    house.until_all_is_heard()
    house.stack.kill("registration-worker")
    try:
        house.advance(UNTIL_ACTIVE)
        house.until_status("active", buyer)
        signals = house.engine.queue(REGISTRATION_SIGNALS_QUEUE)
        house.until(house.all_told, "all signals to leave")
        assert signals.depth() > 0
        signals.purge()
        assert signals.depth() == 0
    finally:
        house.start("registration-worker")
    house.until_written(buyer, "welcome", "access")


def test_the_worker_is_killed_while_it_writes(house: House, land: Land) -> None:
    buyers = [house.buy("concurrent_agreements") for _ in range(8)]
    for buyer in buyers:
        register(land, "json", buyer)
    house.until(lambda: any(house.letters(buyer) for buyer in buyers), "the first letter")
    house.stack.kill("registration-worker")
    house.start("registration-worker")
    house.advance(UNTIL_TAKEN_OVER)
    for buyer in buyers:
        house.until_written(buyer, "welcome")


def test_a_second_arrival_is_no_reason_to_write(house: House, land: Land) -> None:
    buyer = house.buy("concurrent_agreements")
    register(land, "html", buyer)
    house.until_written(buyer, "welcome")
    file = house.stack.directory / "mail" / f"welcome-letter-{buyer.subscription_id}.eml"
    before = file.stat()
    assert land("json", buyer, house.new_token(buyer)).submit(buyer.email).status_code == 409
    later = house.buy("concurrent_agreements")
    register(land, "json", later)
    house.until_written(later, "welcome")
    assert file.stat() == before
