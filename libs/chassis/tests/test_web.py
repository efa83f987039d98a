"""What every API gets from the chassis: guarded routes, checked bodies, problem documents."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from sample.app import SampleKey
from starlette.testclient import TestClient

from chassis.auth import KeyRing

AssertProblem = Callable[[Any, int, str], dict[str, Any]]


def test_a_good_request_is_served(client: TestClient, operator: dict[str, str], notes: list[Any]) -> None:
    answer = client.post("/v1/notes", json={"text": "hello", "reply_to": None}, headers=operator)
    assert (answer.status_code, answer.json()) == (201, {"text": "hello", "by": "ada"})
    assert notes == [{"text": "hello", "reply_to": None}]


def test_every_mistake_of_a_body_is_named_with_its_place(
    client: TestClient, operator: dict[str, str], assert_problem: AssertProblem
) -> None:
    answer = client.post("/v1/notes", json={"text": "", "at": "yesterday", "more": 1}, headers=operator)
    errors = assert_problem(answer, 400, "invalid-request")["errors"]
    assert {error["path"] for error in errors} == {"/text", "/at", "/"}
    assert all(error["in"] == "body" and error["reason"] for error in errors)


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"", b'{"text": NaN}'])
def test_a_body_that_is_not_json_is_refused(
    client: TestClient, operator: dict[str, str], body: bytes, assert_problem: AssertProblem
) -> None:
    answer = client.post("/v1/notes", content=body, headers=operator | {"Content-Type": "application/json"})
    assert_problem(answer, 400, "invalid-request")


def test_a_large_body_is_refused_also_without_a_length(
    client: TestClient, operator: dict[str, str], notes: list[Any], assert_problem: AssertProblem
) -> None:
    large = json.dumps({"text": "x" * 3000}).encode()
    headers = operator | {"Content-Type": "application/json"}
    assert_problem(client.post("/v1/notes", content=large, headers=headers), 413, "too-large")
    assert_problem(client.post("/v1/notes", content=iter([large]), headers=headers), 413, "too-large")
    assert notes == []


def test_a_chunked_body_is_read(client: TestClient, operator: dict[str, str]) -> None:
    headers = operator | {"Content-Type": "application/json"}
    answer = client.post("/v1/notes", content=iter([b'{"te', b'xt": "hello"}']), headers=headers)
    assert answer.status_code == 201


def test_another_content_type_is_refused(
    client: TestClient, operator: dict[str, str], assert_problem: AssertProblem
) -> None:
    answer = client.post(
        "/v1/notes", content=b"text=hello", headers=operator | {"Content-Type": "text/plain"}
    )
    assert_problem(answer, 415, "unsupported-media-type")


def test_unknown_paths_methods_and_parameters_are_refused(
    client: TestClient, assert_problem: AssertProblem
) -> None:
    assert_problem(client.get("/v1/nothing"), 404, "not-found")
    answer = client.delete("/v1/notes")
    assert_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "POST"
    assert_problem(client.get("/v1/breakdowns?how=aws&why=because"), 400, "invalid-request")
    assert_problem(client.get("/v1/breakdowns?how=never"), 400, "invalid-request")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": "mpk_none_such"},
        {"X-API-Key": "nonsense"},
        {"X-API-Key": "mpk__"},
        {"Authorization": "Bearer x.y.z"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic eDp5"},
    ],
)
def test_who_has_no_valid_credentials_is_refused(
    client: TestClient, headers: dict[str, str], assert_problem: AssertProblem
) -> None:
    answer = client.post("/v1/notes", json={"text": "hello"}, headers=headers)
    assert_problem(answer, 401, "unauthorized")
    assert "www-authenticate" in answer.headers


def test_a_key_with_a_changed_secret_or_one_disabled_is_refused(
    client: TestClient, keys: KeyRing, assert_problem: AssertProblem
) -> None:
    key = keys.add("eve", {"operator"})
    assert_problem(
        client.post("/v1/notes", json={"text": "a"}, headers={"X-API-Key": key + "x"}), 401, "unauthorized"
    )
    row = SampleKey.get(key.split("_")[1])
    assert key not in row.to_dynamodb_dict().__repr__()
    row.update([SampleKey.disabled.set(True)])
    keys._cache.clear()
    assert_problem(
        client.post("/v1/notes", json={"text": "a"}, headers={"X-API-Key": key}), 401, "unauthorized"
    )


def test_a_caller_without_the_scope_is_forbidden(
    client: TestClient, keys: KeyRing, assert_problem: AssertProblem
) -> None:
    key = keys.add("bob", {"usage:read"})
    answer = client.post("/v1/notes", json={"text": "hello"}, headers={"X-API-Key": key})
    assert "operator" in assert_problem(answer, 403, "forbidden")["detail"]


def bearer(private_key: Any, algorithm: str = "RS256", **claims: Any) -> dict[str, str]:
    standard = {
        "sub": "carol",
        "iss": "https://issuer",
        "aud": "us",
        "exp": datetime.now(UTC) + timedelta(minutes=5),
        "scope": "openid operator",
    }
    token = jwt.encode(standard | claims, private_key, algorithm=algorithm, headers={"kid": "k1"})
    return {"Authorization": f"Bearer {token}"}


def test_a_bearer_token_is_checked_against_the_jwks(
    client: TestClient, private_key: rsa.RSAPrivateKey, assert_problem: AssertProblem
) -> None:
    def ask(**claims: Any) -> Any:
        return client.post("/v1/notes", json={"text": "hello"}, headers=bearer(private_key, **claims))

    assert ask().json()["by"] == "carol"
    assert_problem(ask(scope="usage:read"), 403, "forbidden")
    assert_problem(ask(iss="https://other"), 401, "unauthorized")
    assert_problem(ask(aud="them"), 401, "unauthorized")
    assert_problem(ask(exp=datetime.now(UTC) - timedelta(minutes=5)), 401, "unauthorized")


def test_a_bearer_token_of_another_key_or_kind_is_refused(
    client: TestClient, assert_problem: AssertProblem
) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for headers in (bearer(stranger), bearer("s" * 40, algorithm="HS256"), bearer(None, algorithm="none")):
        assert_problem(client.post("/v1/notes", json={"text": "hello"}, headers=headers), 401, "unauthorized")


def test_a_session_header_is_checked_by_the_service_itself(
    client: TestClient, operator: dict[str, str], assert_problem: AssertProblem
) -> None:
    assert client.put("/v1/closings", headers={"X-Note-Session": "right"}).json() == {"by": "session"}
    assert client.put("/v1/closings", headers=operator).json() == {"by": "ada"}
    assert_problem(client.put("/v1/closings", headers={"X-Note-Session": "wrong"}), 401, "unauthorized")


def test_an_outage_of_aws_is_503_and_a_mistake_of_ours_500(
    client: TestClient, assert_problem: AssertProblem
) -> None:
    answer = client.get("/v1/breakdowns?how=aws")
    assert_problem(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert "a mistake of ours" not in str(
        assert_problem(client.get("/v1/breakdowns?how=us"), 500, "internal-error")
    )


def test_health_says_which_part_is_away(
    client: TestClient, notes: list[Any], assert_problem: AssertProblem
) -> None:
    assert client.get("/healthz").json() == {"status": "alive", "service": "sample"}
    assert client.get("/readyz").json()["parts"] == {"shelf": "ready"}
    notes.append("away")
    assert assert_problem(client.get("/readyz"), 503, "unavailable")["parts"] == {
        "shelf": "away (ConnectionError)"
    }
    assert (
        'marketplane_http_requests_total{method="GET",operation="chassis.health.readyz"'
        in client.get("/metrics").text
    )


def test_the_contract_and_its_documentation_are_served(client: TestClient) -> None:
    assert client.get("/openapi.json").json()["info"]["title"] == "Sample"
    assert "swagger" in client.get("/docs/").text


def test_a_request_id_is_kept_only_where_it_is_harmless(client: TestClient) -> None:
    assert (
        client.get("/healthz", headers={"X-Request-Id": "abc-12345"}).headers["x-request-id"] == "abc-12345"
    )
    assert (
        client.get("/healthz", headers={"X-Request-Id": "a b\tc<script>"}).headers["x-request-id"]
        != "a b\tc<script>"
    )


@pytest.mark.parametrize("how", ["aws", "table", "throttled", "server", "conflict", "clock", "unavailable"])
def test_what_may_be_asked_again_is_503_with_a_pause(
    client: TestClient, how: str, assert_problem: AssertProblem
) -> None:
    answer = client.get(f"/v1/breakdowns?how={how}")
    assert_problem(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("how", ["condition", "denied", "parameters", "us"])
def test_what_is_our_mistake_is_500_and_tells_the_caller_nothing(
    client: TestClient, how: str, assert_problem: AssertProblem, log_lines: Callable[[], list[Any]]
) -> None:
    answer = client.get(f"/v1/breakdowns?how={how}")
    document = assert_problem(answer, 500, "internal-error")
    assert document["detail"] == "It has been logged; quote the instance."
    (line,) = (line for line in log_lines() if line["level"] == "error")
    assert line["request_id"] == document["instance"]
    assert "Traceback" in line["exception"]
    assert "ada@example.com" not in str(log_lines()) + answer.text


def test_a_services_own_401_says_how_to_authenticate(
    client: TestClient, assert_problem: AssertProblem
) -> None:
    answer = client.get("/v1/breakdowns?how=unauthorized")
    assert_problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_flasks_own_errors_are_problem_documents_too(
    client: TestClient, assert_problem: AssertProblem
) -> None:
    assert_problem(client.get("/v1/breakdowns?how=gone"), 410, "http-410")


@pytest.mark.parametrize("path", ["/v1/notes/a%0Ab", "/v1/notes/%0A", "/healthz%0A"])
def test_a_line_break_in_a_path_leads_nowhere(
    client: TestClient, operator: dict[str, str], path: str, assert_problem: AssertProblem
) -> None:
    """Connexion's routing ends at it and Flask's does not: it would get past the guards."""
    for headers in (operator, {}):
        assert_problem(client.get(path, headers=headers), 404, "not-found")


def test_every_wrong_parameter_is_named_with_its_place(
    client: TestClient, assert_problem: AssertProblem
) -> None:
    answer = client.get("/v1/breakdowns?how=never&why=because&when=now")
    errors = assert_problem(answer, 400, "invalid-request")["errors"]
    assert [(error["in"], error["path"]) for error in errors] == [
        ("query", "when"),
        ("query", "why"),
        ("query", "how"),
    ]
    assert errors[2]["reason"].startswith("'never' is not one of")
    assert "\n" not in errors[2]["reason"]
    missing = assert_problem(client.get("/v1/breakdowns"), 400, "invalid-request")
    assert missing["errors"][0]["path"] == "how"


def test_the_configured_headers_are_on_every_answer_once(
    client: TestClient, operator: dict[str, str]
) -> None:
    for path in ("/healthz", "/v1/nothing", "/v1/breakdowns?how=us", "/docs/", "/openapi.json", "/metrics"):
        answer = client.get(path)
        for name, value in (("x-content-type-options", "nosniff"), ("x-frame-options", "DENY")):
            assert answer.headers.get_list(name) == [value], path
        assert len(answer.headers.get_list("x-request-id")) == 1
    own = client.post("/v1/notes", json={"text": "a"}, headers=operator)
    assert own.headers.get_list("x-frame-options") == ["SAMEORIGIN"]


def test_what_is_allowed_is_said_of_the_path_asked(client: TestClient) -> None:
    assert client.delete("/v1/notes/n-1").headers["allow"] == "GET, HEAD"
    assert client.put("/v1/notes").headers["allow"] == "POST"
