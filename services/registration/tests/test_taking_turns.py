"""The stage of the interleavings does what they rely on: the order is the test's, errors come out, nobody is
left behind."""

import threading

import pytest
from taking_turns import Abandoned, Turns


def counting(turns: Turns, shelf: dict[str, int]) -> None:
    """Reads, and later writes one more."""
    turns.act()
    read = shelf["count"]
    turns.act()
    shelf["count"] = read + 1


@pytest.mark.parametrize(("order", "count"), [("aaabbb", 2), ("ababab", 1), ("aabbab", 1), ("aabbba", 1)])
def test_who_acts_when_is_the_tests_choice(order: str, count: int) -> None:
    turns, shelf, wanted, seen = Turns(), {"count": 0}, list(order), []

    def choose(ready: list[str], last: str | None) -> str:
        assert last == (seen[-1] if seen else None)
        seen.append(wanted.pop(0))
        assert seen[-1] in ready
        return seen[-1]

    after = []
    turns.run(
        {"a": lambda: counting(turns, shelf), "b": lambda: counting(turns, shelf)},
        choose,
        lambda: after.append(turns.current),
    )
    assert ("".join(seen), shelf["count"]) == (order, count)
    assert after == [None] * 6


def test_whose_turn_it_is_is_known_to_whoever_acts() -> None:
    turns, names = Turns(), []

    def job() -> None:
        turns.act()
        names.append(turns.current)

    turns.run({"a": job, "b": job}, lambda ready, _: ready[-1], lambda: None)
    assert names == ["b", "a"]
    assert turns.current is None


def test_outside_of_a_run_nobody_waits() -> None:
    Turns().act()


def test_an_error_comes_out_and_nobody_is_left_behind() -> None:
    turns, ended = Turns(), []
    before = threading.active_count()

    def fails() -> None:
        turns.act()
        raise ValueError("as it happens")

    def waits() -> None:
        try:
            turns.act()
        except Abandoned:
            ended.append("abandoned")
            raise

    with pytest.raises(ValueError, match="as it happens"):
        turns.run(
            {"waits": waits, "fails": fails}, lambda _, last: "fails" if last else "waits", lambda: None
        )
    assert ended == ["abandoned"]
    assert threading.active_count() == before


def test_a_failed_check_comes_out_too() -> None:
    turns = Turns()

    def check() -> None:
        raise AssertionError("not so")

    with pytest.raises(AssertionError, match="not so"):
        turns.run({"a": turns.act}, lambda ready, _: ready[0], check)
