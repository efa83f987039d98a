"""A provider that lies in every way that we know of; GitHub; and the local provider, as it really runs."""

import base64
import hmac
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from chassis.clock import FrozenClock
from registration.sign_in_providers import (
    KEEP_DISCOVERED,
    LONGEST_ANSWER,
    LONGEST_ANSWER_BYTES,
    GitHubProvider,
    OpenIdProvider,
    SignedIn,
    SignInAway,
    SignInRefused,
    forgetful_client,
)

ROOT = Path(__file__).parents[3]
ISSUER = "https://id.example/tenant"
CLIENT_ID, CLIENT_SECRET = "marketplane:buyers", "a secret/with+marks%"
REDIRECT = "https://seller.example/register/sign-in/oidc/callback"
CODE, NONCE = "code-that-nobody-may-see", "nonce-of-this-sign-in"
VERIFIER = "verifier-of-this-sign-in-0123456789-0123456789"
EMAIL = "ada@example.com"
START = datetime(2026, 11, 22, 10, tzinfo=UTC)
RSA, OTHER_RSA, EC, OTHER_EC = (
    RSAKey.generate_key(2048, {"kid": "rsa"}),
    RSAKey.generate_key(2048, {"kid": "other"}),
    ECKey.generate_key("P-256", {"kid": "ec"}),
    ECKey.generate_key("P-256", {"kid": "other-ec"}),
)
ADA = SignedIn(issuer=ISSUER, subject="248289761001", email=EMAIL, name="Ada Example")


@dataclass
class FakeProvider:
    """Answers as a good provider does; a test changes what it wants to be wrong."""

    clock: FrozenClock
    key: RSAKey | ECKey = field(default_factory=lambda: RSA)
    algorithm: str = "RS256"
    published: list[Any] = field(default_factory=lambda: [RSA, EC])
    discovery: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    without: set[str] = field(default_factory=set)
    user_info: dict[str, Any] = field(default_factory=dict)
    id_token: Callable[[dict[str, Any]], Any] | None = None
    answers: dict[str, httpx.Response | Exception] = field(default_factory=dict)
    asked: list[httpx.Request] = field(default_factory=list)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        path = request.url.path
        if path in self.answers:
            answer = self.answers[path]
            if isinstance(answer, Exception):
                raise answer
            return answer
        return httpx.Response(200, json=self.document(path), headers={"Set-Cookie": "buyer=ada; Path=/"})

    def document(self, path: str) -> dict[str, Any]:
        match path:
            case "/tenant/.well-known/openid-configuration":
                return {
                    "issuer": ISSUER,
                    "authorization_endpoint": "https://id.example/authorize?tenant=7",
                    "token_endpoint": "https://id.example/token",
                    "jwks_uri": "https://id.example/keys",
                    "userinfo_endpoint": "https://id.example/userinfo",
                } | self.discovery
            case "/keys":
                return {"keys": [key.as_dict(private=False) for key in self.published]}
            case "/token":
                return {"access_token": "access", "token_type": "Bearer", "id_token": self.token()}
            case "/userinfo":
                return self.user_info
        raise AssertionError(path)

    def token(self) -> Any:
        now = int(self.clock.now().timestamp())
        claims = {
            "iss": ISSUER,
            "sub": ADA.subject,
            "aud": CLIENT_ID,
            "exp": now + 300,
            "iat": now,
            "nonce": NONCE,
            "email": EMAIL,
            "email_verified": True,
            "name": "Ada Example",
        } | self.claims
        claims = {name: value for name, value in claims.items() if name not in self.without}
        if self.id_token:
            return self.id_token(claims)
        return signed(claims, self.key, self.algorithm)

    def paths(self) -> list[str]:
        return [request.url.path for request in self.asked]

    def form(self) -> dict[str, str]:
        request = next(request for request in self.asked if request.url.path == "/token")
        return dict(parse_qsl(request.content.decode()))


def signed(claims: dict[str, Any], key: Any, algorithm: str, **header: Any) -> str:
    return jwt.encode(
        {"alg": algorithm, "kid": key.kid} | header, dict(claims), key, algorithms=[algorithm, "RS256"]
    )


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(START)


@pytest.fixture
def fake(clock: FrozenClock) -> FakeProvider:
    return FakeProvider(clock)


@pytest.fixture
def provider(fake: FakeProvider, clock: FrozenClock) -> OpenIdProvider:
    http = forgetful_client(httpx.MockTransport(fake.handle))
    return OpenIdProvider(ISSUER, CLIENT_ID, CLIENT_SECRET, "Example ID", http=http, now=clock.now)


