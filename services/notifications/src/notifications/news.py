"""One piece of news, whatever road it came by, and the words it is told in."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Generation(StrEnum):
    LEGACY = "legacy"
    CONCURRENT_AGREEMENTS = "concurrent_agreements"


class Source(StrEnum):
    """The three shapes that a message on our queue can have."""

    SNS = "sns"  # SNS to SQS: an envelope around the message
    SNS_RAW = "sns_raw"  # SNS to SQS with raw delivery: the message alone
    EVENTBRIDGE = "eventbridge"


class Kind(StrEnum):
    """What happened, in AWS's words."""

    AGREEMENT_CREATED = "agreement_created"
    AGREEMENT_AMENDED = "agreement_amended"
    LICENSE_UPDATED = "license_updated"
    AGREEMENT_ENDED = "agreement_ended"
    LICENSE_DEPROVISIONED = "license_deprovisioned"
    ENTITLEMENT_UPDATED = "entitlement_updated"
    SUBSCRIBE_SUCCESS = "subscribe_success"
    SUBSCRIBE_FAIL = "subscribe_fail"
    UNSUBSCRIBE_PENDING = "unsubscribe_pending"
    UNSUBSCRIBE_SUCCESS = "unsubscribe_success"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a piece of news says beside its kind and its time. None: it does not say."""

    product_code: str | None = None
    license_arn: str | None = None
    agreement_id: str | None = None
    customer_identifier: str | None = None
    customer_aws_account_id: str | None = None
    offer_id: str | None = None
    free_trial: bool | None = None
    agreement_status: str | None = None
    intent: str | None = None
    accepted_at: datetime | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    previous_agreement_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class News:
    """One fact of one subject.

    Attributes:
        notification_id: SNS's MessageId, EventBridge's id, or (raw delivery carries none) the id of the SQS
            message.
        event_time: when it happened, as far as the road tells: SNS's Timestamp, EventBridge's `time`, or (raw
            delivery carries none) when SQS got it.
        subject: the agreement id, or `product_code/customer_identifier` of a legacy product. All news of one
            subject is folded together.
    """

    notification_id: str
    kind: Kind
    generation: Generation
    event_time: datetime
    subject: str
    facts: Facts


def legacy_subject(product_code: str, customer_identifier: str) -> str:
    """The subject of a legacy product's news."""
    return f"{product_code}/{customer_identifier}"
