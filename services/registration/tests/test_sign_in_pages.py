"""Signing in from the page: whose answer is taken, what is kept, and which account it leads to."""

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from conftest import (
    HANDING_OVER,
    LICENSE_ARN,
    NO_SIGN_IN,
    PUBLIC_URL,
    SIGN_IN,
    Browser,
    House,
    a_license,
)

from registration import subscription_ids
from registration.sign_in_providers import SignInAway
from registration.tables import ClaimRow, CustomerRow, IdentityRow, RegistrationRow

SUBSCRIPTION_ID = subscription_ids.of_license(LICENSE_ARN)


def state_of(sent: Any) -> str:
    assert sent.status_code == 303, sent.text
    return parse_qs(urlsplit(sent.headers["location"]).query)["state"][0]


def is_refused(page: Any) -> None:
    assert page.status_code == 400
    assert "The sign-in did not succeed" in page.text
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "content-security-policy" in page.headers


# -- there and back ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["oidc", "github"])
def test_signing_in_says_who_and_the_form_connects(house: House, key: str) -> None:
    provider = house.oidc if key == "oidc" else house.github
    browser = house.land()
    assert f"Continue with {provider.title}" in browser.get().text

    back = browser.sign_in(provider, "user-1", email="ada@id.example", name="Ada <b>")

    assert (back.status_code, back.headers["location"]) == (303, "/register")
    page = browser.get().text
    assert f"You signed in with {provider.title}" in page
    assert "Ada &lt;b&gt;" in page
    assert "Your new account will open with this sign-in." in page
    assert 'value="ada@id.example"' in page
    assert "Continue with" not in page
    # Signing in alone connects nothing.
    assert CustomerRow.count() == ClaimRow.count() == IdentityRow.count() == 0

    assert browser.submit("other@example.com", name="Ada").status_code == 303
    (customer,), (identity,) = CustomerRow.scan(), IdentityRow.scan()
    assert (identity.issuer, identity.subject) == (provider.issuer, "user-1")
    assert identity.customer_id == customer.customer_id
    assert customer.email == "other@example.com"
    assert "Your account is set up" in browser.get().text


def test_the_two_halves_fit_together_and_each_trip_is_new(house: House) -> None:
    browser = house.land()
    browser.sign_in(house.oidc, "user-1")
    browser.sign_in(house.oidc, "user-1")
    first, second = house.oidc.trips
    assert [
        {name: trip[name] for name in exchange}
        for trip, exchange in zip(house.oidc.trips, house.oidc.exchanges, strict=True)
    ] == house.oidc.exchanges
    assert first["redirect_uri"] == f"{PUBLIC_URL}/register/sign-in/oidc/callback"
    for secret in ("state", "nonce", "code_verifier"):
        assert first[secret] != second[secret]
    # RFC 7636 §4.1: 43 to 128 characters.
    assert re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", first["code_verifier"])
    assert len({first["state"], first["nonce"], first["code_verifier"]}) == 3
    session_secret = browser.cookies["registration"].split(".")[1]
    assert session_secret not in str(house.oidc.trips)


def test_a_known_identity_joins_its_customer_who_keeps_their_own_data(house: House) -> None:
    customer_id = house.buys("user-1", 1, "first@example.com")
    browser = house.land("token-2", LicenseArn=a_license(9))
    browser.sign_in(house.oidc, "user-1", email="ada@id.example")
    assert "You have an account here already. This purchase will be added to it." in browser.get().text

    browser.submit("second@example.com", name="Somebody", company="Else")

    (customer,) = CustomerRow.scan()
    assert customer.customer_id == customer_id
    assert (customer.email, customer.name, customer.company) == ("first@example.com", None, None)
    assert set(customer.subscription_ids) == {
        subscription_ids.of_license(a_license(1)),
        subscription_ids.of_license(a_license(9)),
    }
    assert customer.version == 2
    assert IdentityRow.count() == 1
    assert "first@example.com" in browser.get().text


def test_the_same_subject_elsewhere_is_another_person(house: House) -> None:
    customer_id = house.buys("user-1", 1)
    browser = house.land("token-2", LicenseArn=a_license(9))
    browser.sign_in(house.github, "user-1", email="ada@example.com")
    browser.submit("ada@example.com")
    assert CustomerRow.count() == 2
    assert ClaimRow.get(subscription_ids.of_license(a_license(9))).customer_id != customer_id


def test_who_holds_the_subscription_gets_it_back_by_signing_in(house: House) -> None:
    customer_id = house.buys("user-1", 1)
    early = house.land("early", LicenseArn=a_license(2))
    token = early.csrf_token()
    early.sign_in(house.oidc, "user-1")
    eve = house.land("eve", LicenseArn=a_license(2))
    eve.sign_in(house.oidc, "user-2")
    eves_token = eve.csrf_token()
    assert house.buys("user-1", 2) == customer_id

    for browser, form_token, status in ((early, token, 303), (eve, eves_token, 409)):
        form = {"csrf_token": form_token, "email": "ada@example.com"}
        assert browser.post("/register/customer", form).status_code == status
    assert CustomerRow.count() == 1


