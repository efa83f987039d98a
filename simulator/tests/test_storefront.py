"""The pages: choose, buy, set up again, manage, cancel, look; without JavaScript."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def page(seller: Any, path: str) -> str:
    answer = seller.http("GET", path)
    assert answer.status == 200
    return answer.body.decode()


def press(seller: Any, agreement: dict[str, Any], button: str, body: bytes = b"") -> str:
    answer = seller.http("POST", f"/storefront/agreements/{agreement['agreement_id']}/{button}", body, FORM)
    assert answer.status == 200, answer.body.decode()
    return answer.body.decode()


def state(seller: Any, agreement: dict[str, Any]) -> dict[str, Any]:
    return seller.do("GET", f"agreements/{agreement['agreement_id']}")


def test_a_buyer_subscribes_sets_up_again_and_cancels(seller):
    product = seller.product(
        "legacy", title="<Tea> & more", registration_url="http://127.0.0.1:9/register?a=1&b=2"
    )
    window = page(seller, "/")
    assert "&lt;Tea&gt; &amp; more" in window
    assert "<Tea>" not in window
    assert 'value="partner"' in page(seller, f"/products/{product['product_code']}")
    body = f"product_code={product['product_code']}&customer_aws_account_id=444455556666".encode()
    bought = seller.http("POST", "/storefront/subscribe", body, FORM)
    assert (bought.status, bought.headers["Cache-Control"]) == (200, "no-store")
    assert bought.headers["Referrer-Policy"] == "no-referrer"
    assert 'action="http://127.0.0.1:9/register?a=1&amp;b=2"' in bought.body.decode()
    (agreement,) = seller.do("GET", "agreements")["agreements"]
    assert "Set up your account" in page(seller, "/agreements")

    again = press(seller, agreement, "set-up")
    token = html.unescape(re.search(r'marketplace-token" value="([^"]+)"', again)[1])
    answer = seller.metering().resolve_customer(RegistrationToken=token)
    assert answer["CustomerIdentifier"] == agreement["customer_identifier"]

    seller.http("POST", "/storefront/clock", b"advance_seconds=60", FORM)
    ended = press(seller, agreement, "cancel")
    assert "Usage is taken until" in ended
    assert "cancelled, final hour" in ended
    news = page(seller, "/news")
    assert "unsubscribe-pending" in news
    assert "Scheduled" in news


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (b"offer=public", {"offer": "public", "free_trial": False}),
        (b"offer=free_trial&trial_days=14", {"offer": "public", "free_trial": True}),
        (b"offer=private&term_days=90&auto_renew=yes", {"offer": "private", "auto_renew": True}),
        (b"offer=partner&partner_account_id=777788889999", {"proposer_account_id": "777788889999"}),
        # A browser without styles sends the fields of the other offers too.
        (b"offer=public&term_days=5&partner_account_id=777788889999", {"offer": "public"}),
    ],
)
def test_each_offer_can_be_chosen(seller, chosen, expected):
    product = seller.product(pricing_model="contract")
    body = f"product_code={product['product_code']}&quantity:gpu_hours=7&".encode() + chosen
    answer = seller.http("POST", "/storefront/subscribe", body, FORM)
    assert answer.status == 200
    (agreement,) = seller.do("GET", "agreements")["agreements"]
    assert {name: agreement[name] for name in expected} == expected
    assert agreement["entitlements"] == {"gpu_hours": 7}


def test_a_future_start_is_shown_and_cannot_be_set_up_yet(seller):
    product = seller.product(registration_url="http://127.0.0.1:9/register")
    body = f"product_code={product['product_code']}&offer=private&starts_at=2026-12-01T08:00".encode()
    bought = seller.http("POST", "/storefront/subscribe", body, FORM).body.decode()
    assert "starts on 1 Dec 2026, 08:00:00 UTC" in bought
    assert "marketplace-token" not in bought
    (agreement,) = seller.do("GET", "agreements")["agreements"]
    shown = page(seller, f"/agreements/{agreement['agreement_id']}")
    assert "starts later" in shown
    assert "/set-up" not in shown


def test_a_contract_is_managed_by_its_buttons(seller):
    bought = seller.buy(seller.product(pricing_model="contract"))
    assert "Renew at the end of the term" in page(seller, f"/agreements/{bought['agreement_id']}")
    press(seller, bought, "amend", b"quantity:gpu_hours=4&quantity:requests=0")
    assert state(seller, bought)["entitlements"] == {"gpu_hours": 4}
    press(seller, bought, "auto-renew", b"auto_renew=yes")
    assert state(seller, bought)["auto_renew"]
    press(seller, bought, "suspend")
    assert "Resume the account" in page(seller, f"/agreements/{bought['agreement_id']}")
    press(seller, bought, "resume")
    press(seller, bought, "issue-advisory")
    assert "AWS issued an advisory" in page(seller, f"/agreements/{bought['agreement_id']}")
    press(seller, bought, "resolve-advisory")
    assert "The seller asks to cancel" in press(seller, bought, "request-cancellation")
    press(seller, bought, "reject-cancellation")
    renewed = press(seller, bought, "renew")
    assert "Follows" in renewed
    assert state(seller, bought)["end_reason"] == "RENEWED"


def test_the_bill_and_the_clock_have_their_pages(seller):
    bought = seller.buy(seller.product())
    seller.meter(seller.record(bought, "2.5"))
    for path in ("/bill", f"/agreements/{bought['agreement_id']}"):
        assert "2.5" in page(seller, path)
    assert bought["license_arn"] in page(seller, "/bill")
    faster = seller.http("POST", "/storefront/clock", b"speed=60&return_to=/bill", FORM).body.decode()
    assert "runs at 60 times real time" in faster
    assert "<h1>Bill</h1>" in faster


@pytest.mark.parametrize("elsewhere", ["//evil.example", "https://evil.example", "/\\evil", "/products//x"])
def test_the_clock_leads_back_to_pages_of_this_storefront_only(seller, elsewhere):
    answer = seller.http("POST", "/storefront/clock", f"speed=0&return_to={elsewhere}".encode(), FORM)
    assert "<h1>Products</h1>" in answer.body.decode()


def test_every_page_stands_when_there_is_nothing_to_show(seller):
    for path in ("/", "/agreements", "/bill", "/news"):
        shown = page(seller, path)
        assert '<html lang="en">' in shown
        assert f'<a href="{path}" aria-current="page">' in shown
        assert shown.count('aria-current="page"') == 1


def test_refusals_are_pages(seller):
    product = seller.product()["product_code"]
    for path, body, status in [
        ("/storefront/subscribe", b"product_code=none", 404),
        ("/storefront/subscribe", b"customer_aws_account_id=12", 400),
        ("/storefront/subscribe", f"product_code={product}&offer=partner".encode(), 400),
        ("/storefront/subscribe", f"product_code={product}&offer=private&starts_at=soon".encode(), 400),
        ("/storefront/subscribe", f"product_code={product}&offer=private&term_days=-1".encode(), 400),
        (
            "/storefront/subscribe",
            f"product_code={product}&offer=private&starts_at=2020-01-01T00:00".encode(),
            409,
        ),
        ("/storefront/subscribe", b"x=" + b"y" * 200_000, 400),
        ("/storefront/clock", b"advance_seconds=soon", 400),
        ("/storefront/clock", b"advance_seconds=-5", 409),
        ("/storefront/clock", b"speed=nan", 409),
        ("/storefront/agreements/none/cancel", b"", 404),
        ("/nothing", b"", 404),
    ]:
        answer = seller.http("POST", path, body, FORM)
        assert answer.status == status, path
        assert 'role="alert"' in answer.body.decode()
    bought = seller.buy({"product_code": product})
    for button in ("dance", "renew"):
        path = f"/storefront/agreements/{bought['agreement_id']}/{button}"
        assert seller.http("POST", path, b"", FORM).status in (404, 409)
    assert seller.http("GET", "/agreements/none").status == 404
    assert seller.http("GET", "/products/none").status == 404


def test_a_product_without_a_registration_page_says_so(seller):
    product = seller.product()
    body = f"product_code={product['product_code']}".encode()
    shown = seller.http("POST", "/storefront/subscribe", body, FORM).body.decode()
    assert "no registration page yet" in shown
    assert "marketplace-token" not in shown
