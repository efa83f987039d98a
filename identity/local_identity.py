"""Example ID: the local OpenID provider, where everybody may sign in as anybody. Never deployed.

oidc-provider-mock does the work. Added here is what it lacks: PKCE, which it ignores; clients in browsers,
which have no secret; access tokens that the services can check, with their scopes; `prompt=none`; `state` on
a refusal, which it forgets; and quiet, since it comes with a debugger switched on and a style sheet from
another host, for which a browser on a train would wait.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

# Before authlib is read: it refuses plain http, which is all there is on loopback.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import flask
import jinja2
from access_tokens import BY_NAME, EVERYBODYS, LIFETIME, access_token, granted
from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from browser_clients import share
from oidc_provider_mock import User, init_app
from oidc_provider_mock._app import AuthorizationCodeGrant, RefreshTokenGrant
from oidc_provider_mock._storage import Client

HERE = Path(__file__).parent
AUTHORIZE, TOKEN, DISCOVERY = (
    f"oidc-provider-mock.{name}" for name in ("authorize", "issue_token", "openid_config")
)
# How a client may show at the token endpoint which one it is; `none`: by its PKCE verifier alone.
CLIENT_PROOFS = ["client_secret_basic", "client_secret_post", "none"]


def build() -> flask.Flask:
    """The provider. All that it knows is in memory: a restart makes new signing keys and ends all sign-ins
    under way."""
    for grant in (AuthorizationCodeGrant, RefreshTokenGrant):
        grant.TOKEN_ENDPOINT_AUTH_METHODS = CLIENT_PROOFS
    usual = [scope for scope in Client.SCOPES_SUPPORTED if scope not in (EVERYBODYS, BY_NAME)]
    Client.SCOPES_SUPPORTED = (*usual, EVERYBODYS, BY_NAME)
    provider = flask.Flask("oidc_provider_mock")
    provider.config["OAUTH2_ACCESS_TOKEN_GENERATOR"] = access_token
    provider.jinja_loader = jinja2.ChoiceLoader(  # type: ignore[misc, assignment]
        [jinja2.FileSystemLoader(HERE / "templates"), jinja2.PackageLoader("oidc_provider_mock")]
    )
    without_debugger = provider.wsgi_app
    known = users()
    init_app(
        provider,
        require_nonce=True,
        access_token_max_age=LIFETIME,
        user_claims=[User(sub=sub, claims=claims) for sub, (claims, _) in known.items()],
    )
    provider.wsgi_app = without_debugger  # type: ignore[method-assign]
    provider.debug = False
    challenges: dict[str, str] = {}

    @provider.before_request
    def demand_pkce() -> tuple[flask.Response, int] | None:
        """RFC 7636 §4.4.1 and §4.6, with the one method that we use."""
        if flask.request.endpoint == AUTHORIZE:
            asked = flask.request.args
            if asked.get("code_challenge_method") != "S256" or not asked.get("code_challenge"):
                return refusal("invalid_request", "PKCE with S256 is demanded here.")
        elif flask.request.endpoint == TOKEN and flask.request.form.get("grant_type") == "authorization_code":
            challenge = challenges.pop(flask.request.form.get("code", ""), None)
            if challenge != create_s256_code_challenge(flask.request.form.get("code_verifier", "")):
                return refusal("invalid_grant", "The code is unknown, or its verifier is another.")
        return None

    @provider.before_request
    def ask_who_must_not_be_asked() -> Any:
        """OpenID Connect Core §3.1.2.1, §3.1.2.6: `prompt=none` where nobody is signed in. Here nobody ever
        is: there are no sessions."""
        asked = flask.request.args
        if flask.request.endpoint != AUTHORIZE or "none" not in asked.get("prompt", "").split():
            return None
        address = asked.get("redirect_uri", "")
        if urlsplit(address).scheme not in ("http", "https"):
            return refusal("invalid_request", "There is no redirect_uri to answer to.")
        told = [("error", "login_required"), ("error_description", "There are no sessions here.")]
        return flask.redirect(add_params_to_uri(address, told))

    @provider.after_request
    def finish(answer: flask.Response) -> flask.Response:
        if flask.request.endpoint == AUTHORIZE and answer.location:
            told = parse_qs(urlsplit(answer.location).query)
            asked = flask.request.args
            if "code" in told:
                challenges[told["code"][0]] = asked["code_challenge"]
                grant_scopes(told["code"][0])
            elif "state" in asked and "state" not in told:  # RFC 6749 §4.1.2.1
                answer.location = add_params_to_uri(answer.location, [("state", asked["state"])])
        elif flask.request.endpoint == DISCOVERY and flask.request.method == "GET":
            methods = {"code_challenge_methods_supported": ["S256"]}
            methods["token_endpoint_auth_methods_supported"] = CLIENT_PROOFS
            answer.set_data(json.dumps(answer.get_json() | methods))
        return share(answer)

    def grant_scopes(code: str) -> None:
        """Take from a code what its user may not have; the token says what is left (RFC 6749 §3.3, §5.1)."""
        storage = flask.g.oidc_provider_mock_storage
        kept = storage.get_authorization_code(code)
        _, named = known.get(kept.user_id, ({}, ()))
        storage.store_authorization_code(replace(kept, scope=granted(kept.scope or "", named)))

    return provider


def users() -> dict[str, tuple[dict[str, Any], tuple[str, ...]]]:
    """Who is in users.json, by subject: their claims, and the scopes that others may not have."""
    listed = json.loads((HERE / "users.json").read_text())
    return {one.pop("sub"): (one, tuple(one.pop("scopes", ()))) for one in listed}


def refusal(error: str, description: str) -> tuple[flask.Response, int]:
    return flask.jsonify(error=error, error_description=description), 400


app = build()
