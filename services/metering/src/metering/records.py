"""Metering records: what AWS is told for one subscription, dimension and hour, and what came of it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from metering.subscriptions import Subscription
from metering.tags import Split


class Outcome(StrEnum):
    """What became of a metering record. The contract says each in a sentence."""

    PLANNED = "planned"
    BILLED = "billed"
    DUPLICATE_CONFLICT = "duplicate_conflict"
    NOT_SUBSCRIBED = "not_subscribed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class Decision(StrEnum):
    """What a person decides about a record. The contract says each in a sentence."""

    BILL_AGAIN = "bill_again"
    WRITE_OFF = "write_off"
    BILLED = "billed"


@dataclass(frozen=True)
class Resolution:
    """What a person has decided, why, who, and when."""

    decision: Decision
    reason: str
    by: str
    at: datetime


@dataclass(frozen=True)
class Send:
    """One hand-over of a record to AWS: its number from 1, when, and AWS's word for it; None: no answer
    came."""

    number: int
    at: datetime
    answer: str | None = None


@dataclass(frozen=True)
class Source:
    """An hour of use whose quantity (micro-units) is inside a record, and what of it has tags."""

    hour: str
    quantity: int
    tags: Split = field(default_factory=dict)


class Listing(NamedTuple):
    """A product as one generation of AWS Marketplace has it; a call goes to one."""

    product_code: str
    generation: str


@dataclass(frozen=True)
class Identity:
    """Under which identity AWS is told. Frozen with the record: two identities in one hour bill twice."""

    product_code: str
    customer_identifier: str | None = None
    license_arn: str | None = None
    customer_aws_account_id: str | None = None

    @property
    def is_legacy(self) -> bool:
        return self.license_arn is None

    @property
    def listing(self) -> "Listing":
        return Listing(self.product_code, "legacy" if self.is_legacy else "concurrent_agreements")


def identity_of(subscription: Subscription) -> Identity:
    """The one identity of a subscription.

    Raises:
        ValueError: the published row lacks what its generation is billed by.
    """
    if subscription.generation == "legacy":
        if not subscription.customer_identifier:
            raise ValueError(f"{subscription.subscription_id} has no customer identifier to bill.")
        return Identity(subscription.product_code, customer_identifier=subscription.customer_identifier)
    if not (subscription.license_arn and subscription.customer_aws_account_id):
        raise ValueError(f"{subscription.subscription_id} has no licence and account to bill.")
    return Identity(
        subscription.product_code,
        license_arn=subscription.license_arn,
        customer_aws_account_id=subscription.customer_aws_account_id,
    )


@dataclass(frozen=True)
class MeteringRecord:
    """A frozen record. Subscription, dimension and hour are AWS's slot, in which the first quantity stands.

    Args:
        hour: the slot's hour.
        timestamp: what is sent; the start of the hour, or of the subscription where that is later in the same
            hour.
        quantity: micro-units, the sum of the sources.
        tags_left_out: more tags were used than a record can carry; what has them is sent untagged.
        in_doubt: it may have reached AWS without an answer reaching us.
        attempts: how often it was handed to AWS.
        resolution: what a person has decided, where AWS's answer leaves it open.
        sends: the first of the attempts, each with what came of it.
    """

    subscription_id: str
    dimension: str
    hour: str
    timestamp: datetime
    quantity: int
    identity: Identity
    sources: tuple[Source, ...]
    created_at: datetime
    tags_left_out: bool = False
    outcome: Outcome = Outcome.PLANNED
    reason: str | None = None
    in_doubt: bool = False
    attempts: int = 0
    aws_metering_record_id: str | None = None
    settled_at: datetime | None = None
    resolution: Resolution | None = None
    sends: tuple[Send, ...] = ()

    @property
    def metering_record_id(self) -> str:
        return f"{self.subscription_id}.{self.dimension}.{self.hour}"
