"""One piece of news, whatever road it came by, and the words it is told in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Generation(StrEnum):
    LEGACY = "legacy"
    CONCURRENT_AGREEMENTS = "concurrent_agreements"


class Source(StrEnum):
    """The three shapes that a message on our queue can have."""

    SNS = "sns"  # SNS to SQS: an envelope around the message
    SNS_RAW = "sns_raw"  # SNS to SQS with raw delivery: the message alone
    EVENTBRIDGE = "eventbridge"


class Door(StrEnum):
    """Where a message came in."""

    QUEUE = "queue"
    HTTPS = "https"
    RECONCILIATION = "reconciliation"  # AWS said it when asked: the message that should have said it is lost


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
    # What another agreement's news says of this one (renewals.py).
    AGREEMENT_PRECEDED = "agreement_preceded"
    AGREEMENT_SUCCEEDED = "agreement_succeeded"
    # Notices: worth knowing, and they change no access.
    ADVISORY_ISSUED = "advisory_issued"
    ADVISORY_RESOLVED = "advisory_resolved"
    AGREEMENT_ENDING = "agreement_ending"
    RENEWAL_TERMS_FINALIZED = "renewal_terms_finalized"
    RENEWAL_UPCOMING = "renewal_upcoming"
    CANCELLATION_PENDING_APPROVAL = "cancellation_pending_approval"
    CANCELLATION_APPROVED = "cancellation_approved"
    CANCELLATION_REJECTED = "cancellation_rejected"
    CANCELLATION_CANCELLED = "cancellation_cancelled"
    CANCELLATION_VALIDATION_FAILED = "cancellation_validation_failed"
    BILLING_ADJUSTMENT_COMPLETED = "billing_adjustment_completed"
    BILLING_ADJUSTMENT_FAILED = "billing_adjustment_failed"
    SPEND_THRESHOLD_REACHED = "spend_threshold_reached"
    SPEND_VET_SUCCEEDED = "spend_vet_succeeded"
    SPEND_VET_FAILED = "spend_vet_failed"


NOTICES = frozenset(list(Kind)[list(Kind).index(Kind.ADVISORY_ISSUED) :])
A_PERSON_MUST_HEAR = frozenset(
    {
        Kind.ADVISORY_ISSUED,
        Kind.ADVISORY_RESOLVED,
        Kind.CANCELLATION_PENDING_APPROVAL,
        Kind.CANCELLATION_APPROVED,
        Kind.CANCELLATION_REJECTED,
        Kind.CANCELLATION_CANCELLED,
        Kind.CANCELLATION_VALIDATION_FAILED,
    }
)
"""AWS suspects fraud or abuse, or somebody wishes to end an agreement (approved by silence after seven days):
no rule of ours can decide what to do."""


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
    previous_license_arn: str | None = None
    next_agreement_id: str | None = None
    next_license_arn: str | None = None


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
        notice: what a notice says, for people; None for all other news.
    """

    notification_id: str
    kind: Kind
    generation: Generation
    event_time: datetime
    subject: str
    facts: Facts
    notice: Mapping[str, Any] | None = None


def legacy_subject(product_code: str, customer_identifier: str) -> str:
    """The subject of a legacy product's news."""
    return f"{product_code}/{customer_identifier}"


def same_notice(one: News, other: News) -> bool:
    """AWS tells both parties of an agreement; so a seller who is both hears everything twice."""
    return one.kind == other.kind and one.notice == other.notice
