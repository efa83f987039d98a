"""Who shares a subject waits for the other; who does not, does not."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from notifications.worker.turns import Turns


def test_who_shares_a_subject_waits() -> None:
    turns, inside, leave = Turns(), Event(), Event()
    happened: list[str] = []

    def first() -> None:
        with turns.take(frozenset("ab")):
            inside.set()
            leave.wait()
            happened.append("first")

    def second() -> None:
        with turns.take(frozenset("bc")):
            happened.append("second")

    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(first)]
        inside.wait()
        calls.append(pool.submit(second))
        with turns.take(frozenset("d")):  # shares none, and waits for nobody
            happened.append("third")
        leave.set()
        for call in calls:
            call.result()
    assert happened == ["third", "first", "second"]


def test_after_an_error_the_next_one_has_its_turn() -> None:
    turns = Turns()
    with pytest.raises(ZeroDivisionError), turns.take(frozenset("a")):
        raise ZeroDivisionError
    with turns.take(frozenset("a")):
        pass


def test_patience_ends() -> None:
    """One that hangs holds up nobody for good."""
    turns = Turns(patience_seconds=0)
    with turns.take(frozenset("a")), turns.take(frozenset("a")):
        pass
