"""Sealed texts: who can open them, and for how long."""

from datetime import timedelta

import pytest
from samples import LATER, NOW

from registration.sealing import Box

BOX = Box(["a secret of the house"], "deployment secret")
SEALED = BOX.seal("Grüße 🔑\n", NOW)


def test_what_was_sealed_opens_at_any_time() -> None:
    for now in (NOW, LATER, NOW + timedelta(days=4000), NOW - timedelta(days=1)):
        assert BOX.open(SEALED, now) == "Grüße 🔑\n"
    assert Box(["a secret of the house"], "deployment secret").open(SEALED, NOW) == "Grüße 🔑\n"


def test_a_seal_shows_nothing_and_is_never_the_same_twice() -> None:
    assert "sentence" not in BOX.seal("a whole sentence", NOW)
    assert SEALED.isascii()
    assert BOX.seal("Grüße 🔑\n", NOW) != SEALED


@pytest.mark.parametrize(
    "box",
    [
        Box(["another secret"], "deployment secret"),
        Box(["a secret of the house"], "retry of an arrival"),
        Box(["a secret of the house\ndeployment secret"], ""),
        Box([""], "deployment secret\na secret of the house"),
    ],
    ids=["another secret", "another purpose", "no purpose", "no secret"],
)
def test_another_secret_or_purpose_opens_nothing(box: Box) -> None:
    assert box.open(SEALED, NOW) is None


@pytest.mark.parametrize(
    "forged",
    [
        "",
        "A",
        "gAAAAA",
        SEALED[:-1],
        SEALED[1:],
        SEALED[:40] + ("A" if SEALED[40] != "A" else "B") + SEALED[41:],
        SEALED + "\ud800",
        " ",
        "=" * 100,
    ],
    ids=range(9),
)
@pytest.mark.parametrize("longest", [None, timedelta(minutes=30)])
def test_what_was_not_sealed_here_opens_nothing(forged: str, longest: timedelta | None) -> None:
    assert BOX.open(forged, NOW, longest) is None


@pytest.mark.parametrize(
    ("after", "opens"),
    [
        (timedelta(0), True),
        (timedelta(minutes=30), True),
        (timedelta(minutes=30, seconds=1), False),
        (timedelta(days=9), False),
        # From another clock's future: a minute of difference is borne (the library's own limit).
        (-timedelta(seconds=60), True),
        (-timedelta(seconds=61), False),
    ],
)
def test_a_seal_with_an_end_in_time(after: timedelta, opens: bool) -> None:
    assert (BOX.open(SEALED, NOW + after, timedelta(minutes=30)) is not None) is opens


def test_a_secret_is_replaced_while_what_it_sealed_is_under_way() -> None:
    old, new = "the old one of the house", "the new one of the house"
    sealed = Box([old], "retry of an arrival").seal("text", NOW)
    # First every process learns the new one, then it seals, then the old one goes.
    both, turned = Box([old, new], "retry of an arrival"), Box([new, old], "retry of an arrival")
    assert (both.open(sealed, NOW), turned.open(sealed, NOW)) == ("text", "text")
    assert both.open(turned.seal("text", NOW), NOW) == "text"
    gone = Box([new], "retry of an arrival")
    assert gone.open(turned.seal("text", NOW), NOW) == "text"
    assert gone.open(both.seal("text", NOW), NOW) is None