def sign_in(provider: OpenIdProvider | GitHubProvider) -> SignedIn:
    return provider.signed_in(code=CODE, nonce=NONCE, code_verifier=VERIFIER, redirect_uri=REDIRECT)


def address(provider: OpenIdProvider | GitHubProvider) -> tuple[str, dict[str, str]]:
    """The address that the browser is sent to, without its query, and the query."""
    whole = provider.address(state="state", nonce=NONCE, code_verifier=VERIFIER, redirect_uri=REDIRECT)
    return whole.partition("?")[0], dict(parse_qsl(urlsplit(whole).query))


def refusal(provider: OpenIdProvider | GitHubProvider) -> str:
    with pytest.raises(SignInRefused) as refused:
        sign_in(provider)
    assert_tells_nothing(refused.value)
    return refused.value.reason


def away(provider: OpenIdProvider | GitHubProvider) -> str:
    with pytest.raises(SignInAway) as missed:
        sign_in(provider)
    assert_tells_nothing(missed.value)
    return missed.value.reason


def assert_tells_nothing(error: Exception) -> None:
    """No secret in the error's words, nor in those of an error behind it that a traceback would show."""
    assert error.__suppress_context__ or error.__context__ is None
    for secret in (CODE, NONCE, VERIFIER, EMAIL, CLIENT_SECRET, "access", "eyJ"):
        assert secret not in f"{error!r} {error}"


# -- where the browser is sent -------------------------------------------------------------------------------


def test_the_browser_is_sent_with_a_hash_of_the_verifier_and_not_with_the_verifier(
    provider: OpenIdProvider,
) -> None:
    where, query = address(provider)
    assert where == "https://id.example/authorize"
    assert query == {
        "tenant": "7",  # the endpoint's own query stays
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT,
        "scope": "openid email profile",
        "state": "state",
        "nonce": NONCE,
        "code_challenge": create_s256_code_challenge(VERIFIER),
        "code_challenge_method": "S256",
    }


def test_nothing_is_asked_before_somebody_signs_in(provider: OpenIdProvider, fake: FakeProvider) -> None:
    assert (provider.key, provider.title) == ("oidc", "Example ID")
    assert fake.asked == []


def test_the_discovery_document_is_kept_for_a_while(
    provider: OpenIdProvider, fake: FakeProvider, clock: FrozenClock
) -> None:
    address(provider)
    clock.advance(seconds=KEEP_DISCOVERED.total_seconds() - 1)
    address(provider)
    assert len(fake.asked) == 1
    clock.advance(seconds=1)
    fake.discovery["authorization_endpoint"] = "https://id.example/moved"
    assert address(provider)[0] == "https://id.example/moved"


def test_a_failed_discovery_is_not_kept(provider: OpenIdProvider, fake: FakeProvider) -> None:
    path = "/tenant/.well-known/openid-configuration"
    fake.answers[path] = httpx.Response(503)
    assert away(provider) == "discovery: status 503"
    del fake.answers[path]
    assert sign_in(provider) == ADA


def test_an_issuer_that_ends_in_a_slash_is_asked_at_the_right_address(clock: FrozenClock) -> None:
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(404)

    http = forgetful_client(httpx.MockTransport(handle))
    provider = OpenIdProvider("https://id.example/", "a", "b", "c", http=http, now=clock.now)
    assert away(provider) == "discovery: status 404"
    assert asked == ["https://id.example/.well-known/openid-configuration"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"issuer": "https://other.example"}, "discovery: issuer differs"),
        ({"issuer": ISSUER + "/"}, "discovery: issuer differs"),
        ({"issuer": None}, "discovery: issuer differs"),
        ({"token_endpoint": "http://id.example/token"}, "discovery: token_endpoint is no https address"),
        ({"token_endpoint": "http://127.0.0.1/token"}, "discovery: token_endpoint is no https address"),
        ({"token_endpoint": "https://a:b@id.example/"}, "discovery: token_endpoint is no https address"),
        ({"token_endpoint": "https://[broken/"}, "discovery: token_endpoint is no https address"),
        (
            {"authorization_endpoint": "javascript:alert(1)"},
            "discovery: authorization_endpoint is no https address",
        ),
        ({"jwks_uri": "file:///etc/passwd"}, "discovery: jwks_uri is no https address"),
        ({"jwks_uri": 7}, "discovery: jwks_uri is no https address"),
        ({"userinfo_endpoint": "http://id.example/u"}, "discovery: userinfo_endpoint is no https address"),
        (
            {"token_endpoint_auth_methods_supported": ["private_key_jwt"]},
            "discovery: no client authentication that we know",
        ),
    ],
)
def test_a_discovery_document_that_we_must_not_follow(
    provider: OpenIdProvider, fake: FakeProvider, change: dict[str, Any], reason: str
) -> None:
    fake.discovery = change
    with pytest.raises(SignInAway) as missed:
        address(provider)
    assert missed.value.reason == reason
    assert away(provider) == reason
    assert set(fake.paths()) == {"/tenant/.well-known/openid-configuration"}


