"""The service assembled with other arguments: a marketplace on a shelf, a frozen clock, the local engine."""

import os
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from bearer_tokens import AUDIENCE, ISSUER, key_set
from standardwebhooks.webhooks import Webhook

from chassis.clock import FrozenClock
from chassis.tables import bind, create_tables
from registration import subscription_ids
from registration.app import build, key_ring
from registration.catalogue import Catalogue, understand
from registration.entitlements import Entitlement
from registration.letters import Letter
from registration.parts import Parts
from registration.resolve_refusals import Refusal, TokenNotResolved
from registration.resolved_purchase import ResolvedPurchase
from registration.seller_backend import SellerBackend
from registration.settings import Settings
from registration.sign_in_providers import SignedIn, SignInRefused
from registration.tables import ALL_MODELS, ApiKeyRow, ClaimRow, SubscriptionRow

pytest_plugins = ["chassis.testing"]

OPENAPI = Path(__file__).parents[3] / "openapi"

START = datetime(2026, 11, 22, 10, tzinfo=UTC)

LEGACY, CONCURRENT = "n0123legacyexample", "74azconcurrentexample"
CONTRACT, HANDING_OVER, SIGN_IN = "6ccontractexample", "5hhandoverexample", "4ssigninexample"
NO_SIGN_IN = "3nnosigninexample"
HAND_OVER_ADDRESS = "https://accounts.seller.example/marketplace"
HAND_OVER_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
DEPLOYMENT_SECRET = "s3cret-of-the-seller"
PUBLIC_URL = "https://register.seller.example"
TOKEN_FIELD, OFFER_TYPE_FIELD = "x-amzn-marketplace-token", "x-amzn-marketplace-offer-type"
LICENSE_ARN = "arn:aws:license-manager::294406891311:license:l-9d01d15f86334a8894365cd7350556ff"
OTHER_LICENSE_ARN = "arn:aws:license-manager::294406891311:license:l-00000000000000000000000000000001"


def concurrent_answer(license_arn: str = LICENSE_ARN, **more: Any) -> dict[str, Any]:
    """What ResolveCustomer says of a product with concurrent agreements."""
    return {
        "CustomerIdentifier": "",
        "CustomerAWSAccountId": "444455556666",
        "ProductCode": CONCURRENT,
        "LicenseArn": license_arn,
        "Metadata": {"AgreementId": "agmt-example"},
    } | more


def legacy_answer(customer_identifier: str = "X01EXAMPLEX") -> dict[str, Any]:
    """What ResolveCustomer says of a legacy product."""
    return {
        "CustomerIdentifier": customer_identifier,
        "CustomerAWSAccountId": "444455556666",
        "ProductCode": LEGACY,
    }


def a_license(number: int) -> str:
    """The ARN of one licence of many."""
    return f"arn:aws:license-manager::294406891311:license:l-{number:032d}"


@dataclass
class ShelfMarketplace:
    """Answers tokens with what the test laid ready for them."""

    answers: dict[str, dict[str, Any] | Exception] = field(default_factory=dict)

    entitled: dict[str, tuple[Entitlement, ...] | Exception] = field(default_factory=dict)
    """By subscription id."""
    entitlements_asked: int = 0
    parameters: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    """Each that was put: product id, agreement id, name, secret, idempotency key."""
    refusals: list[Exception] = field(default_factory=list)
    """Of the next parameters."""

    def entitlements(self, purchase: ResolvedPurchase) -> tuple[Entitlement, ...]:
        self.entitlements_asked += 1
        found = self.entitled.get(purchase.subscription_id, ())
        if isinstance(found, Exception):
            raise found
        return found

    def put_deployment_parameter(
        self, product_id: str, agreement_id: str, name: str, secret: str, idempotency_key: str
    ) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.parameters.append((product_id, agreement_id, name, secret, idempotency_key))

    def resolve_customer(self, registration_token: str) -> dict[str, Any]:
        answer = self.answers.get(
            registration_token, TokenNotResolved(Refusal.INVALID_TOKEN, "InvalidTokenException")
        )
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class MailBox:
    """Keeps what was sent: letter, address, idempotency id."""

    sent: list[tuple[Letter, str, str]] = field(default_factory=list)
    refusals: list[Exception] = field(default_factory=list)
    """Of the next letters."""

    def send(self, letter: Letter, to: str, idempotency_id: str) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.sent.append((letter, to, idempotency_id))


