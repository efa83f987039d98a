"""Signing in at a provider, within one registration's session.

`state`, `nonce` and PKCE's verifier are derived from the session's secret, so nothing is kept between the two
halves, and an answer that was not asked for in this very session opens nothing (RFC 9700 §2.1, §4.7).
"""

import base64
import hmac
import json
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime

from registration.identities import Identity
from registration.random_ids import Random
from registration.sealing import Box
from registration.sessions import Session

_RANDOM_BYTES = 16


@dataclass(frozen=True)
class Attempt:
    """One trip to a provider.

    Args:
        state: goes there and comes back in addresses; tells nothing.
        nonce: comes back inside the signed ID token.
        code_verifier: PKCE's; only its hash goes by the browser.
    """

    state: str
    nonce: str
    code_verifier: str


@dataclass(frozen=True)
class Person:
    """Who signed in, as the provider says.

    Args:
        provider: its key, such as `oidc`.
        issuer: who says it.
        subject: what the issuer calls them.
        email: only where the provider says that it is verified.
        name: to greet them.
    """

    provider: str
    issuer: str
    subject: str
    email: str | None
    name: str | None

    @property
    def identity(self) -> Identity:
        return Identity(self.issuer, self.subject)


def begin(session: Session, provider: str, random: Random = secrets.token_bytes) -> Attempt:
    return _attempt(session, provider, _base64(random(_RANDOM_BYTES)))


def resume(session: Session, provider: str, state: str) -> Attempt | None:
    """The attempt that this state belongs to; None where this session began none with this provider."""
    number, _, _ = state.partition(".")
    attempt = _attempt(session, provider, number)
    return attempt if hmac.compare_digest(attempt.state.encode(), state.encode()) else None


def sealed(person: Person, session: Session, now: datetime) -> str:
    """Who signed in, readable only with the session's secret."""
    return _box(session).seal(json.dumps(asdict(person)), now)


def unsealed(text: str | None, session: Session, now: datetime) -> Person | None:
    opened = _box(session).open(text, now) if text else None
    return Person(**json.loads(opened)) if opened else None


def _attempt(session: Session, provider: str, number: str) -> Attempt:
    def derived(purpose: str) -> str:
        text = f"{purpose} {provider} {number}".encode()
        return _base64(hmac.digest(session.secret.encode(), text, "sha256"))

    return Attempt(f"{number}.{derived('state')}", derived("nonce"), derived("verifier"))


def _box(session: Session) -> Box:
    return Box([session.secret], "signed in")


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
