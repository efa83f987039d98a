"""The pages: AWS's form post, the registration page, its form."""

import re
from typing import Any

import pytest
from conftest import OTHER_LICENSE_ARN, House, assemble, concurrent_answer

from registration.catalogue import Catalogue
from registration.resolve_refusals import Refusal, TokenNotResolved
from registration.settings import Settings
from registration.tables import CustomerRow, RegistrationRow, SubscriptionRow

TOKEN_FIELD = "x-amzn-marketplace-token"


def land(house: House, token: str = "token-1", **fields: str) -> Any:
    """Arrive from AWS as a browser does, and keep the cookie."""
    house.marketplace.answers.setdefault(token, concurrent_answer())
    house.client.cookies.clear()
    return house.client.post("/register", data={TOKEN_FIELD: token, **fields})


def csrf_token(page: Any) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found, page.text
    return found.group(1)


def submit(house: House, **fields: str) -> Any:
    """Open the page and submit its form."""
    token = csrf_token(house.client.get("/register"))
    return house.client.post("/register/customer", data={"csrf_token": token, **fields})


def test_a_buyer_arrives_registers_and_sees_who_they_are(house: House) -> None:
    landed = land(house)
    assert (landed.status_code, landed.headers["location"]) == (303, "/register")

    form = house.client.get("/register")
    assert form.status_code == 200
    assert "Set up your account for Endpoints" in form.text

    submitted = submit(house, email=" ada@example.com ", name="Ada <b>", company="")
    assert (submitted.status_code, submitted.headers["location"]) == (303, "/register")

    account = house.client.get("/register")
    assert account.status_code == 200
    for said in (
        "Your account is set up",
        "ada@example.com",
        "Ada &lt;b&gt;",
        "Endpoints",
        "about two minutes",
    ):
        assert said in account.text
    (row,) = CustomerRow.scan()
    assert (row.email, row.name, row.company) == ("ada@example.com", "Ada <b>", None)


@pytest.mark.parametrize(
    ("status", "access", "says"),
    [
        ("active", "granted", "Now. You can use it."),
        ("pending", "denied", "about two minutes"),
        ("ended", "denied", "has ended"),
        ("failed", "denied", "could not be activated"),
    ],
)
def test_the_page_says_when_access_comes(house: House, status: str, access: str, says: str) -> None:
    land(house)
    submit(house, email="ada@example.com")
    (row,) = CustomerRow.scan()
    SubscriptionRow(row.subscription_ids[0], product_code="74az", status=status, access=access).save()
    assert says in house.client.get("/register").text


def test_the_cookie_is_closed_to_scripts_and_other_sites(house: House) -> None:
    cookie = land(house).headers["set-cookie"]
    assert cookie.startswith("registration=")
    assert {part.strip() for part in cookie.split(";")[1:]} == {"HttpOnly", "Path=/", "SameSite=Lax"}


def test_behind_https_the_cookie_has_the_host_prefix(
    house: House, settings: Settings, catalogue: Catalogue
) -> None:
    secure = assemble(settings.model_copy(update={"cookie_secure": True}), catalogue)
    cookie = land(secure).headers["set-cookie"]
    assert cookie.startswith("__Host-registration=")
    assert {part.strip() for part in cookie.split(";")[1:]} == {
        "HttpOnly",
        "Path=/",
        "SameSite=Lax",
        "Secure",
    }

    value = cookie.split(";")[0].partition("=")[2]
    by_plain_name = secure.client.post(
        "/register/customer", data={"csrf_token": "x"}, headers={"Cookie": f"registration={value}"}
    )
    assert by_plain_name.status_code == 401


def test_every_page_is_closed_to_what_it_does_not_use(house: House) -> None:
    for page in (
        house.client.get("/register"),
        house.client.post("/register", data={}),
        (land(house), house.client.get("/register"))[1],
    ):
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["x-content-type-options"] == "nosniff"
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-inline" not in policy
        assert "<script" not in page.text
        assert '<html lang="en">' in page.text
        for field in re.findall(r'<input id="(\w+)"', page.text):
            assert f'<label for="{field}">' in page.text


