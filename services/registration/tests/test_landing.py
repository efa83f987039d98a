"""The pages: AWS's form post, the registration page, its forms, and what they do when something is wrong."""

import base64
import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from conftest import (
    CONCURRENT,
    CONTRACT,
    HANDING_OVER,
    LICENSE_ARN,
    NO_SIGN_IN,
    OFFER_TYPE_FIELD,
    OTHER_LICENSE_ARN,
    TOKEN_FIELD,
    Browser,
    House,
    assemble,
    concurrent_answer,
    news,
)

from registration import subscription_ids
from registration.arriving import EntitlementsNotRead
from registration.catalogue import Catalogue
from registration.entitlements import Entitlement
from registration.resolve_refusals import Refusal, TokenNotResolved
from registration.sealing import Box
from registration.settings import Settings
from registration.tables import ClaimRow, CustomerRow, RegistrationRow

Problem = Callable[[Any], tuple[int, str]]

SUBSCRIPTION_ID = subscription_ids.of_license(LICENSE_ARN)
AWAY = TokenNotResolved(Refusal.AWAY, "ThrottlingException")
IDS = re.compile(r"(reg|cus|sub)_[a-z2-7]{26}|req_\w+|[0-9a-f]{8}-[0-9a-f-]{27}")


def without_ids(answer: Any) -> tuple[int, dict[str, str], str]:
    """An answer as somebody sees it who looks for a difference: ids are random, so they are all alike."""
    telling = {
        name: value
        for name, value in answer.headers.items()
        if name not in ("x-request-id", "set-cookie", "date")
    }
    hidden = re.sub(r'(name="csrf_token" value=")[^"]+', r"\1", answer.text)
    return answer.status_code, telling, IDS.sub("id", hidden)


