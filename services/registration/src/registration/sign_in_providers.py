"""Asks a buyer's own identity provider who signed in. The only file that speaks to one.

Authlib judges the ID token; the requests are our own, because Authlib's httpx client neither bounds an answer
nor works with the httpx that we have. Nothing here is logged, and no exception holds a code, a token or an
e-mail address.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import ip_address
from typing import Any, Protocol
from urllib.parse import quote_plus, urlsplit

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import (
    BadSignatureError,
    ClaimError,
    ExpiredTokenError,
    InvalidKeyIdError,
    JoseError,
    UnsupportedAlgorithmError,
)
from joserfc.jwk import JWKRegistry, KeySet
from joserfc.jws import JWSRegistry

LONGEST_ANSWER_BYTES = 256 * 1024  # a discovery document has some 5 kB, a key set with chains some 20 kB
LONGEST_ANSWER = timedelta(seconds=10)  # of one call as a whole, however steadily it drips
TIMEOUTS = httpx.Timeout(5.0)  # to connect, and between two pieces of an answer
KEEP_DISCOVERED = timedelta(hours=1)
LEEWAY = timedelta(seconds=60)  # by how much the provider's clock may differ from ours
LONGEST_SUBJECT = 255  # OpenID Connect Core §2, `sub`
LONGEST_EMAIL, LONGEST_NAME = 254, 200  # as in openapi/registration.yaml
# Public keys only. With HS256 whoever knows the provider's public key, which is everybody, could sign.
ALGORITHMS = tuple(f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in (256, 384, 512))
CODE_REFUSED = {"invalid_grant", "bad_verification_code"}  # RFC 6749 §5.2, GitHub
# What may be repeated in our log: a provider could put anything else into `error`.
KNOWN_ERRORS = CODE_REFUSED | {
    "invalid_request",
    "invalid_client",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "incorrect_client_credentials",
    "redirect_uri_mismatch",
    "unverified_user_email",
}


class SignInRefused(Exception):
    """What came back does not prove who signed in. Nothing is bound; the buyer may start the sign-in anew.

    `reason` is a word of ours, safe to log: `code_refused`, `id_token_missing`, `id_token_unreadable`,
    `id_token_algorithm`, `id_token_key`, `id_token_signature`, `id_token_expired`, `id_token_<claim>`,
    `subject_missing`, `another_subject`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SignInAway(Exception):
    """The provider cannot be used now: it does not answer, or it and our settings do not fit together.

    `reason` names the step and what went wrong, and is safe to log: `discovery: issuer differs`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class SignedIn:
    """Who the provider says signed in. `issuer` and `subject` together are the identity; the rest is
    courtesy.

    `email` is there only if the provider says that it is verified: anybody may claim any address.
    """

    issuer: str
    subject: str = field(repr=False)  # some providers' subject is an e-mail address
    email: str | None = field(repr=False)
    name: str | None = field(repr=False)


class Provider(Protocol):
    """One way to sign in.

    `key` is part of our address `/register/sign-in/{key}`; `title` is what the button says: "Sign in with
    {title}".
    """

    key: str
    title: str

    def address(self, *, state: str, nonce: str, code_verifier: str, redirect_uri: str) -> str:
        """Where the browser is sent. The three secrets are random, made anew for each sign-in and kept in
        the buyer's session; only the hash of `code_verifier` goes along.

        Raises:
            SignInAway: the provider's addresses could not be learnt.
        """
        ...

    def signed_in(self, *, code: str, nonce: str, code_verifier: str, redirect_uri: str) -> SignedIn:
        """Exchanges the code that the browser brought back. The caller has compared `state` already.

        Raises:
            SignInRefused: it does not prove who signed in.
            SignInAway: it could not be found out.
        """
        ...


def real_time() -> datetime:
    """Providers live in real time, also while the simulator's clock runs elsewhere."""
    return datetime.now(UTC)


def forgetful_client(transport: httpx.BaseTransport | None = None) -> httpx.Client:
    """A client that keeps no cookies: what a provider sets while one buyer signs in is not for the next."""
    jar = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    return httpx.Client(timeout=TIMEOUTS, cookies=jar, transport=transport)


