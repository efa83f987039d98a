"""The buyer's portal in a browser, with services that are played by their contracts: each page as people meet
it, and what becomes of tokens."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.portal_back_end import (
    CUSTOMER,
    ENDPOINTS,
    MONTH,
    WORKBENCH,
    PortalBackEnd,
    customer,
    held,
    problem,
    subscription,
)
from tests.browser.portal_visit import PortalVisit

Begin = Callable[..., PortalVisit]
AWAY = problem(
    503, "unavailable", "A part this service needs is away.", detail="The tables cannot be reached."
)


@pytest.fixture
def buyer(begin: Begin) -> PortalVisit:
    return begin().sign_in()


def asked_for_sign_in(visit: PortalVisit) -> list[dict[str, str]]:
    """What each visit of the sign-in service's page asked for."""
    addresses = [urlsplit(url) for url in visit.asked if "/authorize?" in url]
    return [{name: values[0] for name, values in parse_qs(one.query).items()} for one in addresses]


# -- each page -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "path", "heading", "shown"),
    [
        ("subscriptions", "/", "Your subscriptions", "What your contract holds"),
        ("subscription", f"/subscriptions/{WORKBENCH}", "Inference Workbench", "Access granted."),
        ("usage", f"/usage/{ENDPOINTS}/{MONTH}", "Usage", "CPU hours by tag"),
        ("billing", f"/billing/{ENDPOINTS}", "Billing", "1,434.75 used in all"),
        ("endpoints", "/endpoints", "Endpoints", "Chat in Portuguese"),
        ("new-endpoint", "/endpoints/new", "Create an endpoint", "Accelerator"),
        ("settings", "/settings", "Settings", "Customer since"),
        ("no-such-page", "/nowhere", "There is no such page", "Go to your subscriptions"),
    ],
)
def test_each_page_is_fit_for_people(begin: Begin, name: str, path: str, heading: str, shown: str) -> None:
    visit = begin().sign_in(path)
    visit.sees(heading)
    expect(visit.page.get_by_text(shown).first).to_be_visible()
    expect(visit.page.get_by_text(re.compile(r"^Loading "))).to_have_count(0)
    expect(visit.page).to_have_title(f"{heading} \N{EN DASH} Example Seller")
    visit.look(name)


def test_the_sign_in_page_is_fit_for_people(begin: Begin) -> None:
    visit = begin()
    visit.go()
    visit.sees("Your subscriptions")
    visit.look("sign-in")


def test_the_console_is_fit_for_people(begin: Begin) -> None:
    visit = begin().sign_in("/operator")
    visit.sees("Customers")
    expect(visit.rows("Customers")).to_have_count(1)
    visit.look("console-customers")


def test_tables_and_the_menu_are_fit_for_people_when_they_are_open(begin: Begin) -> None:
    visit = begin(size={"width": 390, "height": 844}).sign_in(f"/usage/{ENDPOINTS}/{MONTH}")
    visit.press("Menu")
    expect(visit.page.get_by_role("navigation", name="Main")).to_be_visible()
    for summary in visit.page.locator("summary").all():
        summary.click()
    expect(visit.rows("CPU hours by day")).to_have_count(23)
    visit.look("usage-with-tables")


# -- signing in and out --------------------------------------------------------------------------------------


def test_tokens_are_kept_nowhere(buyer: PortalVisit) -> None:
    buyer.sees("Your subscriptions")
    kept = buyer.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert json.loads(kept) == [{}, {"marketplane.signed-in-as": "buyer"}, ""]
    assert "code=" not in buyer.page.url
    sent = {headers["authorization"] for *_, headers in buyer.back_end.calls}
    assert sent == {"Bearer token-code-0"}