def is_a_closed_page(answer: Any) -> None:
    """HTML for a person, closed to everything that it does not use."""
    assert answer.headers["content-type"] == "text/html; charset=utf-8", answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in answer.headers["permissions-policy"]
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "unsafe" not in policy
    style = re.search(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "<script" not in answer.text
    assert '<html lang="en">' in answer.text
    for field in re.findall(r'<input id="(\w+)"', answer.text):
        assert f'<label for="{field}">' in answer.text


# -- the way through -----------------------------------------------------------------------------------------


def test_a_buyer_arrives_registers_and_sees_who_they_are(house: House) -> None:
    house.marketplace.answers["token-1"] = concurrent_answer()
    browser = Browser(house.client)
    landed = browser.post("/register", {TOKEN_FIELD: "token-1"})
    assert (landed.status_code, landed.headers["location"]) == (303, "/register")

    form = browser.get()
    assert form.status_code == 200
    assert "Set up your account for Endpoints" in form.text
    assert "What you bought" not in form.text

    submitted = browser.submit(email=" ada@example.com ", name="Ada <b>", company="")
    assert (submitted.status_code, submitted.headers["location"]) == (303, "/register")

    account = browser.get()
    assert account.status_code == 200
    for said in ("Your account is set up", "ada@example.com", "Ada &lt;b&gt;", "Endpoints", "two minutes"):
        assert said in account.text
    (row,) = CustomerRow.scan()
    assert (row.email, row.name, row.company) == ("ada@example.com", "Ada <b>", None)


@pytest.mark.parametrize(
    ("status", "access", "says"),
    [
        ("active", "granted", "You have access now"),
        ("ending", "granted", "You have access now"),
        ("pending", "denied", "Access comes in about two minutes"),
        ("ended", "denied", "has ended"),
        ("failed", "denied", "could not be activated"),
    ],
)
def test_the_page_says_when_access_comes(house: House, status: str, access: str, says: str) -> None:
    browser = house.land()
    browser.submit()
    news(SUBSCRIPTION_ID, status, access)
    assert says in browser.get().text


def test_the_language_of_the_page_is_that_of_the_letters(house: House) -> None:
    browser = house.land()
    browser.get("/register?lang=de")
    assert '<html lang="de">' in browser.get().text
    browser.submit()
    assert [row.language for row in CustomerRow.scan()] == ["de"]
    assert '<html lang="de">' in browser.get("/register/nowhere").text


def test_what_aws_may_add_one_day_does_not_stop_a_buyer(house: House) -> None:
    house.marketplace.answers["token-1"] = concurrent_answer()
    more = {"x-amzn-marketplace-something-new": "1", TOKEN_FIELD: "token-1"}
    assert Browser(house.client).post("/register", more).status_code == 303
    assert Browser(house.client).post("/register?utm_source=aws", {TOKEN_FIELD: "token-1"}).status_code == 303
    for query in ("utm_source=aws", "others=1", "a=1&a=2&b"):
        assert house.client.get(f"/register?{query}").status_code == 200


def test_sending_the_form_twice_leaves_one_customer(house: House) -> None:
    browser = house.land()
    token = browser.csrf_token()
    for name in ("Ada", "Countess"):
        form = {"csrf_token": token, "email": "ada@example.com", "name": name}
        assert browser.post("/register/customer", form).status_code == 303
    assert [row.name for row in CustomerRow.scan()] == ["Ada"]
    assert ClaimRow.count() == 1


def test_another_product_of_the_same_buyer_is_another_subscription(house: House) -> None:
    house.land().submit()
    assert house.land("token-2", LicenseArn=OTHER_LICENSE_ARN).submit().status_code == 303
    assert CustomerRow.count() == 2


# -- sessions ------------------------------------------------------------------------------------------------


def test_the_cookie_is_closed_to_scripts_and_other_sites(house: House) -> None:
    house.marketplace.answers["token-1"] = concurrent_answer()
    cookie = house.client.post("/register", data={TOKEN_FIELD: "token-1"}).headers["set-cookie"]
    assert cookie.startswith("registration=")
    assert {part.strip() for part in cookie.split(";")[1:]} == {"HttpOnly", "Path=/", "SameSite=Lax"}


def test_behind_https_the_cookie_has_the_host_prefix(
    house: House, settings: Settings, catalogue: Catalogue
) -> None:
    secure = assemble(settings.model_copy(update={"cookie_secure": True}), catalogue)
    secure.marketplace.answers["token-1"] = concurrent_answer()
    landed = secure.client.post("/register", data={TOKEN_FIELD: "token-1"})
    cookie = landed.headers["set-cookie"]
    assert cookie.startswith("__Host-registration=")
    assert {part.strip() for part in cookie.split(";")[1:]} == {
        "HttpOnly",
        "Path=/",
        "SameSite=Lax",
        "Secure",
    }
    assert landed.headers["strict-transport-security"] == "max-age=31536000"

    value = cookie.split(";")[0].partition("=")[2]
    form = {"csrf_token": "x"}
    by_its_name = Browser(secure.client, {"__Host-registration": value}).post("/register/customer", form)
    assert by_its_name.status_code == 403
    by_plain_name = Browser(secure.client, {"registration": value}).post("/register/customer", form)
    assert by_plain_name.status_code == 401
    assert "Set up your account for" not in Browser(secure.client, {"registration": value}).get().text


def test_opened_without_a_session_the_page_is_friendly(house: House) -> None:
    page = Browser(house.client).get()
    assert page.status_code == 200
    assert "Set up your account from AWS Marketplace" in page.text
    assert "support@seller.example" in page.text


@pytest.mark.parametrize("cookie", ["forged", "reg_a.b.c", ""])
def test_a_forged_cookie_opens_nothing(house: House, cookie: str) -> None:
    browser = Browser(house.client, {"registration": cookie})
    assert "Set up your account from AWS Marketplace" in browser.get().text
    assert browser.post("/register/customer", {"csrf_token": "x"}).status_code == 401


def test_a_session_whose_registration_is_gone_opens_nothing(house: House) -> None:
    browser = house.land()
    token = browser.csrf_token()
    for row in RegistrationRow.scan():
        row.delete()
    assert "Set up your account from AWS Marketplace" in browser.get().text
    late = browser.post("/register/customer", {"csrf_token": token, "email": "ada@example.com"})
    assert late.status_code == 410


def test_a_form_sent_too_late_says_what_to_do(house: House) -> None:
    browser = house.land()
    token = browser.csrf_token()
    house.clock.advance(minutes=60)
    page = browser.post("/register/customer", {"csrf_token": token, "email": "ada@example.com"})
    assert page.status_code == 410
    assert "This took a little too long" in page.text
    assert "press <strong>Set up your account</strong>" in page.text
    assert CustomerRow.count() == 0
    assert "Set up your account from AWS Marketplace" in browser.get().text


# -- forms that are not ours ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/register/customer", "/register/sign-out"])
@pytest.mark.parametrize("token", ["none", "empty", "forged", "of another session"])
def test_a_form_of_another_site_is_refused(house: House, path: str, token: str) -> None:
    browser = house.land()
    browser.sign_in(house.oidc, "user-1")
    form = {"email": "eve@example.com"}
    if token != "none":
        others = house.land("token-2").csrf_token()
        form["csrf_token"] = {"empty": "", "forged": "fórged", "of another session": others}[token]

    page = browser.post(path, form)

    assert page.status_code == 403
    assert "Please send the form again" in page.text
    is_a_closed_page(page)
    assert CustomerRow.count() == 0
    assert "You signed in with Example ID" in browser.get().text


def test_an_empty_post_is_a_page_too(house: House) -> None:
    browser = house.land()
    for path in ("/register/customer", "/register/sign-out"):
        assert browser.ask("POST", path).status_code == 403
    assert Browser(house.client).ask("POST", "/register").status_code == 400


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"email": ""}, "Enter an e-mail address"),
        ({"email": "nowhere"}, "Enter an e-mail address"),
        ({"email": "a@b.example", "name": "n" * 201}, "At most 200 characters"),
    ],
)
def test_a_form_with_a_slip_comes_back_with_a_word_at_it(
    house: House, fields: dict[str, str], says: str
) -> None:
    browser = house.land()
    page = browser.submit(company="Kept & shown", **fields)
    assert page.status_code == 400
    assert says in page.text
    assert 'aria-invalid="true"' in page.text
    assert 'value="Kept &amp; shown"' in page.text
    is_a_closed_page(page)
    assert CustomerRow.count() == 0


