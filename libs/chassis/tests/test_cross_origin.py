"""Which browser applications may read what is answered: those that are named, and below `/v1` alone."""

from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from sample.app import CONTRACT, build
from starlette.testclient import TestClient

from chassis.auth import KeyRing
from chassis.contract import load_contract
from chassis.cross_origin import PREFLIGHT, Terms, terms_of
from chassis.settings import ChassisSettings

PORTAL, CONSOLE = "https://portal.seller.example", "http://127.0.0.1:8109"
FOREIGN = [
    "https://evil.example",
    "http://portal.seller.example",
    "https://portal.seller.example:8443",
    "https://portal.seller.example.evil.example",
    "https://PORTAL.seller.example",
    "null",
    "",
    "*",
    f"{PORTAL}, {CONSOLE}",
]


@pytest.fixture
def portal(keys: KeyRing, notes: list[Any], settings: ChassisSettings) -> Iterator[TestClient]:
    """A client of the sample service that names two origins."""
    named = settings.model_copy(update={"browser_origins": f"{PORTAL},{CONSOLE}"})
    with build(named, keys, notes).test_client() as client:
        yield client


def shared(answer: Any) -> dict[str, str]:
    """The headers of the CORS protocol."""
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


def preflight(client: TestClient, origin: str, path: str = "/v1/notes", method: str = "POST") -> Any:
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization"}
    return client.options(path, headers={"Origin": origin, **asked})


@pytest.mark.parametrize("origin", [PORTAL, CONSOLE])
def test_a_named_origin_reads_answers_and_refusals_alike(
    portal: TestClient, operator: dict[str, str], origin: str
) -> None:
    said = {"Origin": origin}
    too_large = {"text": "x" * 3000}
    answers = [
        portal.get("/v1/notes/n-1", headers=said | operator),
        portal.get("/v1/notes/n-1", headers=said),
        portal.post("/v1/notes", json={}, headers=said | operator),
        portal.get("/v1/nothing", headers=said),
        portal.delete("/v1/notes", headers=said),
        portal.post("/v1/notes", json=too_large, headers=said | operator),
        portal.get("/v1/notes%0A", headers=said),
        portal.get("/v1/breakdowns?how=us", headers=said),
        portal.get("/v1/breakdowns?how=aws", headers=said),
    ]
    assert [one.status_code for one in answers] == [200, 401, 400, 404, 405, 413, 404, 500, 503]
    for answer in answers:
        assert shared(answer) == {
            "access-control-allow-origin": origin,
            "access-control-expose-headers": "Retry-After, X-Request-Id",
        }
        assert answer.headers["vary"] == "Origin"


def test_the_short_way_is_shared_too(portal: TestClient, operator: dict[str, str]) -> None:
    for _ in range(2):  # the first reads the key; from then on it is remembered
        answer = portal.post("/v1/bells", json={"text": "ding"}, headers=operator | {"Origin": PORTAL})
        assert (answer.status_code, answer.json()["by"]) == (202, "ada")
        assert answer.headers["access-control-allow-origin"] == PORTAL
    cracked = portal.post("/v1/bells", json={"text": "cracked"}, headers=operator | {"Origin": PORTAL})
    assert (cracked.status_code, cracked.headers["access-control-allow-origin"]) == (409, PORTAL)


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_origin_gets_its_answer_and_no_leave_to_read_it(
    portal: TestClient, operator: dict[str, str], origin: str
) -> None:
    answer = portal.get("/v1/notes/n-1", headers=operator | {"Origin": origin})
    assert (answer.status_code, shared(answer)) == (200, {})
    # A cache must not hand this answer on to a named origin.
    assert answer.headers["vary"] == "Origin"


def test_two_origins_in_one_request_are_none(portal: TestClient, operator: dict[str, str]) -> None:
    headers = [*operator.items(), ("Origin", PORTAL), ("Origin", CONSOLE)]
    assert shared(portal.get("/v1/notes/n-1", headers=headers)) == {}


def test_who_is_no_browser_notices_nothing(portal: TestClient, operator: dict[str, str]) -> None:
    answer = portal.get("/v1/notes/n-1", headers=operator)
    assert (answer.status_code, shared(answer)) == (200, {})


