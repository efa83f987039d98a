"""Reads a message, whatever road it came by, into one form. Told apart by shape, as one queue may get all
three:

- an SNS envelope around a message (`Type`, `Message`), the default of SNS to SQS;
- the message alone (`action`), with raw delivery;
- an EventBridge event (`detail-type`), which may also lie in an SNS envelope.
"""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from marshmallow import Schema, ValidationError

from notifications.messages import (
    LONGEST_TEXT,
    AgreementDetail,
    EventBridgeEvent,
    LicenseDetail,
    NoticeDetail,
    SnsEnvelope,
    SnsMessage,
)
from notifications.news import Door, Facts, Generation, Kind, News, Source, legacy_subject

ACTIONS = {
    "subscribe-success": Kind.SUBSCRIBE_SUCCESS,
    "subscribe-fail": Kind.SUBSCRIBE_FAIL,
    "unsubscribe-pending": Kind.UNSUBSCRIBE_PENDING,
    "unsubscribe-success": Kind.UNSUBSCRIBE_SUCCESS,
    "entitlement-updated": Kind.ENTITLEMENT_UPDATED,
}
EVENTS = {
    "Purchase Agreement Created": Kind.AGREEMENT_CREATED,
    "Purchase Agreement Amended": Kind.AGREEMENT_AMENDED,
    "Purchase Agreement Ended": Kind.AGREEMENT_ENDED,
    "License Updated": Kind.LICENSE_UPDATED,
    "License Deprovisioned": Kind.LICENSE_DEPROVISIONED,
}
NOTICES = {
    "Purchase Agreement Advisory Issued": Kind.ADVISORY_ISSUED,
    "Purchase Agreement Advisory Resolved": Kind.ADVISORY_RESOLVED,
    "Purchase Agreement Ending": Kind.AGREEMENT_ENDING,
    "Purchase Agreement Renewal Terms Finalized": Kind.RENEWAL_TERMS_FINALIZED,
    "Purchase Agreement Renewal Upcoming": Kind.RENEWAL_UPCOMING,
    "Agreement Cancellation Request Pending Approval": Kind.CANCELLATION_PENDING_APPROVAL,
    "Agreement Cancellation Request Approved": Kind.CANCELLATION_APPROVED,
    "Agreement Cancellation Request Rejected": Kind.CANCELLATION_REJECTED,
    "Agreement Cancellation Request Cancelled": Kind.CANCELLATION_CANCELLED,
    "Agreement Cancellation Request Validation Failed": Kind.CANCELLATION_VALIDATION_FAILED,
    "Purchase Agreement Billing Adjustment Completed": Kind.BILLING_ADJUSTMENT_COMPLETED,
    "Purchase Agreement Billing Adjustment Failed": Kind.BILLING_ADJUSTMENT_FAILED,
}
SPEND_NOTICES = {
    "Spend Threshold Reached": Kind.SPEND_THRESHOLD_REACHED,
    "Vet Succeeded": Kind.SPEND_VET_SUCCEEDED,
    "Vet Failed": Kind.SPEND_VET_FAILED,
}
"""AWS documents neither their full names nor their suffixes: told by how they end."""

NAME_OF = {kind: name for name, kind in [*NOTICES.items(), *SPEND_NOTICES.items()]}
"""Of notices, without the party that is told: a copy for the other one says the same."""

LICENSE_EVENTS = frozenset({Kind.LICENSE_UPDATED, Kind.LICENSE_DEPROVISIONED})
SELLERS = frozenset({"Proposer", "Manufacturer"})
"""A direct sale tells us as Proposer, a partner's sale as Manufacturer: one fact, whichever copy comes, or
both."""

MAX_BYTES = 300_000
"""A larger message does not fit into one item of the inbox (DynamoDB: 400 KB). AWS's news has about 1 KB."""


class UnreadableMessage(ValueError):
    """No news can be made of this message; its text says why. It belongs into the dead-letter queue,
    whole."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A message as the inbox keeps it.

    Attributes:
        name: what AWS calls it: the action, or the detail-type with its suffix.
        subject: whose news it is; None where an unknown kind does not say.
        news: what it says; None where the kind is unknown to us.
        door: where it came in.
    """

    notification_id: str
    source: Source
    name: str
    event_time: datetime
    subject: str | None
    news: News | None
    body: str
    door: Door = Door.QUEUE


def read(body: str, message_id: str, sent_at: datetime, door: Door = Door.QUEUE) -> Entry:
    """Read one message.

    Args:
        body: as it lay on the queue.
        message_id: SQS's own id of the message; raw delivery brings no other.
        sent_at: when SQS got it; raw delivery brings no other time.
        door: where it came in.

    Raises:
        UnreadableMessage: not JSON, no known shape, or a known shape with something missing.
    """
    if len(body.encode()) > MAX_BYTES:
        raise UnreadableMessage(f"The message has more than {MAX_BYTES} bytes.")
    return replace(_read(_parse(body), body, message_id, sent_at), door=door)