def test_a_products_own_question_is_asked_and_must_be_answered(house: House) -> None:
    browser = house.land(ProductCode=HANDING_OVER)
    assert '<label for="purpose">' in browser.get().text
    page = browser.submit()
    assert page.status_code == 400
    assert "Please answer this." in page.text
    assert house.sellers_system.asked == []
    assert browser.submit(purpose="Weather").status_code == 303
    assert [row.fields for row in CustomerRow.scan()] == [{"purpose": "Weather"}]


# -- when something is wrong ---------------------------------------------------------------------------------


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
        (AWAY, 503, "please try again in a moment"),
        ({"ProductCode": "another"}, 400, "We do not know this product"),
        (concurrent_answer(license_arn=""), 502, "wrong on our side"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_token_that_is_not_taken_gets_a_page(house: House, refused: Any, status: int, says: str) -> None:
    house.marketplace.answers["bad-token"] = refused
    browser = Browser(house.client)
    page = browser.post("/register", {TOKEN_FIELD: "bad-token"})
    assert page.status_code == status
    assert says in page.text
    is_a_closed_page(page)
    assert "bad-token" not in page.text
    assert browser.cookies == {}
    assert ("retry-after" in page.headers) is (status == 503)
    assert ('name="retry"' in page.text) is (status == 503)
    assert RegistrationRow.count() == 0


@pytest.mark.parametrize(
    "form", [{}, {TOKEN_FIELD: ""}, {"token": "token-1"}, {TOKEN_FIELD: "t" * 16_385}, {"retry": ""}]
)
def test_without_a_token_there_is_a_page_too(house: House, form: dict[str, str]) -> None:
    page = Browser(house.client).post("/register", form)
    assert page.status_code == 400
    assert "Please start again from AWS Marketplace" in page.text


def _lands(house: House, **more: Any) -> Any:
    return house.client.post("/register", **({"data": {TOKEN_FIELD: "token-1"}} | more))


MISTAKES: dict[int, Callable[[House], Any]] = {
    400: lambda house: _lands(house, data={}),
    401: lambda house: house.client.post("/register/customer", data={"email": "ada@example.com"}),
    404: lambda house: house.client.get("/register/nowhere"),
    405: lambda house: house.client.put("/register"),
    413: lambda house: _lands(house, data={TOKEN_FIELD: "t" * 70_000}),
    415: lambda house: _lands(house, data=None, json={TOKEN_FIELD: "token-1"}),
    500: lambda house: _lands(house),
}


@pytest.mark.parametrize("status", MISTAKES)
def test_every_mistake_below_register_is_a_page_for_people(
    house: House, problem: Problem, status: int
) -> None:
    house.marketplace.answers["token-1"] = RuntimeError("boom at token-1")
    page = MISTAKES[status](house)
    assert page.status_code == status
    is_a_closed_page(page)
    assert "support@seller.example" in page.text
    assert "boom" not in page.text
    assert "token-1" not in page.text
    if status == 401:
        assert page.headers["www-authenticate"]
    if status == 405:
        assert page.headers["allow"] == "GET, HEAD, POST"
    if status == 500:
        assert page.headers["x-request-id"] in page.text

    house.client.headers["Accept"] = "application/problem+json"
    try:
        document = MISTAKES[status](house)
    finally:
        house.client.headers["Accept"] = "*/*"
    assert problem(document)[0] == status
    assert "boom" not in document.text
    assert document.headers["cache-control"] == "no-store"


def test_a_page_that_is_not_below_register_is_none(house: House, problem: Problem) -> None:
    assert problem(house.client.get("/registered")) == (404, "not-found")


def test_when_aws_is_away_the_button_needs_no_new_token(house: House, problem: Problem) -> None:
    house.marketplace.answers["the-token"] = AWAY
    browser = Browser(house.client)
    form = {TOKEN_FIELD: "the-token", OFFER_TYPE_FIELD: "free-trial"}
    apology = browser.post("/register", form)
    assert apology.status_code == 503
    assert "the-token" not in apology.text + str(apology.headers)
    retry = _retry_of(apology)

    # Still away: the button is there again, and the one before is still good.
    again = browser.post("/register", {"retry": retry})
    assert again.status_code == 503
    assert "the-token" not in again.text + str(again.headers)
    document = browser.post("/register", form, headers={"Accept": "application/json"})
    assert problem(document) == (503, "unavailable")
    assert "the-token" not in document.text

    house.marketplace.answers["the-token"] = concurrent_answer()
    for sealed in (retry, _retry_of(again), document.json()["retry"]):
        assert browser.post("/register", {"retry": sealed}).status_code == 303
    assert "Set up your account for Endpoints" in browser.get().text
    assert {row.offer_type for row in RegistrationRow.scan()} == {"free-trial"}


def _retry_of(page: Any) -> str:
    found = re.search(r'<input type="hidden" name="retry" value="([^"]+)">', page.text)
    assert found, page.text
    return found.group(1)


@pytest.mark.parametrize(
    "spoilt", ["not at all", "too late", "tampered", "of another purpose", "of another house"]
)
def test_a_spoilt_retry_leads_back_to_aws(house: House, settings: Settings, spoilt: str) -> None:
    house.marketplace.answers["the-token"] = concurrent_answer()
    secret = "o" * 32 if spoilt == "of another house" else settings.session_secret.get_secret_value()
    purpose = "deployment secret" if spoilt == "of another purpose" else "retry of an arrival"
    retry = Box([secret], purpose).seal("\nthe-token", house.clock.now())
    if spoilt == "tampered":
        retry = retry[:40] + ("A" if retry[40] != "A" else "B") + retry[41:]
    house.clock.advance(minutes=30, seconds=1 if spoilt == "too late" else 0)

    page = Browser(house.client).post("/register", {"retry": retry})

    if spoilt == "not at all":
        assert page.status_code == 303
    else:
        assert page.status_code == 400
        assert "Please start again from AWS Marketplace" in page.text


# -- rates ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def narrow_house(shared_house: House, settings: Settings, catalogue: Catalogue) -> House:
    """The service with a low limit of each kind, behind a proxy that says who came."""
    low = {"landings_rate": "2/hour", "api_arrivals_rate": "3/hour", "submits_rate": "4/hour"}
    return assemble(settings.model_copy(update=low | {"proxy_hops": 1}), catalogue)


@pytest.fixture
def narrow(house: House, narrow_house: House) -> House:
    """The same on the swept tables of `house`. Limits are not swept: each test comes from an address of its
    own."""
    narrow_house.clear()
    narrow_house.marketplace.answers["token-1"] = concurrent_answer()
    return narrow_house


def lands_from(narrow: House, forwarded: str, **headers: str) -> Any:
    form, sender = {TOKEN_FIELD: "token-1"}, {"X-Forwarded-For": forwarded}
    return Browser(narrow.client).post("/register", form, headers=sender | headers)


def test_too_many_arrivals_of_one_address_are_asked_to_wait(narrow: House, problem: Problem) -> None:
    assert [lands_from(narrow, "203.0.113.1").status_code for _ in range(2)] == [303, 303]
    page = lands_from(narrow, "203.0.113.1")
    assert page.status_code == 429
    is_a_closed_page(page)
    assert "That was a little too fast" in page.text
    assert 3000 < int(page.headers["retry-after"]) <= 3600

    for accept in ("application/problem+json", "application/json"):
        document = lands_from(narrow, "203.0.113.1", Accept=accept)
        assert problem(document) == (429, "too-many-requests")
        assert int(document.headers["retry-after"]) > 0
    # Nobody gets another limit by saying that they are somebody else; another address has its own.
    assert lands_from(narrow, "198.51.100.1, 203.0.113.1").status_code == 429
    assert lands_from(narrow, "198.51.100.1").status_code == 303
    # Looking costs nothing.
    assert narrow.client.get("/register", headers={"X-Forwarded-For": "203.0.113.1"}).status_code == 200


def test_too_many_submits_of_one_session_are_asked_to_wait(narrow: House) -> None:
    first, other = (_browser(narrow, lands_from(narrow, "203.0.113.2")) for _ in range(2))
    for _ in range(2):
        assert first.submit(email="nowhere").status_code == 400
    assert first.get("/register/sign-in/oidc").status_code == 303
    assert first.post("/register/sign-out", {"csrf_token": "foreign"}).status_code == 403
    for refused in (_sent(first), first.get("/register/sign-in/oidc")):
        assert refused.status_code == 429
        is_a_closed_page(refused)
        assert int(refused.headers["retry-after"]) > 0
    assert other.submit().status_code == 303


def _browser(house: House, landed: Any) -> Browser:
    name, _, value = str(landed.headers["set-cookie"]).partition(";")[0].partition("=")
    return Browser(house.client, {name: value})


def _sent(browser: Browser) -> Any:
    return browser.post("/register/customer", {"csrf_token": "whatever"})


def test_too_many_calls_of_the_api_are_asked_to_wait(narrow: House, problem: Problem) -> None:
    narrow.client.headers["X-Forwarded-For"] = "203.0.113.3"
    try:
        created = [narrow.arrive("token-1") for _ in range(3)]
        refused = narrow.client.post("/v1/registrations", json={"registration_token": "token-1"})
    finally:
        del narrow.client.headers["X-Forwarded-For"]
    assert problem(refused) == (429, "too-many-requests")
    for _ in range(4):
        assert narrow.register(created[0]).status_code in (200, 201)
    assert problem(narrow.register(created[0])) == (429, "too-many-requests")
    assert problem(narrow.register(created[1])) == (409, "subscription-already-claimed")


# -- nobody is led astray ------------------------------------------------------------------------------------


def test_no_address_of_the_request_becomes_a_location(house: House) -> None:
    evil = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "gopher",
        "Forwarded": "host=evil.example",
        "Referer": "https://evil.example/",
        "Origin": "https://evil.example",
        "X-Original-URL": "https://evil.example/",
    }
    query = "?next=https://evil.example&redirect_uri=https://evil.example&return_to=//evil.example"
    house.marketplace.answers["token-1"] = concurrent_answer()
    form = {TOKEN_FIELD: "token-1", "next": "//evil.example"}
    landed = Browser(house.client).post(f"/register{query}", form, headers=evil)
    browser = _browser(house, landed)
    token = browser.csrf_token()
    away = browser.get(f"/register/sign-in/oidc{query}", headers=evil)
    state = house.oidc.trips[-1]["state"]
    back = browser.get(
        f"/register/sign-in/oidc/callback{query}&state={state}&code={house.oidc.code_for('user-1')}",
        headers=evil,
    )
    out = browser.post("/register/sign-out", {"csrf_token": token, "next": "//evil.example"}, headers=evil)
    form = {"csrf_token": token, "email": "a@b.example", "next": "//evil.example"}
    submitted = browser.post("/register/customer", form, headers=evil)
    for answer in (landed, back, out, submitted):
        assert (answer.status_code, answer.headers["location"]) == (303, "/register")
        assert "evil" not in str(answer.headers)
    assert away.status_code == 303
    assert away.headers["location"].startswith("https://id.example/authorize?")
    assert "evil" not in away.headers["location"]
    assert {one["redirect_uri"] for one in (*house.oidc.trips, *house.oidc.exchanges)} == {
        "https://register.seller.example/register/sign-in/oidc/callback"
    }
    for page in (browser.get(f"/register{query}", headers=evil), browser.get("//evil.example/register")):
        assert "location" not in page.headers
        assert "evil.example" not in page.text