@dataclass
class SellersSystem:
    """The seller's own back end, behind a transport in memory: it judges the signature, then answers what was
    laid ready, in order; after that it makes an account for each subscription."""

    answers: list[httpx.Response | Exception] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    """The `webhook-id` of each question."""
    addresses: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = Webhook(HAND_OVER_SECRET).verify(request.content, dict(request.headers))
        self.asked.append(body)
        self.ids.append(request.headers["webhook-id"])
        self.addresses.append(str(request.url))
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer or httpx.Response(
            201,
            json={
                "account_id": f"acct-{body['subscription_id']}",
                "deployment_secret": DEPLOYMENT_SECRET,
            },
        )


@dataclass
class ShelfProvider:
    """An identity provider that hands out codes for whom the test names, each good once."""

    key: str
    title: str
    issuer: str
    codes: dict[str, SignedIn] = field(default_factory=dict)
    trips: list[dict[str, str]] = field(default_factory=list)
    """What each browser was sent here with."""
    exchanges: list[dict[str, str]] = field(default_factory=list)
    away: Exception | None = None

    def code_for(self, subject: str, email: str | None = None, name: str | None = None) -> str:
        code = f"code-{secrets.token_hex(8)}"
        self.codes[code] = SignedIn(self.issuer, subject, email, name)
        return code

    def address(self, *, state: str, nonce: str, code_verifier: str, redirect_uri: str) -> str:
        if self.away:
            raise self.away
        trip = {
            "state": state,
            "nonce": nonce,
            "code_verifier": code_verifier,
            "redirect_uri": redirect_uri,
        }
        self.trips.append(trip)
        return f"{self.issuer}/authorize?{urlencode({'state': state, 'redirect_uri': redirect_uri})}"

    def signed_in(self, *, code: str, nonce: str, code_verifier: str, redirect_uri: str) -> SignedIn:
        if self.away:
            raise self.away
        self.exchanges.append({"nonce": nonce, "code_verifier": code_verifier, "redirect_uri": redirect_uri})
        if code not in self.codes:
            raise SignInRefused("code_refused")
        return self.codes.pop(code)


@dataclass
class Browser:
    """One buyer's browser, with cookies of its own."""

    client: Any
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, **more: Any) -> Any:
        self.client.cookies.clear()
        headers = dict(more.pop("headers", {}))
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.client.request(method, path, headers=headers, **more)
        self.cookies |= dict(self.client.cookies)
        self.client.cookies.clear()
        return answer

    def get(self, path: str = "/register", **more: Any) -> Any:
        return self.ask("GET", path, **more)

    def post(self, path: str, form: dict[str, str] | None = None, **more: Any) -> Any:
        return self.ask("POST", path, data=form or {}, **more)

    def csrf_token(self) -> str:
        page = self.get()
        found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        assert found, page.text
        return found.group(1)

    def submit(self, email: str = "ada@example.com", **fields: str) -> Any:
        """Open the page and submit its form."""
        form = {"csrf_token": self.csrf_token(), "email": email, **fields}
        return self.post("/register/customer", form)

    def sign_in(self, provider: ShelfProvider, subject: str, **more: str) -> Any:
        """Go to the provider and come back as this subject."""
        sent = self.get(f"/register/sign-in/{provider.key}")
        assert sent.status_code == 303, sent.text
        state = parse_qs(urlsplit(sent.headers["location"]).query)["state"][0]
        return self.come_back(provider, state, provider.code_for(subject, **more))

    def come_back(self, provider: ShelfProvider, state: str, code: str) -> Any:
        return self.get(
            f"/register/sign-in/{provider.key}/callback?{urlencode({'state': state, 'code': code})}"
        )


