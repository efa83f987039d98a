"""The local OpenID provider, as an application in a browser and the services meet it."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shlex
import string
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.tools.code_flow import APPLICATION, BACK_AT, CLIENT, SignIn, told
from tools.ports import free_port
from tools.processes import Guard, Process
from tools.stack import ROOT, call, procfile

PATIENCE = 60.0
# What the services make of a token: asked in an environment of theirs, since none of ours reads JWTs.
JUDGE = """
import json, sys
from chassis.auth import BearerTokens
from chassis.settings import ChassisSettings
tokens, issuer, audience = json.load(sys.stdin)
settings = ChassisSettings(
    environment="test", jwks_url=issuer + "/jwks", jwt_issuer=issuer, jwt_audience=audience
)
judge = BearerTokens(settings)
found = [judge.check(token) for token in tokens]
print(json.dumps([one and [one.facts["iss"], one.subject, sorted(one.scopes)] for one in found]))
"""


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Starts providers as the Procfile does, each on a port of its own; answers the issuer."""
    guard, started = Guard(), []

    def run(**variables: str) -> str:
        port = str(free_port())
        words = shlex.split(string.Template(procfile()["identity"]).substitute(PORT=port))
        environment = {"PATH": os.environ["PATH"], **variables}
        log = tmp_path_factory.mktemp("identity") / "log"
        process = Process("identity", words, environment=environment, directory=ROOT, log=log, guard=guard)
        started.append(process)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                call("GET", f"http://127.0.0.1:{port}/.well-known/openid-configuration")
                return f"http://127.0.0.1:{port}"
            except OSError:
                assert process.exit_code is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)

    yield run
    for process in started:
        process.kill()
    guard.close()


