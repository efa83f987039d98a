"""From the storefront's button to the account, as people do it who make no mistake, or a small one."""

from __future__ import annotations

from email import message_from_string
from email.policy import default
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.registration_house import (
    ANNUAL,
    CLASSIC,
    ENDPOINTS,
    GENERATIONS,
    STUDIO,
    WORKBENCH,
    RegistrationHouse,
)
from tests.browser.visits import DESKTOP, PHONE, Visit, Visits

PENDING = "Access comes in about two minutes"
GRANTED = "You have access now"
DONE = "Your account is set up"


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
@pytest.mark.parametrize(
    "browser_of",
    [
        {"size": DESKTOP, "color_scheme": "light"},
        {"size": PHONE, "color_scheme": "dark", "has_touch": True, "is_mobile": True},
    ],
    ids=["desktop", "phone"],
)
@pytest.mark.parametrize("generation", GENERATIONS)
def test_from_the_button_to_the_account(
    house: RegistrationHouse, visits: Visits, generation: str, browser_of: dict[str, Any], scripts: bool
) -> None:
    title = GENERATIONS[generation]
    visit = visits.begin(**browser_of, scripts=scripts)
    visit.subscribe(title)
    visit.sees(f"Set up your account for {title}")
    email = f"ada-{generation}-{browser_of['size']['width']}-{scripts}@example.com"
    visit.enter({"Your name": "Ada Example", "Company": "Analytics Ltd"})
    visit.register(email)

    visit.sees(DONE)
    visit.sees(PENDING)
    read = visit.reads()
    assert "Who you are Ada Example, Analytics Ltd" in read
    assert email in read
    assert f"What you bought {title}" in read
    assert visit.page.url == house.landing  # nothing of it all is in the address
    house.until_active()
    visit.look_again_until(GRANTED)
    expect(visit.page.get_by_role("link", name=f"Open {title}")).to_have_attribute(
        "href", "https://app.seller.example"
    )
    assert "account" in house.letter_to(email)


def test_each_page_of_the_way_can_be_used_by_all(house: RegistrationHouse, visit: Visit) -> None:
    visit.subscribe(ENDPOINTS)
    visit.look("form", f"Set up your account for {ENDPOINTS}")
    visit.register("looks@example.com")
    visit.look("registered-pending", DONE)
    house.until_active()
    visit.look_again_until(GRANTED)
    visit.look("registered-granted", DONE)


def test_a_purchase_that_aws_could_not_activate_gives_no_access(
    house: RegistrationHouse, visit: Visit
) -> None:
    # AWS tells sellers of a failed payment for legacy products only.
    body = {"product_code": "5fexampleclassic0000000000", "payment_fails": True}
    bought = house.simulator.do("POST", "agreements", body)
    visit.set_up_again(bought["agreement_id"])
    visit.register("unlucky@example.com")
    house.until_active()
    visit.look_again_until("There is no access")
    assert "could not be activated" in visit.reads()
    visit.look("registered-failed", DONE)


def test_the_cookie_is_closed_to_scripts_and_to_other_sites(house: RegistrationHouse, visit: Visit) -> None:
    visit.subscribe(CLASSIC)
    (cookie,) = visit.page.context.cookies(house.landing)
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["expires"]) == (True, "Lax", -1)
    assert visit.page.evaluate("document.cookie") == ""


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
@pytest.mark.parametrize("title", [WORKBENCH, ANNUAL])
def test_a_contract_shows_what_it_holds(
    house: RegistrationHouse, visits: Visits, title: str, scripts: bool
) -> None:
    bought = {"Editors": "12", "Viewers": "1500"} if title == WORKBENCH else {"Hours": "40"}
    shown = ["12 Users", "1,500 Users", "1 Workspaces"] if title == WORKBENCH else ["40 Hours"]
    visit = visits.begin(scripts=scripts)
    visit.subscribe(title, entered=bought)
    # Buyers are quicker than AWS, which says nothing of a contract before it is active.
    visit.sees("What you bought")
    assert "has not told us yet what your contract holds" in visit.reads()
    if scripts and title == WORKBENCH:
        visit.look("form-contract-early", f"Set up your account for {title}")
    house.until_active()
    visit.page.reload()
    for quantity in shown:
        expect(visit.page.get_by_role("definition").filter(has_text=quantity)).to_be_visible()
    if scripts and title == WORKBENCH:
        visit.look("form-contract", f"Set up your account for {title}")
    visit.register(f"contract-{len(bought)}-{scripts}@example.com")
    visit.sees("What your contract holds")
    for quantity in shown:
        expect(visit.page.get_by_role("definition").filter(has_text=quantity)).to_contain_text(
            "ends or renews on November 22, 2027"
        )
    if scripts and title == WORKBENCH:
        visit.look("registered-contract", DONE)


def test_a_contract_that_aws_does_not_tell_holds_nobody_up(house: RegistrationHouse, visit: Visit) -> None:
    house.aws_fails("server_error", "GetEntitlements")
    visit.subscribe(WORKBENCH, entered={"Editors": "3"})
    assert "could not tell us just now what your contract holds" in visit.reads()
    visit.look("form-contract-unknown", f"Set up your account for {WORKBENCH}")
    visit.register("patient@example.com")
    visit.sees(DONE)
    assert "could not tell us just now what your contract holds" in visit.reads()
    house.mend()
    visit.press("Look again")
    assert "has not told us yet what your contract holds" in visit.reads()
    house.until_active()
    visit.press("Look again")
    expect(visit.page.get_by_role("definition").filter(has_text="3 Users")).to_be_visible()


