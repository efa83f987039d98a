"""Registration's settings, one environment variable each. Only app.py reads them."""

from base64 import b64decode
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from chassis.rates import RateText
from chassis.settings import ChassisSettings, names

_DEVELOPMENT_SECRET = "for-local-use-only-everyone-knows-this-one"  # nosec B105 # refused in production
_SHORTEST_SECRET = 32


class Settings(ChassisSettings):
    max_body_bytes: int = Field(
        65_536,
        ge=1024,
        description="The largest request body, in bytes; a larger one is refused with 413. Forms and "
        "registrations are small.",
    )
    session_secret: SecretStr = Field(
        SecretStr(_DEVELOPMENT_SECRET),
        description="Signs buyers' sessions and encrypts what must pass through other hands: 32 random "
        "characters or more, the same in every process. Production needs its own. Several, comma-separated, "
        "while it is replaced: the first signs, all of them open. What was signed by one that is gone ends: "
        "sessions, and Quick Launch secrets that still wait.",
    )
    session_minutes: int = Field(
        60,
        ge=1,
        le=1440,
        description="How long a buyer may take from arriving to submitting the form, in minutes.",
    )
    cookie_secure: bool = Field(
        True,
        description="Send the session cookie over https only; `false` (local http) is refused in production.",
    )
    public_url: str = Field(
        "",
        description="Where browsers reach this service, such as `https://register.seller.example`. Sign-in "
        "needs it: providers send the browser back there.",
    )
    oidc_issuer: str = Field(
        "", description="An OpenID Connect provider's issuer address. Empty: no such sign-in."
    )
    oidc_client_id: str = Field("", description="What the OpenID Connect provider calls us.")
    oidc_client_secret: SecretStr = Field(
        SecretStr(""), description="Our secret at the OpenID Connect provider."
    )
    oidc_title: str = Field("your account", description='What the button says: "Sign in with …".')
    github_client_id: str = Field("", description="Our OAuth app at GitHub. Empty: no such sign-in.")
    github_client_secret: SecretStr = Field(SecretStr(""), description="Our secret at GitHub.")
    github_url: str = Field("https://github.com", description="GitHub, or an enterprise's own.")
    github_api_url: str = Field("https://api.github.com", description="GitHub's API, or an enterprise's own.")
    hand_over_secret: SecretStr = Field(
        SecretStr(""),
        description="Signs what is sent to the seller's own back end (Standard Webhooks, `whsec_` and base64 "
        "of 24 to 64 random bytes). Needed where a product of the catalogue hands over. Several, "
        "comma-separated, while it is replaced: each makes a signature, and the back end knows one of them.",
    )
    hand_over_seconds: float = Field(
        5.0,
        gt=0,
        le=20,
        description="How long one try of a hand-over may take; the first is made while the buyer waits.",
    )
    mail: Literal["none", "directory", "ses"] = Field(
        "none",
        description="How letters go out: not at all, as files into MAIL_DIRECTORY (local use), or by Amazon "
        "SES.",
    )
    mail_from: str = Field(
        "", description="The sender of letters, an address that SES has verified. Needed for `ses`."
    )
    mail_directory: Path | None = Field(None, description="Where letters go as files, for `directory`.")
    registration_signals_queue: str = Field(
        "marketplane-registration-subscription-events",
        description="The queue on which notifications says that a subscription has changed.",
    )
    sweep_seconds: float = Field(
        300.0,
        gt=0,
        description="How often the worker looks at every claim by itself, in seconds, in case a signal was "
        "lost.",
    )
    landings_rate: RateText = Field(
        "60/minute",
        description="How often one address may come from AWS Marketplace. Counted in each process by itself.",
    )
    api_arrivals_rate: RateText = Field(
        "600/minute",
        description="How often one address may call `POST /v1/registrations`: a frontend's server calls for "
        "all its buyers. Counted in each process by itself.",
    )
    submits_rate: RateText = Field(
        "30/minute",
        description="How often one session may submit the form or sign in. Counted in each process by "
        "itself.",
    )

    @property
    def session_secrets(self) -> list[str]:
        return names(self.session_secret.get_secret_value())

    @property
    def hand_over_secrets(self) -> list[str]:
        return names(self.hand_over_secret.get_secret_value())

    @model_validator(mode="after")
    def _production_is_locked(self) -> Self:
        keys = self.session_secrets
        if not keys or min(map(len, keys)) < _SHORTEST_SECRET:
            raise ValueError("SESSION_SECRET is shorter than 32 characters: set a longer random one.")
        if self.environment != "production":
            return self
        if _DEVELOPMENT_SECRET in keys:
            raise ValueError("SESSION_SECRET is not set, but ENVIRONMENT is production: set a random one.")
        if not self.cookie_secure:
            raise ValueError(
                "COOKIE_SECURE is false, but ENVIRONMENT is production: unset it and serve https."
            )
        if self.mail == "directory":
            raise ValueError("MAIL is `directory`, but ENVIRONMENT is production: choose `ses` or `none`.")
        return self

    @model_validator(mode="after")
    def _sign_in_is_whole(self) -> Self:
        providers = {
            "OIDC_ISSUER": (self.oidc_issuer, self.oidc_client_id, self.oidc_client_secret),
            "GITHUB_CLIENT_ID": (self.github_client_id, self.github_client_id, self.github_client_secret),
        }
        for name, (wanted, client_id, secret) in providers.items():
            if wanted and not (client_id and secret.get_secret_value()):
                raise ValueError(f"{name} is set, but our client id or secret there is not: set them too.")
            if wanted and not self.public_url:
                raise ValueError(f"{name} is set, but PUBLIC_URL is not: providers send browsers back there.")
        public = urlsplit(self.public_url)
        if self.public_url and not (public.scheme in ("https", "http") and public.hostname):
            raise ValueError("PUBLIC_URL is no web address: write it as `https://register.seller.example`.")
        if public.scheme == "http" and self.environment == "production":
            raise ValueError("PUBLIC_URL is http, but ENVIRONMENT is production: browsers come by https.")
        return self

    @model_validator(mode="after")
    def _hand_over_secret_can_sign(self) -> Self:
        for secret in self.hand_over_secrets:
            try:
                size = len(b64decode(secret.removeprefix("whsec_"), validate=True))
            except ValueError:
                size = 0
            if not secret.startswith("whsec_") or not 24 <= size <= 64:
                raise ValueError(
                    "HAND_OVER_SECRET cannot sign: write `whsec_` and base64 of 24 to 64 random bytes."
                )
        return self

    @model_validator(mode="after")
    def _mail_is_whole(self) -> Self:
        if self.mail == "ses" and not self.mail_from:
            raise ValueError("MAIL is `ses`, but MAIL_FROM is not set: set an address that SES has verified.")
        if self.mail == "directory" and self.mail_directory is None:
            raise ValueError("MAIL is `directory`, but MAIL_DIRECTORY is not set: set it.")
        return self