def test_the_style_is_the_one_that_the_policy_names(house: House) -> None:
    import base64
    import hashlib

    page = house.client.get("/register")
    style = re.search(r"<style>(.*?)</style>", page.text, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()
    assert f"'sha256-{digest}'" in page.headers["content-security-policy"]


def test_opened_without_a_session_the_page_is_friendly(house: House) -> None:
    page = house.client.get("/register")
    assert page.status_code == 200
    assert "Set up your account from AWS Marketplace" in page.text
    assert "support@seller.example" in page.text


def test_a_form_that_did_not_arrive_is_a_page_too(house: House) -> None:
    land(house)
    page = house.client.post("/register/customer")
    assert page.status_code == 403
    assert "text/html" in page.headers["content-type"]


@pytest.mark.parametrize("cookie", ["forged", "reg_a.b.c", ""])
def test_a_forged_cookie_opens_nothing(house: House, cookie: str) -> None:
    page = house.client.get("/register", headers={"Cookie": f"registration={cookie}"})
    assert "Set up your account from AWS Marketplace" in page.text
    submitted = house.client.post(
        "/register/customer", data={"csrf_token": "x"}, headers={"Cookie": f"registration={cookie}"}
    )
    assert submitted.status_code == 401


@pytest.mark.parametrize(
    ("refused", "status", "says"),
    [
        (
            TokenNotResolved(Refusal.INVALID_TOKEN, "InvalidTokenException"),
            400,
            "Please start again from AWS",
        ),
        (TokenNotResolved(Refusal.EXPIRED_TOKEN, "ExpiredTokenException"), 400, "This link has expired"),
        (TokenNotResolved(Refusal.OUR_FAULT, "AccessDeniedException"), 502, "wrong on our side"),
        (TokenNotResolved(Refusal.AWAY, "ReadTimeoutError"), 503, "please try again in a moment"),
        ({"ProductCode": "another"}, 400, "We do not know this product"),
        (concurrent_answer(license_arn=""), 502, "wrong on our side"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_token_that_is_not_taken_gets_a_page(house: House, refused: Any, status: int, says: str) -> None:
    house.marketplace.answers["bad-token"] = refused
    page = land(house, "bad-token")
    assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert says in page.text
    assert "bad-token" not in page.text
    assert "set-cookie" not in page.headers
    assert ("retry-after" in page.headers) is (status == 503)


@pytest.mark.parametrize("form", [{}, {TOKEN_FIELD: ""}, {"token": "token-1"}])
def test_without_a_token_there_is_a_page_too(house: House, form: dict[str, str]) -> None:
    page = house.client.post("/register", data=form)
    assert page.status_code == 400
    assert "Please start again from AWS Marketplace" in page.text


def test_what_aws_may_add_one_day_does_not_stop_a_buyer(house: House) -> None:
    assert land(house, **{"x-amzn-marketplace-something-new": "1"}).status_code == 303
    house.marketplace.answers["token-2"] = concurrent_answer()
    with_query = house.client.post("/register?utm_source=aws", data={TOKEN_FIELD: "token-2"})
    assert with_query.status_code == 303
    for query in ("utm_source=aws", "others=1", "a=1&a=2&b"):
        assert house.client.get(f"/register?{query}").status_code == 200


def test_a_trial_is_kept_and_said(house: House) -> None:
    land(house, **{"x-amzn-marketplace-offer-type": "free-trial"})
    assert "to the free trial" in house.client.get("/register").text
    assert [row.offer_type for row in RegistrationRow.scan()] == ["free-trial"]


def test_an_odd_offer_type_is_not_kept(house: House) -> None:
    land(house, **{"x-amzn-marketplace-offer-type": "<script>" + "x" * 500})
    assert [row.offer_type for row in RegistrationRow.scan()] == [None]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "Enter an e-mail address"),
        ({"email": "nowhere"}, "Enter an e-mail address"),
        ({"email": "a@b.example", "name": "n" * 201}, "At most 200 characters"),
    ],
)
def test_a_form_with_a_slip_comes_back_with_a_word_at_it(
    house: House, fields: dict[str, str], says: str
) -> None:
    land(house)
    page = submit(house, company="Kept & shown", **fields)
    assert page.status_code == 400
    assert says in page.text
    assert 'aria-invalid="true"' in page.text
    assert 'value="Kept &amp; shown"' in page.text
    assert list(CustomerRow.scan()) == []


@pytest.mark.parametrize("token", ["", "forged", "of another session"])
def test_a_form_of_another_site_is_refused(house: House, token: str) -> None:
    if token == "of another session":
        land(house, "token-0")
        token = csrf_token(house.client.get("/register"))
    land(house)
    page = house.client.post("/register/customer", data={"csrf_token": token, "email": "eve@example.com"})
    assert page.status_code == 403
    assert "Please send the form again" in page.text
    assert list(CustomerRow.scan()) == []


def test_a_form_sent_too_late_says_what_to_do(house: House) -> None:
    land(house)
    token = csrf_token(house.client.get("/register"))
    house.clock.advance(minutes=61)
    page = house.client.post("/register/customer", data={"csrf_token": token, "email": "ada@example.com"})
    assert page.status_code == 410
    assert "press <strong>Set up your account</strong> again" in page.text
    assert "Set up your account from AWS Marketplace" in house.client.get("/register").text


def test_sending_the_form_twice_leaves_one_customer(house: House) -> None:
    land(house)
    token = csrf_token(house.client.get("/register"))
    for name in ("Ada", "Countess"):
        sent = house.client.post(
            "/register/customer", data={"csrf_token": token, "email": "ada@example.com", "name": name}
        )
        assert sent.status_code == 303
    assert [row.name for row in CustomerRow.scan()] == ["Ada"]


def test_landing_again_shows_no_personal_data(house: House) -> None:
    land(house)
    submit(house, email="ada@example.com", name="Ada")
    land(house, "token-2")
    page = house.client.get("/register")
    assert "This subscription is registered" in page.text
    assert "ada@example.com" not in page.text
    assert "Ada" not in page.text


def test_a_claim_by_somebody_else_gets_what_support_needs(house: House) -> None:
    land(house, "token-1")
    token = csrf_token(house.client.get("/register"))
    registration_id = next(iter(RegistrationRow.scan())).registration_id
    cookies = dict(house.client.cookies)
    land(house, "token-2")
    submit(house, email="ada@example.com")
    house.client.cookies.clear()
    page = house.client.post(
        "/register/customer",
        data={"csrf_token": token, "email": "eve@example.com"},
        headers={"Cookie": f"registration={cookies['registration']}"},
    )
    assert page.status_code == 409
    assert registration_id in page.text
    assert "sub_" in page.text
    assert "ada@example.com" not in page.text


def test_the_deleted_are_not_shown(house: House) -> None:
    land(house)
    submit(house, email="ada@example.com")
    (row,) = CustomerRow.scan()
    assert house.client.delete(f"/v1/customers/{row.customer_id}", headers=house.operator).status_code == 204
    page = house.client.get("/register")
    assert page.status_code == 200
    assert "ada@example.com" not in page.text


def test_another_product_of_the_same_buyer_is_another_subscription(house: House) -> None:
    land(house)
    submit(house, email="ada@example.com")
    house.marketplace.answers["token-2"] = concurrent_answer(license_arn=OTHER_LICENSE_ARN)
    land(house, "token-2")
    assert submit(house, email="ada@example.com").status_code == 303
    assert len(list(CustomerRow.scan())) == 2
