"""Settings, from the environment; the only file that reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from marketplace_simulator.times import parse_rfc3339

Envelope = Literal["simulated", "engine", "raw"]
SignatureVersion = Literal["1", "2"]


class BadSetting(Exception):
    """A setting that stops the start; the message says the mend."""


@dataclass(frozen=True)
class Settings:
    """What each one does is said in DESCRIPTIONS, and in README.md."""

    host: str = "127.0.0.1"
    port: int = 8700
    log_level: str = "INFO"
    database: str = ":memory:"
    start: datetime | None = None
    seller_account: str = "111122223333"
    access_keys: Mapping[str, str] | None = None
    calls_per_second: int = 10
    keep_calls: int = 2000
    sns_envelope: Envelope = "simulated"
    sns_signature_version: SignatureVersion = "1"
    public_url: str | None = None
    eventbridge_queue: str = "marketplane-notifications"
    sns_endpoint: str | None = None
    sqs_endpoint: str | None = None
    aws_region: str = "us-east-1"
    engine_access_key_id: str = "111122223333"
    engine_secret_access_key: str = "test"


# Field -> its variable and what it does.
DESCRIPTIONS = {
    "host": ("HOST", "Address to listen on."),
    "port": ("PORT", "Port to listen on; 0 takes a free one."),
    "log_level": ("LOG_LEVEL", "DEBUG, INFO, WARNING or ERROR."),
    "database": ("SIMULATOR_DATABASE", "SQLite file whose state survives `kill -9`, or `:memory:`."),
    "start": (
        "SIMULATOR_START",
        "Moment at which a new clock stands (RFC 3339); unset: the real hour's start.",
    ),
    "seller_account": ("SIMULATOR_SELLER_ACCOUNT", "12-digit account that published the products."),
    "access_keys": (
        "SIMULATOR_ACCESS_KEYS",
        "Known access keys and their accounts, `KEY=123456789012,...`; unset: every key is the seller's.",
    ),
    "calls_per_second": (
        "SIMULATOR_CALLS_PER_SECOND",
        "Metering calls a second per account and Region, the other APIs in AWS's proportion; where the switch"
        " stands at first. 0: no throttling.",
    ),
    "keep_calls": ("SIMULATOR_KEEP_CALLS", "How many of the latest AWS calls are kept."),
    "sns_envelope": (
        "SIMULATOR_SNS_ENVELOPE",
        "SNS envelope: `simulated` (this clock, signed), `engine` (written by it) or `raw` (none).",
    ),
    "sns_signature_version": (
        "SIMULATOR_SNS_SIGNATURE_VERSION",
        "SNS signature: `1` (SHA1, as AWS by default) or `2` (SHA256).",
    ),
    "public_url": (
        "SIMULATOR_URL",
        "This simulator's address for the seller, in `SigningCertURL`; unset: host and port.",
    ),
    "eventbridge_queue": ("EVENTBRIDGE_QUEUE", "SQS queue that receives EventBridge events, by name."),
    "sns_endpoint": ("AWS_ENDPOINT_URL_SNS", "The local engine's SNS; without it legacy news stays due."),
    "sqs_endpoint": ("AWS_ENDPOINT_URL_SQS", "The local engine's SQS; without it no news can leave."),
    "aws_region": ("AWS_REGION", "Region of topics and queues in the local engine."),
    "engine_access_key_id": (
        "AWS_ACCESS_KEY_ID",
        "Access key for the local engine; 12 digits are its account there.",
    ),
    "engine_secret_access_key": ("AWS_SECRET_ACCESS_KEY", "Secret for the local engine."),
}


def load(environment: Mapping[str, str]) -> Settings:
    """Read the settings; an empty variable counts as unset.

    Raises:
        BadSetting: a sentence that says the mend.
    """
    values: dict[str, Any] = {}
    for name, (variable, _) in DESCRIPTIONS.items():
        if text := environment.get(variable, ""):
            values[name] = text
    for name in ("port", "keep_calls", "calls_per_second"):
        if name in values:
            values[name] = _whole_number(name, values[name])
    if "access_keys" in values:
        values["access_keys"] = _access_keys(values["access_keys"])
    if "start" in values:
        try:
            values["start"] = parse_rfc3339(values["start"])
        except ValueError:
            raise BadSetting(
                "SIMULATOR_START must be RFC 3339 with an offset, such as 2026-11-22T14:00:00Z."
            ) from None
    settings = Settings(**values)
    if settings.sns_envelope not in get_args(Envelope):
        raise BadSetting("SIMULATOR_SNS_ENVELOPE must be simulated, engine or raw.")
    if settings.sns_signature_version not in get_args(SignatureVersion):
        raise BadSetting("SIMULATOR_SNS_SIGNATURE_VERSION must be 1 or 2.")
    if not _is_account(settings.seller_account):
        raise BadSetting("SIMULATOR_SELLER_ACCOUNT must be 12 digits.")
    for variable, endpoint in (
        ("AWS_ENDPOINT_URL_SNS", settings.sns_endpoint),
        ("AWS_ENDPOINT_URL_SQS", settings.sqs_endpoint),
        ("SIMULATOR_URL", settings.public_url),
    ):
        if endpoint is not None and not endpoint.startswith(("http://", "https://")):
            raise BadSetting(f"{variable} must be an http address, such as http://127.0.0.1:4566.")
    if settings.log_level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise BadSetting("LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR.")
    return settings


def _is_account(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) == 12


def _access_keys(text: str) -> dict[str, str]:
    pairs = [pair.strip().partition("=") for pair in text.split(",")]
    if not all(key and _is_account(account) for key, _, account in pairs):
        raise BadSetting("SIMULATOR_ACCESS_KEYS must be KEY=ACCOUNT pairs with commas between them.")
    return {key: account for key, _, account in pairs}


def _whole_number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 8):
        raise BadSetting(f"{DESCRIPTIONS[name][0]} must be a whole number, not {text!r}.")
    return int(text)
