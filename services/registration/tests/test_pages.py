"""The pages without a service behind them: each with all that it can show, in both languages."""

import base64
import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flask
import jinja2
import pytest

from chassis.problem_pages import Asked
from chassis.problems import Problem, Unavailable
from registration.branding import PAPER, PAPER_DARK, Branding
from registration.catalogue import Catalogue, read_catalogue
from registration.languages import LANGUAGES, Language
from registration.pages import page, problem_page
from registration.schemas import CustomerDetailsSchema

ROOT = Path(__file__).parents[3]
PLAIN, ASKING, CONTRACT = (
    "5fexampleclassic0000000000",
    "74azexampleendpoints00000",
    "6cexamplecontract00000000",
)
UNTIL = datetime(2027, 11, 22, 10, tzinfo=UTC)
ENTITLEMENTS = [
    {"dimension_title": "Editors", "unit": "Users", "value": "1250", "expires_at": UNTIL},
    {"dimension_title": "Viewers", "unit": "Users", "value": 12.5, "expires_at": None},
    {"dimension_title": "Single sign-on", "unit": "Unit", "value": True, "expires_at": UNTIL},
]
PROVIDERS = [{"key": "example", "title": "Example ID"}, {"key": "git hub", "title": "GitHub"}]
FORM: dict[str, Any] = {
    "csrf_token": "csrf-1",
    "trial": False,
    "show_entitlements": False,
    "entitlements": None,
    "ways": {"form": True, "sign_in": []},
}
ADA = SimpleNamespace(name="Ada Lovelace", email="ada@example.com", company="Analytical Engines")
ACCOUNT: dict[str, Any] = {
    "customer": ADA,
    "customer_id": "cus_1",
    "subscription_id": "sub_1",
    "access": SimpleNamespace(access="granted", status="active"),
    "account_id": None,
    "trial": False,
    "trial_ends_at": None,
    "show_entitlements": False,
    "entitlements": None,
}
IDS = {"registration_id": "reg_1", "subscription_id": "sub_1"}
SIGNED_IN = {"name": "Ada", "email": "ada@example.com", "provider_title": "Example ID", "known": True}
SLUGS = (
    "invalid-token",
    "expired-token",
    "registration-expired",
    "unauthorized",
    "unknown-product",
    "subscription-already-claimed",
    "foreign-form",
    "unavailable",
    "too-many-requests",
    "too-large",
    "sign-in-refused",
    "sign-in-unavailable",
    "sign-in-needed",
    "not-found",
    "internal-error",
)

# Every page with everything on it: template, product code, what it shows.
SAMPLES: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    "start": ("start.html", None, {}),
    "form": ("register.html", PLAIN, FORM),
    "form with everything": (
        "register.html",
        ASKING,
        FORM | {"trial": True, "ways": {"form": True, "sign_in": PROVIDERS}},
    ),
    "form with errors": (
        "register.html",
        ASKING,
        FORM
        | {
            "entered": {"email": "nowhere", "name": "<b>Ada</b>", "team_size": "few"},
            "errors": {
                "email": ["Enter an e-mail address, such as ada@example.com."],
                "team_size": ["Choose one of the answers that are offered."],
            },
        },
    ),
    "form refused by the seller": (
        "register.html",
        PLAIN,
        FORM | {"refused": "This <company> is on no list of ours."},
    ),
    "sign-in required": (
        "register.html",
        ASKING,
        FORM | {"ways": {"form": False, "sign_in": PROVIDERS}},
    ),
    "signed in": ("register.html", ASKING, FORM | {"signed_in": SIGNED_IN}),
    "contract": (
        "register.html",
        CONTRACT,
        FORM | {"show_entitlements": True, "entitlements": ENTITLEMENTS},
    ),
    "contract unread": ("register.html", CONTRACT, FORM | {"show_entitlements": True}),
    "contract empty": ("register.html", CONTRACT, FORM | {"show_entitlements": True, "entitlements": []}),
    "waiting": ("waiting.html", PLAIN, {"ids": IDS}),
    "registered": ("registered.html", PLAIN, ACCOUNT),
    "registered with everything": (
        "registered.html",
        CONTRACT,
        ACCOUNT
        | {
            "account_id": "acct-42",
            "trial": True,
            "trial_ends_at": UNTIL,
            "show_entitlements": True,
            "entitlements": ENTITLEMENTS,
        },
    ),
    "registered, no news yet": ("registered.html", PLAIN, ACCOUNT | {"access": None}),
    "registered, ended": (
        "registered.html",
        PLAIN,
        ACCOUNT | {"access": SimpleNamespace(access="denied", status="ended")},
    ),
    "registered by another": ("registered.html", PLAIN, ACCOUNT | {"customer": None}),
    "registered, product gone": ("registered.html", None, ACCOUNT),
}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """The example products."""
    return read_catalogue(ROOT / "products.yaml")


