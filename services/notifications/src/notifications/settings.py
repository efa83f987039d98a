"""The settings of notifications, on top of those of every process."""

from pydantic import Field, field_validator

from chassis.settings import ChassisSettings


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
        description="How long each message is kept whole; AWS wants audit logs of at least a year.",
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
    worker_threads: int = Field(
        2,
        ge=1,
        le=32,
        description="How many messages one worker process applies at a time; each thread has a queue poll.",
    )

    @field_validator("signal_queues")
    @classmethod
    def _at_most_so_many(cls, value: str) -> str:
        # A transaction has at most 100 items (DynamoDB); each queue is one.
        if len(value.split(",")) > 20:
            raise ValueError("at most 20 queues")
        return value

    @property
    def signal_queue_names(self) -> list[str]:
        return [name.strip() for name in self.signal_queues.split(",") if name.strip()]