def test_a_deleted_customers_sign_in_leads_to_a_new_one(house: House) -> None:
    old = house.buys("user-1", 1)
    assert house.client.delete(f"/v1/customers/{old}", headers=house.operator).status_code == 204
    assert IdentityRow.count() == 0
    new = house.buys("user-1", 2, "new@example.com")
    assert new != old
    assert [(row.subject, row.customer_id) for row in IdentityRow.scan()] == [("user-1", new)]


# -- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "state", ["", "forged", "a.b", "ä.b", "of another session", "of another provider", "of its own, changed"]
)
def test_a_state_that_was_not_given_here_opens_nothing(house: House, state: str) -> None:
    browser, other = house.land("token-1"), house.land("token-2")
    own = state_of(browser.get("/register/sign-in/oidc"))
    code = house.oidc.code_for("eve")
    state = {
        "of another session": state_of(other.get("/register/sign-in/oidc")),
        "of another provider": state_of(browser.get("/register/sign-in/github")),
        "of its own, changed": own[:-1] + ("A" if own[-1] != "A" else "B"),
    }.get(state, state)

    is_refused(browser.come_back(house.oidc, state, code))

    # The code was not even looked at, and nobody has signed in.
    assert house.oidc.exchanges == []
    assert "You signed in" not in browser.get().text
    assert [row.signed_in for row in RegistrationRow.scan()] == [None, None]
    # The attempt that the browser did begin still ends well.
    assert browser.come_back(house.oidc, own, code).status_code == 303


def test_an_answer_for_another_provider_is_not_taken(house: House) -> None:
    """A mix-up (RFC 9700 §4.4): what one provider answered is brought to the other's address."""
    browser = house.land()
    state = state_of(browser.get("/register/sign-in/github"))
    is_refused(browser.come_back(house.oidc, state, house.oidc.code_for("eve")))
    assert house.oidc.exchanges == house.github.exchanges == []


def test_an_answer_is_good_once(house: House) -> None:
    browser = house.land()
    state = state_of(browser.get("/register/sign-in/oidc"))
    code = house.oidc.code_for("user-1")
    assert browser.come_back(house.oidc, state, code).status_code == 303
    browser.post("/register/sign-out", {"csrf_token": browser.csrf_token()})

    is_refused(browser.come_back(house.oidc, state, code))
    assert "You signed in" not in browser.get().text


def test_another_browser_cannot_use_the_answer(house: House) -> None:
    ada, eve = house.land("token-1"), house.land("token-2")
    state = state_of(ada.get("/register/sign-in/oidc"))
    code = house.oidc.code_for("ada")
    is_refused(eve.come_back(house.oidc, state, code))
    nobody = Browser(house.client).come_back(house.oidc, state, code)
    assert nobody.status_code == 401
    assert ada.come_back(house.oidc, state, code).status_code == 303


@pytest.mark.parametrize("answer", ["error=access_denied", "code=", "code=unknown", "code=a&code=b", ""])
def test_a_refusal_of_the_provider_is_a_page_that_leads_back(house: House, answer: str) -> None:
    browser = house.land()
    state = state_of(browser.get("/register/sign-in/oidc"))
    page = browser.get(f"/register/sign-in/oidc/callback?state={state}&{answer}")
    is_refused(page)
    assert 'href="/register"' in page.text
    assert "access_denied" not in page.text
    assert "Continue with Example ID" in browser.get().text


def test_a_failed_sign_in_does_not_forget_who_signed_in_before(house: House) -> None:
    browser = house.land()
    browser.sign_in(house.oidc, "user-1", name="Ada")
    is_refused(browser.get("/register/sign-in/github/callback?state=forged&code=x"))
    assert "You signed in with Example ID" in browser.get().text


@pytest.mark.parametrize("when", ["going", "coming back"])
def test_a_provider_that_is_away_is_said(house: House, when: str) -> None:
    browser = house.land()
    state = state_of(browser.get("/register/sign-in/oidc"))
    house.oidc.away = SignInAway("discovery: ConnectError")
    if when == "going":
        page = browser.get("/register/sign-in/oidc")
    else:
        page = browser.come_back(house.oidc, state, "code-1")
    assert page.status_code == 503
    assert int(page.headers["retry-after"]) > 0
    assert "Signing in does not work just now" in page.text
    assert "ConnectError" not in page.text
    # The other one works, and so does the form.
    assert browser.sign_in(house.github, "user-1").status_code == 303
    assert browser.submit().status_code == 303