@dataclass
class House:
    """The running service, as a test sees it."""

    client: Any
    parts: Parts
    marketplace: ShelfMarketplace
    clock: FrozenClock
    mail: MailBox
    sellers_system: SellersSystem
    oidc: ShelfProvider
    github: ShelfProvider
    operator: dict[str, str]
    reader: dict[str, str]

    def clear(self) -> None:
        """Forget what a test before laid ready, and be at START again. Tables are the fixture's to sweep."""
        for shelf in (self.marketplace, self.mail, self.sellers_system, self.oidc, self.github):
            for laid in vars(shelf).values():
                if isinstance(laid, list | dict):
                    laid.clear()
        self.marketplace.entitlements_asked = 0
        self.oidc.away = self.github.away = None
        self.client.cookies.clear()
        self.clock.advance(seconds=(START - self.clock.now()).total_seconds())

    def arrive(self, token: str, offer_type: str | None = None, **answer: Any) -> dict[str, Any]:
        """Land by the JSON API and return the created registration."""
        self.marketplace.answers.setdefault(token, concurrent_answer(**answer))
        body = {"registration_token": token} | ({"offer_type": offer_type} if offer_type else {})
        created = self.client.post("/v1/registrations", json=body)
        assert created.status_code == 201, created.text
        return dict(created.json())

    def register(self, registration: dict[str, Any], email: str = "ada@example.com", **more: Any) -> Any:
        """Submit the customer of a registration and return the answer."""
        return self.client.put(
            f"/v1/registrations/{registration['registration_id']}/customer",
            json={"email": email, **more},
            headers={"X-Registration-Session": registration["session_secret"]},
        )

    def customer_of(self, token: str, email: str = "ada@example.com", **answer: Any) -> str:
        """Land and register by the JSON API; the customer's id."""
        registered = self.register(self.arrive(token, **answer), email)
        assert registered.status_code in (200, 201), registered.text
        return str(registered.json()["customer_id"])

    def land(self, token: str = "token-1", offer_type: str | None = None, **answer: Any) -> Browser:
        """Arrive from AWS in a browser of one's own."""
        self.marketplace.answers.setdefault(token, concurrent_answer(**answer))
        browser = Browser(self.client)
        form = {TOKEN_FIELD: token} | ({OFFER_TYPE_FIELD: offer_type} if offer_type else {})
        landed = browser.post("/register", form)
        assert landed.status_code == 303, landed.text
        return browser

    def buys(self, subject: str, number: int, email: str = "ada@example.com", **answer: Any) -> str:
        """Somebody who signs in buys one more licence; the customer's id."""
        browser = self.land(f"token-{subject}-{number}", LicenseArn=a_license(number), **answer)
        browser.sign_in(self.oidc, subject)
        assert browser.submit(email).status_code == 303
        claim = ClaimRow.get(subscription_ids.of_license(a_license(number)), consistent_read=True)
        return str(claim.customer_id)

    def work(self) -> int:
        """What the worker's outbox loop does each second."""
        return self.parts.outbox.run()

    def outbox(self, **query: str) -> list[dict[str, Any]]:
        listed = self.client.get("/v1/outbox-items", params=query, headers=self.operator)
        assert listed.status_code == 200, listed.text
        return list(listed.json()["items"])


def news(subscription_id: str, status: str, access: str, **more: Any) -> None:
    """Write what notifications would publish."""
    SubscriptionRow(
        subscription_id,
        product_code=more.pop("product_code", CONCURRENT),
        status=status,
        access=access,
        **more,
    ).save()


def _product(product_code: str, title: str, generation: str, **more: Any) -> dict[str, Any]:
    return {
        "product_code": product_code,
        "product_id": f"prod-{product_code.lower()}",
        "title": title,
        "generation": generation,
        "pricing_model": "subscription",
        "support": {"email": "support@seller.example", "url": "https://seller.example/help"},
        "dimensions": [{"key": "seats", "title": "Seats", "unit": "Users"}],
    } | more


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return understand(
        {
            "products": [
                _product(LEGACY, "Classic", "legacy"),
                _product(CONCURRENT, "Endpoints", "concurrent_agreements"),
                _product(CONTRACT, "Seats", "concurrent_agreements", pricing_model="contract"),
                _product(
                    HANDING_OVER,
                    "Hosted",
                    "concurrent_agreements",
                    registration={
                        "hand_over": HAND_OVER_ADDRESS,
                        "quick_launch": {"parameter": "ApiKey", "secret": "{deployment_secret}"},
                        "fields": [
                            {"name": "purpose", "label": {"en": "Purpose"}, "kind": "text", "required": True}
                        ],
                    },
                ),
                _product(SIGN_IN, "Private", "concurrent_agreements", registration={"sign_in": "required"}),
                _product(NO_SIGN_IN, "Open", "concurrent_agreements", registration={"sign_in": "off"}),
            ]
        }
    )