@dataclass(frozen=True)
class _Discovered:
    """What we need of a provider's discovery document, checked."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    secret_in_body: bool
    until: datetime


@dataclass(frozen=True)
class _Keys:
    keys: KeySet
    until: datetime


class OpenIdProvider:
    """Any OpenID Connect provider that has a discovery document: code flow, PKCE, state and nonce.

    Args:
        issuer: its identifier, as its discovery document has it, to the letter. https; http only on loopback.
        client_id, client_secret: what the provider gave us.
        title: what buyers know it as.
        http: for tests: `forgetful_client` with a transport of theirs.
        now: real time. Not the house's clock, which may be the simulator's: ID tokens bear real times.

    Raises:
        ValueError: the issuer is no address that we may use.
    """

    key = "oidc"

    def __init__(
        self,
        issuer: str,
        client_id: str,
        client_secret: str,
        title: str,
        http: httpx.Client | None = None,
        now: Callable[[], datetime] = real_time,
    ) -> None:
        # OpenID Connect Discovery §3: no query, no fragment.
        if not _is_safe(issuer, http_on_loopback=True) or re.search(r"[?#]", issuer):
            raise ValueError(f"The issuer {issuer!r} is no https address without query and fragment.")
        self.title = title
        self._issuer = issuer
        self._client_id = client_id
        self._client_secret = client_secret
        self._wire = _Wire(http, now)
        self._now = now
        # Each is replaced as a whole, so threads need no lock: at worst two of them learn the same.
        self._discovered_before: _Discovered | None = None
        self._keys_before: _Keys | None = None

    def address(self, *, state: str, nonce: str, code_verifier: str, redirect_uri: str) -> str:
        address: str = prepare_grant_uri(
            self._discovered().authorization_endpoint,
            client_id=self._client_id,
            response_type="code",
            redirect_uri=redirect_uri,
            scope="openid email profile",
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(code_verifier),
            code_challenge_method="S256",
        )
        return address

    def signed_in(self, *, code: str, nonce: str, code_verifier: str, redirect_uri: str) -> SignedIn:
        tokens = self._exchange(code, code_verifier, redirect_uri)
        claims = self._claims(tokens, nonce)
        subject = claims["sub"]
        if not 0 < len(subject) <= LONGEST_SUBJECT:
            raise SignInRefused("id_token_sub")
        # An address and the word that it is verified must come from one place.
        vouched = claims if "email" in claims else self._user_info(tokens, subject)
        return SignedIn(
            issuer=self._issuer,
            subject=subject,
            email=_email(vouched.get("email")) if _is_verified(vouched) else None,
            name=_name(claims.get("name") or vouched.get("name")),
        )

    def _discovered(self) -> _Discovered:
        """The provider's discovery document, learnt when it is first needed, so that a provider that is away
        does not keep us from starting."""
        now = self._now()
        if self._discovered_before and now < self._discovered_before.until:
            return self._discovered_before
        address = self._issuer.removesuffix("/") + "/.well-known/openid-configuration"
        document = self._wire.get_object("discovery", address)
        # Discovery §4.3: or one provider could speak for another.
        if document.get("issuer") != self._issuer:
            raise SignInAway("discovery: issuer differs")
        methods = document.get("token_endpoint_auth_methods_supported")
        if not isinstance(methods, list):
            methods = ["client_secret_basic"]  # Discovery §3: what is meant when nothing is said
        if "client_secret_basic" not in methods and "client_secret_post" not in methods:
            raise SignInAway("discovery: no client authentication that we know")
        self._discovered_before = _Discovered(
            authorization_endpoint=self._endpoint(document, "authorization_endpoint"),
            token_endpoint=self._endpoint(document, "token_endpoint"),
            jwks_uri=self._endpoint(document, "jwks_uri"),
            userinfo_endpoint=(
                self._endpoint(document, "userinfo_endpoint") if "userinfo_endpoint" in document else None
            ),
            secret_in_body="client_secret_basic" not in methods,
            until=now + KEEP_DISCOVERED,
        )
        return self._discovered_before

    def _endpoint(self, document: dict[str, Any], name: str) -> str:
        address = document.get(name)
        # A provider on the network has no business at our loopback.
        if not isinstance(address, str) or not _is_safe(address, self._issuer.startswith("http://")):
            raise SignInAway(f"discovery: {name} is no https address")
        return address

    def _exchange(self, code: str, code_verifier: str, redirect_uri: str) -> dict[str, Any]:
        """The code for tokens. A code serves once: there is no second try."""
        discovered = self._discovered()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": code_verifier,
        }
        if discovered.secret_in_body:
            credentials = None
            form |= {"client_id": self._client_id, "client_secret": self._client_secret}
        else:
            # RFC 6749 §2.3.1: form-encoded before they are joined by a colon.
            credentials = (quote_plus(self._client_id), quote_plus(self._client_secret))
        return self._wire.post_form(discovered.token_endpoint, form, credentials)

    def _claims(self, tokens: dict[str, Any], nonce: str) -> dict[str, Any]:
        """The claims of an ID token that is from this provider, for us, for this sign-in, and not too old
        (OpenID Connect Core §3.1.3.7)."""
        id_token = tokens.get("id_token")
        if not isinstance(id_token, str):
            raise SignInRefused("id_token_missing")
        try:
            token = self._verified(id_token)
            claims = CodeIDToken(
                token.claims,
                token.header,
                options={
                    "iss": {"essential": True, "value": self._issuer},
                    "aud": {"essential": True, "value": self._client_id},
                    "nonce": {"essential": True, "value": nonce},
                },
                params={
                    "nonce": nonce,
                    "client_id": self._client_id,
                    "access_token": tokens.get("access_token"),
                },
            )
            claims.validate(now=int(self._now().timestamp()), leeway=int(LEEWAY.total_seconds()))
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise SignInRefused(_reason(error)) from None
        return dict(claims)

    def _verified(self, id_token: str) -> jwt.Token:
        """An ID token with a good signature. If our copy of the keys knows no such key it is fetched anew,
        once: providers change their keys without a word."""
        # More header fields than the standard's are common, and harmless: none of them is followed.
        registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
        kept = self._keys_before
        if kept and self._now() < kept.until:
            try:
                return jwt.decode(id_token, kept.keys, registry=registry)
            except (InvalidKeyIdError, BadSignatureError):
                pass  # a provider without key ids changes keys too
        return jwt.decode(id_token, self._fetch_keys(), registry=registry)

    def _fetch_keys(self) -> KeySet:
        document = self._wire.get_object("keys", self._discovered().jwks_uri)
        listed = document.get("keys")
        found = []
        for one in listed if isinstance(listed, list) else []:
            try:
                found.append(JWKRegistry.import_key(one))
            except (JoseError, ValueError, TypeError, KeyError):
                continue  # a kind of key that we do not know does not spoil the others (RFC 7517 §5)
        if not found:
            raise SignInAway("keys: there is none that we can read")
        self._keys_before = _Keys(KeySet(found), self._now() + KEEP_DISCOVERED)
        return self._keys_before.keys

    def _user_info(self, tokens: dict[str, Any], subject: str) -> dict[str, Any]:
        """What the provider tells only when asked; nothing, if it has no place to ask."""
        endpoint, access_token = self._discovered().userinfo_endpoint, tokens.get("access_token")
        if endpoint is None or not isinstance(access_token, str):
            return {}
        told = self._wire.get_object("userinfo", endpoint, access_token)
        # OpenID Connect Core §5.3.2, against another's access token slipped in.
        if told.get("sub") != subject:
            raise SignInRefused("another_subject")
        return told


class GitHubProvider:
    """GitHub, which is no OpenID provider: OAuth with PKCE and state, and two questions to its API.

    Without an ID token there is no nonce. That the tokens come straight from GitHub, for a code that only we
    can redeem, stands in for it. The subject is the numeric id: a login name can be given up and taken by
    another.

    Args:
        client_id, client_secret: of the OAuth app.
        base_url: GitHub's own, or that of an Enterprise Server; it is the identity's issuer, because each
            server counts its users from 1.
        api_url: where its API is: `<base_url>/api/v3` of an Enterprise Server.
        http: for tests, as above.
        now: real time.

    Raises:
        ValueError: an address is not https.
    """

    key = "github"
    title = "GitHub"

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        base_url: str = "https://github.com",
        api_url: str = "https://api.github.com",
        http: httpx.Client | None = None,
        now: Callable[[], datetime] = real_time,
    ) -> None:
        for address in (base_url, api_url):
            if not _is_safe(address, http_on_loopback=True):
                raise ValueError(f"GitHub's address {address!r} is not https.")
        self._client_id = client_id
        self._client_secret = client_secret
        self._base_url = base_url.removesuffix("/")
        self._api_url = api_url.removesuffix("/")
        self._wire = _Wire(http, now)

    def address(self, *, state: str, nonce: str, code_verifier: str, redirect_uri: str) -> str:
        address: str = prepare_grant_uri(
            f"{self._base_url}/login/oauth/authorize",
            client_id=self._client_id,
            response_type="code",
            redirect_uri=redirect_uri,
            scope="user:email",
            state=state,
            code_challenge=create_s256_code_challenge(code_verifier),
            code_challenge_method="S256",
        )
        return address

    def signed_in(self, *, code: str, nonce: str, code_verifier: str, redirect_uri: str) -> SignedIn:
        form = {
            "client_id": self._client_id,
            "client_secret": self._client_secret,
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": code_verifier,
        }
        tokens = self._wire.post_form(f"{self._base_url}/login/oauth/access_token", form, None)
        access_token = tokens.get("access_token")
        if not isinstance(access_token, str):
            raise SignInAway("token: there is none in the answer")
        user = self._wire.get_object("user", f"{self._api_url}/user", access_token)
        if type(user.get("id")) is not int:
            raise SignInRefused("subject_missing")
        return SignedIn(
            issuer=self._base_url,
            subject=str(user["id"]),
            email=self._primary_email(access_token),
            name=_name(user.get("name")),
        )

    def _primary_email(self, access_token: str) -> str | None:
        status, emails = self._wire.get("emails", f"{self._api_url}/user/emails?per_page=100", access_token)
        if status in (403, 404):  # we were not given that permission; the buyer types the address instead
            return None
        if status != 200 or not isinstance(emails, list):
            raise SignInAway(f"emails: status {status}")
        for one in emails:
            if isinstance(one, dict) and one.get("primary") is True and one.get("verified") is True:
                return _email(one.get("email"))
        return None


class _Wire:
    """Calls that end: each is bounded in time and in length, and follows no redirect."""

    def __init__(self, http: httpx.Client | None, now: Callable[[], datetime]) -> None:
        self._http = http or forgetful_client()
        self._now = now

    def get_object(self, step: str, address: str, access_token: str | None = None) -> dict[str, Any]:
        """The JSON object at an address.

        Raises:
            SignInAway: there is none.
        """
        status, document = self.get(step, address, access_token)
        if status != 200 or not isinstance(document, dict):
            raise SignInAway(f"{step}: status {status}" if status != 200 else f"{step}: no JSON object")
        return document

    def get(self, step: str, address: str, access_token: str | None = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {access_token}"} if access_token else {}
        return self._ask(step, "GET", address, headers=headers)

    def post_form(
        self, address: str, form: dict[str, str], credentials: tuple[str, str] | None
    ) -> dict[str, Any]:
        """The token endpoint's good answer (RFC 6749 §5.1).

        Raises:
            SignInRefused: it does not take the code.
            SignInAway: it does not take us, or gave no answer that we can read.
        """
        status, document = self._ask("token", "POST", address, data=form, auth=credentials)
        # GitHub reports errors with status 200, the others with 400 or 401.
        error = document.get("error") if isinstance(document, dict) else None
        if isinstance(error, str) and status < 500:
            if error in CODE_REFUSED:
                raise SignInRefused("code_refused")
            raise SignInAway(f"token: {error if error in KNOWN_ERRORS else f'status {status}'}")
        if status != 200 or not isinstance(document, dict):
            raise SignInAway(f"token: status {status}")
        return document

    def _ask(self, step: str, method: str, address: str, **more: Any) -> tuple[int, Any]:
        """Status and decoded body; the body is None if it is no JSON."""
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", **more.pop("headers", {})}
        deadline = self._now() + LONGEST_ANSWER
        body = bytearray()
        try:
            with self._http.stream(
                method, address, headers=headers, follow_redirects=False, **more
            ) as answer:
                # A few compressed bytes could unfold into more than we have room for.
                if answer.headers.get("Content-Encoding", "identity") != "identity":
                    raise SignInAway(f"{step}: a compressed answer, which we did not ask for")
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > LONGEST_ANSWER_BYTES:
                        raise SignInAway(f"{step}: an answer too long")
                    if self._now() > deadline:
                        raise SignInAway(f"{step}: an answer too slow")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SignInAway(f"{step}: {type(error).__name__}") from None
        try:
            return answer.status_code, json.loads(body)
        except (ValueError, RecursionError):
            return answer.status_code, None


def _is_safe(address: str, http_on_loopback: bool) -> bool:
    """Whether a secret may be sent there: by https, or without leaving this machine."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return False
    if not host or parts.username is not None:
        return False
    return parts.scheme == "https" or (http_on_loopback and parts.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761 §6.3
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _reason(error: Exception) -> str:
    """Our word for what is wrong with an ID token."""
    match error:
        case ExpiredTokenError():
            return "id_token_expired"
        case ClaimError():
            return f"id_token_{error.claim.partition(',')[0]}"  # it may list several that are missing
        case UnsupportedAlgorithmError():
            return "id_token_algorithm"
        case InvalidKeyIdError():
            return "id_token_key"
        case BadSignatureError():
            return "id_token_signature"
    return "id_token_unreadable"


def _is_verified(claims: dict[str, Any]) -> bool:
    """Amazon Cognito says "true". Python thinks that 1 is True too; we do not."""
    verified = claims.get("email_verified")
    return verified is True or verified == "true"


def _email(value: Any) -> str | None:
    return value if isinstance(value, str) and "@" in value and len(value) <= LONGEST_EMAIL else None


def _name(value: Any) -> str | None:
    return (value.strip()[:LONGEST_NAME] or None) if isinstance(value, str) else None
