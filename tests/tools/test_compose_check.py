"""docker-compose.yml runs what the Procfile runs, and the check would notice if not."""

import copy
from typing import Any

import pytest
import yaml

from tools import compose_check
from tools.stack import LOCAL_SECRET, ROOT


@pytest.fixture
def containers() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return copy.deepcopy(read)


def test_both_files_say_the_same() -> None:
    assert compose_check.differences() == []


def test_the_secret_of_both_is_the_one_that_production_refuses(containers: dict[str, Any]) -> None:
    for role in ("web", "worker"):
        assert containers[f"notifications-{role}"]["environment"]["EVENTBRIDGE_SECRETS"] == LOCAL_SECRET


def test_a_missing_process_is_named(containers: dict[str, Any]) -> None:
    del containers["metering-worker"]
    assert list(compose_check._differences(containers)) == [
        "metering-worker is in the Procfile, but not in docker-compose.yml."
    ]


def test_a_portal_that_leads_elsewhere_is_named(containers: dict[str, Any]) -> None:
    containers["web"]["environment"]["METERING_URL"] = "http://localhost:9999"
    del containers["web"]["environment"]["SELLER"]
    assert list(compose_check._differences(containers)) == [
        "web has other variables: SELLER is in one place only.",
        "web sends browsers to port 9999 for metering, which it does not publish.",
    ]


def test_a_process_too_many_is_named(containers: dict[str, Any]) -> None:
    containers["more"] = {}
    assert list(compose_check._differences(containers)) == [
        "more is in docker-compose.yml, but not in the Procfile."
    ]


def test_an_identity_provider_at_another_address_is_named(containers: dict[str, Any]) -> None:
    containers["identity"]["networks"]["default"]["aliases"] = ["identity"]
    containers["identity"]["environment"]["PORT"] = "8000"
    containers["identity"]["ports"] = ["127.0.0.1:8108:8000"]
    said = list(compose_check._differences(containers))
    assert [one for one in said if one.startswith("registration-web ")] == [
        "registration-web seeks the identity provider as identity.localhost, which is no alias of it.",
        "registration-web seeks the identity provider at port 8108, where it does not listen.",
        "registration-web sends browsers to port 8108, which it does not publish.",
    ]


def test_another_audience_than_the_providers_is_named(containers: dict[str, Any]) -> None:
    containers["identity"]["environment"]["JWT_AUDIENCE"] = "another"
    said = list(compose_check._differences(containers))
    assert "metering-web takes tokens for another audience than the identity provider's." in said


def test_another_role_and_another_variable_are_named(containers: dict[str, Any]) -> None:
    containers["metering-worker"]["command"] = ["web"]
    containers["metering-worker"]["environment"] = dict(
        containers["metering-worker"]["environment"], MORE="1"
    )
    assert list(compose_check._differences(containers)) == [
        "metering-worker does not run the word worker in docker-compose.yml.",
        "metering-worker has other variables: MORE is in one place only.",
    ]
