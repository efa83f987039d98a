"""Settings that every process has. A service adds its own by subclassing; only its app.py reads them."""

import re
import sys
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.origins import read_origins

# Any partition: `aws`, `aws-cn`, `aws-eusc`.
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
# What sts:AssumeRole takes as ExternalId (botocore's model).
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}")


def names(text: str) -> list[str]:
    """The parts of a comma-separated setting, without the spaces around them."""
    return [name for part in text.split(",") if (name := part.strip())]


class ChassisSettings(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    environment: Literal["local", "test", "production"] = Field(
        default="production",
        description="Where this runs. `local` and `test` allow a simulated clock and `create-local`.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="The least level that is logged."
    )
    host: str = Field(default="127.0.0.1", description="The address to listen on; containers set 0.0.0.0.")
    port: int = Field(
        default=8000,
        ge=1,
        le=65535,
        description="The port to listen on; workers serve health and metrics there.",
    )
    web_workers: int = Field(default=2, ge=1, description="Server processes of one web role.")
    web_threads: int = Field(
        default=40, ge=1, description="Requests that one server process handles at a time."
    )
    max_body_bytes: int = Field(
        default=1024 * 1024,
        ge=1024,
        description="The largest request body, in bytes; a larger one is refused with 413.",
    )
    proxy_hops: int = Field(
        default=0,
        ge=0,
        description="How many proxies of ours stand before the web role, each adding the address that it saw "
        "to X-Forwarded-For. Rate limits count by that address: with too low a number all callers share one "
        "limit, with too high a one each caller makes up an address and no limit holds.",
    )
    aws_region: str = Field(default="us-east-1", description="The Region of our tables and queues.")
    aws_connect_timeout_seconds: float = Field(
        default=2.0, gt=0, description="How long to wait for a connection to AWS."
    )
    aws_read_timeout_seconds: float = Field(
        default=10.0,
        gt=0,
        description="How long to wait for an answer of AWS; for one of a waiting queue, its wait longer.",
    )
    aws_attempts: int = Field(
        default=3, ge=1, description="How often one call to AWS is tried, the first included."
    )
    marketplace_role_arn: str = Field(
        default="",
        description="The role under which AWS Marketplace is called, in the account that published the "
        "products, such as `arn:aws:iam::111122223333:role/marketplane-metering`. Empty: this process calls "
        "as itself.",
    )
    marketplace_role_external_id: str = Field(
        default="",
        description="The external id that the role's trust asks for; it is no secret. Empty where it asks "
        "for none.",
    )
    table_prefix: str = Field(
        default="marketplane-", description="Stands before each table's name; one prefix per installation."
    )
    products_file: Path = Field(
        default=Path("products.yaml"), description="The catalogue of products that this installation serves."
    )
    contracts_dir: Path = Field(default=Path("openapi"), description="The folder of the OpenAPI contracts.")
    clock_url: str = Field(
        default="",
        description="The simulator's clock, for local use: all processes then live in its time. "
        "Refused in production.",
    )
    jwks_url: str = Field(
        default="",
        description="Where the public keys of bearer tokens are; empty: bearer tokens are refused.",
    )
    jwt_issuer: str = Field(
        default="", description="The `iss` that bearer tokens must have; needed with JWKS_URL."
    )
    jwt_audience: str = Field(
        default="", description="The `aud` that bearer tokens must have; needed with JWKS_URL."
    )
    browser_origins: str = Field(
        default="",
        description="The origins of browser applications that may ask below `/v1`, with bearer tokens; "
        "comma-separated, such as `https://portal.seller.example`. In production https, or this machine.",
    )
    otel_exporter_otlp_endpoint: str = Field(
        default="",
        description="The OpenTelemetry collector that traces go to, by OTLP over HTTP, such as "
        "`http://127.0.0.1:4318`. Empty: nothing is traced.",
    )

    @field_validator("browser_origins")
    @classmethod
    def _names_origins(cls, value: str, info: ValidationInfo) -> str:
        # An environment that was refused is not there: then as strict as in production.
        environment = info.data.get("environment", "production")
        read_origins(value, http_anywhere=environment != "production")
        return value

    @field_validator("marketplace_role_arn")
    @classmethod
    def _names_a_role(cls, value: str) -> str:
        if value and not _ROLE_ARN.fullmatch(value):
            raise ValueError("not a role's ARN: write it as `arn:aws:iam::111122223333:role/marketplane`")
        return value

    @field_validator("marketplace_role_external_id")
    @classmethod
    def _is_an_external_id(cls, value: str, info: ValidationInfo) -> str:
        if value and not _EXTERNAL_ID.fullmatch(value):
            raise ValueError("not an external id: 2 to 1224 letters, digits and any of `+=,.@:/_-`")
        # A refused ARN has its own sentence.
        if value and info.data.get("marketplace_role_arn", "refused") == "":
            raise ValueError("set without MARKETPLACE_ROLE_ARN: no role is asked for it")
        return value

    @field_validator("otel_exporter_otlp_endpoint")
    @classmethod
    def _names_a_collector(cls, value: str) -> str:
        wrong = "not the address of a collector: write it as `http://127.0.0.1:4318`, without user or query"
        try:
            parts = urlsplit(value)
            _ = parts.port
        except ValueError:
            raise ValueError(wrong) from None
        is_whole = parts.scheme in ("http", "https") and parts.hostname and not parts.username
        if value and (not is_whole or parts.query or parts.fragment):
            raise ValueError(wrong)
        return value

    @model_validator(mode="after")
    def _no_simulated_time_in_production(self) -> "ChassisSettings":
        if self.clock_url and self.environment == "production":
            raise ValueError(
                "CLOCK_URL is set, but ENVIRONMENT is production: real bills need real time. Unset CLOCK_URL."
            )
        if self.jwks_url and not (self.jwt_issuer and self.jwt_audience):
            raise ValueError(
                "JWKS_URL is set without JWT_ISSUER and JWT_AUDIENCE: any token of that issuer would pass."
            )
        return self

    @property
    def browser_origin_list(self) -> tuple[str, ...]:
        return read_origins(self.browser_origins, http_anywhere=True)


S = TypeVar("S", bound=ChassisSettings)


def load(settings: type[S]) -> S:
    """Read the settings from the environment.

    Raises:
        SystemExit: something is wrong; each mistake has been printed with its variable's name.
    """
    try:
        return settings()
    except ValidationError as error:
        for mistake in error.errors():
            variable = "_".join(str(part) for part in mistake["loc"]).upper() or "the settings"
            field = settings.model_fields.get(str(mistake["loc"][0])) if mistake["loc"] else None
            purpose = f" It says: {field.description}" if field and field.description else ""
            wrong = mistake["msg"].removeprefix("Value error, ").removesuffix(".")
            print(f"Cannot start. {variable}: {wrong}.{purpose}", file=sys.stderr)
        raise SystemExit(78) from None  # EX_CONFIG
