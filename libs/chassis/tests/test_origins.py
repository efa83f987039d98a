"""What is taken for an origin: what a browser would send, letter by letter."""

import pytest

from chassis.origins import read_origins
from chassis.settings import ChassisSettings, load


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ()),
        (" , ", ()),
        ("https://portal.seller.example", ("https://portal.seller.example",)),
        ("https://a.example:8443, https://b.example", ("https://a.example:8443", "https://b.example")),
        ("https://a.example,https://a.example", ("https://a.example",)),
        ("http://localhost:5173", ("http://localhost:5173",)),
        ("http://portal.localhost:5173", ("http://portal.localhost:5173",)),
        ("http://127.0.0.1:8109,http://[::1]:8109", ("http://127.0.0.1:8109", "http://[::1]:8109")),
        ("https://xn--bcher-kva.example", ("https://xn--bcher-kva.example",)),
    ],
)
def test_origins_that_are_some(text: str, found: tuple[str, ...]) -> None:
    assert read_origins(text, http_anywhere=False) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("*", "sites that nobody has named"),
        ("https://*.seller.example", "sites that nobody has named"),
        ("null", "is no origin"),
        ("portal.seller.example", "is no origin"),
        ("https://portal.seller.example/", "is no origin"),
        ("https://portal.seller.example/app", "is no origin"),
        ("https://portal.seller.example?x", "is no origin"),
        ("https://ada@portal.seller.example", "is no origin"),
        ("https://Portal.seller.example", "is no origin"),
        ("https://bücher.example", "is no origin"),
        ("https://portal.seller.example:", "is no origin"),
        ("https://portal.seller.example:0", "is no origin"),
        ("https://portal.seller.example:65536", "is no origin"),
        ("ftp://portal.seller.example", "is no origin"),
        ("https://", "is no origin"),
        ("https://a.example https://b.example", "is no origin"),
        ("https://portal.seller.example:443", "leave it out"),
        ("http://localhost:80", "leave it out"),
        ("https://[::zz]", "is no origin"),
        ("https://[1:2]", "no address"),
        ("https://[0:0::1]", r"browsers write \[::1\]"),
        ("http://portal.seller.example", "use https"),
        ("http://10.0.0.1", "use https"),
        ("http://localhost.evil.example", "use https"),
        ("https://a.example,http://b.example", "'http://b.example' is http"),
    ],
)
def test_what_is_none(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_origins(text, http_anywhere=False)


def test_outside_of_production_plain_http_is_taken_from_anywhere() -> None:
    assert read_origins("http://desk.internal:5173", http_anywhere=True) == ("http://desk.internal:5173",)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in ChassisSettings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)


def test_the_setting_is_read_as_strictly_as_the_environment_asks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(ChassisSettings).browser_origin_list == ()
    monkeypatch.setenv("BROWSER_ORIGINS", "http://desk.internal:5173,https://portal.seller.example")
    for environment, taken in (("local", True), ("test", True), ("production", False), ("staging", False)):
        monkeypatch.setenv("ENVIRONMENT", environment)
        if taken:
            found = load(ChassisSettings).browser_origin_list
            assert found == ("http://desk.internal:5173", "https://portal.seller.example")
            continue
        with pytest.raises(SystemExit):
            load(ChassisSettings)
        (line,) = [one for one in capsys.readouterr().err.splitlines() if "BROWSER_ORIGINS" in one]
        assert line.startswith("Cannot start. BROWSER_ORIGINS: 'http://desk.internal:5173' is http, which in")