@pytest.fixture
def app(catalogue: Catalogue) -> flask.Flask:
    """A bare application whose parts are what pages reach."""
    app = flask.Flask(__name__)
    app.extensions["marketplane"] = SimpleNamespace(
        parts=SimpleNamespace(catalogue=catalogue, cookie_secure=True)
    )
    return app


def shown(app: flask.Flask, sample: str, query: str = "", **request: Any) -> flask.Response:
    template, product_code, values = SAMPLES[sample]
    catalogue = app.extensions["marketplane"].parts.catalogue
    product = catalogue.find(product_code) if product_code else None
    with app.test_request_context(f"/register{query}", **request):
        return page(template, product=product, **values)


def asked(query: dict[str, str] | None = None, **headers: str) -> Asked:
    return Asked(request_id="req-1", path="/register", query=query or {}, headers=headers, cookies={})


def problem_html(app: flask.Flask, problem: Problem, language: Language = "en") -> str:
    with app.app_context():
        return problem_page(problem, asked({"lang": language}))[0]


def every_page(app: flask.Flask, language: Language) -> dict[str, str]:
    samples = {name: shown(app, name, f"?lang={language}").get_data(as_text=True) for name in SAMPLES}
    problems = {slug: problem_html(app, Problem(400, slug, "t", **IDS), language) for slug in SLUGS}
    retry = problem_html(app, Unavailable("AWS is away.", retry="sealed"), language)
    return samples | problems | {"retry": retry}


def words(html: str) -> str:
    """What a reader sees, on one line."""
    text = re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL)
    return " ".join(text.split())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_is_whole(app: flask.Flask, language: Language) -> None:
    for name, html in every_page(app, language).items():
        assert f'<html lang="{language}">' in html, name
        assert "<script" not in html, name
        assert len(re.findall("<h1>", html)) == 1, name
        assert re.search(r"<title>[^<]{5,}</title>", html), name
        assert "support@seller.example" in html, name
        ids = re.findall(r' id="([^"]+)"', html)
        assert len(ids) == len(set(ids)), name
        for described in re.findall(r'aria-describedby="([^"]+)"', html):
            assert set(described.split()) <= set(ids), name
        for form_field in re.findall(r'<(?:input|select) id="(\w+)"', html):
            assert f'<label for="{form_field}"' in html, name
        for place in re.findall(r' href="#([^"]+)"', html):
            assert place in ids, name


def test_no_page_leads_anywhere_that_the_buyer_named(app: flask.Flask) -> None:
    for name, html in every_page(app, "en").items():
        for address in re.findall(r'(?:href|action|src)="([^"]+)"', html):
            assert re.match(
                r"#|/register(?:$|[?/])|mailto:support@seller\.example$|https://seller\.example/support$"
                r"|https://app\.seller\.example$|data:image/svg\+xml;base64,"
                r"|https://console\.aws\.amazon\.com/marketplace/home#/subscriptions$",
                address,
            ), (name, address)


def test_every_slug_has_words_of_its_own(app: flask.Flask) -> None:
    told = [words(problem_html(app, Problem(400, slug, "t"))) for slug in SLUGS]
    assert len(set(told)) == len(SLUGS)
    unknown = problem_html(app, Problem(418, "teapot", "t"))
    assert "something is wrong on our side" in unknown
    assert "req-1" in unknown