@pytest.fixture(scope="module")
def issuer(start: Callable[..., str]) -> str:
    return start()


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30, trust_env=False) as client:
        yield client


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, unchecked."""
    header, claims, _ = token.split(".")
    read = [json.loads(base64.urlsafe_b64decode(part + "==")) for part in (header, claims)]
    return read[0], read[1]


def judged(tokens: list[str], issuer: str, audience: str = "marketplane") -> list[Any]:
    """Issuer, subject and scopes of each token, as the services see them; None of a refused one."""
    done = subprocess.run(
        [ROOT / ".venv/registration/bin/python", "-W", "ignore", "-c", JUDGE],
        input=json.dumps([tokens, issuer, audience]),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    found: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_client_without_a_secret_gets_an_access_token_of_the_standard_form(
    http: httpx.Client, issuer: str
) -> None:
    answer = SignIn(http, issuer, "openid profile email buyer").tokens("ada@example.com").json()
    header, claims = parts(answer["access_token"])
    (key,) = http.get(f"{issuer}/jwks").json()["keys"]
    assert header == {"alg": "RS256", "typ": "at+jwt", "kid": key["kid"]}
    assert {name: claims[name] for name in ("iss", "sub", "aud", "client_id", "scope")} == {
        "iss": issuer,
        "sub": "ada@example.com",
        "aud": "marketplane",
        "client_id": CLIENT,
        "scope": "openid profile email buyer",
    }
    assert claims["exp"] - claims["iat"] == answer["expires_in"] == 3600
    assert abs(claims["iat"] - time.time()) < PATIENCE
    assert claims.keys() == {"iss", "sub", "aud", "client_id", "scope", "iat", "exp", "jti"}
    assert (answer["token_type"], answer["scope"]) == ("Bearer", claims["scope"])


def test_two_tokens_of_one_person_are_two(http: httpx.Client, issuer: str) -> None:
    tokens = [SignIn(http, issuer, "openid buyer").tokens("ada@example.com").json() for _ in range(2)]
    first, second = (parts(one["access_token"])[1]["jti"] for one in tokens)
    assert first != second


@pytest.mark.parametrize(
    ("subject", "asked", "granted"),
    [
        ("olga@example.com", "openid operator", "openid operator"),
        ("olga@example.com", "openid buyer", "openid buyer"),
        ("olga@example.com", "openid operator buyer", "openid operator buyer"),
        ("ada@example.com", "openid operator buyer", "openid buyer"),
        ("ada@example.com", "openid usage:read usage:write", "openid"),
        ("somebody-else", "openid operator buyer", "openid buyer"),
        ("olga@example.com.evil.example", "openid operator", "openid"),
        ("ada@example.com", "openid", "openid"),
    ],
)
def test_who_may_have_which_scope(
    http: httpx.Client, issuer: str, subject: str, asked: str, granted: str
) -> None:
    answer = SignIn(http, issuer, asked).tokens(subject).json()
    assert answer["scope"] == parts(answer["access_token"])[1]["scope"] == granted


def test_a_refreshed_token_may_no_more_than_the_first(http: httpx.Client, issuer: str) -> None:
    first = SignIn(http, issuer, "openid operator buyer").tokens("ada@example.com").json()
    form = {"grant_type": "refresh_token", "client_id": CLIENT, "refresh_token": first["refresh_token"]}
    again = http.post(f"{issuer}/oauth2/token", data=form).json()
    assert parts(again["access_token"])[1]["scope"] == "openid buyer"
    wider = http.post(f"{issuer}/oauth2/token", data=form | {"scope": "openid operator"})
    assert (wider.status_code, wider.json()["error"]) == (400, "invalid_scope")


def test_what_a_user_may_is_no_claim_about_them(http: httpx.Client, issuer: str) -> None:
    answer = SignIn(http, issuer, "openid profile email operator").tokens("olga@example.com").json()
    _, identity = parts(answer["id_token"])
    bearer = {"Authorization": f"Bearer {answer['access_token']}"}
    about = http.get(f"{issuer}/userinfo", headers=bearer).json()
    assert about == {
        "sub": "olga@example.com",
        "name": "Olga Operator",
        "email": "olga@example.com",
        "email_verified": True,
    }
    assert not {"scope", "scopes"} & identity.keys()
    assert (identity["aud"], identity["nonce"] != "") == ([CLIENT], True)


def test_the_services_take_its_access_tokens_and_no_other_word_of_it(http: httpx.Client, issuer: str) -> None:
    of_ada = SignIn(http, issuer, "openid email buyer operator").tokens("ada@example.com").json()
    of_olga = SignIn(http, issuer, "openid operator").tokens("olga@example.com").json()
    head, claims, signature = of_ada["access_token"].split(".")
    forged = parts(of_ada["access_token"])[1] | {"scope": "operator"}
    forged_claims = base64.urlsafe_b64encode(json.dumps(forged).encode()).rstrip(b"=").decode()
    tokens = [
        of_ada["access_token"],
        of_olga["access_token"],
        of_ada["id_token"],
        of_ada["refresh_token"],
        f"{head}.{forged_claims}.{signature}",
        f"{head}.{claims}.{signature[:-8]}AAAAAAAA",
    ]
    assert judged(tokens, issuer) == [
        [issuer, "ada@example.com", ["buyer"]],
        [issuer, "olga@example.com", ["operator"]],
        *[None] * 4,
    ]
    assert judged(tokens[:2], issuer, audience="another") == [None, None]


def test_the_audience_is_the_one_that_it_is_told(http: httpx.Client, start: Callable[..., str]) -> None:
    issuer = start(JWT_AUDIENCE="another")
    token = SignIn(http, issuer, "openid buyer").tokens("ada@example.com").json()["access_token"]
    assert judged([token], issuer, "another") == [[issuer, "ada@example.com", ["buyer"]]]
    assert judged([token], issuer) == [None]


def test_without_the_verifier_the_code_is_worth_nothing(http: httpx.Client, issuer: str) -> None:
    for wrong in ("", secrets.token_urlsafe(48)):
        refused = SignIn(http, issuer, "openid buyer").tokens("ada@example.com", code_verifier=wrong)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


def test_a_client_with_a_secret_gets_its_tokens_as_before(http: httpx.Client, issuer: str) -> None:
    sign_in = SignIn(http, issuer, "openid email profile")
    form = {
        "grant_type": "authorization_code",
        "redirect_uri": BACK_AT,
        "code": sign_in.come_back("ada@example.com")["code"],
        "code_verifier": sign_in.verifier,
    }
    answer = http.post(f"{issuer}/oauth2/token", data=form, auth=(CLIENT, "a secret"))
    assert answer.status_code == 200, answer.text
    assert parts(answer.json()["id_token"])[1]["email"] == "ada@example.com"


# -- in a browser --------------------------------------------------------------------------------------------

OPENED_BY_SCRIPTS = ["/.well-known/openid-configuration", "/jwks", "/userinfo"]


@pytest.mark.parametrize("path", OPENED_BY_SCRIPTS)
@pytest.mark.parametrize(
    "origin", [APPLICATION, "http://localhost:5173", "http://portal.localhost", "http://[::1]:9"]
)
def test_pages_of_this_machine_may_read_it(http: httpx.Client, issuer: str, path: str, origin: str) -> None:
    answer = http.get(issuer + path, headers={"Origin": origin})
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in answer.headers
    asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    preflight = http.options(issuer + path, headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == origin
    assert preflight.headers["access-control-allow-headers"] == "Authorization, Content-Type"


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://localhost.evil.example", "http://127.0.0.1.evil.example", "null", "*"],
)
def test_pages_of_others_may_not(http: httpx.Client, issuer: str, origin: str) -> None:
    for path in OPENED_BY_SCRIPTS:
        for answer in (
            http.get(issuer + path, headers={"Origin": origin}),
            http.options(issuer + path, headers={"Origin": origin, "Access-Control-Request-Method": "GET"}),
        ):
            assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_tokens_and_refusals_are_read_there_too(http: httpx.Client, issuer: str) -> None:
    given = SignIn(http, issuer, "openid buyer").tokens("ada@example.com")
    refused = SignIn(http, issuer, "openid buyer").tokens("ada@example.com", code_verifier="another")
    assert [one.status_code for one in (given, refused)] == [200, 400]
    for answer in (given, refused):
        assert answer.headers["access-control-allow-origin"] == APPLICATION


def test_its_pages_are_nobodys_to_read(http: httpx.Client, issuer: str) -> None:
    asked = SignIn(http, issuer, "openid").asked
    answer = http.get(f"{issuer}/oauth2/authorize", params=asked, headers={"Origin": APPLICATION})
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


def test_who_must_not_be_asked_is_not_signed_in(http: httpx.Client, issuer: str) -> None:
    sign_in = SignIn(http, issuer, "openid buyer")
    sign_in.tokens("ada@example.com")
    address = f"{issuer}/oauth2/authorize"
    answer = http.get(address, params=sign_in.asked | {"prompt": "none"})
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(BACK_AT)
    brought = told(answer)
    assert (brought["error"], brought["state"]) == ("login_required", sign_in.asked["state"])
    assert "code" not in brought
    nowhere = http.get(address, params=sign_in.asked | {"prompt": "none", "redirect_uri": "javascript:a"})
    assert (nowhere.status_code, "location" in nowhere.headers) == (400, False)


def test_signing_out_leads_back(http: httpx.Client, issuer: str) -> None:
    document = http.get(f"{issuer}/.well-known/openid-configuration").json()
    page = http.get(
        document["end_session_endpoint"], params={"post_logout_redirect_uri": APPLICATION, "state": "s"}
    )
    assert page.status_code == 200
    assert f'value="{APPLICATION}?state=s"' in page.text
    done = http.post(f"{issuer}/oauth2/end_session/confirm", data={"redirect_uri": f"{APPLICATION}?state=s"})
    assert (done.status_code, done.headers["location"]) == (302, f"{APPLICATION}?state=s")


def test_it_says_what_it_can(http: httpx.Client, issuer: str) -> None:
    document = http.get(f"{issuer}/.well-known/openid-configuration").json()
    assert document["issuer"] == issuer
    assert {"openid", "profile", "email", "buyer", "operator"} <= set(document["scopes_supported"])
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert "none" in document["token_endpoint_auth_methods_supported"]
