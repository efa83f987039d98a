"""The service assembled with other arguments: a marketplace on a shelf, a frozen clock, the local engine."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chassis.clock import FrozenClock
from chassis.tables import bind, create_tables
from registration.app import build, key_ring
from registration.catalogue import Catalogue, understand
from registration.resolve_refusals import Refusal, TokenNotResolved
from registration.settings import Settings
from registration.tables import ALL_MODELS, ClaimRow, CustomerRow, RegistrationRow, SubscriptionRow

pytest_plugins = ["chassis.testing"]

OPENAPI = Path(__file__).parents[3] / "openapi"

START = datetime(2026, 11, 22, 10, tzinfo=UTC)

LEGACY, CONCURRENT = "n0123legacyexample", "74azconcurrentexample"
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


@dataclass
class ShelfMarketplace:
    """Answers tokens with what the test laid ready for them."""

    answers: dict[str, dict[str, Any] | Exception] = field(default_factory=dict)

    def resolve_customer(self, registration_token: str) -> dict[str, Any]:
        answer = self.answers.get(
            registration_token, TokenNotResolved(Refusal.INVALID_TOKEN, "InvalidTokenException")
        )
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class House:
    """The running service, as a test sees it."""

    client: Any
    marketplace: ShelfMarketplace
    clock: FrozenClock
    operator: dict[str, str]
    reader: dict[str, str]

    def arrive(self, token: str, **answer: Any) -> dict[str, Any]:
        """Land by the JSON API and return the created registration."""
        self.marketplace.answers.setdefault(token, concurrent_answer(**answer))
        created = self.client.post("/v1/registrations", json={"registration_token": token})
        assert created.status_code == 201, created.text
        return dict(created.json())

    def register(self, registration: dict[str, Any], email: str = "ada@example.com", **more: str) -> Any:
        """Submit the customer of a registration and return the answer."""
        return self.client.put(
            f"/v1/registrations/{registration['registration_id']}/customer",
            json={"email": email, **more},
            headers={"X-Registration-Session": registration["session_secret"]},
        )


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    support = {"email": "support@seller.example", "url": "https://seller.example/help"}
    return understand(
        {
            "products": [
                {"product_code": LEGACY, "title": "Classic", "generation": "legacy", "support": support},
                {
                    "product_code": CONCURRENT,
                    "title": "Endpoints",
                    "generation": "concurrent_agreements",
                    "support": support,
                },
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
    )


@pytest.fixture(scope="session")
def shared_house(settings: Settings, catalogue: Catalogue, engine_url: str) -> Iterator[House]:
    """Built once, because assembling it and making tables takes a second or two; `house` sweeps it."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", str(200_000_000_000 + os.getpid()))
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        environment.setenv("AWS_ENDPOINT_URL_DYNAMODB", engine_url)
        bind(ALL_MODELS, settings)
        create_tables(ALL_MODELS)
        yield assemble(settings, catalogue)


def assemble(settings: Settings, catalogue: Catalogue) -> House:
    """The service with these settings, in the present environment."""
    marketplace, clock = ShelfMarketplace(), FrozenClock(START)
    app = build(settings, marketplace=marketplace, clock=clock, catalogue=catalogue)
    keys = key_ring(settings)
    return House(
        client=app.test_client(follow_redirects=False),
        marketplace=marketplace,
        clock=clock,
        operator={"X-API-Key": keys.add("operator", {"operator"})},
        reader={"X-API-Key": keys.add("reader", {"usage:read"})},
    )


@pytest.fixture
def house(shared_house: House) -> House:
    """The service with empty tables, at 22 November 2026, 10:00 UTC."""
    shared_house.marketplace.answers.clear()
    shared_house.client.cookies.clear()
    shared_house.clock.advance(seconds=(START - shared_house.clock.now()).total_seconds())
    for model in (RegistrationRow, ClaimRow, CustomerRow, SubscriptionRow):
        for row in model.scan():
            row.delete()
    return shared_house


@pytest.fixture
def problem() -> Callable[[Any], tuple[int, str]]:
    """Status and slug of a problem document."""

    def read(answer: Any) -> tuple[int, str]:
        assert answer.headers["content-type"].startswith("application/problem+json"), answer.text
        document = answer.json()
        assert document["status"] == answer.status_code
        return answer.status_code, re.sub("^https://marketplane.dev/problems/", "", document["type"])

    return read