@pytest.mark.parametrize("path", ["/v1/notes", "/v1/notes/n-1", "/v1/nothing"])
def test_a_preflight_of_a_named_origin_is_told_what_may_be_sent(portal: TestClient, path: str) -> None:
    answer = preflight(portal, PORTAL, path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert shared(answer) == {
        "access-control-allow-origin": PORTAL,
        "access-control-allow-methods": "GET, POST",
        "access-control-allow-headers": "Authorization, Content-Type",
        "access-control-max-age": "7200",
        "access-control-expose-headers": "Retry-After, X-Request-Id",
    }
    assert answer.headers["vary"] == "Origin"
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_preflight_of_a_foreign_origin_is_refused(
    portal: TestClient, assert_problem: Any, origin: str
) -> None:
    answer = preflight(portal, origin)
    assert_problem(answer, 403, "origin-not-allowed")
    assert shared(answer) == {}


def test_options_that_are_no_preflight_are_not_answered(portal: TestClient, assert_problem: Any) -> None:
    for headers in ({}, {"Origin": PORTAL}, {"Access-Control-Request-Method": "GET"}):
        assert_problem(portal.options("/v1/notes", headers=headers), 405, "method-not-allowed")


@pytest.mark.parametrize(
    "path", ["/welcome", "/welcome/inside", "/healthz", "/docs/", "/openapi.json", "/v1"]
)
def test_nothing_else_is_shared(portal: TestClient, path: str) -> None:
    """Pages have sessions in cookies."""
    answer = portal.get(path, headers={"Origin": PORTAL})
    assert (shared(answer), "vary" in answer.headers) == ({}, False)
    assert shared(preflight(portal, PORTAL, path)) == {}


def test_whether_a_service_is_ready_is_shared(portal: TestClient) -> None:
    """Operators' applications show it."""
    assert shared(portal.get("/readyz", headers={"Origin": PORTAL}))["access-control-allow-origin"] == PORTAL
    assert preflight(portal, PORTAL, "/readyz").status_code == 204
    assert shared(portal.get("/readyz", headers={"Origin": FOREIGN[0]})) == {}


def test_credentials_of_the_browsers_own_are_never_allowed(
    portal: TestClient, private_key: rsa.RSAPrivateKey
) -> None:
    claims = {"sub": "carol", "iss": "https://issuer", "aud": "us", "exp": 2**31, "scope": "operator"}
    token = jwt.encode(claims, private_key, algorithm="RS256", headers={"kid": "k1"})
    answer = portal.get("/v1/notes/n-1", headers={"Origin": PORTAL, "Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["by"]) == (200, "carol")
    for one in (answer, preflight(portal, PORTAL)):
        assert "access-control-allow-credentials" not in one.headers
        assert "*" not in str(shared(one))


def test_where_no_origin_is_named_nothing_is_shared(
    client: TestClient, operator: dict[str, str], assert_problem: Any
) -> None:
    answer = client.get("/v1/notes/n-1", headers=operator | {"Origin": PORTAL})
    assert (answer.status_code, shared(answer), "vary" in answer.headers) == (200, {}, False)
    refused = preflight(client, PORTAL)
    assert_problem(refused, 405, "method-not-allowed")
    assert shared(refused) == {}


def test_a_preflight_has_its_line_in_the_log(portal: TestClient, log_lines: Any) -> None:
    preflight(portal, PORTAL)
    preflight(portal, "https://evil.example")
    lines = [line for line in log_lines() if line["event"] == "Answered."]
    assert [(line["operation"], line["status"]) for line in lines] == [(PREFLIGHT, 204), (PREFLIGHT, 403)]
    assert "evil" not in str(lines)


def test_the_terms_are_what_the_contract_names() -> None:
    assert terms_of(load_contract(CONTRACT)).request_headers == ("Authorization", "Content-Type")
    header = {"in": "header", "schema": {"type": "string"}}
    contract = {
        "paths": {
            "/v1/things/{id}": {
                "parameters": [{"$ref": "#/components/parameters/Version"}],
                "patch": {
                    "operationId": "change",
                    "security": [{"apiKey": []}, {"session": [], "bearer": []}],
                    "responses": {
                        "200": {"$ref": "#/components/responses/Thing"},
                        "204": {"description": ""},
                    },
                },
                "put": {
                    "operationId": "keyed",
                    "security": [{"apiKey": []}],
                    "parameters": [{"name": "X-Of-Programs", **header}],
                    "responses": {},
                },
            },
            "/pages": {"post": {"operationId": "page", "security": [], "responses": {}}},
        },
        "components": {
            "parameters": {"Version": {"name": "If-Match", **header}},
            "responses": {"Thing": {"headers": {"ETag": {}, "Cache-Control": {}, "Set-Cookie": {}}}},
            "securitySchemes": {
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "session": {"type": "apiKey", "in": "header", "name": "X-Session"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }
    assert terms_of(contract) == Terms(
        ("PATCH",),
        ("Authorization", "Content-Type", "If-Match", "X-Session"),
        ("ETag", "Retry-After", "X-Request-Id"),
    )