def _read(message: dict[str, Any], body: str, message_id: str, sent_at: datetime) -> Entry:
    if message.get("Type") == "Notification" and "Message" in message:
        envelope = _load(SnsEnvelope, message)
        inner = _parse(envelope["message"])
        if "detail-type" in inner:
            return _read_event(inner, body)
        return _read_action(inner, body, Source.SNS, envelope["id"], envelope["time"])
    if "detail-type" in message:
        return _read_event(message, body)
    if "action" in message:
        return _read_action(message, body, Source.SNS_RAW, message_id, sent_at)
    raise UnreadableMessage(
        "The message has none of the known shapes: SNS envelope, SNS message, EventBridge event."
    )


def _read_action(
    message: dict[str, Any], body: str, source: Source, notification_id: str, event_time: datetime
) -> Entry:
    told = _load(SnsMessage, message)
    kind = ACTIONS.get(told["action"])
    subject = legacy_subject(told["product_code"], told["customer_identifier"])
    facts = Facts(
        product_code=told["product_code"],
        customer_identifier=told["customer_identifier"],
        offer_id=told["offer_id"] or None,
        free_trial=told["free_trial"],
    )
    news = None
    if kind is not None:
        news = News(
            notification_id=notification_id,
            kind=kind,
            generation=Generation.LEGACY,
            event_time=event_time,
            subject=subject,
            facts=facts,
        )
    return Entry(
        notification_id=notification_id,
        source=source,
        name=told["action"],
        event_time=event_time,
        subject=subject,
        news=news,
        body=body,
    )


def _read_event(message: dict[str, Any], body: str) -> Entry:
    event = _load(EventBridgeEvent, message)
    what, _, to_whom = event["name"].rpartition(" - ")
    told = to_whom in SELLERS
    notice = _spend_notice(what if told else event["name"]) or (NOTICES.get(what) if told else None)
    if notice is not None and _agreement_id_if_any(event["detail"]):
        return _read_notice(notice, event, body)
    kind = EVENTS.get(what) if told else None
    if kind is None:
        return _entry_of(event, body, _agreement_id_if_any(event["detail"]), None)
    detail = _load(LicenseDetail if kind in LICENSE_EVENTS else AgreementDetail, event["detail"])
    agreement = detail["agreement"]
    news = News(
        notification_id=event["id"],
        kind=kind,
        generation=Generation.CONCURRENT_AGREEMENTS,
        event_time=event["time"],
        subject=agreement["id"],
        facts=Facts(
            product_code=detail["product"]["code"] if "product" in detail else None,
            license_arn=detail["license"]["arn"] if "license" in detail else None,
            agreement_id=agreement["id"],
            customer_aws_account_id=(detail["acceptor"] or {}).get("account_id") or None,
            offer_id=(detail["offer"] or {}).get("id") or None,
            agreement_status=agreement["status"],
            intent=agreement["intent"],
            accepted_at=agreement["accepted_at"],
            starts_at=agreement["starts_at"],
            ends_at=agreement["ends_at"],
            previous_agreement_id=agreement["previous_agreement_id"],
        ),
    )
    return _entry_of(event, body, news.subject, news)


def _spend_notice(what: str) -> Kind | None:
    return next((kind for ending, kind in SPEND_NOTICES.items() if what.endswith(ending)), None)


def _read_notice(kind: Kind, event: dict[str, Any], body: str) -> Entry:
    """A notice says nothing that the subscription is made of: of its facts only the agreement counts."""
    detail = _load(NoticeDetail, event["detail"])
    agreement_id = detail["agreement"].pop("id")
    told = {
        name: value for part in detail.values() for name, value in (part or {}).items() if value is not None
    }
    news = News(
        notification_id=event["id"],
        kind=kind,
        generation=Generation.CONCURRENT_AGREEMENTS,
        event_time=event["time"],
        subject=agreement_id,
        facts=Facts(agreement_id=agreement_id),
        notice=told,
    )
    return _entry_of(event, body, agreement_id, news)


def _entry_of(event: dict[str, Any], body: str, subject: str | None, news: News | None) -> Entry:
    return Entry(
        notification_id=event["id"],
        source=Source.EVENTBRIDGE,
        name=event["name"],
        event_time=event["time"],
        subject=subject,
        news=news,
        body=body,
    )


def _agreement_id_if_any(detail: dict[str, Any]) -> str | None:
    agreement = detail.get("agreement")
    agreement_id = agreement.get("id") if isinstance(agreement, dict) else None
    if not isinstance(agreement_id, str) or not 1 <= len(agreement_id) <= LONGEST_TEXT:
        return None
    return agreement_id


def _parse(text: str) -> dict[str, Any]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableMessage("The message is not JSON.") from error
    if not isinstance(message, dict):
        raise UnreadableMessage("The message is JSON, but not an object.")
    return message


def _load(schema: type[Schema], message: dict[str, Any]) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = _made(schema).load(message)
    except ValidationError as error:
        raise UnreadableMessage(f"{schema.__name__} does not fit: {error.messages}") from error
    return loaded


@cache
def _made(schema: type[Schema]) -> Schema:
    """Once: it takes longer to make than a message takes to read."""
    return schema()