@pytest.mark.parametrize("sample", ["form", "contract"])
def test_a_page_is_closed_to_what_it_does_not_use(app: flask.Flask, sample: str) -> None:
    answer = shown(app, sample)
    html = answer.get_data(as_text=True)
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()
    assert answer.headers["Content-Security-Policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    assert re.search(r"<(?:style>.*?</style>|[^>]* style=)", html.replace(style.group(0), "")) is None
    for name, value in {
        "Content-Type": "text/html; charset=utf-8",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
        "Vary": "Accept-Language, Cookie",
    }.items():
        assert answer.headers[name] == value
    assert "camera=()" in answer.headers["Permissions-Policy"]
    assert "Set-Cookie" not in answer.headers


def test_each_product_has_its_colours_and_words(app: flask.Flask) -> None:
    plain, contract = (shown(app, sample).get_data(as_text=True) for sample in ("form", "contract"))
    assert "--act: #0b5cad" in plain
    assert "--act: #0a6b56" in contract
    assert "--act: #6fd3b8" in contract
    assert "#0b5cad" not in contract
    assert "Your models run on our machines" in plain
    assert 'alt="Example Seller"' in plain


def test_the_style_has_the_grounds_that_colours_are_checked_against() -> None:
    style = (ROOT / "services/registration/src/registration/templates/style.css").read_text()
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    assert f"--paper: {PAPER}; " in light
    assert f"--act: {Branding.accent};" in light
    assert f"--paper: {PAPER_DARK}; " in dark
    assert f"--act: {Branding.accent_dark};" in dark


@pytest.mark.parametrize(
    ("query", "cookie", "header", "language"),
    [
        ("", "", "", "en"),
        ("", "", "de-AT,de;q=0.9,en;q=0.8", "de"),
        ("", "", "fr, en;q=0.1", "en"),
        ("", "registration-language=de", "en", "de"),
        ("?lang=en", "registration-language=de", "de", "en"),
        ("?lang=fr", "registration-language=de", "", "de"),
        ("?lang=fr", "registration-language=<script>", "", "en"),
    ],
)
def test_the_reader_gets_their_language(
    app: flask.Flask, query: str, cookie: str, header: str, language: str
) -> None:
    answer = shown(app, "start", query, headers={"Cookie": cookie, "Accept-Language": header})
    assert answer.headers["Content-Language"] == language
    assert f'<html lang="{language}">' in answer.get_data(as_text=True)


def test_a_chosen_language_is_remembered_and_nothing_else(app: flask.Flask) -> None:
    cookie = shown(app, "start", "?lang=de").headers["Set-Cookie"]
    assert {part.strip() for part in cookie.split(";")} == {
        "registration-language=de",
        "Secure",
        "HttpOnly",
        "Max-Age=31536000",
        "Path=/",
        "SameSite=Lax",
    }
    assert "Set-Cookie" not in shown(app, "start", "?lang=fr").headers
    app.extensions["marketplane"].parts.cookie_secure = False
    assert "Secure" not in shown(app, "start", "?lang=de").headers["Set-Cookie"]


def test_a_page_offers_its_other_language(app: flask.Flask) -> None:
    english, german = (
        shown(app, "form", f"?lang={language}").get_data(as_text=True) for language in LANGUAGES
    )
    assert '<a href="/register?lang=de" lang="de" hreflang="de">Deutsch</a>' in english
    assert '<a href="/register?lang=en" lang="en" hreflang="en">English</a>' in german
    assert "Ihr Konto für Inference Classic einrichten" in german
    assert "Ihre Modelle laufen auf unseren Maschinen" in german


def test_the_schemas_words_are_translated_where_they_are_shown(app: flask.Flask) -> None:
    wrong = CustomerDetailsSchema().validate({"email": "x", "name": "n" * 201, "company": "a\x00b"})
    assert set(wrong) == {"email", "name", "company"}
    with app.test_request_context("/register?lang=de"):
        html = page("register.html", 400, **FORM, errors=wrong).get_data(as_text=True)
    for sentences in wrong.values():
        for sentence in sentences:
            assert sentence not in html, sentence
    assert "Geben Sie eine E-Mail-Adresse ein" in html


def test_errors_are_told_at_the_field_and_at_the_top(app: flask.Flask) -> None:
    html = shown(app, "form with errors").get_data(as_text=True)
    assert "<title>Please check your entries: " in html
    assert '<a href="#email">E-mail address</a>' in html
    assert '<a href="#team_size">Team size</a>' in html
    assert re.search(
        r'<input id="email"[^>]*required aria-invalid="true" aria-describedby="email-error">', html
    )
    assert re.search(r'<select id="team_size"[^>]* aria-invalid="true"', html)
    assert '<option value="few" selected>Two to ten</option>' in html
    assert 'value="&lt;b&gt;Ada&lt;/b&gt;"' in html
    assert "<b>Ada" not in html


def test_what_the_sellers_system_says_is_escaped(app: flask.Flask) -> None:
    html = shown(app, "form refused by the seller").get_data(as_text=True)
    assert "This &lt;company&gt; is on no list of ours." in html
    with app.test_request_context("/register?lang=de"):
        no_words = page("register.html", **FORM, refused="Please check what you entered, or write to us.")
    assert "Bitte prüfen Sie Ihre Angaben, oder schreiben Sie uns." in no_words.get_data(as_text=True)


def test_the_ways_in(app: flask.Flask) -> None:
    offered = shown(app, "form with everything").get_data(as_text=True)
    assert 'href="/register/sign-in/example"' in offered
    assert 'href="/register/sign-in/git%20hub"' in offered
    assert 'action="/register/customer"' in offered
    assert "Create account" in offered

    required = shown(app, "sign-in required").get_data(as_text=True)
    assert 'href="/register/sign-in/example"' in required
    assert "<form" not in required

    signed_in = shown(app, "signed in").get_data(as_text=True)
    assert "/register/sign-in/" not in signed_in
    assert "Connect this purchase to my account" in signed_in
    assert 'action="/register/sign-out"' in signed_in
    # Whoever has an account is not asked again who they are; their own answers stand.
    assert 'name="email"' not in signed_in
    assert signed_in.count('name="csrf_token" value="csrf-1"') == 2


def test_a_new_identity_finds_its_own_words_in_the_form(app: flask.Flask) -> None:
    with app.test_request_context("/register"):
        new = page("register.html", **FORM, signed_in={**SIGNED_IN, "known": False}).get_data(as_text=True)
    assert 'value="ada@example.com"' in new
    assert 'value="Ada"' in new


def test_an_identity_without_an_address_or_name_is_shown_all_the_same(app: flask.Flask) -> None:
    nobody = {"name": None, "email": None, "provider_title": "Example ID", "known": False}
    with app.test_request_context("/register"):
        html = page("register.html", **FORM, signed_in=nobody).get_data(as_text=True)
    assert "without a name" in html
    assert "None" not in html


def test_entitlements_that_are_not_there_are_told_in_words(app: flask.Flask) -> None:
    assert "could not tell us just now" in shown(app, "contract unread").get_data(as_text=True)
    assert "has not told us yet" in shown(app, "contract empty").get_data(as_text=True)
    assert "What you bought" not in shown(app, "form").get_data(as_text=True)


def test_entitlements_are_written_as_readers_write(app: flask.Flask) -> None:
    english, german = (
        words(shown(app, "contract", f"?lang={one}").get_data(as_text=True)) for one in LANGUAGES
    )
    assert "Editors 1,250 Users ends or renews on November 22, 2027 Viewers 12.5 Users Single" in english
    assert "Editors 1.250 Users endet oder verlängert sich am 22. November 2027 Viewers 12,5 Users" in german
    assert "Single sign-on included" in english


@pytest.mark.parametrize(
    ("sample", "says", "opens"),
    [
        ("registered", "You have access now", True),
        ("registered, no news yet", "about two minutes", False),
        ("registered, ended", "has ended", False),
    ],
)
def test_the_page_says_when_access_comes(app: flask.Flask, sample: str, says: str, opens: bool) -> None:
    html = shown(app, sample).get_data(as_text=True)
    assert says in html
    assert ("Open Inference Classic" in html) is opens
    assert ("Sign in with the e-mail address that you gave here" in html) is (sample != "registered, ended")


def test_all_that_is_known_of_an_account_is_shown(app: flask.Flask) -> None:
    text = words(shown(app, "registered with everything").get_data(as_text=True))
    for said in ("acct-42", "Your free trial runs until November 22, 2027", "1,250 Users", "cus_1", "sub_1"):
        assert said in text


def test_whoever_landed_again_sees_no_personal_data(app: flask.Flask) -> None:
    html = shown(app, "registered by another").get_data(as_text=True)
    assert "This subscription is registered" in html
    assert "cus_1" in html
    for personal in ("Ada", "ada@example.com", "Analytical"):
        assert personal not in html


def test_a_problem_has_a_page_without_a_request(app: flask.Flask) -> None:
    with app.app_context():
        html, headers = problem_page(
            Problem(409, "subscription-already-claimed", "t", **IDS),
            asked({}, **{"accept-language": "de"}),
        )
    assert "Dieses Abonnement hat schon ein Konto" in html
    assert "reg_1" in html
    assert "sub_1" in html
    assert headers["Content-Language"] == "de"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "Set-Cookie" not in headers


def test_what_aws_sent_can_be_tried_again_from_the_page(app: flask.Flask) -> None:
    html = problem_html(app, Unavailable("AWS is away.", retry='sealed"1'))
    assert '<form method="post" action="/register">' in html
    assert '<input type="hidden" name="retry" value="sealed&#34;1">' in html
    assert "<form" not in problem_html(app, Unavailable("AWS is away."))


@pytest.mark.parametrize(
    ("seconds", "says"), [(1, "wait a minute"), (61, "wait 2 minutes"), (None, "a minute")]
)
def test_too_fast_says_how_long_to_wait(app: flask.Flask, seconds: int | None, says: str) -> None:
    assert says in problem_html(app, Problem(429, "too-many-requests", "t", retry_after=seconds))


def test_the_product_of_a_problem_brands_its_page(app: flask.Flask) -> None:
    html = problem_html(app, Problem(409, "subscription-already-claimed", "t", product_code=CONTRACT))
    assert "--act: #0a6b56" in html


def test_a_forgotten_value_is_an_error_and_no_gap(app: flask.Flask) -> None:
    with app.test_request_context("/register"), pytest.raises(jinja2.UndefinedError, match="ways"):
        page("register.html", csrf_token="x", trial=False, show_entitlements=False)
