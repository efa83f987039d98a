"""Bad configuration stops the start with a sentence that says the mend."""

import pytest

from chassis.settings import load
from registration.settings import Settings

GOOD = {"ENVIRONMENT": "production", "SESSION_SECRET": "s" * 32}
OIDC = {
    "OIDC_ISSUER": "https://id.example",
    "OIDC_CLIENT_ID": "us",
    "OIDC_CLIENT_SECRET": "o1dc-s3cret",
    "PUBLIC_URL": "https://register.seller.example",
}
GITHUB = {
    "GITHUB_CLIENT_ID": "us",
    "GITHUB_CLIENT_SECRET": "g1thub-s3cret",
    "PUBLIC_URL": "https://register.seller.example",
}
SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def set_to(monkeypatch: pytest.MonkeyPatch, changes: dict[str, str | None]) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in (GOOD | changes).items():
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"SESSION_SECRET": ""}, "SESSION_SECRET is shorter than 32 characters"),
        ({"SESSION_SECRET": "s" * 31}, "SESSION_SECRET is shorter than 32 characters"),
        ({"SESSION_SECRET": "s" * 32 + ",short"}, "SESSION_SECRET is shorter than 32 characters"),
        ({"SESSION_SECRET": None}, "SESSION_SECRET is not set, but ENVIRONMENT is production"),
        ({"COOKIE_SECURE": "false"}, "COOKIE_SECURE is false, but ENVIRONMENT is production"),
        ({"CLOCK_URL": "http://127.0.0.1:1/clock"}, "CLOCK_URL is set, but ENVIRONMENT is production"),
        ({"SESSION_MINUTES": "0"}, "SESSION_MINUTES"),
        ({"SESSION_MINUTES": "1441"}, "SESSION_MINUTES"),
        # Signing in
        (OIDC | {"OIDC_CLIENT_ID": None}, "OIDC_ISSUER is set, but our client id or secret there is not"),
        (OIDC | {"OIDC_CLIENT_SECRET": None}, "OIDC_ISSUER is set, but our client id or secret there is not"),
        (OIDC | {"PUBLIC_URL": None}, "OIDC_ISSUER is set, but PUBLIC_URL is not"),
        (GITHUB | {"GITHUB_CLIENT_SECRET": None}, "GITHUB_CLIENT_ID is set, but our client id or secret"),
        (GITHUB | {"PUBLIC_URL": None}, "GITHUB_CLIENT_ID is set, but PUBLIC_URL is not"),
        (OIDC | {"PUBLIC_URL": "register.seller.example"}, "PUBLIC_URL is no web address"),
        (OIDC | {"PUBLIC_URL": "https:///register"}, "PUBLIC_URL is no web address"),
        (OIDC | {"PUBLIC_URL": "http://register.seller.example"}, "PUBLIC_URL"),
        # Handing over
        ({"HAND_OVER_SECRET": "a password"}, "HAND_OVER_SECRET"),
        ({"HAND_OVER_SECRET": "whsec_c2hvcnQ="}, "HAND_OVER_SECRET"),
        ({"HAND_OVER_SECRET": "whsec_%%%%"}, "HAND_OVER_SECRET"),
        ({"HAND_OVER_SECRET": SIGNING + ",a password"}, "HAND_OVER_SECRET"),
        ({"HAND_OVER_SECONDS": "0"}, "HAND_OVER_SECONDS"),
        ({"HAND_OVER_SECONDS": "21"}, "HAND_OVER_SECONDS"),
        # Mail
        ({"MAIL": "ses"}, "MAIL is `ses`, but MAIL_FROM is not set"),
        ({"MAIL": "smtp"}, "MAIL"),
        (
            {"MAIL": "directory", "MAIL_DIRECTORY": "/tmp"},
            "MAIL is `directory`, but ENVIRONMENT is production",
        ),
        ({"MAIL": "directory", "ENVIRONMENT": "local"}, "MAIL is `directory`, but MAIL_DIRECTORY is not set"),
        # Rates
        ({"LANDINGS_RATE": "sometimes"}, "LANDINGS_RATE"),
        ({"API_ARRIVALS_RATE": "0/minute"}, "API_ARRIVALS_RATE"),
        ({"SUBMITS_RATE": "1/minute;2/hour"}, "SUBMITS_RATE"),
        ({"SWEEP_SECONDS": "0"}, "SWEEP_SECONDS"),
        # Bearer tokens
        ({"JWKS_URL": "https://id.example/jwks"}, "JWKS_URL is set without JWT_ISSUER and JWT_AUDIENCE"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_a_bad_setting_stops_the_start(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, str | None],
    says: str,
) -> None:
    set_to(monkeypatch, changes)
    with pytest.raises(SystemExit) as stopped:
        load(Settings)
    assert stopped.value.code == 78
    said = capsys.readouterr().err
    assert said.startswith("Cannot start. ")
    assert says in said
    for secret in ("o1dc-s3cret", "g1thub-s3cret", "a password"):
        assert secret not in said


@pytest.mark.parametrize(
    "changes",
    [
        {},
        OIDC,
        GITHUB,
        OIDC | GITHUB,
        {"HAND_OVER_SECRET": SIGNING},
        {"HAND_OVER_SECRET": f"{SIGNING}, {SIGNING}", "SESSION_SECRET": "t" * 32 + ", " + "s" * 32},
        {"MAIL": "ses", "MAIL_FROM": "Example <hello@seller.example>"},
        {"MAIL": "directory", "MAIL_DIRECTORY": "/tmp", "ENVIRONMENT": "local", "COOKIE_SECURE": "false"},
        OIDC | {"ENVIRONMENT": "local", "PUBLIC_URL": "http://127.0.0.1:8001"},
    ],
    ids=lambda value: " ".join(value) or "none",
)
def test_good_settings_load_and_hide_the_secrets(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str | None]
) -> None:
    set_to(monkeypatch, changes)
    shown = repr(load(Settings))
    for secret in ("s" * 32, "o1dc-s3cret", "g1thub-s3cret", SIGNING):
        assert secret not in shown


def test_every_setting_says_what_it_is_for() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