def test_a_free_trial_is_called_one_from_the_first_page_to_its_end(
    house: RegistrationHouse, visit: Visit
) -> None:
    visit.subscribe(ENDPOINTS, "Free trial", {"Length of the trial, in days": "14"})
    expect(visit.page.get_by_text("Free trial", exact=True)).to_be_visible()
    visit.look("form-trial", f"Set up your account for {ENDPOINTS}")
    visit.register("trial@example.com")
    expect(visit.page.get_by_text("Free trial", exact=True)).to_be_visible()
    house.until_active()
    visit.look_again_until(GRANTED)
    expect(visit.page.get_by_text("Free trial", exact=True)).to_be_visible()
    visit.look_again_until("Your free trial runs until December 6, 2026")
    visit.look("registered-trial", DONE)


def test_what_the_browser_prefers_and_what_people_choose(house: RegistrationHouse, visits: Visits) -> None:
    assert "Deutsch" in visits.begin(locale="fr-FR").go(house.landing).reads()
    german = visits.begin(locale="de-CH").go(house.landing)
    german.look("start-de", "Ihr Konto einrichten", "de")
    german.press("English")
    german.sees("Set up your account from AWS Marketplace")
    # The choice is remembered, and outlives what the browser says.
    german.go(house.landing)
    german.sees("Set up your account from AWS Marketplace")


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_german_once_chosen_is_spoken_to_the_end(
    house: RegistrationHouse, visits: Visits, scripts: bool
) -> None:
    visit = visits.begin(locale="en-GB", scripts=scripts)
    visit.subscribe(ENDPOINTS, "Free trial")
    visit.press("Deutsch")
    heading = f"Ihr Konto für {ENDPOINTS} einrichten"
    visit.sees(heading)
    visit.look("form-de", heading, "de")
    visit.page.get_by_label("E-Mail-Adresse").fill("keine Adresse")
    visit.press("Konto anlegen")
    visit.sees("Bitte prüfen Sie die markierten Angaben.", 400)
    visit.look("form-errors-de", f"Bitte prüfen Sie Ihre Angaben: {heading}", "de")
    email = f"greta-{scripts}@example.com"
    visit.page.get_by_label("E-Mail-Adresse").fill(email)
    visit.page.get_by_label("Teamgröße").select_option("Zwei bis zehn")
    visit.press("Konto anlegen")
    visit.sees("Ihr Konto ist eingerichtet")
    house.until_active()
    visit.look_again_until("Sie haben jetzt Zugang", "Noch einmal nachsehen")
    visit.look("registered-de", "Ihr Konto ist eingerichtet", "de")
    letter = message_from_string(house.letter_to(email), policy=default)
    assert "vielen Dank" in str(letter.get_content())


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_a_question_that_must_be_answered(visits: Visits, scripts: bool) -> None:
    visit = visits.begin(scripts=scripts)
    visit.subscribe(STUDIO)
    purpose, place = (
        visit.page.get_by_label("What will you build?"),
        visit.page.get_by_label("Where shall it"),
    )
    visit.enter({"E-mail address": "ada@", "Your name": "Ada"})
    purpose.fill(" ")
    visit.press("Create account")
    heading = f"Set up your account for {STUDIO}"
    visit.sees("Please check the entries that are marked.", 400)
    for field in (purpose, place, visit.page.get_by_label("E-mail address")):
        expect(field).to_have_attribute("aria-invalid", "true")
    expect(purpose).to_have_accessible_description("Please answer this.")
    expect(visit.page.get_by_label("Your name")).to_have_value("Ada")
    visit.look(f"form-errors{'' if scripts else '-no-script'}", f"Please check your entries: {heading}")
    # The summary's links lead to the fields.
    visit.page.get_by_role("alert").get_by_role("link", name="What will you build?").click()
    expect(purpose).to_be_focused()
    purpose.fill("A library of letters")
    place.select_option("In Europe")
    visit.register(f"studio-{scripts}@example.com")
    visit.sees(DONE)


def test_a_sellers_text_that_lacks_the_language_says_which_it_has(visit: Visit) -> None:
    visit.subscribe(STUDIO)
    visit.press("Deutsch")
    expect(visit.page.get_by_text("Was möchten Sie bauen?")).not_to_have_attribute("lang", "en")
    expect(visit.page.get_by_text("Where shall it run?")).to_have_attribute("lang", "en")
    visit.look("form-two-languages", f"Ihr Konto für {STUDIO} einrichten", "de")


def test_the_keyboard_is_enough(visit: Visit) -> None:
    visit.subscribe(STUDIO)
    page = visit.page

    def tab_to(label: str) -> None:
        for _ in range(15):
            page.keyboard.press("Tab")
            focused = page.locator(":focus")
            width = focused.evaluate("element => parseFloat(getComputedStyle(element).outlineWidth)")
            assert width >= 2, f"{focused.inner_text()} does not show that it has the focus"
            if page.get_by_label(label).or_(page.get_by_role("button", name=label)).and_(focused).count():
                return
        raise AssertionError(f"The Tab key does not lead to {label}")

    tab_to("E-mail address")
    page.keyboard.type("keys@example.com")
    tab_to("Your name")
    page.keyboard.type("Ada")
    tab_to("What will you build?")
    page.keyboard.type("Something")
    tab_to("Where shall it run?")
    page.keyboard.press("ArrowDown")
    tab_to("Create account")
    page.keyboard.press("Enter")
    visit.sees(DONE)
    assert "keys@example.com" in visit.reads()
