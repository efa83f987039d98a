"""Registration's settings, one environment variable each. Only app.py reads them."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from chassis.settings import ChassisSettings

_DEVELOPMENT_SECRET = "for-local-use-only-everyone-knows-this-one"
_SHORTEST_SECRET = 32


class Settings(ChassisSettings):
    session_secret: SecretStr = Field(
        SecretStr(_DEVELOPMENT_SECRET),
        description="Signs buyers' sessions: 32 random characters or more, the same in every process. "
        "Production needs its own.",
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

    @model_validator(mode="after")
    def _production_is_locked(self) -> Self:
        secret = self.session_secret.get_secret_value()
        if len(secret) < _SHORTEST_SECRET:
            raise ValueError("SESSION_SECRET is shorter than 32 characters: set a longer random one.")
        if self.environment == "production" and secret == _DEVELOPMENT_SECRET:
            raise ValueError("SESSION_SECRET is not set, but ENVIRONMENT is production: set a random one.")
        if self.environment == "production" and not self.cookie_secure:
            raise ValueError(
                "COOKIE_SECURE is false, but ENVIRONMENT is production: unset it and serve https."
            )
        return self