def test_a_reload_signs_in_again_in_a_hidden_frame(buyer: PortalVisit) -> None:
    buyer.go("/settings")
    buyer.sees("Settings")
    buyer.page.reload()
    buyer.sees("Settings")
    first, second = asked_for_sign_in(buyer)
    assert first["scope"] == second["scope"] == "openid profile email buyer"
    assert first["code_challenge_method"] == "S256"
    assert "prompt" not in first
    assert second["prompt"] == "none"
    assert buyer.back_end.calls[-1][-1]["authorization"] == "Bearer token-code-1"


def test_where_the_provider_has_forgotten_it_is_asked_on_its_own_page(begin: Begin) -> None:
    visit = begin(PortalBackEnd(remembers=False)).sign_in("/settings")
    visit.sees("Settings")
    visit.page.reload()
    visit.sees("Settings")
    assert [asked.get("prompt") for asked in asked_for_sign_in(visit)] == [None, "none", None]


def test_signing_out_forgets(buyer: PortalVisit) -> None:
    buyer.press("Sign out")
    buyer.sees("You are signed out")
    assert buyer.page.evaluate("({...sessionStorage})") == {}
    buyer.page.reload()
    buyer.sees("Your subscriptions")
    expect(buyer.page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()


def test_a_token_that_a_service_does_not_take_leads_to_the_sign_in(buyer: PortalVisit) -> None:
    buyer.sees("Your subscriptions")
    buyer.back_end.failing["metering"] = problem(401, "unauthorized", "Credentials are missing or not valid.")
    buyer.follow("Endpoints")
    buyer.sees("Please sign in again")
    buyer.back_end.failing.clear()
    buyer.press("Sign in")
    buyer.sees("Endpoints")


def test_a_buyer_is_no_operator(buyer: PortalVisit) -> None:
    buyer.sees("Your subscriptions")
    assert not [url for url in buyer.asked if "Console" in url], "the console is loaded by operators only"
    buyer.back_end.scope_given = "openid profile email"
    buyer.go("/operator")
    buyer.sees("This is for operators")
    buyer.press("Sign in with other rights")
    expect(
        buyer.page.get_by_text("Ada Lovelace has no operator\N{RIGHT SINGLE QUOTATION MARK}s rights here.")
    ).to_be_visible()
    assert asked_for_sign_in(buyer)[-1]["scope"] == "openid profile email operator"


def test_an_operator_finds_a_customer(begin: Begin) -> None:
    visit = begin().sign_in("/operator")
    visit.page.get_by_label("Exactly").fill("nobody@example.com")
    visit.press("Search")
    expect(visit.page.get_by_text("No customer fits.")).to_be_visible()
    visit.page.get_by_label("Exactly").fill("ada@example.com")
    visit.page.keyboard.press("Enter")
    expect(visit.rows("Customers")).to_have_count(1)


# -- what buyers do ------------------------------------------------------------------------------------------


def test_usage_divides_by_dimension_hour_and_tag(begin: Begin) -> None:
    visit = begin().sign_in(f"/usage/{ENDPOINTS}/{MONTH}")
    visit.press("GPU hours")
    visit.sees("GPU hours by day")
    visit.page.get_by_label("Day", exact=True).select_option("2026-11-05")
    expect(visit.page.get_by_role("img", name=re.compile("GPU hours on 5 Nov 2026 by hour"))).to_be_visible()
    visit.page.get_by_label("Tag", exact=True).select_option("project")
    shares = visit.page.get_by_role("list", name="GPU hours by project")
    expect(shares.get_by_role("listitem")).to_have_text(
        [re.compile("^chat"), re.compile("^without this tag")]
    )
    visit.follow("Before: October 2026")
    expect(visit.page.get_by_role("navigation", name="Month", exact=True)).to_contain_text("October 2026")
    assert ("GET", "metering/v1/usage") in [call[:2] for call in visit.back_end.calls]
    spans = [call[2]["from"] for call in visit.back_end.calls if call[2].get("by") == "day"]
    assert spans[-1] == "2026-10-01T00:00:00Z"


def test_long_lists_come_page_by_page(begin: Begin) -> None:
    visit = begin().sign_in(f"/billing/{ENDPOINTS}")
    expect(visit.rows("Metering records")).to_have_count(50)
    visit.press("Show more")
    expect(visit.rows("Metering records")).to_have_count(70)
    expect(visit.page.get_by_role("button", name="Show more")).to_have_count(0)


def test_an_endpoint_is_created_and_deleted(buyer: PortalVisit) -> None:
    page = buyer.page
    buyer.follow("Endpoints")
    buyer.follow("Create an endpoint")
    page.get_by_label("Name").fill("Summaries")
    page.get_by_label("Repository").fill("acme/summaries")
    page.get_by_label("Accelerator").select_option("TPU")
    buyer.press("Create endpoint")
    expect(page.get_by_role("alert")).to_contain_text("It offers CPU, GPU.")
    expect(page.get_by_label("Accelerator")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Accelerator").select_option("CPU")
    buyer.press("Create endpoint")
    buyer.sees("Endpoints")
    expect(buyer.rows("Endpoints")).to_have_count(3)
    sent = [call[3] for call in buyer.back_end.calls if call[0] == "POST"][-1]
    assert sent == {"name": "Summaries", "repository": "acme/summaries", "accelerator": "CPU"}

    buyer.press("Delete Summaries")
    dialog = page.get_by_role("dialog", name="Delete Summaries?")
    expect(dialog).to_be_visible()
    buyer.look("delete-endpoint")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(buyer.rows("Endpoints")).to_have_count(3)
    buyer.press("Delete Summaries")
    buyer.press("Delete endpoint")
    expect(buyer.rows("Endpoints")).to_have_count(2)
    expect(page.get_by_role("status").filter(has_text="Summaries is deleted.")).to_be_visible()


def test_settings_send_what_differs_onto_the_version_that_was_read(buyer: PortalVisit) -> None:
    buyer.follow("Settings")
    buyer.page.get_by_label("Company").fill("Analytical Engines Ltd")
    buyer.page.get_by_label("Name").fill("")
    buyer.press("Save")
    expect(buyer.page.get_by_text("Saved.")).to_be_visible()
    (sent,) = [call for call in buyer.back_end.calls if call[0] == "PATCH"]
    assert sent[3] == {"company": "Analytical Engines Ltd", "name": None}
    assert sent[4]["if-match"] == '"1"'


def test_settings_that_somebody_else_changed_are_shown_anew(buyer: PortalVisit) -> None:
    buyer.follow("Settings")
    buyer.page.get_by_label("Company").fill("Mine")
    stale = problem(412, "precondition-failed", "It has changed since you read it.")
    buyer.back_end.failing["registration"] = stale
    buyer.press("Save")
    expect(buyer.page.get_by_role("alert")).to_contain_text("It has changed since you read it.")
    buyer.back_end.failing.clear()
    buyer.back_end.customers[0] |= {"company": "Theirs", "version": 7}
    buyer.press("Try again")
    expect(buyer.page.get_by_label("Company")).to_have_value("Theirs")


def test_what_is_kept_can_be_downloaded(buyer: PortalVisit) -> None:
    buyer.follow("Settings")
    with buyer.page.expect_download() as download:
        buyer.press("Download as JSON")
    assert download.value.suggested_filename == "account.json"
    assert json.loads(download.value.path().read_text())["customer"]["customer_id"] == CUSTOMER


def test_an_account_is_deleted_after_a_question(buyer: PortalVisit) -> None:
    buyer.follow("Settings")
    buyer.press("Delete account")
    dialog = buyer.page.get_by_role("dialog", name="Delete your account?")
    expect(dialog).to_contain_text("are billed until you cancel them there")
    buyer.look("delete-account")
    buyer.press("Cancel")
    assert buyer.back_end.customers
    buyer.press("Delete account")
    buyer.press("Delete my account")
    buyer.sees("Your account is deleted")
    assert buyer.back_end.customers == []


# -- other states --------------------------------------------------------------------------------------------


def test_who_has_no_account_is_told_where_accounts_come_from(begin: Begin) -> None:
    visit = begin(PortalBackEnd(customers=[])).sign_in()
    visit.sees("There is no account for this sign-in yet")
    visit.look("no-account")


def test_a_subscription_that_is_confirmed_meanwhile_shows_by_itself(begin: Begin) -> None:
    pending = customer(access="denied", subscriptions=[held(ENDPOINTS, "Inference Endpoints", "pending")])
    visit = begin(PortalBackEnd(customers=[pending], subscriptions=[])).sign_in()
    expect(visit.page.get_by_text("AWS Marketplace has not confirmed it yet.")).to_be_visible()
    visit.look("pending")
    visit.back_end.customers = [customer(subscriptions=[held(ENDPOINTS, "Inference Endpoints")])]
    visit.back_end.subscriptions = [subscription(ENDPOINTS)]
    expect(visit.page.get_by_text("Until 20 Dec 2026")).to_be_visible()
    expect(visit.page.get_by_text("AWS Marketplace has not confirmed it yet.")).to_have_count(0)


def test_nothing_yet_is_no_error(begin: Begin) -> None:
    visit = begin(PortalBackEnd(subscriptions=[], records=[], endpoints=[], has_usage=False)).sign_in()
    for path, words in (
        ("/", "There is no subscription yet."),
        (f"/usage/{ENDPOINTS}/{MONTH}", "No usage was reported in November 2026."),
        (f"/billing/{ENDPOINTS}", "Nothing was billed yet."),
        ("/endpoints", "Nothing runs."),
    ):
        visit.go(path)
        expect(visit.page.get_by_text(words)).to_be_visible()
    visit.look("nothing-runs")


def test_a_service_that_is_away_is_named_and_asked_again(buyer: PortalVisit) -> None:
    buyer.sees("Your subscriptions")
    buyer.back_end.failing["metering"] = AWAY
    buyer.follow("Endpoints")
    expect(buyer.page.get_by_role("alert")).to_contain_text("The tables cannot be reached.")
    buyer.look("service-away")
    buyer.back_end.failing.clear()
    buyer.press("Try again")
    expect(buyer.rows("Endpoints")).to_have_count(2)


def test_one_service_that_is_away_leaves_the_others(begin: Begin) -> None:
    back_end = PortalBackEnd()
    back_end.failing["notifications"] = AWAY
    visit = begin(back_end).sign_in("/settings")
    visit.sees("Settings")
    expect(visit.page.get_by_label("E-mail address")).to_have_value("ada@example.com")


def test_being_offline_is_said(buyer: PortalVisit) -> None:
    buyer.sees("Your subscriptions")
    buyer.context.set_offline(True)
    expect(buyer.page.get_by_text("You are offline.")).to_be_visible()
    buyer.look("offline")
    buyer.context.set_offline(False)
    expect(buyer.page.get_by_text("You are offline.")).to_have_count(0)


def test_a_chosen_theme_is_kept(buyer: PortalVisit) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    buyer.page.get_by_label("Theme").select_option("dark")
    dark = buyer.page.evaluate(ground)
    buyer.page.reload()
    buyer.sees("Your subscriptions")
    assert buyer.page.evaluate(ground) == dark
    buyer.page.get_by_label("Theme").select_option("light")
    assert buyer.page.evaluate(ground) != dark


def test_the_keyboard_goes_everywhere(buyer: PortalVisit) -> None:
    page = buyer.page
    buyer.sees("Your subscriptions")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.get_by_role("link", name="Settings", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Settings", level=1)).to_be_focused()
    page.go_back()
    expect(page.get_by_role("heading", name="Your subscriptions", level=1)).to_be_focused()
