"""A trip to a provider belongs to one session, and who came back is readable in it alone."""

import base64
import hashlib
import re
from dataclasses import replace

import pytest
from samples import LATER, NOW

from registration.identities import Identity
from registration.sessions import Session
from registration.signing_in import Attempt, Person, begin, resume, sealed, unsealed

SESSION, OTHER = Session("reg_a", "secret a"), Session("reg_a", "secret b")
ADA = Person("oidc", "https://id.example", "ada", "ada@example.com", "Ada Lovelace")


def number(byte: int):  # type: ignore[no-untyped-def]
    return lambda size: bytes([byte]) * size


def test_the_state_that_comes_back_leads_to_the_same_attempt() -> None:
    attempt = begin(SESSION, "oidc")
    assert resume(SESSION, "oidc", attempt.state) == attempt
    # Two tabs: the first is not forgotten for the second.
    assert begin(SESSION, "oidc") != attempt
    assert resume(SESSION, "oidc", attempt.state) == attempt


@pytest.mark.parametrize(
    ("session", "provider"), [(OTHER, "oidc"), (SESSION, "github"), (Session("reg_b", "secret c"), "oidc")]
)
def test_another_sessions_or_providers_state_leads_nowhere(session: Session, provider: str) -> None:
    assert resume(session, provider, begin(SESSION, "oidc").state) is None


@pytest.mark.parametrize(
    "forge",
    [
        lambda state: "",
        lambda state: ".",
        lambda state: state.partition(".")[0],
        lambda state: state.partition(".")[2],
        lambda state: state + "A",
        lambda state: state[:-1],
        lambda state: "A" + state,
        lambda state: state.replace(".", ".."),
        lambda state: "ä" + state,
        lambda state: state.swapcase(),
    ],
)
def test_a_forged_state_leads_nowhere(forge) -> None:  # type: ignore[no-untyped-def]
    assert resume(SESSION, "oidc", forge(begin(SESSION, "oidc", number(1)).state)) is None


def test_state_nonce_and_verifier_do_not_tell_each_other() -> None:
    attempt = begin(SESSION, "oidc", number(1))
    parts = [*attempt.state.split("."), attempt.nonce, attempt.code_verifier]
    assert len(set(parts)) == 4
    other = begin(SESSION, "oidc", number(2))
    assert not set(parts) & {*other.state.split("."), other.nonce, other.code_verifier}
    assert begin(SESSION, "oidc", number(1)) == attempt


def test_the_verifier_is_one_that_pkce_takes() -> None:
    # RFC 7636 §4.1: 43 to 128 characters of the unreserved; §4.2 hashes it.
    attempt = begin(SESSION, "oidc")
    assert re.fullmatch("[A-Za-z0-9._~-]{43,128}", attempt.code_verifier)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(attempt.code_verifier.encode()).digest())
    assert len(challenge.rstrip(b"=")) == 43
    assert re.fullmatch("[A-Za-z0-9._~-]+", attempt.state + attempt.nonce)


def test_who_signed_in_is_readable_in_the_session_alone() -> None:
    text = sealed(ADA, SESSION, NOW)
    assert unsealed(text, SESSION, LATER) == ADA
    assert unsealed(text, OTHER, NOW) is None
    assert unsealed(text[:-4] + "AAAA", SESSION, NOW) is None
    assert unsealed(None, SESSION, NOW) is None
    assert unsealed("", SESSION, NOW) is None
    for secret in ("ada", "example", "Lovelace"):
        assert secret not in text


def test_a_person_without_address_or_name() -> None:
    nobody = replace(ADA, email=None, name=None)
    assert unsealed(sealed(nobody, SESSION, NOW), SESSION, NOW) == nobody


def test_the_identity_is_the_issuers_and_not_the_address() -> None:
    assert ADA.identity == Identity("https://id.example", "ada")
    assert replace(ADA, email="eve@example.com", name="Eve", provider="other").identity == ADA.identity


def test_an_attempt_is_a_value() -> None:
    assert Attempt("s", "n", "v") == Attempt("s", "n", "v")
