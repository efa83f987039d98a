"""Bad configuration stops the start with a sentence that says the mend."""

from pathlib import Path

import pytest

from chassis.settings import load
from registration.app import build_from
from registration.settings import Settings

GOOD = {"ENVIRONMENT": "production", "SESSION_SECRET": "s" * 32}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"SESSION_SECRET": ""}, "SESSION_SECRET is shorter than 32 characters"),
        ({"SESSION_SECRET": None}, "SESSION_SECRET is not set, but ENVIRONMENT is production"),
        ({"COOKIE_SECURE": "false"}, "COOKIE_SECURE is false, but ENVIRONMENT is production"),
        ({"SESSION_MINUTES": "0"}, "SESSION_MINUTES"),
    ],
)
def test_a_bad_setting_stops_the_start(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, str | None],
    says: str,
) -> None:
    for name, value in (GOOD | changes).items():
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        load(Settings)
    assert says in capsys.readouterr().err


def test_good_settings_load_and_hide_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    assert "s" * 32 not in repr(load(Settings))


def test_without_a_catalogue_there_is_no_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_from(Settings(environment="test", products_file=tmp_path / "none.yaml"))
    assert "none.yaml cannot be read" in capsys.readouterr().err
