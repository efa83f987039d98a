"""Who is calling: also while keys or issuer cannot be asked, and without holding up anyone else."""

import asyncio
import base64
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from sample.app import SampleKey, build, key_ring
from starlette.testclient import TestClient

from chassis.auth import KEY_CACHE_SECONDS, BearerTokens, KeyRing, Person
from chassis.problems import Unavailable
from chassis.settings import ChassisSettings

AssertProblem = Callable[[Any, int, str], dict[str, Any]]

STRANGE_KEY = "mpk_abcdefgh_abcdefghijklmnopqrstuvwxyz234567"


@pytest.fixture
def away(keys: KeyRing, settings: ChassisSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on the table of keys cannot be reached."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    key_ring(settings)


def test_a_key_is_kept_as_its_hash_and_names_its_caller(keys: KeyRing) -> None:
    key = keys.add("ada", {"operator", "usage:read"})
    caller = keys.check(key)
    assert caller is not None
    assert (caller.name, caller.scopes) == ("ada", {"operator", "usage:read"})
    assert caller.may("operator", "buyer")
    assert not caller.may("buyer")
    assert not caller.may()
    (row,) = SampleKey.scan()
    assert key.split("_")[2] not in str(row.serialize())


@pytest.mark.parametrize("scopes", [set(), {"root"}, {"operator", "root"}])
def test_a_key_of_unknown_scopes_is_not_made(keys: KeyRing, scopes: set[str]) -> None:
    with pytest.raises(ValueError, match="Scopes are buyer, operator, usage:read, usage:write; not"):
        keys.add("ada", scopes)
    assert list(SampleKey.scan()) == []


@pytest.mark.parametrize(
    "key",
    [
        "",
        "mpk",
        "mpk__",
        "mpk_none_such",
        STRANGE_KEY,
        STRANGE_KEY.upper(),
        STRANGE_KEY + "\n",
        "mpk_" + "a" * 3000 + "_" + "a" * 32,
        "mpk_abcdefgh_" + "ä" * 32,
        "\x00" * 45,
    ],
)
def test_what_is_no_key_is_refused_and_never_an_error(keys: KeyRing, key: str) -> None:
    assert keys.check(key) is None
    assert not keys.remembers(key)


def test_a_key_that_cannot_be_checked_is_503_and_not_401(
    client: TestClient, operator: dict[str, str], away: None, assert_problem: AssertProblem
) -> None:
    answer = client.post("/v1/notes", json={"text": "a"}, headers={"X-API-Key": STRANGE_KEY})
    assert_problem(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert "www-authenticate" not in answer.headers
    # What could never be a key needs no table to be refused.
    assert_problem(client.post("/v1/notes", json={}, headers={"X-API-Key": "x"}), 401, "unauthorized")


def test_a_key_seen_before_still_works_while_the_table_is_away(
    client: TestClient, keys: KeyRing, operator: dict[str, str], settings: ChassisSettings, monkeypatch: Any
) -> None:
    assert client.post("/v1/notes", json={"text": "a"}, headers=operator).status_code == 201
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    key_ring(settings)
    assert client.post("/v1/notes", json={"text": "b"}, headers=operator).status_code == 201


def test_a_remembered_key_is_forgotten_before_its_check_could_ask_the_table(keys: KeyRing) -> None:
    key = keys.add("ada", {"operator"})
    assert not keys.remembers(key)
    keys.check(key)
    assert keys.remembers(key)
    key_id = key.split("_")[1]
    row = keys._cache[key_id][1]
    keys._cache[key_id] = (time.monotonic() - KEY_CACHE_SECONDS + 0.5, row)
    assert not keys.remembers(key)


def test_the_table_is_never_asked_on_the_event_loop(
    client: TestClient, keys: KeyRing, operator: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    on_the_loop: list[bool] = []
    read = SampleKey.get

    def watched(*arguments: Any) -> Any:
        try:
            asyncio.get_running_loop()
            on_the_loop.append(True)
        except RuntimeError:
            on_the_loop.append(False)
        return read(*arguments)

    monkeypatch.setattr(SampleKey, "get", watched)
    for age in (None, KEY_CACHE_SECONDS - 0.5, KEY_CACHE_SECONDS + 1):
        for key_id, (_, row) in list(keys._cache.items()):
            keys._cache[key_id] = (time.monotonic() - (age or 0), row)
        assert client.post("/v1/notes", json={"text": "a"}, headers=operator).status_code == 201
    assert on_the_loop == [False, False]


def test_an_unknown_key_is_not_remembered_so_that_a_new_one_works_at_once(keys: KeyRing) -> None:
    assert keys.check(STRANGE_KEY) is None
    assert keys._cache == {}


def token(private_key: rsa.RSAPrivateKey, kid: str = "k1", **claims: Any) -> str:
    standard = {
        "sub": "carol",
        "iss": "https://issuer",
        "aud": "us",
        "exp": datetime.now(UTC) + timedelta(minutes=5),
        "scope": "operator root",
    }
    return jwt.encode(standard | claims, private_key, algorithm="RS256", headers={"kid": kid})


@pytest.mark.parametrize(
    ("scope", "person"),
    [
        ("buyer", Person("https://issuer", "carol")),
        ("buyer operator", Person("https://issuer", "carol")),
        ("operator", None),
        ("", None),
    ],
)
def test_a_person_is_who_has_a_token_of_a_buyer(
    settings: ChassisSettings, issuer: Any, private_key: rsa.RSAPrivateKey, scope: str, person: Person | None
) -> None:
    caller = BearerTokens(settings).check(token(private_key, scope=scope))
    assert caller is not None
    assert caller.person == person


def test_a_key_proves_no_person(keys: KeyRing) -> None:
    caller = keys.check(keys.add("carol", {"buyer", "operator"}))
    assert caller is not None
    assert caller.person is None


@pytest.mark.parametrize(
    "answer", [(500, b""), (200, b"<html>"), (200, b'{"keys": []}'), (200, b'{"keys": [{"kty": "none"}]}')]
)
def test_an_issuer_that_is_away_or_ill_is_503_and_not_401(
    settings: ChassisSettings, issuer: Any, private_key: rsa.RSAPrivateKey, answer: tuple[int, bytes]
) -> None:
    issuer.answer = answer
    with pytest.raises(Unavailable):
        BearerTokens(settings).check(token(private_key))


def test_the_issuer_is_asked_once_also_for_keys_that_it_does_not_have(
    settings: ChassisSettings, issuer: Any, private_key: rsa.RSAPrivateKey
) -> None:
    tokens = BearerTokens(settings)
    for n in range(5):
        assert tokens.check(token(private_key)) is not None
        assert tokens.check(token(private_key, kid=f"made-up-{n}")) is None
    assert len(issuer.asked) == 1


def test_scopes_come_as_words_or_as_a_list_and_only_ours_count(
    settings: ChassisSettings, private_key: rsa.RSAPrivateKey
) -> None:
    tokens = BearerTokens(settings)
    for scope, means in [
        ("operator root", {"operator"}),
        (["operator", "buyer", 7, ["usage:read"]], {"operator", "buyer"}),
        (None, set()),
        (7, set()),
        ({"operator": True}, set()),
    ]:
        caller = tokens.check(token(private_key, scope=scope))
        assert caller is not None
        assert (caller.subject, caller.scopes) == ("carol", means)


@pytest.mark.parametrize(
    ("typ", "is_taken"),
    [
        ("at+jwt", True),
        ("AT+JWT", True),
        ("application/at+jwt", True),
        ("JWT", True),
        (None, True),
        ("", True),
        ("logout+jwt", False),
        ("secevent+jwt", False),
        ("dpop+jwt", False),
        ("at+jwt ", False),
        (7, False),
        (["at+jwt"], False),
    ],
)
def test_a_token_that_names_another_purpose_is_no_access_token(
    settings: ChassisSettings, private_key: rsa.RSAPrivateKey, typ: Any, is_taken: bool
) -> None:
    claims = {"sub": "carol", "iss": "https://issuer", "aud": "us", "exp": 2**31, "scope": "operator"}
    signed = jwt.api_jws.encode(
        json.dumps(claims).encode(), private_key, algorithm="RS256", headers={"kid": "k1", "typ": typ}
    )
    assert (BearerTokens(settings).check(signed) is not None) is is_taken


def test_without_an_issuer_every_bearer_token_is_refused(private_key: rsa.RSAPrivateKey) -> None:
    assert BearerTokens(ChassisSettings(environment="test")).check(token(private_key)) is None


def _part(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("RS256") | st.just("k1"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
headers = st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk"]), json_values)
claims = st.dictionaries(st.sampled_from(["exp", "sub", "iss", "aud", "nbf", "iat", "scope"]), json_values)


def test_no_token_however_odd_is_more_than_refused(settings: ChassisSettings, issuer: Any) -> None:
    tokens = BearerTokens(settings)

    @given(
        st.text(max_size=40)
        | st.binary(max_size=40).map(lambda raw: raw.decode("latin-1"))
        | st.tuples(headers | json_values, claims | json_values, st.binary(max_size=8)).map(
            lambda parts: f"{_part(parts[0])}.{_part(parts[1])}.{base64.urlsafe_b64encode(parts[2]).decode()}"
        )
    )
    def refuse(odd: str) -> None:
        assert tokens.check(odd) is None

    refuse()


def test_head_is_guarded_as_get_is_and_options_is_not_answered(
    client: TestClient, operator: dict[str, str], assert_problem: AssertProblem
) -> None:
    assert client.head("/v1/notes/n-1").status_code == 401
    assert client.head("/v1/notes/n-1", headers=operator).status_code == 200
    answer = client.options("/v1/notes/n-1")
    assert_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, HEAD"


def test_nothing_is_served_that_the_contract_does_not_name(
    settings: ChassisSettings, keys: KeyRing, notes: list[Any]
) -> None:
    app = build(settings, keys, notes)
    with app.test_client() as client:
        assert client.get("/static/anything").status_code == 404
    rules = {rule.rule for rule in app.app.url_map.iter_rules()}
    paths = app.app.extensions["marketplane"].contract["paths"]
    assert rules == {path.replace("{", "<").replace("}", ">") for path in paths}


def test_a_key_and_a_wrong_session_are_one_good_credential(
    client: TestClient, operator: dict[str, str]
) -> None:
    both = operator | {"X-Note-Session": "wrong"}
    assert client.put("/v1/closings", headers=both).json() == {"by": "ada"}


def test_no_refusal_repeats_the_credential(
    client: TestClient, keys: KeyRing, private_key: rsa.RSAPrivateKey, log_lines: Callable[[], Any]
) -> None:
    weak = keys.add("bob", {"buyer"})
    for credential in (
        {"X-API-Key": STRANGE_KEY},
        {"X-API-Key": weak},
        {"Authorization": f"Bearer {token(private_key, iss='https://other')}"},
        {"Authorization": "Bearer opaque-nonsense"},
    ):
        answer = client.post("/v1/notes", json={"text": "a"}, headers=credential)
        assert answer.status_code in (401, 403)
        secret = next(iter(credential.values())).removeprefix("Bearer ")
        assert secret not in answer.text
        assert secret not in str(log_lines())
