"""Products whose accounts the seller's own back end makes: it answers, takes its time, or says no."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.registration_house import CLOUD, RegistrationHouse
from tests.browser.visits import Visit, Visits

FORM = f"Set up your account for {CLOUD}"
WAITING = "Your account is being made"
DONE = "Your account is set up"


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_the_back_end_answers_at_once(house: RegistrationHouse, visits: Visits, scripts: bool) -> None:
    visit = visits.begin(scripts=scripts)
    house.backend.names(f"acct-{scripts}")
    visit.subscribe(CLOUD)
    visit.register(f"cloud-{scripts}@example.com")
    visit.sees(DONE)
    assert f"Account acct-{scripts}" in visit.reads()
    if scripts:
        visit.look("registered-account", DONE)


def test_the_back_end_takes_its_time(house: RegistrationHouse, visits: Visits) -> None:
    visit = visits.begin()
    house.backend.is_away()
    agreement = visit.subscribe(CLOUD)
    visit.register("waiting@example.com")
    visit.sees(WAITING)
    visit.look("waiting", WAITING)
    # The purchase is theirs already, and is not lost to somebody quicker.
    other = visits.begin()
    other.set_up_again(agreement)
    other.register("quicker@example.com")
    other.sees("This subscription already has an account", 409)
    house.backend.names("acct-late")
    house.until_active()  # the next try is due by then
    visit.look_again_until("Account acct-late")
    visit.sees(DONE)


def test_the_back_end_says_no_and_why(house: RegistrationHouse, visit: Visit) -> None:
    house.backend.refuses("There is an account with this address; <b>sign in</b> to use it.")
    visit.subscribe(CLOUD)
    visit.register("taken@example.com")
    visit.sees("Your account could not be made with these entries")
    expect(visit.page.get_by_role("alert")).to_contain_text("; <b>sign in</b> to use it.")
    visit.look("form-refused", FORM)
    house.backend.names("acct-free")
    visit.register("free@example.com")
    visit.sees(DONE)
    assert house.backend.asked[-1]["email"] == "free@example.com"
