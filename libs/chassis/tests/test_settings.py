"""Bad configuration stops the start with sentences that name the variable."""

import pytest

from chassis.settings import ChassisSettings, load


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in ChassisSettings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)


def refusals(capsys: pytest.CaptureFixture[str]) -> list[str]:
    with pytest.raises(SystemExit) as stopped:
        load(ChassisSettings)
    assert stopped.value.code == 78
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err.splitlines()


def test_without_variables_it_is_a_production_with_real_time() -> None:
    settings = load(ChassisSettings)
    assert (settings.environment, settings.clock_url, settings.jwks_url) == ("production", "", "")


def test_variables_are_read_by_their_upper_case_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "local")
    monkeypatch.setenv("PORT", "8123")
    monkeypatch.setenv("CLOCK_URL", "http://127.0.0.1:1/clock")
    settings = load(ChassisSettings)
    assert (settings.port, settings.clock_url) == (8123, "http://127.0.0.1:1/clock")


def test_each_mistake_is_one_sentence_that_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {
        "ENVIRONMENT": "staging",
        "PORT": "70000",
        "WEB_WORKERS": "",
        "AWS_ATTEMPTS": "0",
        "LOG_LEVEL": "LOUD",
        "PROXY_HOPS": "-1",
        "MAX_BODY_BYTES": "1k",
        "AWS_READ_TIMEOUT_SECONDS": "-1",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    lines = refusals(capsys)
    assert sorted(line.split()[2].rstrip(":") for line in lines) == sorted(wrong)
    for line in lines:
        assert line.startswith("Cannot start. ")
        assert " It says: " in line
        assert ".." not in line


def test_a_simulated_clock_is_refused_in_production(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLOCK_URL", "http://127.0.0.1:1/clock")
    assert refusals(capsys) == [
        "Cannot start. the settings: CLOCK_URL is set, but ENVIRONMENT is production: "
        "real bills need real time. Unset CLOCK_URL."
    ]


@pytest.mark.parametrize("given", [{}, {"JWT_ISSUER": "https://issuer"}, {"JWT_AUDIENCE": "us"}])
def test_keys_of_bearer_tokens_need_an_issuer_and_an_audience(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], given: dict[str, str]
) -> None:
    for name, value in {"JWKS_URL": "https://issuer/jwks", **given}.items():
        monkeypatch.setenv(name, value)
    (line,) = refusals(capsys)
    assert "JWKS_URL is set without JWT_ISSUER and JWT_AUDIENCE" in line


def test_every_setting_says_what_it_is_for() -> None:
    assert all(field.description for field in ChassisSettings.model_fields.values())


def test_settings_cannot_be_changed_while_running() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(ChassisSettings).port = 1


@pytest.mark.parametrize(
    ("variables", "wrong"),
    [
        ({"MARKETPLACE_ROLE_ARN": "marketplane-metering"}, "MARKETPLACE_ROLE_ARN: not a role's ARN"),
        (
            {"MARKETPLACE_ROLE_ARN": "arn:aws:sts::111122223333:assumed-role/a/b"},
            "MARKETPLACE_ROLE_ARN: not a role's ARN",
        ),
        (
            {"MARKETPLACE_ROLE_EXTERNAL_ID": "external-7"},
            "MARKETPLACE_ROLE_EXTERNAL_ID: set without MARKETPLACE_ROLE_ARN",
        ),
        (
            {
                "MARKETPLACE_ROLE_ARN": "arn:aws:iam::111122223333:role/a",
                "MARKETPLACE_ROLE_EXTERNAL_ID": "with a space",
            },
            "MARKETPLACE_ROLE_EXTERNAL_ID: not an external id",
        ),
    ],
)
def test_a_role_that_could_not_be_taken_on_stops_the_start(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variables: dict[str, str],
    wrong: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    [sentence] = refusals(capsys)
    assert wrong in sentence


def test_a_role_of_any_partition_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETPLACE_ROLE_ARN", "arn:aws-eusc:iam::111122223333:role/path/marketplane")
    monkeypatch.setenv("MARKETPLACE_ROLE_EXTERNAL_ID", "external-7")
    assert load(ChassisSettings).marketplace_role_external_id == "external-7"