def test_a_sign_in_of_an_expired_session_says_so(house: House) -> None:
    browser = house.land()
    state = state_of(browser.get("/register/sign-in/oidc"))
    house.clock.advance(minutes=60)
    for page in (browser.get("/register/sign-in/oidc"), browser.come_back(house.oidc, state, "code-1")):
        assert page.status_code == 410
        assert "This took a little too long" in page.text
    assert house.oidc.exchanges == []


@pytest.mark.parametrize("path", ["/register/sign-in/oidc", "/register/sign-in/oidc/callback?state=a&code=b"])
def test_without_a_session_there_is_no_sign_in(house: House, path: str) -> None:
    page = Browser(house.client).get(path)
    assert page.status_code == 401
    assert "We do not know you yet" in page.text


@pytest.mark.parametrize("path", ["/register/sign-in/evil", "/register/sign-in/evil/callback?state=a&code=b"])
def test_a_provider_that_there_is_not(house: House, path: str) -> None:
    page = house.land().get(path)
    assert page.status_code in (400, 404)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "evil" not in page.text


# -- out again -----------------------------------------------------------------------------------------------


def test_signing_out_forgets_who_it_was_and_keeps_the_purchase(house: House) -> None:
    browser = house.land()
    browser.sign_in(house.oidc, "user-1", name="Ada Lovelace")
    assert "Use another account" in browser.get().text

    out = browser.post("/register/sign-out", {"csrf_token": browser.csrf_token()})

    assert (out.status_code, out.headers["location"]) == (303, "/register")
    assert [row.signed_in for row in RegistrationRow.scan()] == [None]
    page = browser.get().text
    assert "Lovelace" not in page
    assert "Continue with Example ID" in page
    browser.sign_in(house.github, "user-2")
    browser.submit()
    assert [row.subject for row in IdentityRow.scan()] == ["user-2"]


# -- required, off -------------------------------------------------------------------------------------------


def test_where_signing_in_is_required_there_is_no_form_before(house: House) -> None:
    browser = house.land(ProductCode=SIGN_IN)
    page = browser.get().text
    assert "Sign in to go on" in page
    assert 'name="email"' not in page
    assert "csrf_token" not in page
    # Whoever gets hold of a form token all the same (by signing in and out) is refused.
    browser.sign_in(house.oidc, "user-1")
    token = browser.csrf_token()
    browser.post("/register/sign-out", {"csrf_token": token})
    refused = browser.post("/register/customer", {"csrf_token": token, "email": "ada@example.com"})
    assert refused.status_code == 403
    assert "Please sign in first" in refused.text
    assert CustomerRow.count() == 0

    browser.sign_in(house.oidc, "user-1")
    assert browser.submit().status_code == 303
    assert CustomerRow.count() == 1


def test_where_signing_in_is_off_there_is_none(house: House) -> None:
    browser = house.land(ProductCode=NO_SIGN_IN)
    assert "Continue with" not in browser.get().text
    for path in ("/register/sign-in/oidc", "/register/sign-in/oidc/callback?state=a&code=b"):
        assert browser.get(path).status_code == 404
    assert house.oidc.trips == []
    assert browser.submit().status_code == 303


# -- what is kept, and where ---------------------------------------------------------------------------------


def test_who_signed_in_is_unreadable_at_rest(house: House) -> None:
    browser = house.land()
    browser.sign_in(house.oidc, "subject-4711", email="ada.secret@id.example", name="Ada Secret")
    client = boto3.client("dynamodb", region_name="us-east-1")
    kept = json.dumps([client.scan(TableName=name)["Items"] for name in client.list_tables()["TableNames"]])
    for personal in ("subject-4711", "ada.secret", "Ada Secret", "id.example"):
        assert personal not in kept
    (row,) = RegistrationRow.scan()
    assert row.signed_in
    # Not even the buyer's other session can read it.
    other = house.land("token-2")
    for stranger in RegistrationRow.scan():
        stranger.update(actions=[RegistrationRow.signed_in.set(row.signed_in)])
    assert "Ada Secret" not in other.get().text
    assert "Ada Secret" in browser.get().text


def test_an_identity_goes_along_to_the_sellers_back_end(house: House) -> None:
    browser = house.land(ProductCode=HANDING_OVER)
    browser.sign_in(house.oidc, "user-1")
    assert browser.submit(purpose="Weather").status_code == 303
    (asked,) = house.sellers_system.asked
    assert asked["identity"] == {"issuer": "https://id.example", "subject": "user-1"}
    assert {row.issuer for row in IdentityRow.scan()} == {
        "https://id.example",
        "urn:marketplane:seller-account",
    }
    assert len({row.customer_id for row in IdentityRow.scan()}) == 1
