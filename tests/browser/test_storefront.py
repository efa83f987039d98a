"""A buyer's way through the storefront, in a real browser: chosen, bought, set up, managed, left."""

from __future__ import annotations

import json
import re
from typing import Any

import boto3
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.visits import take_picture


def subscribe(page: Page, product: str, offer: str, registration: Any) -> None:
    """Press on from the product to the seller's registration page."""
    page.goto("/")
    page.get_by_role("link", name=f"View purchase options for {product}").click()
    page.get_by_role("radio", name=offer).check()
    before = len(registration.posts)
    page.get_by_role("button", name="Subscribe").click()
    arrive(page, registration, before)


def arrive(page: Page, registration: Any, before: int) -> None:
    # Without JavaScript the buyer presses the button that a script presses otherwise.
    if len(registration.posts) == before and page.get_by_role("heading", name="Set up your account").count():
        page.get_by_role("button", name="Set up your account").click()
    page.wait_for_url(registration.url)
    expect(page.get_by_role("heading", name="Welcome")).to_be_visible()


def test_a_buyer_subscribes_sets_up_again_and_cancels(page, simulator, registration):
    subscribe(page, "Inference Endpoints", "Public offer", registration)
    page.goto("/agreements")
    page.get_by_role("button", name="Set up your account").click()
    page.wait_for_load_state()
    arrive(page, registration, 1)
    first, second = (post["x-amzn-marketplace-token"] for post in registration.posts)
    assert first != second
    page.goto("/agreements")
    page.get_by_role("link", name=re.compile("^Manage the agreement")).click()
    page.get_by_role("button", name="+1 hour").click()
    expect(page.get_by_text("active", exact=True)).to_be_visible()
    page.get_by_role("button", name="Cancel subscription").click()
    expect(page.get_by_text("Usage is taken until 22 Nov 2026, 16:00:31 UTC")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel subscription")).to_have_count(0)
    page.get_by_role("navigation").get_by_role("link", name="News").click()
    expect(page.locator("summary")).to_have_count(4)
    (agreement,) = simulator.do("GET", "agreements")["agreements"]
    assert agreement["end_reason"] == "CANCELLED"


def test_a_trial_brings_the_offer_type_to_the_seller(page, registration):
    subscribe(page, "Classic Search", "Free trial", registration)
    (post,) = registration.posts
    assert post["x-amzn-marketplace-offer-type"] == "free-trial"


def test_a_partner_contract_is_bought_amended_and_renewed(page, simulator, registration):
    page.goto("/products/seats")
    page.get_by_role("radio", name="Channel partner's offer").check()
    page.get_by_label("The partner's AWS account id").fill("777788889999")
    page.get_by_label("Editors").fill("12")
    page.get_by_label("Term, in days").fill("90")
    page.get_by_role("button", name="Subscribe").click()
    arrive(page, registration, 0)
    page.goto("/agreements")
    page.get_by_role("button", name="+1 hour").click()
    page.get_by_role("link", name="Team Seats", exact=True).click()
    page.get_by_label("Editors").fill("20")
    page.get_by_role("button", name="Amend").click()
    expect(page.get_by_role("definition").filter(has_text=re.compile("^20$"))).to_be_visible()
    page.get_by_role("button", name="Renew now").click()
    expect(page.get_by_text("Follows")).to_be_visible()
    old, new = simulator.do("GET", "agreements")["agreements"]
    assert (old["end_reason"], new["proposer_account_id"]) == ("RENEWED", "777788889999")
    assert new["entitlements"] == {"editors": 20, "viewers": 1}


def test_only_the_fields_of_the_chosen_offer_are_shown(page):
    page.goto("/products/seats")
    partner, start = page.get_by_label("The partner's AWS account id"), page.get_by_label("Start In UTC")
    expect(partner).to_be_hidden()
    page.get_by_role("radio", name="Channel partner's offer").check()
    expect(partner).to_be_visible()
    expect(start).to_be_hidden()
    page.get_by_role("radio", name="Private offer").check()
    expect(start).to_be_visible()
    expect(partner).to_be_hidden()


def test_the_clock_stays_on_its_page_and_says_how_it_goes(page):
    page.goto("/bill")
    page.get_by_role("button", name="+1 day").click()
    expect(page.get_by_role("heading", name="Bill")).to_be_visible()
    expect(page.get_by_text("23 Nov 2026, 14:00:00 UTC")).to_be_visible()
    page.get_by_role("button", name="60 times real time", exact=True).click()
    expect(page.get_by_text("runs at 60 times real time")).to_be_visible()
    expect(page.get_by_role("button", name="60 times real time", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    page.get_by_role("button", name="Freeze").click()
    expect(page.get_by_text("stands still")).to_be_visible()


def test_a_refusal_says_why_and_leads_back(page, simulator):
    body = {"product_code": "classic", "customer_aws_account_id": "444455556666"}
    simulator.do("POST", "agreements", body)
    page.goto("/products/classic")
    page.get_by_label("Your AWS account id").fill("444455556666")
    page.get_by_role("button", name="Subscribe").click()
    expect(page.get_by_role("alert")).to_contain_text("already subscribes to legacy product")
    page.get_by_role("link", name="All products").click()
    expect(page.get_by_role("heading", name="Products")).to_be_visible()


@pytest.fixture
def lived(simulator: Any) -> dict[str, str]:
    """A simulator in which everything that a page can show has happened; the pages by name."""

    def act(agreement: dict[str, Any], action: str, body: Any = None) -> None:
        simulator.do("POST", f"agreements/{agreement['agreement_id']}/{action}", body)

    def buy(code: str, **more: Any) -> dict[str, Any]:
        agreement: dict[str, Any] = simulator.do("POST", "agreements", {"product_code": code, **more})
        simulator.do("PUT", "clock", {"advance_seconds": 600})
        return agreement

    payg = buy("endpoints", customer_aws_account_id="444455556666")
    contract = buy(
        "seats", customer_aws_account_id="555566667777", entitlements={"editors": 12, "viewers": 40}
    )
    act(contract, "issue-advisory")
    act(contract, "request-cancellation", {"reason_code": "TEST_AGREEMENT"})
    act(buy("classic", free_trial=True), "cancel")
    act(buy("endpoints", partner_account_id="777788889999"), "suspend")
    act(buy("seats", auto_renew=True), "renew")
    buy("endpoints", starts_at="2027-01-01T00:00:00Z")
    for quantity in ("2.5", "17", "0.000001"):
        simulator.do("PUT", "clock", {"advance_seconds": 3600})
        meter(simulator, payg, quantity)
    return {
        "products": "/",
        "product": "/products/seats",
        "agreements": "/agreements",
        "agreement": f"/agreements/{contract['agreement_id']}",
        "ended": f"/agreements/{payg['agreement_id']}",
        "bill": "/bill",
        "news": "/news",
        "refusal": "/agreements/none",
    }


def meter(simulator: Any, agreement: dict[str, Any], quantity: str) -> None:
    client = boto3.client(
        "meteringmarketplace",
        endpoint_url=simulator.url,
        region_name="us-east-1",
        aws_access_key_id="111122223333",
        aws_secret_access_key="test",
    )
    record = {
        "Timestamp": simulator.do("GET", "clock")["now"],
        "CustomerAWSAccountId": agreement["customer_aws_account_id"],
        "LicenseArn": agreement["license_arn"],
    }
    answer = client.batch_meter_usage(
        UsageRecords=[
            {**record, "Dimension": dimension, "QuantityAsDecimal": quantity}
            for dimension in ("gpu_hours", "requests")
        ]
    )
    assert {result["Status"] for result in answer["Results"]} == {"Success"}


@pytest.mark.parametrize(("size", "width"), [("wide", 1200), ("narrow", 390)])
def test_every_page_is_accessible_and_fits(scripted_page: Page, lived: dict[str, str], size: str, width: int):
    page = scripted_page
    page.set_viewport_size({"width": width, "height": 900})
    for name, path in lived.items():
        page.goto(path)
        if name == "product":
            page.get_by_role("radio", name="Private offer").check()
        if name in ("news", "agreement"):
            page.locator("summary").first.click()
        take_picture(page, f"storefront/{name}-{size}")
        violations = [
            {"rule": found["id"], "where": [node["target"] for node in found["nodes"]]}
            for found in Axe().run(page).response["violations"]
        ]
        assert violations == [], f"{name}: {json.dumps(violations, indent=2)}"
        overflow = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overflow <= 0, f"{name} is {overflow} pixels wider than a window of {width}"


def test_every_empty_page_is_accessible(scripted_page: Page, simulator: Any):
    simulator.do("POST", "reset")
    for name, path in {
        "products": "/",
        "agreements": "/agreements",
        "bill": "/bill",
        "news": "/news",
    }.items():
        scripted_page.goto(path)
        take_picture(scripted_page, f"storefront/empty-{name}")
        assert Axe().run(scripted_page).response["violations"] == []


def test_the_keyboard_alone_reaches_the_content_and_buys(scripted_page: Page, registration: Any):
    page = scripted_page
    page.goto("/products/endpoints")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Subscribe":
            break
    page.keyboard.press("Enter")
    page.wait_for_url(registration.url)
    assert len(registration.posts) == 1
