"""An application in a browser that signs people in at the local OpenID provider: code and PKCE, no secret."""

from __future__ import annotations

import base64
import hashlib
import secrets
from urllib.parse import parse_qs, urlsplit

import httpx

APPLICATION = "http://127.0.0.1:8109"
BACK_AT = f"{APPLICATION}/signed-in"
CLIENT = "an-application-in-a-browser"


class SignIn:
    """One sign-in by code and PKCE, of a client that has no secret."""

    def __init__(self, http: httpx.Client, issuer: str, scope: str) -> None:
        self.http, self.issuer, self.verifier = http, issuer, secrets.token_urlsafe(48)
        digest = hashlib.sha256(self.verifier.encode()).digest()
        self.asked = {
            "response_type": "code",
            "client_id": CLIENT,
            "redirect_uri": BACK_AT,
            "scope": scope,
            "state": secrets.token_urlsafe(8),
            "nonce": secrets.token_urlsafe(8),
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }

    def come_back(self, subject: str) -> dict[str, str]:
        """The user presses a button; what the browser brings back."""
        address = f"{self.issuer}/oauth2/authorize"
        assert self.http.get(address, params=self.asked).status_code == 200
        answer = self.http.post(address, params=self.asked, data={"sub": subject})
        assert answer.headers["location"].startswith(BACK_AT), answer.text
        return told(answer)

    def tokens(self, subject: str, **more: str) -> httpx.Response:
        brought = self.come_back(subject)
        assert brought["state"] == self.asked["state"]
        form = {
            "grant_type": "authorization_code",
            "client_id": CLIENT,
            "redirect_uri": BACK_AT,
            "code": brought["code"],
            "code_verifier": self.verifier,
            **more,
        }
        return self.http.post(f"{self.issuer}/oauth2/token", data=form, headers={"Origin": APPLICATION})


def told(answer: httpx.Response) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}