@pytest.mark.parametrize(
    "issuer",
    [
        "http://id.example",
        "http://127.0.0.1.example",
        "http://localhost.example",
        "https://id.example?a=b",
        "https://id.example#a",
        "https://user@id.example",
        "id.example",
        "",
    ],
)
def test_an_issuer_that_is_no_https_address_stops_the_start(issuer: str) -> None:
    with pytest.raises(ValueError, match="is no https address"):
        OpenIdProvider(issuer, "a", "b", "c")


@pytest.mark.parametrize(
    "issuer",
    ["http://127.0.0.1:8108", "http://[::1]:8108", "http://localhost", "http://identity.localhost:8108"],
)
def test_loopback_may_do_without_https(issuer: str) -> None:
    assert OpenIdProvider(issuer, "a", "b", "c").key == "oidc"


# -- the code ------------------------------------------------------------------------------------------------


def test_a_good_sign_in(provider: OpenIdProvider, fake: FakeProvider) -> None:
    assert sign_in(provider) == ADA
    assert fake.paths() == ["/tenant/.well-known/openid-configuration", "/token", "/keys"]
    assert fake.form() == {
        "grant_type": "authorization_code",
        "code": CODE,
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
    }


def test_neither_subject_nor_email_nor_name_is_in_the_words_of_who_signed_in() -> None:
    assert repr(ADA) == f"SignedIn(issuer='{ISSUER}')"


def test_client_id_and_secret_go_in_the_header_encoded_each(
    provider: OpenIdProvider, fake: FakeProvider
) -> None:
    sign_in(provider)
    told = fake.asked[1].headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(told) == b"marketplane%3Abuyers:a+secret%2Fwith%2Bmarks%25"


def test_client_id_and_secret_go_in_the_body_of_a_provider_that_wants_them_there(
    provider: OpenIdProvider, fake: FakeProvider
) -> None:
    fake.discovery["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    sign_in(provider)
    assert "Authorization" not in fake.asked[1].headers
    assert (fake.form()["client_id"], fake.form()["client_secret"]) == (CLIENT_ID, CLIENT_SECRET)


def test_no_cookie_goes_from_one_buyers_sign_in_to_the_next(
    provider: OpenIdProvider, fake: FakeProvider
) -> None:
    sign_in(provider)
    sign_in(provider)
    assert [request.headers["Cookie"] for request in fake.asked if "Cookie" in request.headers] == []


def test_a_code_that_the_provider_does_not_take(provider: OpenIdProvider, fake: FakeProvider) -> None:
    fake.answers["/token"] = httpx.Response(
        400, json={"error": "invalid_grant", "error_description": f"{CODE} is no good"}
    )
    assert refusal(provider) == "code_refused"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (httpx.Response(401, json={"error": "invalid_client"}), "token: invalid_client"),
        (httpx.Response(400, json={"error": f"no {CODE}"}), "token: status 400"),
        (httpx.Response(503, json={"error": "invalid_grant"}), "token: status 503"),
        (httpx.Response(200, text="<html>"), "token: status 200"),
        (httpx.Response(200, json=[]), "token: status 200"),
        (httpx.Response(200, text="[" * 100_000), "token: status 200"),
        (httpx.Response(302, headers={"Location": "https://evil.example/"}), "token: status 302"),
        (httpx.ReadTimeout(f"while sending {CODE}"), "token: ReadTimeout"),
        (httpx.ConnectError("no route"), "token: ConnectError"),
        (httpx.Response(200, text=" " * (LONGEST_ANSWER_BYTES + 1)), "token: an answer too long"),
        (
            httpx.Response(200, headers={"Content-Encoding": "br"}, stream=httpx.ByteStream(b"")),
            "token: a compressed answer, which we did not ask for",
        ),
    ],
)
def test_a_token_endpoint_that_gives_no_answer_we_can_use(
    provider: OpenIdProvider, fake: FakeProvider, answer: httpx.Response | Exception, reason: str
) -> None:
    fake.answers["/token"] = answer
    assert away(provider) == reason
    assert all(request.url.host == "id.example" for request in fake.asked)