# -- who is registered is not told ---------------------------------------------------------------------------


def test_a_form_does_not_tell_whether_an_address_is_known(house: House) -> None:
    house.land().submit(email="known@example.com", name="Known")
    seen = []
    for number, email in enumerate(("known@example.com", "newly@example.com")):
        arn = f"{OTHER_LICENSE_ARN[:-1]}{number}"
        browser = house.land(f"token-{number}-x", license_arn=arn)
        steps = [browser.get(), browser.submit(email=email), browser.get()]
        seen.append([str(without_ids(step)).replace(email, "the address") for step in steps])
    assert seen[0] == seen[1]
    assert "the address" in seen[0][2]
    assert CustomerRow.count() == 3


def test_whose_a_claimed_subscription_is_is_not_told(house: House) -> None:
    """Whoever brings a token of the same purchase may try addresses: the right one gets what a wrong one
    gets."""
    early = [house.land(f"early-{number}") for number in range(2)]
    tokens = [browser.csrf_token() for browser in early]
    house.land().submit(email="known@example.com", name="Known")
    emails = ("known@example.com", "wrong@example.com")

    pages = [
        browser.post("/register/customer", {"csrf_token": token, "email": email})
        for browser, token, email in zip(early, tokens, emails, strict=True)
    ]

    assert [page.status_code for page in pages] == [409, 409]
    assert without_ids(pages[0]) == without_ids(pages[1])
    assert "known" not in pages[0].text.lower().replace("do not know", "")
    registrations = sorted(row.registration_id for row in RegistrationRow.scan())
    for page in pages:
        assert SUBSCRIPTION_ID in page.text
        assert sum(one in page.text for one in registrations) == 1
    assert CustomerRow.count() == 1


