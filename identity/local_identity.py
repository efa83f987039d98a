"""Example ID: the local OpenID provider, where everybody may sign in as anybody. Never deployed.

oidc-provider-mock does the work. Added here is what it lacks: PKCE, which it ignores; `state` on a refusal,
which it forgets; and quiet, since it comes with a debugger switched on and a style sheet from another host,
for which a browser on a train would wait.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

# Before authlib is read: it refuses plain http, which is all there is on loopback.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import flask
import jinja2
from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from oidc_provider_mock import User, init_app

HERE = Path(__file__).parent
AUTHORIZE, TOKEN = "oidc-provider-mock.authorize", "oidc-provider-mock.issue_token"


def build() -> flask.Flask:
    """The provider. All that it knows is in memory: a restart makes new signing keys and ends all sign-ins
    under way."""
    provider = flask.Flask("oidc_provider_mock")
    provider.jinja_loader = jinja2.ChoiceLoader(  # type: ignore[misc, assignment]
        [jinja2.FileSystemLoader(HERE / "templates"), jinja2.PackageLoader("oidc_provider_mock")]
    )
    without_debugger = provider.wsgi_app
    init_app(provider, require_nonce=True, user_claims=users())
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

    @provider.after_request
    def finish(answer: flask.Response) -> flask.Response:
        if flask.request.endpoint == AUTHORIZE and answer.location:
            told = parse_qs(urlsplit(answer.location).query)
            asked = flask.request.args
            if "code" in told:
                challenges[told["code"][0]] = asked["code_challenge"]
            elif "state" in asked and "state" not in told:  # RFC 6749 §4.1.2.1
                answer.location = add_params_to_uri(answer.location, [("state", asked["state"])])
        return answer

    return provider


def users() -> list[User]:
    return [User(sub=one.pop("sub"), claims=one) for one in json.loads((HERE / "users.json").read_text())]


def refusal(error: str, description: str) -> tuple[flask.Response, int]:
    return flask.jsonify(error=error, error_description=description), 400


app = build()