def test_an_answer_that_drips_is_given_up(
    provider: OpenIdProvider, fake: FakeProvider, clock: FrozenClock
) -> None:
    drops = 0

    class Drip(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            nonlocal drops
            for drops in range(1, 1000):  # noqa: B007  (told outside)
                clock.advance(seconds=4)
                yield b" "

    fake.answers["/token"] = httpx.Response(200, stream=Drip())
    assert away(provider) == "token: an answer too slow"
    assert drops == LONGEST_ANSWER // timedelta(seconds=4) + 1


# -- the ID token --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"nonce": "another"}, "id_token_nonce"),
        ({"nonce": [NONCE]}, "id_token_nonce"),
        ({"nonce": ""}, "id_token_nonce"),
        ({"iss": "https://other.example"}, "id_token_iss"),
        ({"iss": [ISSUER]}, "id_token_iss"),
        ({"aud": "another"}, "id_token_aud"),
        ({"aud": ["another", "others"]}, "id_token_aud"),
        ({"aud": [CLIENT_ID, "another"]}, "id_token_azp"),
        ({"aud": [CLIENT_ID, "another"], "azp": "another"}, "id_token_azp"),
        ({"azp": "another"}, "id_token_azp"),
        ({"exp": int(START.timestamp()) - 60}, "id_token_expired"),
        ({"exp": "tomorrow"}, "id_token_exp"),
        ({"exp": float("nan")}, "id_token_exp"),
        ({"iat": int(START.timestamp()) + 61}, "id_token_iat"),
        ({"nbf": int(START.timestamp()) + 61}, "id_token_nbf"),
        ({"sub": ""}, "id_token_sub"),
        ({"sub": None}, "id_token_sub"),
        ({"sub": 7}, "id_token_sub"),
        ({"sub": "x" * 256}, "id_token_sub"),
        ({"at_hash": "of-another-access-token"}, "id_token_at_hash"),
        ({"at_hash": 7}, "id_token_at_hash"),
    ],
)
def test_a_claim_that_is_wrong(
    provider: OpenIdProvider, fake: FakeProvider, claims: dict[str, Any], reason: str
) -> None:
    fake.claims = claims
    assert refusal(provider) == reason


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "iat", "nonce"])
def test_a_claim_that_is_missing(provider: OpenIdProvider, fake: FakeProvider, name: str) -> None:
    fake.without = {name}
    assert refusal(provider) == f"id_token_{name}"


def test_a_sign_in_without_a_nonce_of_ours_is_refused(provider: OpenIdProvider, fake: FakeProvider) -> None:
    fake.claims["nonce"] = ""
    with pytest.raises(SignInRefused, match="id_token_nonce"):
        provider.signed_in(code=CODE, nonce="", code_verifier=VERIFIER, redirect_uri=REDIRECT)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": [CLIENT_ID]},
        {"aud": [CLIENT_ID, "another"], "azp": CLIENT_ID},
        {"exp": int(START.timestamp()) - 59},  # a clock a minute behind ours
        {"iat": int(START.timestamp()) + 60},  # and one before it
    ],
)
def test_claims_that_are_right_in_another_way(
    provider: OpenIdProvider, fake: FakeProvider, claims: dict[str, Any]
) -> None:
    fake.claims = claims
    assert sign_in(provider) == ADA


@pytest.mark.parametrize(
    ("key", "algorithm"), [(RSA, "RS256"), (RSA, "RS512"), (RSA, "PS256"), (EC, "ES256")]
)
def test_signatures_that_providers_use(
    provider: OpenIdProvider, fake: FakeProvider, key: RSAKey | ECKey, algorithm: str
) -> None:
    fake.key, fake.algorithm = key, algorithm
    assert sign_in(provider) == ADA


def by_hand(header: dict[str, Any], claims: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """A token that no library would make."""
    signed_part = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed_part}.{base64url(sign(signed_part.encode()))}"


def unsigned(claims: dict[str, Any]) -> str:
    return by_hand({"alg": "none", "kid": "rsa"}, claims, lambda text: b"")


