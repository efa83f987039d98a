"""The portal's server: what it says to the pages, and what it lets a browser do with them."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from http.client import HTTPMessage
from pathlib import Path

import pytest

from tools.stack import ROOT, Stack, StackError, call

ISSUER = "https://id.example/realm"


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("portal")
    environment = {"web": {"OIDC_ISSUER": ISSUER, "METERING_URL": "https://metering.example/base"}}
    with Stack(folder, processes=["web"], engine="ministack", process_environment=environment) as stack:
        yield stack.urls["web"]


def get(address: str) -> tuple[HTTPMessage, bytes]:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=30) as answer:
        return answer.headers, answer.read()


def policy(headers: HTTPMessage) -> dict[str, list[str]]:
    rules = [rule.split() for rule in headers["Content-Security-Policy"].split(";")]
    return {name: values for name, *values in rules}


def test_the_configuration_is_the_environments(portal: str) -> None:
    status, config = call("GET", f"{portal}/config.json")
    assert status == 200
    assert config["sign_in"] == {"issuer": ISSUER, "client_id": "marketplane-web"}
    assert config["services"]["metering"] == "https://metering.example/base"
    assert config["brand"]["logo"] == "logo.svg"
    headers, logo = get(f"{portal}/logo.svg")
    assert headers["Content-Type"] == "image/svg+xml"
    assert logo == (ROOT / "branding/example-logo.svg").read_bytes()


def test_a_page_may_load_what_is_ours_and_speak_to_whom_it_is_told(portal: str) -> None:
    headers, _ = get(f"{portal}/")
    rules = policy(headers)
    assert rules["default-src"] == rules["base-uri"] == rules["frame-ancestors"] == ["'none'"]
    assert rules["script-src"] == rules["style-src"] == ["'self'"]
    assert rules["frame-src"] == ["'self'", "https://id.example"]
    assert set(rules["connect-src"]) >= {"'self'", "https://id.example", "https://metering.example"}
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_only_the_page_of_the_silent_sign_in_may_stand_in_a_frame(portal: str) -> None:
    headers, _ = get(f"{portal}/silent-callback.html")
    assert policy(headers)["frame-ancestors"] == ["'self'"]


def test_what_has_its_hash_in_its_name_is_kept_and_all_else_is_asked_for(portal: str) -> None:
    scripts = sorted((ROOT / "web/dist/assets").glob("*.js"))
    assert scripts
    headers, _ = get(f"{portal}/assets/{scripts[0].name}")
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    for path in ("/", "/index.html", "/config.json", "/theme.js", "/silent-callback.html"):
        headers, _ = get(portal + path)
        assert headers["Cache-Control"] == "no-cache", path


def test_nothing_stands_in_the_page_itself(portal: str) -> None:
    for path in ("/", "/silent-callback.html"):
        _, body = get(portal + path)
        assert b"<script>" not in body
        assert b"<style" not in body
        assert b" style=" not in body


def test_there_is_nothing_beside_the_pages(portal: str) -> None:
    for path in ("/.vite/manifest.json", "/../local_web.py", "/assets/none.js", "/src/main.tsx"):
        assert call("GET", portal + path, check=False)[0] == 404, path


def test_it_does_not_start_without_an_issuer(tmp_path: Path) -> None:
    environment = {"web": {"OIDC_ISSUER": ""}}
    with (
        pytest.raises(StackError, match="OIDC_ISSUER is not set"),
        Stack(tmp_path, processes=["web"], engine="ministack", process_environment=environment),
    ):
        pass
