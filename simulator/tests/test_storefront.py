"""The pages: buy, set up again, cancel, look; without JavaScript."""

from __future__ import annotations

import html
import re

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_a_buyer_subscribes_sets_up_again_and_cancels(seller):
    product = seller.product(
        "legacy", title="<Tea> & more", registration_url="http://127.0.0.1:9/register?a=1&b=2"
    )
    page = seller.http("GET", "/").body.decode()
    assert "&lt;Tea&gt; &amp; more" in page
    assert "<Tea>" not in page
    body = f"product_code={product['product_code']}&customer_aws_account_id=444455556666".encode()
    bought = seller.http("POST", "/storefront/subscribe", body, FORM)
    assert (bought.status, bought.headers["Cache-Control"]) == (200, "no-store")
    assert 'action="http://127.0.0.1:9/register?a=1&amp;b=2"' in bought.body.decode()
    (agreement,) = seller.do("GET", "agreements")["agreements"]
    assert "Set up your account" in seller.http("GET", "/agreements").body.decode()

    again = seller.http("POST", f"/storefront/agreements/{agreement['agreement_id']}/set-up", b"", FORM)
    token = html.unescape(re.search(r'marketplace-token" value="([^"]+)"', again.body.decode())[1])
    answer = seller.metering().resolve_customer(RegistrationToken=token)
    assert answer["CustomerIdentifier"] == agreement["customer_identifier"]

    seller.http("POST", "/storefront/clock", b"advance_seconds=60", FORM)
    ended = seller.http("POST", f"/storefront/agreements/{agreement['agreement_id']}/cancel", b"", FORM)
    assert "Usage is taken until" in ended.body.decode()
    news = seller.http("GET", "/news").body.decode()
    assert "unsubscribe-pending" in news
    assert "Scheduled for" in news


def test_the_bill_and_the_clock_have_their_pages(seller):
    bought = seller.buy(seller.product())
    seller.meter(seller.record(bought, "2.5"))
    page = seller.http("GET", "/bill").body.decode()
    assert bought["license_arn"] in page
    assert "2.5" in page
    assert (
        "runs at 60 times real time"
        in seller.http("POST", "/storefront/clock", b"speed=60", FORM).body.decode()
    )


def test_every_page_stands_when_there_is_nothing_to_show(seller):
    for path in ("/", "/agreements", "/bill", "/news"):
        answer = seller.http("GET", path)
        assert answer.status == 200
        page = answer.body.decode()
        assert '<html lang="en">' in page
        assert f'<a href="{path}" aria-current="page">' in page
        assert page.count('aria-current="page"') == 1


def test_refusals_are_pages(seller):
    for path, body, status in [
        ("/storefront/subscribe", b"product_code=none", 404),
        ("/storefront/subscribe", b"customer_aws_account_id=12", 400),
        ("/storefront/clock", b"advance_seconds=soon", 400),
        ("/storefront/clock", b"advance_seconds=-5", 409),
        ("/storefront/clock", b"speed=nan", 409),
        ("/storefront/agreements/none/cancel", b"", 404),
        ("/nothing", b"", 404),
    ]:
        answer = seller.http("POST", path, body, FORM)
        assert answer.status == status, path
        assert 'role="alert"' in answer.body.decode()


def test_a_product_without_a_registration_page_says_so(seller):
    product = seller.product()
    body = f"product_code={product['product_code']}".encode()
    page = seller.http("POST", "/storefront/subscribe", body, FORM).body.decode()
    assert "no registration page yet" in page
    assert "marketplace-token" not in page