def signed_with_the_public_key(claims: dict[str, Any]) -> str:
    """Taken for a shared secret, as RFC 8725 §2.1 warns."""
    secret = RSA.as_pem(private=False)
    return by_hand({"alg": "HS256", "kid": "rsa"}, claims, lambda text: hmac.digest(secret, text, "sha256"))


def with_a_condition_that_we_do_not_know(claims: dict[str, Any]) -> str:
    """RFC 7515 §4.1.11."""
    header = {"alg": "RS256", "kid": "rsa", "crit": ["more"], "more": True}
    return by_hand(header, claims, lambda text: RSA.raw_value.sign(text, PKCS1v15(), SHA256()))


def with_a_key_of_its_own(claims: dict[str, Any]) -> str:
    return signed(claims, OTHER_EC, "ES256", kid="ec", jwk=OTHER_EC.as_dict(private=False))


def with_another_payload(claims: dict[str, Any]) -> str:
    header, _, signature = signed(claims, RSA, "RS256").split(".")
    return ".".join((header, base64url(json.dumps(claims | {"sub": "other"}).encode()), signature))


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (unsigned, "id_token_algorithm"),
        (signed_with_the_public_key, "id_token_algorithm"),
        (with_a_key_of_its_own, "id_token_signature"),
        (with_another_payload, "id_token_signature"),
        (lambda claims: signed(claims, OTHER_RSA, "RS256"), "id_token_key"),
        (lambda claims: signed(claims, EC, "ES256", kid="rsa"), "id_token_unreadable"),
        (with_a_condition_that_we_do_not_know, "id_token_unreadable"),
        (lambda claims: "no token", "id_token_unreadable"),
        (lambda claims: "é.é.é", "id_token_unreadable"),
        (lambda claims: "a.b.c.d.e", "id_token_unreadable"),
        (lambda claims: None, "id_token_missing"),
        (lambda claims: 7, "id_token_missing"),
    ],
)
def test_an_id_token_that_the_provider_did_not_sign(
    provider: OpenIdProvider, fake: FakeProvider, make: Callable[[dict[str, Any]], Any], reason: str
) -> None:
    fake.id_token = make
    assert refusal(provider) == reason


@given(
    st.text(alphabet=st.characters(max_codepoint=0x2FF), max_size=60)
    | st.lists(st.binary(max_size=40).map(base64url), min_size=2, max_size=4).map(".".join)
    | st.tuples(
        st.dictionaries(
            st.sampled_from(["alg", "kid", "crit", "b64", "typ"]),
            st.sampled_from(["RS256", "rsa", "none", None, 7, [], {}, ["b64"], True]),
        ),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=5),
            lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=5), part, max_size=3),
        ),
    ).map(lambda parts: ".".join(base64url(json.dumps(part).encode()) for part in parts) + ".c2ln")
)
def test_whatever_comes_as_an_id_token_it_is_refused_and_nothing_else_happens(token: str) -> None:
    fake = FakeProvider(FrozenClock(START), id_token=lambda claims: token)
    http = forgetful_client(httpx.MockTransport(fake.handle))
    provider = OpenIdProvider(ISSUER, CLIENT_ID, CLIENT_SECRET, "Example ID", http=http, now=lambda: START)
    with pytest.raises(SignInRefused, match=r"^id_token_"):
        sign_in(provider)


# -- the provider's keys -------------------------------------------------------------------------------------


def test_keys_are_kept_and_fetched_anew_once_for_one_that_we_do_not_know(
    provider: OpenIdProvider, fake: FakeProvider
) -> None:
    sign_in(provider)
    sign_in(provider)
    assert fake.paths().count("/keys") == 1

    fake.key, fake.published = OTHER_RSA, [OTHER_RSA]
    assert sign_in(provider) == ADA
    assert fake.paths().count("/keys") == 2

    fake.key = RSA  # withdrawn
    assert refusal(provider) == "id_token_key"
    assert fake.paths().count("/keys") == 3


def test_a_provider_without_key_ids_may_change_its_key(provider: OpenIdProvider, fake: FakeProvider) -> None:
    for key in (RSA, OTHER_RSA):
        fake.answers["/keys"] = httpx.Response(200, json={"keys": [nameless(key)]})
        fake.id_token = lambda claims, key=key: jwt.encode({"alg": "RS256"}, claims, key)
        assert sign_in(provider) == ADA


def nameless(key: RSAKey) -> dict[str, Any]:
    return {name: value for name, value in key.as_dict(private=False).items() if name != "kid"}


