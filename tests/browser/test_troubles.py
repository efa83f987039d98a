"""What goes wrong before there is a form, and what people can do about it: each error page is seen here, or
beside the journey on which people meet it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.registration_house import ENDPOINTS, STRANGER, SUBMITS_A_MINUTE, RegistrationHouse
from tests.browser.visits import Visit, Visits

TEMPLATE = Path(__file__).parents[2] / "services/registration/src/registration/templates/problem.html"
START_AGAIN = "Please start again from AWS Marketplace"
APOLOGY = "Sorry, please try again in a moment"
OUR_FAULT = "Sorry, something is wrong on our side"
TOKEN = "x-amzn-marketplace-token"


def send(visit: Visit, address: str, fields: dict[str, str], encoding: str = "") -> None:
    """Sends a form that stands on another site's page."""
    visit.go("about:blank")
    inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
    form = f'<form method="post" action="{address}" enctype="{encoding}">{inputs}<button>Go</button></form>'
    visit.page.set_content(form)
    visit.press("Go")
    visit.page.wait_for_url(address)


@pytest.mark.parametrize("fields", [{TOKEN: "not-a-token"}, {TOKEN: ""}, {}], ids=["wrong", "empty", "none"])
def test_a_token_that_is_none(house: RegistrationHouse, visit: Visit, fields: dict[str, str]) -> None:
    send(visit, house.landing, fields)
    visit.sees(START_AGAIN, 400)
    assert "not-a-token" not in visit.page.content()
    if not fields:
        visit.look("problem-invalid-token", START_AGAIN)


def test_a_token_that_lay_too_long(house: RegistrationHouse, visits: Visits) -> None:
    visit = visits.begin(scripts=False)  # AWS's last page waits for a press
    visit.buy(ENDPOINTS)
    agreement = house.newest_agreement()["agreement_id"]
    house.advance(timedelta(hours=5))
    visit.go_on_to_the_seller()
    visit.sees("This link has expired", 400)
    visit.look("problem-expired-token", "This link has expired")
    visit.set_up_again(agreement)
    visit.sees(f"Set up your account for {ENDPOINTS}")


def test_a_product_that_nobody_has_set_up(visit: Visit) -> None:
    visit.buy(STRANGER)
    visit.go_on_to_the_seller()
    visit.sees("We do not know this product", 400)
    assert "support@seller.example" in visit.reads()
    visit.look("problem-unknown-product", "We do not know this product")


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
@pytest.mark.parametrize("kind", ["server_error", "throttling", "connection_reset"])
def test_aws_is_away_and_the_same_token_is_tried_again(
    house: RegistrationHouse, visits: Visits, kind: str, scripts: bool
) -> None:
    house.aws_fails(kind, "ResolveCustomer")
    visit = visits.begin(scripts=scripts)
    visit.subscribe(ENDPOINTS, "Free trial")
    visit.sees(APOLOGY, 503)
    # From here on AWS hands out no new token.
    visit.page.route(f"{house.storefront}/**", lambda route: route.abort())
    if scripts and kind == "server_error":
        visit.look("problem-unavailable-retry", APOLOGY)
    visit.press("Try again")
    visit.sees(APOLOGY, 503)
    house.mend()
    visit.press("Try again")
    visit.sees(f"Set up your account for {ENDPOINTS}")
    expect(visit.page.get_by_text("Free trial", exact=True)).to_be_visible()  # nothing was lost on the way
    visit.register(f"patient-{kind}-{scripts}@example.com")
    visit.sees("Your account is set up")


def test_the_language_is_kept_while_aws_is_away(house: RegistrationHouse, visits: Visits) -> None:
    house.aws_fails("server_error", "ResolveCustomer")
    visit = visits.begin(locale="de-DE")
    visit.subscribe(ENDPOINTS)
    heading = "Bitte versuchen Sie es gleich noch einmal"
    visit.look("problem-unavailable-retry-de", heading, "de")
    house.mend()
    visit.press("Noch einmal versuchen")
    visit.sees(f"Ihr Konto für {ENDPOINTS} einrichten")


def test_our_tables_are_away(house: RegistrationHouse, visit: Visit) -> None:
    visit.subscribe(ENDPOINTS)
    house.tables_fail()
    visit.register("outage@example.com")
    visit.sees(APOLOGY, 503)
    visit.look("problem-unavailable", APOLOGY)
    house.mend()
    visit.press("Back to the registration")
    visit.register("outage@example.com")
    visit.sees("Your account is set up")


@pytest.mark.parametrize("kind", ["access_denied", "expired_credentials"])
def test_aws_refuses_us_and_the_buyer_is_not_sent_in_circles(
    house: RegistrationHouse, visit: Visit, kind: str
) -> None:
    house.aws_fails(kind, "ResolveCustomer")
    agreement = visit.subscribe(ENDPOINTS)
    visit.sees(OUR_FAULT, 502)
    assert re.search(r"Reference [0-9a-f]{32}", visit.reads())
    if kind == "access_denied":
        visit.look("problem-else", OUR_FAULT)
    house.mend()
    visit.set_up_again(agreement)
    visit.sees(f"Set up your account for {ENDPOINTS}")


def test_too_fast(house: RegistrationHouse, visit: Visit) -> None:
    visit.subscribe(ENDPOINTS)
    for _ in range(SUBMITS_A_MINUTE):
        visit.press("Create account")
        visit.sees("Please check the entries that are marked.", 400)
    visit.register("fast@example.com")
    visit.sees("That was a little too fast", 429)
    assert "please wait a minute" in visit.reads()
    visit.look("problem-too-many-requests", "That was a little too fast")
    # Another purchase's session has a count of its own.
    visit.subscribe(ENDPOINTS)
    visit.register("another@example.com")
    visit.sees("Your account is set up")


def test_too_much(house: RegistrationHouse, visit: Visit) -> None:
    send(visit, house.landing, {TOKEN: "x" * 70_000})
    visit.sees("That was too much at once", 413)
    visit.look("problem-too-large", "That was too much at once")


def test_an_address_that_leads_nowhere(house: RegistrationHouse, visit: Visit) -> None:
    visit.go(house.landing + "/nowhere").sees("There is no such page", 404)
    visit.look("problem-not-found", "There is no such page")
    visit.go(house.landing + "/customer").sees("There is no such page", 405)
    visit.look("problem-method-not-allowed", "There is no such page")
    visit.subscribe(ENDPOINTS)
    visit.go(house.landing + "/sign-in/nobody").sees("There is no such page", 400)
    visit.look("problem-invalid-request", "There is no such page")
    visit.press("Back to the registration")
    visit.sees(f"Set up your account for {ENDPOINTS}")


def test_a_form_of_another_kind(house: RegistrationHouse, visit: Visit) -> None:
    send(visit, house.landing, {TOKEN: "whatever"}, "text/plain")
    visit.sees("Please send the form again", 415)
    visit.look("problem-unsupported-media-type", "Please send the form again")


def test_each_problem_that_the_template_knows_is_looked_at_somewhere() -> None:
    conditions = re.findall(r"{% (?:el)?if slug ([^%]+) %}", TEMPLATE.read_text())
    known = {slug for condition in conditions for slug in re.findall(r'"([a-z-]+)"', condition)}
    tests = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    assert known, "the template is written in another way now"
    assert {slug for slug in known if f'look("problem-{slug}' not in tests} == set()
