"""Access tokens as JWTs (RFC 9068), by which the services know who asks and what they may."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Collection
from datetime import timedelta
from typing import Any

import flask
from joserfc import jwt
from joserfc.jwk import RSAKey

LIFETIME = timedelta(hours=1)
EVERYBODYS, BY_NAME = "buyer", "operator"
"""The services' scopes that a person may have: who buys is anybody, who operates is named in users.json."""


def audience() -> str:
    """The `aud` of access tokens: what the services' JWT_AUDIENCE says."""
    return os.environ.get("JWT_AUDIENCE") or "marketplane"


def access_token(client: Any, user: Any, scope: str, **_: Any) -> str:
    """A token of a user for a client, signed with the key that the provider's JWKS shows.

    Args:
        client, user, scope: as authlib hands them to a generator of access tokens; the scope is what was
            granted.
    """
    key = RSAKey.import_key(flask.g.oidc_provider_mock_storage.jwk.as_dict(is_private=True))
    key.ensure_kid()
    now = int(time.time())
    claims = {
        "iss": flask.request.host_url.rstrip("/"),
        "sub": user.sub,
        "aud": audience(),
        "iat": now,
        "exp": now + int(LIFETIME.total_seconds()),
        "jti": secrets.token_urlsafe(16),
        "client_id": client.get_client_id(),
        "scope": scope,
    }
    return jwt.encode({"alg": "RS256", "typ": "at+jwt", "kid": key.kid}, claims, key)


def granted(asked: str, named: Collection[str]) -> str:
    """What of the scopes that a client asked for its user may have.

    Args:
        asked: words, with blanks between.
        named: the scopes that users.json names for this user.
    """
    return " ".join(word for word in asked.split() if word != BY_NAME or word in named)