def test_keys_are_not_kept_for_ever(provider: OpenIdProvider, fake: FakeProvider, clock: FrozenClock) -> None:
    sign_in(provider)
    clock.advance(seconds=KEEP_DISCOVERED.total_seconds())
    sign_in(provider)
    assert fake.paths().count("/keys") == 2


def test_a_key_that_we_cannot_read_does_not_spoil_the_others(
    provider: OpenIdProvider, fake: FakeProvider
) -> None:
    strange = [{"kty": "AKP"}, {"kty": "EC", "crv": "P-257", "x": "a", "y": "b"}, {}, "key", {"kty": "RSA"}]
    good = RSA.as_dict(private=False)
    fake.answers["/keys"] = httpx.Response(200, json={"keys": [*strange, good]})
    assert sign_in(provider) == ADA


def test_a_key_for_encryption_signs_nothing(provider: OpenIdProvider, fake: FakeProvider) -> None:
    fake.answers["/keys"] = httpx.Response(200, json={"keys": [RSA.as_dict(private=False) | {"use": "enc"}]})
    assert refusal(provider) == "id_token_key"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (httpx.Response(500), "keys: status 500"),
        (httpx.Response(200, json={"keys": []}), "keys: there is none that we can read"),
        (httpx.Response(200, json={"keys": 7}), "keys: there is none that we can read"),
        (httpx.Response(200, json=[]), "keys: no JSON object"),
        (httpx.ConnectTimeout(""), "keys: ConnectTimeout"),
    ],
)
def test_keys_that_cannot_be_had(
    provider: OpenIdProvider, fake: FakeProvider, answer: httpx.Response | Exception, reason: str
) -> None:
    fake.answers["/keys"] = answer
    assert away(provider) == reason


# -- e-mail and name -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("verified", [False, None, "false", "True", 1, 0, [True]])
def test_an_email_that_the_provider_does_not_stand_for_is_left_out(
    provider: OpenIdProvider, fake: FakeProvider, verified: Any
) -> None:
    fake.claims = {"email_verified": verified}
    assert sign_in(provider).email is None
    assert "/userinfo" not in fake.paths()


def test_amazon_cognitos_way_of_saying_verified(provider: OpenIdProvider, fake: FakeProvider) -> None:
    fake.claims = {"email_verified": "true"}
    assert sign_in(provider).email == EMAIL


@pytest.mark.parametrize("email", ["", "nobody", 7, ["a@b"], "a@" + "b" * 253])
def test_an_email_that_is_none(provider: OpenIdProvider, fake: FakeProvider, email: Any) -> None:
    fake.claims = {"email": email}
    assert sign_in(provider).email is None


@pytest.mark.parametrize(("name", "kept"), [("  Ada ", "Ada"), ("", None), (7, None), ("x" * 300, "x" * 200)])
def test_a_name_is_trimmed(provider: OpenIdProvider, fake: FakeProvider, name: Any, kept: str | None) -> None:
    fake.claims = {"name": name}
    assert sign_in(provider).name == kept


def test_the_provider_is_asked_for_an_email_that_the_id_token_lacks(
    provider: OpenIdProvider, fake: FakeProvider
) -> None:
    fake.without = {"email", "email_verified"}
    fake.user_info = {"sub": ADA.subject, "email": EMAIL, "email_verified": True, "name": "Another"}
    assert sign_in(provider) == ADA
    assert fake.asked[-1].headers["Authorization"] == "Bearer access"


def test_an_email_of_another_subject_is_refused(provider: OpenIdProvider, fake: FakeProvider) -> None:
    fake.without = {"email", "email_verified"}
    for told in ({"sub": "another", "email": EMAIL, "email_verified": True}, {"email": EMAIL}):
        fake.user_info = told
        assert refusal(provider) == "another_subject"


def test_the_word_verified_of_the_id_token_is_not_for_an_email_from_elsewhere(
    provider: OpenIdProvider, fake: FakeProvider
) -> None:
    fake.without = {"email"}
    fake.user_info = {"sub": ADA.subject, "email": EMAIL, "email_verified": False}
    assert sign_in(provider).email is None


def test_a_provider_with_no_place_to_ask_gives_no_email(provider: OpenIdProvider, fake: FakeProvider) -> None:
    fake.without = {"email", "email_verified"}
    document = fake.document("/tenant/.well-known/openid-configuration")
    del document["userinfo_endpoint"]
    fake.answers["/tenant/.well-known/openid-configuration"] = httpx.Response(200, json=document)
    assert sign_in(provider).email is None


