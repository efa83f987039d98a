"""Sessions: what is signed, what is kept, what a form must carry."""

from hypothesis import given
from hypothesis import strategies as st

from registration.random_ids import random_id
from registration.sessions import Session, SessionSeal, new_session

SEAL = SessionSeal(["x" * 32])


def test_a_sealed_session_comes_back_whole() -> None:
    session = new_session(random_id("reg"))
    assert SEAL.unseal(SEAL.seal(session)) == session


@given(st.text(), st.integers(min_value=0, max_value=200))
def test_what_was_not_signed_here_opens_nothing(text: str, cut: int) -> None:
    sealed = SEAL.seal(Session("reg_a", "secret"))
    assert SEAL.unseal(text) is None
    assert SEAL.unseal(sealed[: cut % len(sealed)]) is None
    assert SessionSeal(["y" * 32]).unseal(sealed) is None


def test_only_the_same_secret_opens_what_was_kept() -> None:
    session, other = new_session("reg_a"), new_session("reg_a")
    assert session.opens(session.secret_hash())
    assert not other.opens(session.secret_hash())
    assert session.secret not in session.secret_hash()


def test_a_csrf_token_is_good_for_its_own_session_only() -> None:
    session, other = new_session("reg_a"), new_session("reg_b")
    assert session.wrote(session.csrf_token())
    assert not session.wrote(other.csrf_token())
    assert not session.wrote("")
    assert not session.wrote("é")


def test_a_session_does_not_show_its_secret_in_a_log() -> None:
    session = new_session("reg_a")
    assert session.secret not in repr(session)
    assert len(session.secret) * 6 >= 128


def test_a_secret_is_replaced_while_sessions_are_open() -> None:
    session, new = new_session("reg_a"), "y" * 32
    both, turned, gone = SessionSeal(["x" * 32, new]), SessionSeal([new, "x" * 32]), SessionSeal([new])
    assert [one.unseal(SEAL.seal(session)) for one in (both, turned, gone)] == [session, session, None]
    assert [one.unseal(both.seal(session)) for one in (SEAL, turned, gone)] == [session, session, None]
    assert [one.unseal(turned.seal(session)) for one in (both, gone)] == [session, session]
