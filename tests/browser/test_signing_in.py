"""Buyers who sign in: new ones, known ones, the wrong ones, and those whose provider lets them down."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.registration_house import ANNUAL, CLASSIC, ENDPOINTS, VAULT, RegistrationHouse
from tests.browser.visits import PHONE, Visit, Visits

DONE = "Your account is set up"
CONNECT = "Connect this purchase to my account"
ADA, GRACE, WITHOUT_EMAIL = "ada@example.com", "grace@example.com", "without-email"


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_two_purchases_of_one_person_are_one_account(visits: Visits, scripts: bool) -> None:
    """The two are of different products and generations, and the second one is made on another day, from
    another machine."""
    first = visits.begin(scripts=scripts)
    first.subscribe(ENDPOINTS)
    # Without JavaScript it is somebody whom the provider has not seen either; it knows no name of theirs.
    subject = ADA if scripts else "newcomer@example.com"
    first.sign_in(subject)
    first.sees(f"Set up your account for {ENDPOINTS}")
    assert (
        f"You signed in with Example ID: {f'Ada Example ({ADA})' if scripts else 'without a name'}"
        in first.reads()
    )
    assert "Your new account will open with this sign-in." in first.reads()
    if scripts:
        expect(first.page.get_by_label("E-mail address")).to_have_value(ADA)
        expect(first.page.get_by_label("Your name")).to_have_value("Ada Example")
    if scripts:
        first.look("form-signed-in", f"Set up your account for {ENDPOINTS}")
    first.register(subject, CONNECT)
    first.sees(DONE)
    account = customer_id(first)

    second = visits.begin(PHONE, scripts=scripts)
    second.subscribe(CLASSIC)
    second.sign_in(subject)
    assert "You have an account here already. This purchase will be added to it." in second.reads()
    if scripts:
        second.look("form-known", f"Set up your account for {CLASSIC}")
    second.press(CONNECT)
    second.sees(DONE)
    assert customer_id(second) == account


def test_the_other_account_is_chosen_in_time(visit: Visit) -> None:
    visit.subscribe(ENDPOINTS)
    visit.sign_in("unverified@example.com")
    # What the provider has not verified is nobody's address yet.
    expect(visit.page.get_by_label("E-mail address")).to_have_value("")
    visit.press("Use another account")
    visit.sees("Do you have an account already?")
    visit.sign_in(WITHOUT_EMAIL)
    assert "You signed in with Example ID: Wes Withoutmail" in visit.reads()
    visit.register("wes@example.com", CONNECT)
    visit.sees(DONE)


def test_one_who_signed_in_may_still_go_without(visit: Visit) -> None:
    visit.subscribe(ENDPOINTS)
    visit.sign_in(GRACE)
    visit.press("Use another account")
    visit.register("nobody@example.com")
    visit.sees(DONE)
    assert "Grace" not in visit.reads()


def test_whoever_says_no_at_the_provider_can_go_on(visit: Visit) -> None:
    visit.subscribe(ENDPOINTS)
    visit.press("Deutsch")
    visit.press("Weiter mit Example ID")
    visit.press("Deny")
    visit.sees("Die Anmeldung ist nicht gelungen", 400)
    visit.look("problem-sign-in-refused-de", "Die Anmeldung ist nicht gelungen", "de")
    visit.press("English")
    visit.sees(f"Set up your account for {ENDPOINTS}")
    visit.register("changed-my-mind@example.com")
    visit.sees(DONE)


def test_an_answer_of_the_provider_opens_nothing_in_another_session(visits: Visits) -> None:
    thief, visit = visits.begin(), visits.begin()
    thief.subscribe(ENDPOINTS)
    visit.subscribe(ENDPOINTS)
    visit.go(thief.sign_in_but_stop(GRACE))
    visit.sees("The sign-in did not succeed", 400)
    visit.look("problem-sign-in-refused", "The sign-in did not succeed")
    visit.press("Back to the registration")
    visit.sees("Do you have an account already?")


def test_a_provider_that_goes_away_half_way_is_no_dead_end(house: RegistrationHouse, visit: Visit) -> None:
    visit.subscribe(ENDPOINTS)
    back = visit.sign_in_but_stop(GRACE)
    house.stack.kill("identity")
    visit.go(back)
    visit.sees("Signing in does not work just now", 503)
    # Its new keys are found by themselves.
    house.stack.start("identity")
    visit.press("Back to the registration")
    visit.sign_in(GRACE)
    assert "You signed in with Example ID: Grace Example" in visit.reads()


def test_a_provider_that_is_away_from_the_start(house: RegistrationHouse, visit: Visit) -> None:
    visit.subscribe(ENDPOINTS)
    house.stack.kill("identity")
    # A process that has never heard of the provider; the session outlives the one before.
    house.stack.kill("registration-web")
    house.stack.start("registration-web")
    visit.press("Continue with Example ID")
    visit.sees("Signing in does not work just now", 503)
    visit.look("problem-sign-in-unavailable", "Signing in does not work just now")
    visit.press("Back to the registration")
    visit.register("no-sign-in@example.com")
    visit.sees(DONE)


def test_a_product_whose_accounts_open_with_a_sign_in(visit: Visit) -> None:
    visit.subscribe(VAULT)
    visit.sees("Sign in to go on")
    expect(visit.page.get_by_label("E-mail address")).to_have_count(0)
    visit.look("sign-in-required", f"Set up your account for {VAULT}")
    visit.sign_in(GRACE)
    window = visit.other_window()
    window.go(visit.page.url)
    window.press("Use another account")
    window.sees("Sign in to go on")
    visit.press(CONNECT)  # the form that is still open in the first window
    visit.sees("Please sign in first", 403)
    visit.look("problem-sign-in-needed", "Please sign in first")
    visit.press("Back to the registration")
    visit.sign_in(GRACE)
    visit.press(CONNECT)
    visit.sees(DONE)


def test_a_product_without_sign_in_has_none(house: RegistrationHouse, visit: Visit) -> None:
    visit.subscribe(ANNUAL)
    expect(visit.page.get_by_label("E-mail address")).to_be_visible()
    expect(visit.page.get_by_text("Example ID")).to_have_count(0)
    visit.go(f"{house.landing}/sign-in/oidc")
    visit.sees("There is no such page", 404)


def customer_id(visit: Visit) -> str:
    found = re.search(r"Customer (cus_\w+)", visit.reads())
    assert found
    return found[1]