def test_a_place_to_ask_that_is_away(provider: OpenIdProvider, fake: FakeProvider) -> None:
    fake.without = {"email"}
    fake.answers["/userinfo"] = httpx.Response(502)
    assert away(provider) == "userinfo: status 502"


# -- GitHub --------------------------------------------------------------------------------------------------

EMAILS: list[Any] = [
    {"email": "old@example.com", "primary": False, "verified": True},
    {"email": EMAIL, "primary": True, "verified": True},
]


@dataclass
class FakeGitHub:
    token: Any = field(default_factory=lambda: {"access_token": "access", "token_type": "bearer"})
    user: Any = field(default_factory=lambda: {"id": 583231, "login": "ada", "name": "Ada Example"})
    emails: Any = field(default_factory=lambda: EMAILS)
    status: dict[str, int] = field(default_factory=dict)
    asked: list[httpx.Request] = field(default_factory=list)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        what = {
            "https://github.com/login/oauth/access_token": "token",
            "https://api.github.com/user": "user",
            "https://api.github.com/user/emails?per_page=100": "emails",
        }[str(request.url)]
        return httpx.Response(self.status.get(what, 200), json=getattr(self, what))


@pytest.fixture
def fake_github() -> FakeGitHub:
    return FakeGitHub()


@pytest.fixture
def github(fake_github: FakeGitHub) -> GitHubProvider:
    http = forgetful_client(httpx.MockTransport(fake_github.handle))
    return GitHubProvider(CLIENT_ID, CLIENT_SECRET, http=http, now=lambda: START)


def test_github_s_address(github: GitHubProvider, fake_github: FakeGitHub) -> None:
    where, query = address(github)
    assert where == "https://github.com/login/oauth/authorize"
    assert query == {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT,
        "scope": "user:email",
        "state": "state",
        "code_challenge": create_s256_code_challenge(VERIFIER),
        "code_challenge_method": "S256",
    }
    assert fake_github.asked == []
    assert (github.key, github.title) == ("github", "GitHub")


def test_a_good_sign_in_with_github(github: GitHubProvider, fake_github: FakeGitHub) -> None:
    assert sign_in(github) == SignedIn("https://github.com", "583231", EMAIL, "Ada Example")
    exchange, *questions = fake_github.asked
    assert dict(parse_qsl(exchange.content.decode())) == {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "code": CODE,
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
    }
    assert exchange.headers["Accept"] == "application/json"
    assert [request.headers["Authorization"] for request in questions] == ["Bearer access"] * 2


def test_a_code_that_github_does_not_take(github: GitHubProvider, fake_github: FakeGitHub) -> None:
    fake_github.token = {"error": "bad_verification_code"}  # with status 200
    assert refusal(github) == "code_refused"


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ({"error": "incorrect_client_credentials"}, "token: incorrect_client_credentials"),
        ({"error": CODE}, "token: status 200"),
        ({}, "token: there is none in the answer"),
    ],
)
def test_github_does_not_take_us(
    github: GitHubProvider, fake_github: FakeGitHub, token: dict[str, str], reason: str
) -> None:
    fake_github.token = token
    assert away(github) == reason


@pytest.mark.parametrize("user", [{}, {"id": None}, {"id": True}, {"id": "583231"}, {"login": "ada"}])
def test_github_names_nobody(github: GitHubProvider, fake_github: FakeGitHub, user: dict[str, Any]) -> None:
    fake_github.user = user
    assert refusal(github) == "subject_missing"


@pytest.mark.parametrize(
    "emails",
    [
        [],
        EMAILS[:1],
        [{"email": EMAIL, "primary": True, "verified": False}],
        [{"email": EMAIL, "primary": True}, 7],
        [{"primary": True, "verified": True}],
    ],
)
def test_github_stands_for_no_email(github: GitHubProvider, fake_github: FakeGitHub, emails: Any) -> None:
    fake_github.emails = emails
    assert sign_in(github).email is None


def test_github_lets_us_not_see_the_emails(github: GitHubProvider, fake_github: FakeGitHub) -> None:
    fake_github.status["emails"], fake_github.emails = 403, {"message": "Resource not accessible"}
    assert sign_in(github).email is None


@pytest.mark.parametrize(("what", "status"), [("token", 502), ("user", 401), ("emails", 500)])
def test_github_is_away(github: GitHubProvider, fake_github: FakeGitHub, what: str, status: int) -> None:
    fake_github.status[what] = status
    assert away(github) == f"{what}: status {status}"


