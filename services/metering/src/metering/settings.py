"""Every setting of metering. Only app.py reads them."""

from datetime import timedelta

from pydantic import Field

from chassis.settings import ChassisSettings
from metering.hours import AwsWindow
from metering.planning import Limits
from metering.usage_events import AgeLimits


class Settings(ChassisSettings):
    metering_signals_queue: str = Field(
        "marketplane-metering-subscription-events",
        description="The SQS queue on which notifications says that a subscription has changed.",
    )
    usage_events_queue: str = Field(
        "marketplane-usage-events",
        description="The SQS queue on which usage may be reported, beside HTTP.",
    )
    marketplace_region: str = Field(
        "us-east-1",
        description="The Region whose BatchMeterUsage is called. Never change it within an hour: AWS knows "
        "duplicates by Region, so an hour sent to two Regions is billed twice.",
    )
    log_shards: int = Field(
        1,
        ge=1,
        le=1000,
        description="Into how many shards, by subscription, each writer spreads an hour of the usage log. "
        "It may be changed at any time. More make each write cost more units; a writer needs them "
        "only beyond the 1,000 write units a second that DynamoDB takes of one partition.",
    )
    log_writers: int = Field(
        1,
        ge=1,
        le=16,
        description="How many writes of the usage log a process may have under way at the same time.",
    )
    commit_linger_ms: float = Field(
        5.0,
        ge=0,
        le=1000,
        description="How long the first request of a shared write waits for others, in milliseconds.",
    )
    commit_most_waiting_events: int = Field(
        100_000,
        ge=1_000,
        description="So many events may wait for their write in one process; "
        "who comes then is answered 503 and told to come again.",
    )
    cycle_seconds: float = Field(
        15.0, gt=0, description="The pause between two metering cycles (fold, plan, send), in real seconds."
    )
    fold_seconds: float = Field(
        5.0,
        gt=0,
        description="From one fold alone to the next, in real seconds: how soon usage is there to be read. "
        "Each metering cycle begins with one of its own.",
    )
    fold_most_events: int = Field(
        20_000_000,
        ge=0,
        description="So many events of the open hours a worker remembers, in eight bytes each, to read only "
        "what is new. Hours beyond that are read from their beginning when they change.",
    )
    usage_max_age_hours: float = Field(
        24.0,
        gt=0,
        description="An older event is refused at the door. "
        "Usage too old for its own hour is carried forward.",
    )
    usage_max_ahead_seconds: float = Field(
        60.0, ge=0, description="How far an event's time may be ahead of our clock."
    )
    seal_grace_seconds: float = Field(
        300.0, ge=0, description="How long after its end an hour waits for late events before it is sealed."
    )
    aws_window_hours: float = Field(
        24.0, gt=0, description="AWS refuses records this old (BatchMeterUsage as of November 2026)."
    )
    aws_month_end_hours: float = Field(
        6.0, ge=0, description="How long after a month's end AWS takes the month's usage."
    )
    aws_window_margin_seconds: float = Field(
        300.0, ge=0, description="How long before AWS's window closes we stop sending a record."
    )
    zero_record_before_close_seconds: float = Field(
        900.0,
        gt=0,
        description="How long before AWS's window closes an hour without usage is told, "
        "of products whose catalogue entry says `zero_records`.",
    )
    audit_every_minutes: float = Field(
        60.0,
        gt=0,
        description="How often a worker compares the ledger with the usage log and the metering records.",
    )
    aws_calls_per_second: int = Field(
        8,
        ge=1,
        le=10,
        description="BatchMeterUsage calls a second of all workers together; "
        "AWS allows 10 for an account and Region.",
    )
    sender_threads: int = Field(
        8,
        ge=1,
        le=25,
        description="Of how many of a call's records a worker writes at the same time that they are sent, "
        "and then what became of them. AWS takes 25 in a call.",
    )

    @property
    def age_limits(self) -> AgeLimits:
        return AgeLimits(
            oldest=timedelta(hours=self.usage_max_age_hours),
            ahead=timedelta(seconds=self.usage_max_ahead_seconds),
        )

    @property
    def limits(self) -> Limits:
        return Limits(
            grace=timedelta(seconds=self.seal_grace_seconds),
            window=AwsWindow(
                age=timedelta(hours=self.aws_window_hours),
                month_end=timedelta(hours=self.aws_month_end_hours),
                margin=timedelta(seconds=self.aws_window_margin_seconds),
            ),
            zero_before_close=timedelta(seconds=self.zero_record_before_close_seconds),
        )