def test_landing_again_shows_no_personal_data(house: House) -> None:
    house.land().submit(email="ada@example.com", name="Ada Lovelace")
    page = house.land("token-2").get()
    assert "This subscription is registered" in page.text
    assert "ada@example.com" not in page.text
    assert "Lovelace" not in page.text
    assert "csrf_token" not in page.text


def test_the_deleted_are_not_shown(house: House) -> None:
    browser = house.land()
    browser.submit()
    (row,) = CustomerRow.scan()
    assert house.client.delete(f"/v1/customers/{row.customer_id}", headers=house.operator).status_code == 204
    page = browser.get()
    assert page.status_code == 200
    assert "ada@example.com" not in page.text


# -- what was bought -----------------------------------------------------------------------------------------

UNTIL = datetime(2027, 11, 22, 10, tzinfo=UTC)


def test_a_contracts_entitlements_are_shown_and_asked_once(house: House) -> None:
    house.marketplace.entitled[SUBSCRIPTION_ID] = (
        Entitlement("seats", "integer", "1250", UNTIL),
        Entitlement("gone", "boolean", "true", None),
    )
    browser = house.land(ProductCode=CONTRACT)
    form = browser.get()
    assert "What you bought" in form.text
    for said in ("Seats", "1,250 Users", "November 22, 2027", "gone", "included"):
        assert said in form.text

    browser.submit()
    account = browser.get()
    assert "What your contract holds" in account.text
    assert "1,250 Users" in account.text
    # Arriving asks nothing; each page after it shows what was kept.
    assert house.marketplace.entitlements_asked == 1


