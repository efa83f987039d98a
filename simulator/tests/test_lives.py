"""Made-up lives: the same acts for the same seed, and news that fits the agreements beside it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from marketplace_simulator.lives import Lives, main


def lives(seed: int, count: int) -> list[dict[str, Any]]:
    async def play() -> list[dict[str, Any]]:
        die = Lives(seed)
        return [await die.one() for _ in range(count)]

    return asyncio.run(play())


def shape(life: dict[str, Any]) -> Any:
    """A life without its identifiers."""
    told = [(message["name"], message["at"]) for message in life["messages"]]
    return life["product_code"], told, [one["status"] for one in life["agreements"]], life["over_at"]


def test_a_seed_says_what_happens_and_another_says_something_else() -> None:
    first, again, other = lives(7, 5), lives(7, 5), lives(8, 5)
    assert [shape(life) for life in first] == [shape(life) for life in again]
    assert [shape(life) for life in first] != [shape(life) for life in other]


def test_the_news_of_a_life_is_of_its_agreements_and_in_the_order_of_time() -> None:
    for life in lives(1, 30):
        times = [message["at"] for message in life["messages"]]
        assert times == sorted(times)
        assert all(at <= life["over_at"] for at in times)
        known = {one["agreement_id"] for one in life["agreements"]}
        known |= {one["customer_identifier"] for one in life["agreements"]}
        for message in life["messages"]:
            body = json.loads(message["body"])
            if "Message" in body:
                assert json.loads(body["Message"])["customer-identifier"] in known
            else:
                assert body["detail"]["agreement"]["id"] in known


def test_an_agreement_that_has_ended_was_told_of() -> None:
    ended = 0
    for life in lives(2, 30):
        if life["generation"] == "legacy" or any(one["status"] != "ended" for one in life["agreements"]):
            continue
        names = [message["name"].partition(" - ")[0] for message in life["messages"]]
        assert names.count("License Deprovisioned") <= names.count("License Updated")
        assert names.count("Purchase Agreement Ended") == len(life["agreements"])
        ended += 1
    assert ended >= 5


def test_the_command_prints_a_line_for_each(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["marketplace-simulator-lives", "--seed", "3", "--count", "2"])
    main()
    lines = capsys.readouterr().out.splitlines()
    assert [set(json.loads(line)) for line in lines] == [
        {"product_code", "generation", "pricing_model", "messages", "agreements", "over_at"}
    ] * 2
