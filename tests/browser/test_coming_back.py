"""Buyers who leave and come back, come twice, come too late, or are not the only ones."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from tests.browser.registration_house import CLASSIC, ENDPOINTS, GENERATIONS, RegistrationHouse
from tests.browser.visits import PHONE, Visit, Visits

DONE = "Your account is set up"
THERE = "This subscription is registered"
START = "Set up your account from AWS Marketplace"
FORM = f"Set up your account for {ENDPOINTS}"


def test_a_reviewer_who_only_opens_the_address_is_told_what_it_is(
    house: RegistrationHouse, visits: Visits
) -> None:
    visit = visits.begin().go(house.landing)
    visit.sees(START)
    assert "Manage subscriptions" in visit.reads()
    visit.look("start", "Set up your account")
    # What links carry changes nothing.
    visits.begin(scripts=False).go(f"{house.landing}?utm_source=review&lang=xx").sees(START)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_one_who_gave_up_half_way_can_register_another_day(visits: Visits, generation: str) -> None:
    title = GENERATIONS[generation]
    visit = visits.begin()
    agreement = visit.subscribe(title)
    visit.page.get_by_label("E-mail address").fill("half-way@example.com")
    visit.page.context.close()

    later = visits.begin(PHONE)
    later.set_up_again(agreement)
    later.sees(f"Set up your account for {title}")
    expect(later.page.get_by_label("E-mail address")).to_have_value("")
    later.register(f"another-day-{generation}@example.com")
    later.sees(DONE)


def test_a_button_that_is_pressed_twice_makes_one_account(visit: Visit) -> None:
    visit.subscribe(ENDPOINTS)
    window = visit.other_window().go(visit.page.url)
    visit.page.get_by_label("E-mail address").fill("twice@example.com")
    visit.page.get_by_role("button", name="Create account").dblclick()
    visit.sees(DONE)
    first = visit.reads()
    # In another window of the same browser the form is still open.
    window.register("other-than-before@example.com")
    window.sees(DONE)
    assert window.reads() == first


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
@pytest.mark.parametrize("generation", GENERATIONS)
def test_coming_again_after_registering_changes_nothing_and_names_nobody(
    house: RegistrationHouse, visits: Visits, generation: str, scripts: bool
) -> None:
    title = GENERATIONS[generation]
    visit = visits.begin(scripts=scripts)
    agreement = visit.subscribe(title)
    visit.enter({"Your name": "Ada Secret"})
    visit.register(f"once-{generation}-{scripts}@example.com")
    visit.sees(DONE)
    (ids,) = re.findall(r"Customer (cus_\w+) Subscription (sub_\w+)", visit.reads())

    colleague = visits.begin(PHONE, scripts=scripts)
    colleague.set_up_again(agreement)
    visit.set_up_again(agreement)
    for one in (colleague, visit):
        one.sees(THERE)
        read = one.reads()
        assert "nothing has changed" in read
        assert "Ada Secret" not in read
        assert "@example.com" not in read
        assert f"Customer {ids[0]} Subscription {ids[1]}" in read
    if scripts:
        colleague.look(f"registered-before-{generation}", THERE)


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_the_slower_of_two_is_refused_and_told_what_support_needs(
    house: RegistrationHouse, visits: Visits, scripts: bool
) -> None:
    quick, slow = visits.begin(scripts=scripts), visits.begin(scripts=scripts)
    agreement = quick.subscribe(ENDPOINTS)
    slow.set_up_again(agreement)
    quick.register(f"quick-{scripts}@example.com")
    quick.sees(DONE)
    (subscription,) = re.findall(r"Subscription (sub_\w+)", quick.reads())
    slow.register(f"slow-{scripts}@example.com")
    heading = "This subscription already has an account"
    slow.sees(heading, 409)
    read = slow.reads()
    assert f"Subscription {subscription}" in read
    assert re.search(r"Registration reg_\w+", read)
    assert "support@seller.example" in read
    assert "quick" not in read
    assert "cus_" not in read
    if scripts:
        slow.look("problem-subscription-already-claimed", heading)
    slow.press("Back to the registration")
    slow.sees(THERE)
    assert "quick" not in slow.reads()


def test_whoever_signs_in_as_the_holder_is_let_in_by_any_door(visits: Visits) -> None:
    here, there = visits.begin(), visits.begin()
    agreement = here.subscribe(ENDPOINTS)
    there.set_up_again(agreement)
    for one in (here, there):
        one.sign_in("grace@example.com")
    here.press("Connect this purchase to my account")
    here.sees(DONE)
    there.press("Connect this purchase to my account")
    there.sees(THERE)


def test_the_session_ends_and_a_new_token_begins_another(house: RegistrationHouse, visit: Visit) -> None:
    agreement = visit.subscribe(ENDPOINTS)
    house.advance(timedelta(minutes=61))
    visit.register("late@example.com")
    heading = "This took a little too long"
    visit.sees(heading, 410)
    visit.look("problem-registration-expired", heading)
    visit.go(house.landing).sees(START)
    visit.set_up_again(agreement)
    visit.register("late@example.com")
    visit.sees(DONE)
    house.advance(timedelta(minutes=61))
    visit.page.reload()
    visit.sees(START)  # a machine that others use too shows nobody's account for long


def test_one_without_the_cookie_is_told_so(house: RegistrationHouse, visit: Visit) -> None:
    visit.subscribe(ENDPOINTS)
    visit.page.context.clear_cookies()
    visit.register("no-cookies@example.com")
    visit.sees("We do not know you yet", 401)
    visit.look("problem-unauthorized", "We do not know you yet")


def test_two_purchases_in_two_windows_do_not_mix(visit: Visit) -> None:
    visit.subscribe(CLASSIC)
    other = visit.other_window()
    other.subscribe(ENDPOINTS)
    visit.register("two-windows@example.com")  # the form of the first purchase, in the second one's session
    visit.sees("Please send the form again", 403)
    visit.look("problem-foreign-form", "Please send the form again")
    visit.press("Back to the registration")
    visit.sees(FORM)