def test_a_contract_without_entitlements_says_so(house: House) -> None:
    browser = house.land(ProductCode=CONTRACT)
    assert "has not told us yet what your contract holds" in browser.get().text


@pytest.mark.parametrize("our_fault", [True, False])
def test_while_aws_does_not_say_registering_goes_on(house: House, our_fault: bool) -> None:
    house.marketplace.entitled[SUBSCRIPTION_ID] = EntitlementsNotRead("AccessDeniedException", our_fault)
    browser = house.land(ProductCode=CONTRACT)
    for page in (browser.get(), (browser.submit(), browser.get())[1]):
        assert page.status_code == 200
        assert "could not tell us just now what your contract holds" in page.text
    house.marketplace.entitled[SUBSCRIPTION_ID] = (Entitlement("seats", "integer", "20", None),)
    assert "20 Users" in browser.get().text


def test_only_contracts_are_asked_about(house: House) -> None:
    house.marketplace.entitled[SUBSCRIPTION_ID] = (Entitlement("seats", "integer", "20", None),)
    browser = house.land(ProductCode=NO_SIGN_IN)
    assert "20 Users" not in browser.get().text
    browser.submit()
    assert "What your contract holds" not in browser.get().text
    assert house.marketplace.entitlements_asked == 0


def test_landing_again_does_not_show_what_another_bought(house: House) -> None:
    house.marketplace.entitled[SUBSCRIPTION_ID] = (Entitlement("seats", "integer", "20", None),)
    house.land(ProductCode=CONTRACT).submit()
    assert "20 Users" not in house.land("token-2", ProductCode=CONTRACT).get().text


