"""An application in a browser, with what the local provider gives it: it asks the three services directly,
from another origin, each person as who they are."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.tools.code_flow import APPLICATION, SignIn
from tools.stack import Stack, procfile
from tools.story import LICENSED_PRODUCT

PROCESSES = ["simulator", "registration-web", "notifications-web", "metering-web", "identity"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The doors of the house, without its workers; the application is where a stack would have it."""
    directory = tmp_path_factory.mktemp("doors")
    port = int(APPLICATION.rpartition(":")[2])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tools.stack.procfile", lambda: procfile() | {"web": "not started"})
        variables = Stack(directory, ports={"web": port}).environment_of("metering-web")
    with Stack(
        directory, processes=PROCESSES, environment={"BROWSER_ORIGINS": variables["BROWSER_ORIGINS"]}
    ) as running:
        yield running


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=60, trust_env=False) as client:
        yield client


class Application:
    """What somebody has open: every request has its origin, and their token."""

    def __init__(self, stack: Stack, http: httpx.Client, subject: str, scope: str) -> None:
        tokens = SignIn(http, stack.urls["identity"], f"openid profile email {scope}").tokens(subject).json()
        self._stack, self._http = stack, http
        self.headers = {"Authorization": f"Bearer {tokens['access_token']}", "Origin": APPLICATION}

    def ask(self, service: str, method: str, path: str, **more: object) -> httpx.Response:
        headers = self.headers | more.pop("headers", {})  # type: ignore[operator]
        url = self._stack.urls[f"{service}-web"] + path
        answer = self._http.request(method, url, headers=headers, **more)  # type: ignore[arg-type]
        assert answer.headers["access-control-allow-origin"] == APPLICATION
        return answer


def test_a_buyer_and_an_operator_at_all_three_services(stack: Stack, http: httpx.Client) -> None:
    bought = http.post(
        f"{stack.urls['simulator']}/_simulator/agreements", json={"product_code": LICENSED_PRODUCT}
    ).json()
    ada = Application(stack, http, "ada@example.com", "buyer operator")  # the last is not hers to have
    assert ada.ask("registration", "GET", "/v1/customers").json()["items"] == []

    body = {"registration_token": bought["registration_token"]}
    registration = ada.ask("registration", "POST", "/v1/registrations", json=body).json()
    customer_id = ada.ask(
        "registration",
        "PUT",
        f"/v1/registrations/{registration['registration_id']}/signed-in-customer",
        json={"email": "ada@example.com"},
        headers={"X-Registration-Session": registration["session_secret"]},
    ).json()["customer_id"]

    own = f"/v1/customers/{customer_id}"
    (listed,) = ada.ask("registration", "GET", "/v1/customers").json()["items"]
    assert listed["customer_id"] == customer_id
    changed = ada.ask("registration", "PATCH", own, json={"company": "Engines"}, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert "ETag" in changed.headers["access-control-expose-headers"]
    assert ada.ask("metering", "GET", "/v1/endpoints").json()["items"] == []

    olga = Application(stack, http, "olga@example.com", "operator")
    assert olga.ask("registration", "GET", own).json()["company"] == "Engines"
    for service, path in (
        ("registration", "/v1/outbox-items"),
        ("notifications", "/v1/subscriptions"),
        ("metering", "/v1/held-usage"),
    ):
        assert olga.ask(service, "GET", path).status_code == 200
    refused = ada.ask("registration", "GET", "/v1/outbox-items")
    assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")

    grace = Application(stack, http, "grace@example.com", "buyer")
    assert grace.ask("registration", "GET", own).status_code == 404
    assert ada.ask("registration", "DELETE", own).status_code == 204
    assert ada.ask("registration", "GET", own).status_code == 404


@pytest.mark.parametrize("service", ["registration", "notifications", "metering"])
def test_a_preflight_is_answered_to_the_application_alone(
    stack: Stack, http: httpx.Client, service: str
) -> None:
    def preflight(origin: str, path: str = "/v1/anything") -> httpx.Response:
        asked = {"Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "authorization"}
        return http.options(stack.urls[f"{service}-web"] + path, headers={"Origin": origin, **asked})

    for origin in (APPLICATION, APPLICATION.replace("127.0.0.1", "localhost")):
        answer = preflight(origin)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, origin)
        assert "DELETE" in answer.headers["access-control-allow-methods"]
    foreign = preflight("http://127.0.0.1:8110")
    assert foreign.status_code == 403
    assert not [name for name in foreign.headers if name.startswith("access-control-")]


def test_pages_with_cookies_are_shared_with_nobody(stack: Stack, http: httpx.Client) -> None:
    for path in ("/register", "/register/customer", "/register/sign-in/oidc"):
        url = stack.urls["registration-web"] + path
        asked = {"Origin": APPLICATION, "Access-Control-Request-Method": "POST"}
        for answer in (http.get(url, headers={"Origin": APPLICATION}), http.options(url, headers=asked)):
            assert not [name for name in answer.headers if name.startswith("access-control-")]