def test_an_enterprise_server_is_an_issuer_of_its_own() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        assert request.url.host == "git.company.example"
        answers = {"token": {"access_token": "a"}, "user": {"id": 1}, "emails": []}
        return httpx.Response(200, json=answers[re.split("[/_]", request.url.path)[-1]])

    http = forgetful_client(httpx.MockTransport(handle))
    server = "https://git.company.example"
    provider = GitHubProvider("a", "b", f"{server}/", f"{server}/api/v3", http=http)
    assert sign_in(provider) == SignedIn(server, "1", None, None)
    with pytest.raises(ValueError, match="is not https"):
        GitHubProvider("a", "b", "http://git.company.example")


# -- the local provider --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def local_issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Started as the Procfile does."""
    program = ROOT / ".venv/identity/bin/uvicorn"
    if not program.exists():
        pytest.skip("The local OpenID provider is not installed: `make setup` does it.")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (tmp_path_factory.mktemp("identity") / "log").open("w+")
    words = ["local_identity:app", "--app-dir", str(ROOT / "identity"), "--interface", "wsgi"]
    words += ["--host", "127.0.0.1", "--port", str(port), "--no-access-log", "--log-level", "warning"]
    process = subprocess.Popen(
        [program, *words], stdout=log, stderr=log, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    )
    try:
        issuer, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 60
        while not answers(issuer):
            assert process.poll() is None, Path(log.name).read_text()
            assert time.monotonic() < deadline, "the local provider did not answer"
            time.sleep(0.05)
        yield issuer
    finally:
        process.terminate()
        process.wait(timeout=20)
        log.close()


def answers(issuer: str) -> bool:
    try:
        return httpx.get(f"{issuer}/.well-known/openid-configuration", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def agree(address: str, **form: str) -> dict[str, str]:
    """The browser's part: press a button on the provider's page, be sent back. Answers what it brings."""
    page = httpx.get(address, trust_env=False)
    assert f'value="{form.get("sub", "deny")}"' in page.text
    assert "stylesheet" not in page.text  # it would be on another host
    back = httpx.post(address, data=form, trust_env=False)
    assert back.status_code == 302
    assert back.headers["Location"].startswith(REDIRECT)
    return {name: values[0] for name, values in parse_qs(urlsplit(back.headers["Location"]).query).items()}


@pytest.fixture
def local(local_issuer: str) -> Iterator[OpenIdProvider]:
    with forgetful_client() as http:
        yield OpenIdProvider(local_issuer, "marketplane", "local-only", "Example ID", http=http)


@pytest.mark.parametrize(
    ("subject", "email", "name"),
    [
        ("ada@example.com", "ada@example.com", "Ada Example"),
        ("unverified@example.com", None, "Uma Unverified"),
        ("without-email", None, "Wes Withoutmail"),
    ],
)
def test_signing_in_with_the_local_provider(
    local: OpenIdProvider, local_issuer: str, subject: str, email: str | None, name: str
) -> None:
    secrets = {"nonce": NONCE, "code_verifier": VERIFIER, "redirect_uri": REDIRECT}
    brought = agree(local.address(state="state", **secrets), sub=subject)
    assert brought.keys() == {"code", "state"}
    assert brought["state"] == "state"
    assert local.signed_in(code=brought["code"], **secrets) == SignedIn(local_issuer, subject, email, name)
    with pytest.raises(SignInRefused, match="code_refused"):  # a code serves once
        local.signed_in(code=brought["code"], **secrets)


def test_the_local_provider_minds_the_verifier_and_we_mind_its_nonce(local: OpenIdProvider) -> None:
    secrets = {"nonce": NONCE, "code_verifier": VERIFIER, "redirect_uri": REDIRECT}
    for change, reason in (
        ({"code_verifier": "x" * 43}, "code_refused"),
        ({"nonce": "another"}, "id_token_nonce"),
    ):
        code = agree(local.address(state="state", **secrets), sub="ada@example.com")["code"]
        with pytest.raises(SignInRefused, match=reason):
            local.signed_in(code=code, **(secrets | change))


def test_the_buyer_says_no_at_the_local_provider(local: OpenIdProvider) -> None:
    brought = agree(
        local.address(state="state", nonce=NONCE, code_verifier=VERIFIER, redirect_uri=REDIRECT),
        action="deny",
    )
    assert (brought["error"], brought["state"]) == ("access_denied", "state")