def test_a_trial_is_kept_and_said(house: House) -> None:
    browser = house.land(offer_type="free-trial")
    assert ">Free trial<" in browser.get().text
    browser.submit()
    assert "As a free trial." in browser.get().text
    assert [row.offer_type for row in RegistrationRow.scan()] == ["free-trial"]
    assert [row.offer_type for row in ClaimRow.scan()] == ["free-trial"]


@pytest.mark.parametrize("published", [True, False, None])
@pytest.mark.parametrize("offer_type", ["free-trial", "something-else", None])
def test_a_trial_is_what_the_agreement_says_before_what_the_browser_brought(
    house: House, published: bool | None, offer_type: str | None
) -> None:
    trial = offer_type == "free-trial" if published is None else published
    news(SUBSCRIPTION_ID, "active", "granted", free_trial=published)

    by_api = house.arrive("token-1", offer_type)
    assert by_api["free_trial"] is trial
    browser = house.land("token-2", offer_type)
    assert (">Free trial<" in browser.get().text) is trial
    browser.submit()
    assert (">Free trial<" in browser.get().text) is trial
    (customer,) = CustomerRow.scan()
    access = house.client.get(f"/v1/customers/{customer.customer_id}/access", headers=house.reader).json()
    assert [one["free_trial"] for one in access["subscriptions"]] == [trial]
    house.work()
    assert [("free trial" in letter.text) for letter, *_ in house.mail.sent] == [trial]


def test_the_page_says_until_when_a_trial_runs(house: House) -> None:
    browser = house.land()
    browser.submit()
    news(SUBSCRIPTION_ID, "active", "granted", free_trial=True, trial_ends_at=UNTIL)
    assert "Your free trial runs until November 22, 2027" in browser.get().text


@pytest.mark.parametrize("odd", ["<script>", "free trial", "x" * 65, "frée-trial", "--\n"])
def test_an_odd_offer_type_is_not_kept(house: House, odd: str) -> None:
    house.land(offer_type=odd)
    assert [row.offer_type for row in RegistrationRow.scan()] == [None]


def test_the_catalogue_is_looked_at_by_product_code(house: House) -> None:
    assert "Set up your account for Endpoints" in house.land(ProductCode=CONCURRENT).get().text
    assert "Set up your account for Seats" in house.land("token-2", ProductCode=CONTRACT).get().text
