"""The service as settings assemble it, and what is refused at the start."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from conftest import HAND_OVER_SECRET, OPENAPI, House

from chassis.tables import bind
from registration.app import build_from, create_local, work
from registration.settings import Settings
from registration.tables import ALL_MODELS, OWN_MODELS


def product(**registration: Any) -> dict[str, Any]:
    return {
        "product_code": "code-1",
        "product_id": "prod-1",
        "title": "Endpoints",
        "generation": "concurrent_agreements",
        "pricing_model": "subscription",
        "support": {"email": "support@seller.example"},
        "dimensions": [{"key": "seats", "title": "Seats", "unit": "Users"}],
        "registration": registration,
    }


@pytest.fixture
def catalogue_file(tmp_path: Path) -> Path:
    return tmp_path / "products.yaml"


@pytest.fixture
def bound(shared_house: House, settings: Settings) -> Iterator[None]:
    """Whatever a test bound the models to, the next finds them as they were."""
    yield
    bind(ALL_MODELS, settings)


def settings_with(catalogue_file: Path, registration: dict[str, Any], **more: Any) -> Settings:
    catalogue_file.write_text(yaml.safe_dump({"products": [product(**registration)]}), encoding="utf-8")
    return Settings(
        environment="test", contracts_dir=OPENAPI, products_file=catalogue_file, cookie_secure=False, **more
    )


OIDC = {
    "oidc_issuer": "https://id.example",
    "oidc_client_id": "us",
    "oidc_client_secret": "s3cret",
    "oidc_title": "Example ID",
    "public_url": "https://register.seller.example/",
}
GITHUB = {
    "github_client_id": "us",
    "github_client_secret": "s3cret",
    "public_url": "https://register.seller.example",
}


@pytest.mark.parametrize(
    ("registration", "says"),
    [
        (
            {"hand_over": "https://accounts.seller.example/"},
            "code-1 hands over, but HAND_OVER_SECRET is not set",
        ),
        (
            {"sign_in": "required"},
            "code-1 requires buyers to sign in, but no provider is set: set OIDC_ISSUER or GITHUB_CLIENT_ID.",
        ),
        ({"hand_over": "http://accounts.seller.example/"}, "must begin with https://"),
        ({"sign_in": "perhaps"}, "`offered`, `required` or `off`"),
    ],
)
@pytest.mark.parametrize("role", [build_from, work])
def test_a_catalogue_that_the_settings_do_not_serve_stops_the_start(
    bound: None,
    catalogue_file: Path,
    capsys: pytest.CaptureFixture[str],
    registration: dict[str, Any],
    says: str,
    role: Callable[[Settings], object],
) -> None:
    with pytest.raises(SystemExit) as stopped:
        role(settings_with(catalogue_file, registration))
    is_a_sentence(stopped.value, capsys, says)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (OIDC | {"oidc_issuer": "http://id.example"}, "OIDC_ISSUER"),
        (OIDC | {"oidc_issuer": "https://id.example?a=b"}, "OIDC_ISSUER"),
        (GITHUB | {"github_url": "http://github.example"}, "GITHUB_URL"),
    ],
)
def test_a_provider_that_cannot_be_trusted_stops_the_start(
    bound: None, catalogue_file: Path, capsys: pytest.CaptureFixture[str], more: dict[str, Any], says: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        build_from(settings_with(catalogue_file, {}, **more))
    is_a_sentence(stopped.value, capsys, says)


def is_a_sentence(stopped: SystemExit, capsys: pytest.CaptureFixture[str], says: str) -> None:
    assert stopped.code == 78
    said = capsys.readouterr().err
    assert said.startswith("Cannot start. ")
    assert says in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("registration", "more"),
    [
        ({"hand_over": "https://accounts.seller.example/"}, {"hand_over_secret": HAND_OVER_SECRET}),
        ({"sign_in": "required"}, OIDC),
        ({"sign_in": "required"}, GITHUB),
    ],
)
def test_what_fits_starts(
    bound: None, catalogue_file: Path, registration: dict[str, Any], more: dict[str, Any]
) -> None:
    assert build_from(settings_with(catalogue_file, registration, **more))


def test_the_settings_providers_are_those_of_the_page(bound: None, catalogue_file: Path) -> None:
    app = build_from(settings_with(catalogue_file, {}, **(GITHUB | OIDC)))
    parts = app.app.extensions["marketplane"].parts
    assert {key: one.title for key, one in parts.providers.items()} == {
        "oidc": "Example ID",
        "github": "GitHub",
    }
    assert parts.public_url == "https://register.seller.example"


def test_without_a_catalogue_there_is_no_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_from(Settings(environment="test", products_file=tmp_path / "none.yaml"))
    assert "none.yaml cannot be read" in capsys.readouterr().err


def test_create_local_makes_the_tables_and_the_queue(bound: None, aws_env: str) -> None:
    settings = Settings(environment="local", registration_signals_queue="signals")
    for _ in range(2):  # The second finds all of it there.
        create_local(settings)
    tables = boto3.session.Session().client("dynamodb", region_name="us-east-1").list_tables()["TableNames"]
    assert sorted(tables) == sorted(model.Meta.table_name for model in OWN_MODELS)
    assert "marketplane-subscriptions" not in tables
    queues = boto3.session.Session().client("sqs", region_name="us-east-1").list_queues()["QueueUrls"]
    assert sorted(url.rsplit("/", 1)[1] for url in queues) == ["signals", "signals-dlq"]


def test_what_the_service_counts_is_exposed(house: House) -> None:
    house.customer_of("token-1")
    house.work()
    said = house.client.get("/metrics").text
    for name in (
        'marketplane_registration_arrivals_total{product_code="74azconcurrentexample"}',
        'marketplane_registration_bound_total{customer="new"}',
        "marketplane_registration_claims_refused_total",
        'marketplane_registration_outbox_done_total{kind="welcome_letter"}',
        'marketplane_registration_outbox_items{state="waiting"}',
    ):
        assert name in said


def test_the_service_is_ready_when_its_own_tables_are(house: House) -> None:
    ready = house.client.get("/readyz")
    assert ready.status_code == 200
    assert set(ready.json()["parts"]) == {
        "registrations table",
        "claims table",
        "customers table",
        "identities table",
        "outbox table",
    }