@pytest.fixture(scope="session")
def settings() -> Settings:
    return Settings(
        environment="test",
        contracts_dir=OPENAPI,
        cookie_secure=False,
        web_threads=4,
        aws_attempts=2,
        aws_read_timeout_seconds=5,
        public_url=PUBLIC_URL,
        # All tests come from one address, and hundreds come in a minute.
        landings_rate="1000000/minute",
        api_arrivals_rate="1000000/minute",
    )


@pytest.fixture(scope="session")
def shared_house(settings: Settings, catalogue: Catalogue, engine_url: str) -> Iterator[House]:
    """Built once, because assembling it and making tables takes a second or two; `house` sweeps it."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", str(200_000_000_000 + os.getpid()))
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        environment.setenv("AWS_ENDPOINT_URL_DYNAMODB", os.environ.get("TEST_DYNAMODB_URL", engine_url))
        environment.setenv("AWS_ENDPOINT_URL_SQS", engine_url)
        bind(ALL_MODELS, settings)
        create_tables(ALL_MODELS)
        yield assemble(settings, catalogue)


def assemble(settings: Settings, catalogue: Catalogue) -> House:
    """The service with these settings, in the present environment."""
    marketplace, clock, mail, system = ShelfMarketplace(), FrozenClock(START), MailBox(), SellersSystem()
    oidc = ShelfProvider("oidc", "Example ID", "https://id.example")
    github = ShelfProvider("github", "GitHub", "https://github.com")
    app = build(
        settings,
        marketplace=marketplace,
        clock=clock,
        catalogue=catalogue,
        mail=mail,
        backend=SellerBackend(httpx.Client(transport=httpx.MockTransport(system)), [HAND_OVER_SECRET]),
        providers={provider.key: provider for provider in (oidc, github)},
    )
    keys = key_ring(settings)
    return House(
        client=app.test_client(follow_redirects=False),
        parts=app.app.extensions["marketplane"].parts,
        marketplace=marketplace,
        clock=clock,
        mail=mail,
        sellers_system=system,
        oidc=oidc,
        github=github,
        operator={"X-API-Key": keys.add("operator", {"operator"})},
        reader={"X-API-Key": keys.add("reader", {"usage:read"})},
    )


@pytest.fixture
def house(shared_house: House) -> House:
    """The service with empty tables, at 22 November 2026, 10:00 UTC."""
    shared_house.clear()
    for model in ALL_MODELS:
        if model is not ApiKeyRow:
            for row in model.scan():
                row.delete()
    return shared_house


@pytest.fixture(scope="session")
def jwks_url() -> Iterator[str]:
    """The seller's own key set, on a port of this machine."""
    body = key_set()

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/jwks.json"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def bearer_house(shared_house: House, settings: Settings, catalogue: Catalogue, jwks_url: str) -> House:
    jwt_settings = {"jwks_url": jwks_url, "jwt_issuer": ISSUER, "jwt_audience": AUDIENCE}
    return assemble(settings.model_copy(update=jwt_settings), catalogue)


@pytest.fixture
def signing_house(house: House, bearer_house: House) -> House:
    """The service that takes the seller's own bearer tokens, on the swept tables of `house`."""
    bearer_house.clear()
    return bearer_house


@pytest.fixture
def problem() -> Callable[[Any], tuple[int, str]]:
    """Status and slug of a problem document."""

    def read(answer: Any) -> tuple[int, str]:
        assert answer.headers["content-type"].startswith("application/problem+json"), answer.text
        document = answer.json()
        assert document["status"] == answer.status_code
        return answer.status_code, re.sub("^https://marketplane.dev/problems/", "", document["type"])

    return read
