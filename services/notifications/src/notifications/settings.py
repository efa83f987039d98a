"""The settings of notifications, on top of those of every process."""

from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from chassis.rates import RateText
from chassis.settings import ChassisSettings, names
from notifications.webhook_addresses import networks

_DEVELOPMENT_KEY = "for-local-use-only-everyone-knows-this-one"
_SHORTEST_KEY = 32


class Settings(ChassisSettings):
    notifications_queue: str = Field(
        "marketplane-notifications",
        min_length=1,
        description="The queue that AWS Marketplace's SNS topics and EventBridge rule deliver to.",
    )
    signal_queues: str = Field(
        "marketplane-metering-subscription-events,marketplane-registration-subscription-events",
        description="The queues that hear of every change of a subscription, comma-separated.",
    )
    inbox_retention_days: int = Field(
        400,
        ge=365,
        description="How long each message is kept whole, and each reconciliation; AWS wants audit logs "
        "of at least a year.",
    )
    sweep_seconds: int = Field(
        60, ge=1, description="How often the worker looks for subscriptions whose last hour is over."
    )
    entitlements_every_seconds: int = Field(
        3600,
        ge=1,
        description="How often AWS is asked for the entitlements of a contract that is alive, beside each "
        "time that news of it comes.",
    )
    describe_agreements: bool = Field(
        True,
        description="Whether agreements are read for their trial and their end. It needs "
        "`aws-marketplace:DescribeAgreement`; without it both stay unknown.",
    )
    sns_topics: str = Field(
        "",
        description="Topics by their whole ARN, comma-separated, whose messages `POST /v1/sns` takes beside "
        "AWS Marketplace's own for our products.",
    )
    sns_topic_accounts: str = Field(
        "287250355862",
        description="AWS Marketplace's accounts, comma-separated: only from there a topic is taken by its "
        "name. Anybody can make a topic of that name in an account of theirs.",
    )
    sns_window_seconds: int = Field(
        7200,
        ge=3600,
        le=86_400,
        description="How old a message of SNS may be that comes by HTTPS, in seconds. SNS tries for an hour.",
    )
    sns_rate: RateText = Field(
        "1200/minute",
        description="How often one address may post to `/v1/sns`. Counted in each process by itself.",
    )
    sns_certificate_hosts: str = Field(
        "",
        description="Simulators as `host:port`, comma-separated, whose certificates are taken for SNS's, by "
        "plain http. Refused in production.",
    )
    eventbridge_secrets: SecretStr = Field(
        SecretStr(""),
        description="What EventBridge's API destination sends as X-EventBridge-Secret, 32 random characters "
        "or more; two, comma-separated, while it is changed. Empty: `POST /v1/eventbridge` lets nobody in.",
    )
    worker_threads: int = Field(
        2,
        ge=1,
        le=32,
        description="How many receipts, of up to ten messages, one worker process has in hand at a time.",
    )

    webhook_key: SecretStr = Field(
        SecretStr(_DEVELOPMENT_KEY),
        description="Encrypts the secrets of webhook endpoints at rest: 32 random characters or more, the "
        "same in every process. Production needs its own. To replace it, set the new one and the old one, "
        "comma-separated, until every endpoint has a new secret: the first encrypts, all decrypt.",
    )
    webhooks_allow_inside: bool = Field(
        False,
        description="Whether webhooks may go to addresses that are not on the open Internet: this machine "
        "(also by http) and private networks. Production wants WEBHOOKS_ALLOWED_NETWORKS with it, because "
        "who may make endpoints could else reach whatever listens in there.",
    )
    webhooks_allowed_networks: str = Field(
        "",
        description="With WEBHOOKS_ALLOW_INSIDE, the only networks inside that webhooks may go to, "
        "comma-separated, such as `10.1.0.0/16,fd12::/64`.",
    )
    webhook_retention_days: int = Field(
        30,
        ge=14,
        le=400,
        description="How long what webhooks tell is kept for replays, and each delivery after it was made or "
        "given up. (One that is under way takes up to eleven days, if its receiver asks for long waits.)",
    )
    webhook_threads: int = Field(
        4,
        ge=1,
        le=32,
        description="How many webhooks one worker process sends to one endpoint at a time. Each endpoint has "
        "threads of its own.",
    )

    @model_validator(mode="after")
    def _webhooks_are_safe(self) -> Self:
        keys = self.webhook_keys
        if not keys or min(map(len, keys)) < _SHORTEST_KEY:
            raise ValueError("WEBHOOK_KEY is shorter than 32 characters: set a longer random one.")
        try:
            there = networks(self.webhooks_allowed_networks)
        except ValueError as error:
            raise ValueError(f"WEBHOOKS_ALLOWED_NETWORKS names no network: {error}.") from None
        if there and not self.webhooks_allow_inside:
            raise ValueError(
                "WEBHOOKS_ALLOWED_NETWORKS is set, but WEBHOOKS_ALLOW_INSIDE is not: set both or neither."
            )
        if self.environment != "production":
            return self
        if _DEVELOPMENT_KEY in keys:
            raise ValueError("WEBHOOK_KEY is not set, but ENVIRONMENT is production: set a random one.")
        if self.webhooks_allow_inside and not there:
            raise ValueError(
                "WEBHOOKS_ALLOW_INSIDE is true, but ENVIRONMENT is production: name the networks in "
                "WEBHOOKS_ALLOWED_NETWORKS, or unset it."
            )
        return self

    @model_validator(mode="after")
    def _doors_are_safe(self) -> Self:
        if self.sns_certificate_hosts and self.environment == "production":
            raise ValueError(
                "SNS_CERTIFICATE_HOSTS is set, but ENVIRONMENT is production: any certificate would do. "
                "Unset it."
            )
        if any(len(secret) < _SHORTEST_KEY for secret in self.eventbridge_secret_list):
            raise ValueError(
                "EVENTBRIDGE_SECRETS has one shorter than 32 characters: set longer random ones."
            )
        if _DEVELOPMENT_KEY in self.eventbridge_secret_list and self.environment == "production":
            raise ValueError(
                "EVENTBRIDGE_SECRETS has the one for local use, but ENVIRONMENT is production: set a random "
                "one."
            )
        if not all(account.isdigit() and len(account) == 12 for account in names(self.sns_topic_accounts)):
            raise ValueError("SNS_TOPIC_ACCOUNTS are not all accounts of 12 digits.")
        return self

    @property
    def eventbridge_secret_list(self) -> list[str]:
        return names(self.eventbridge_secrets.get_secret_value())

    @property
    def webhook_keys(self) -> list[str]:
        return names(self.webhook_key.get_secret_value())

    @field_validator("signal_queues")
    @classmethod
    def _at_most_so_many(cls, value: str) -> str:
        # Each hears every change; SQS is asked for one after the other.
        if len(value.split(",")) > 20:
            raise ValueError("at most 20 queues")
        return value

    @property
    def signal_queue_names(self) -> list[str]:
        return names(self.signal_queues)
