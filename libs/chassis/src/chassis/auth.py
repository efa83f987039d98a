"""Who is calling: API keys (hashed at rest, with scopes) and bearer tokens (JWT checked against a JWKS)."""

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import anyio
import anyio.to_thread
import jwt
import structlog
from connexion.security import ApiKeySecurityHandler, BearerSecurityHandler
from pynamodb.attributes import BooleanAttribute, UnicodeAttribute, UnicodeSetAttribute
from pynamodb.exceptions import DoesNotExist, UpdateError
from pynamodb.models import Model

from chassis.aws import cause_code
from chassis.problems import Problem, Unavailable
from chassis.settings import ChassisSettings

log = structlog.get_logger()

SCOPES = frozenset({"usage:write", "usage:read", "operator", "buyer"})

# A key that is disabled stops working this much later at the latest; without the cache every request would
# read it.
KEY_CACHE_SECONDS = 30.0

# What a token may say that it is, in any case of letters: an access token (RFC 9068 §2.1), or, as many
# providers have it, any JWT or nothing. What names another purpose (a logout token, a security event, a proof
# of possession) was signed by the same key for somebody else, and is not taken for an access token (RFC 8725
# §3.11).
_TYPES = frozenset({"at+jwt", "application/at+jwt", "jwt", ""})

# What `KeyRing.add` makes. Anything else is refused unread: DynamoDB answers an error to an over-long key.
_KEY = re.compile(r"mpk_([a-z2-7]{8})_[a-z2-7]{32}")


class ApiKey(Model):
    """A key at rest: what it may do and the hash of it, never the key itself. Each service has a table of its
    own."""

    key_id = UnicodeAttribute(hash_key=True)
    # The key has 160 random bits, so one SHA-256 is enough: there is nothing to guess that slowness would
    # protect.
    key_hash = UnicodeAttribute()
    name = UnicodeAttribute()
    scopes = UnicodeSetAttribute()
    disabled = BooleanAttribute(default=False)


class Person(NamedTuple):
    """Somebody as the issuer of their token names them: `iss` and `sub`."""

    issuer: str
    subject: str


@dataclass(frozen=True)
class Caller:
    """A caller whose credentials were valid."""

    name: str
    scopes: frozenset[str]
    subject: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def may(self, *scopes: str) -> bool:
        return bool(self.scopes.intersection(scopes))

    @property
    def person(self) -> Person | None:
        """Who calls, where it is a person: whoever has a token with the scope `buyer`. A key proves none."""
        if self.subject is None or not self.may("buyer"):
            return None
        return Person(str(self.facts["iss"]), self.subject)


PRESENT: ContextVar[Caller] = ContextVar("PRESENT")
"""Who sent the request that is being answered."""


class KeyRing:
    """The API keys of one service.

    Args:
        model: the service's own subclass of ApiKey.
    """

    def __init__(self, model: type[ApiKey]) -> None:
        self.model = model
        self._cache: dict[str, tuple[float, ApiKey | None]] = {}

    def add(self, name: str, scopes: set[str]) -> str:
        """Make a key and return it; it cannot be read again.

        Raises:
            ValueError: a scope that does not exist.
        """
        unknown = scopes - SCOPES
        if unknown or not scopes:
            raise ValueError(
                f"Scopes are {', '.join(sorted(SCOPES))}; not {', '.join(sorted(unknown)) or 'none'}."
            )
        key_id = _random(5)
        key = f"mpk_{key_id}_{_random(20)}"
        self.model(key_id=key_id, key_hash=_hash(key), name=name, scopes=scopes).save(
            self.model.key_id.does_not_exist()
        )
        return key

    def all(self) -> list[ApiKey]:
        """All keys at rest, by name."""
        return sorted(self.model.scan(), key=lambda row: (row.name, row.key_id))

    def disable(self, key_id: str) -> None:
        """From now on the key opens nothing. A process that has just asked for it takes it for
        KEY_CACHE_SECONDS more.

        Raises:
            ValueError: there is no such key.
        """
        try:
            self.model(key_id).update([self.model.disabled.set(True)], condition=self.model.key_id.exists())
        except UpdateError as error:
            if cause_code(error) != "ConditionalCheckFailedException":
                raise
            raise ValueError(f"There is no key {key_id}; `list-keys` names all.") from None

    def check(self, key: str) -> Caller | None:
        """The caller of a valid key, else None."""
        shape = _KEY.fullmatch(key)
        if shape is None:
            return None
        row = self._row(shape[1])
        if row is None or row.disabled or not hmac.compare_digest(row.key_hash, _hash(key)):
            return None
        return Caller(name=row.name, scopes=frozenset(row.scopes))

    def remembers(self, key: str) -> bool:
        """True where `check`, called within the next second, will answer without asking the table."""
        shape = _KEY.fullmatch(key)
        known = self._cache.get(shape[1]) if shape else None
        return known is not None and time.monotonic() - known[0] < KEY_CACHE_SECONDS - 1

    def _row(self, key_id: str) -> ApiKey | None:
        known = self._cache.get(key_id)
        if known and time.monotonic() - known[0] < KEY_CACHE_SECONDS:
            return known[1]
        row: ApiKey | None
        try:
            row = self.model.get(key_id)
        except DoesNotExist:
            # Not remembered: random key ids would fill the memory, and a new key must work at once.
            return None
        self._cache[key_id] = (time.monotonic(), row)
        return row


class BearerTokens:
    """JWTs of one issuer, their keys fetched from its JWKS and kept for five minutes."""

    def __init__(self, settings: ChassisSettings) -> None:
        self._issuer, self._audience = settings.jwt_issuer, settings.jwt_audience
        self._keys = (
            jwt.PyJWKClient(settings.jwks_url, lifespan=300, timeout=5) if settings.jwks_url else None
        )

    def check(self, token: str) -> Caller | None:
        """The caller of a valid token, else None.

        Raises:
            Unavailable: the token names a key that cannot be fetched now.
        """
        if self._keys is None:
            return None
        try:
            header = jwt.get_unverified_header(token)
            if str(header.get("typ") or "").lower() not in _TYPES:
                raise jwt.InvalidTokenError("typ")
            kid = str(header.get("kid"))
            try:
                key = self._keys.get_signing_key(kid)
            except (jwt.PyJWKClientConnectionError, jwt.PyJWKSetError, OSError, ValueError) as error:
                # The issuer does not answer, or not with keys: that says nothing about the token.
                log.warning("The keys of bearer tokens cannot be read.", error=repr(error))
                raise Unavailable("The keys of bearer tokens.") from error
            claims = jwt.decode(
                token,
                key,
                # Only signatures by a private key: an HMAC token signed with the public key's text must not
                # pass.
                algorithms=["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"],
                audience=self._audience,
                issuer=self._issuer,
                options={"require": ["exp", "sub", "iss", "aud"]},
            )
        except jwt.PyJWTError as error:
            log.info("A bearer token was refused.", reason=type(error).__name__)
            return None
        scope = claims.get("scope", "")
        words = scope.split() if isinstance(scope, str) else scope if isinstance(scope, list) else []
        scopes = frozenset(word for word in words if isinstance(word, str))
        return Caller(
            name=str(claims["sub"]), scopes=scopes & SCOPES, subject=str(claims["sub"]), facts=claims
        )


def security_map(
    required_scopes: dict[str, list[str]],
    keys: KeyRing,
    tokens: BearerTokens,
    sessions: dict[str, Callable[[str], Caller | None]],
) -> dict[str, Any]:
    """Connexion's security handlers.

    Args:
        required_scopes: for each operation, the scopes of which the caller needs any one.
        keys: checks `X-API-Key`.
        tokens: checks `Authorization: Bearer`.
        sessions: for each other header that the contract names as an apiKey scheme, the function that checks
            it. Who holds such a session needs no scope: the operation itself checks that the session is the
            one it acts on.
    """

    def allowed(caller: Caller | None, request: Any) -> dict[str, Any] | None:
        if caller is None:
            return None
        operation = request.scope["extensions"]["connexion_routing"]["operation_id"]
        wanted = required_scopes.get(operation, [])
        if not caller.may(*wanted):
            raise Problem(
                403,
                "forbidden",
                "The credentials lack the scope for this.",
                f"One of these scopes is needed: {', '.join(sorted(wanted)) or 'none is enough'}.",
            )
        return _is_present(caller)

    async def check_key(api_key: str, request: Any = None) -> dict[str, Any] | None:
        caller = keys.check(api_key) if keys.remembers(api_key) else await _in_thread(keys.check, api_key)
        return allowed(caller, request)

    # While the issuer is away each check waits for it; callers with API keys must not wait behind those.
    few = anyio.CapacityLimiter(4)

    async def check_token(token: str, request: Any = None) -> dict[str, Any] | None:
        return allowed(await anyio.to_thread.run_sync(tokens.check, token, limiter=few), request)

    class Keys(ApiKeySecurityHandler):  # type: ignore[misc]
        def get_fn(self, security_scheme: dict[str, Any], required_scopes: list[str]) -> Any:
            header = security_scheme["name"]
            if header not in sessions:
                return self._get_verify_func(check_key, security_scheme["in"], header, required_scopes)

            async def check_session(secret: str) -> dict[str, Any] | None:
                caller = await _in_thread(sessions[header], secret)
                return _is_present(caller) if caller else None

            return self._get_verify_func(check_session, security_scheme["in"], header, required_scopes)

    class Tokens(BearerSecurityHandler):  # type: ignore[misc]
        def get_fn(self, security_scheme: dict[str, Any], required_scopes: list[str]) -> Any:
            return self._get_verify_func(check_token)

    return {"apiKey": Keys, "bearer": Tokens}


def _is_present(caller: Caller) -> dict[str, Any]:
    PRESENT.set(caller)
    return {"sub": caller.name, "caller": caller}


async def _in_thread(check: Callable[[str], Caller | None], credential: str) -> Caller | None:
    return await anyio.to_thread.run_sync(check, credential)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _random(size: int) -> str:
    return base64.b32encode(secrets.token_bytes(size)).decode().rstrip("=").lower()
