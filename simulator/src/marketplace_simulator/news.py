"""What goes out when an agreement changes, word for word as AWS says it, and at which moment.

News is written down when its cause happens and carries its due moment; delivery is another file's job.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from marketplace_simulator.agreements import (
    CREATED_AFTER,
    DEPROVISIONED_AFTER_ENDED,
    FINAL_HOUR,
    Agreement,
)
from marketplace_simulator.identifiers import new_uuid
from marketplace_simulator.products import Product
from marketplace_simulator.times import rfc3339_millis, rfc3339_seconds

Channel = Literal["sns", "eventbridge"]


@dataclass(frozen=True)
class News:
    """One message to the seller.

    Args:
        message_id: SNS MessageId or EventBridge `id`; the same however often it is delivered.
        topic: SNS topic name; None on EventBridge.
        name: the legacy `action`, or the `detail-type`.
        due_at: when AWS would send it, which is also its event time.
        body: SNS message or whole EventBridge event, as JSON text.
    """

    message_id: str
    agreement_id: str
    channel: Channel
    topic: str | None
    name: str
    due_at: datetime
    body: str


def of_purchase(agreement: Agreement, product: Product, seller: str) -> list[News]:
    """The news of an accepted offer; `seller` is the account that published the product."""
    if agreement.generation == "legacy":
        news = [_subscription_message("subscribe-success", agreement, product, agreement.activates_at)]
        if product.pricing_model == "contract":
            news.append(_entitlement_message(agreement, product, agreement.activates_at))
        return news
    created = {
        "agreement": {
            "id": agreement.agreement_id,
            "intent": "NEW",
            "status": "ACTIVE",
            "acceptanceTime": rfc3339_millis(agreement.accepted_at),
            "startTime": rfc3339_millis(agreement.accepted_at),
            "endTime": rfc3339_seconds(agreement.end_time),
        },
        **_parties(agreement, seller),
        "offer": {"id": agreement.offer_id},
    }
    return [
        _event(
            "Purchase Agreement Created - Proposer",
            agreement,
            seller,
            agreement.accepted_at + CREATED_AFTER,
            created,
        ),
        _license_event("License Updated - Manufacturer", agreement, product, seller, agreement.activates_at),
    ]


def of_cancellation(agreement: Agreement, product: Product, seller: str) -> list[News]:
    """The news of a cancelled agreement, whose `ended_at` is set."""
    assert agreement.ended_at is not None, "news of an end without an end"
    if agreement.generation == "legacy":
        news = [
            _subscription_message("unsubscribe-pending", agreement, product, agreement.ended_at),
            _subscription_message("unsubscribe-success", agreement, product, agreement.ended_at + FINAL_HOUR),
        ]
        if product.pricing_model == "contract":
            news.append(_entitlement_message(agreement, product, agreement.ended_at))
        return news
    ended = {
        "agreement": {"id": agreement.agreement_id, "status": "CANCELLED"},
        **_parties(agreement, seller),
    }
    deprovisioned_at = agreement.ended_at + DEPROVISIONED_AFTER_ENDED
    return [
        _event("Purchase Agreement Ended - Proposer", agreement, seller, agreement.ended_at, ended),
        _license_event("License Deprovisioned - Manufacturer", agreement, product, seller, deprovisioned_at),
    ]


def _subscription_message(action: str, agreement: Agreement, product: Product, due_at: datetime) -> News:
    message = {
        "action": action,
        "customer-identifier": agreement.customer_identifier,
        "product-code": product.product_code,
    }
    if action.startswith("subscribe-"):
        message["offer-identifier"] = agreement.offer_id
    # A string, not a boolean, in every message of this topic.
    message["isFreeTrialTermPresent"] = "true" if agreement.free_trial else "false"
    return News(
        message_id=new_uuid(),
        agreement_id=agreement.agreement_id,
        channel="sns",
        topic=product.subscription_topic,
        name=action,
        due_at=due_at,
        body=json.dumps(message, separators=(",", ":")),
    )


def _entitlement_message(agreement: Agreement, product: Product, due_at: datetime) -> News:
    message = {
        "action": "entitlement-updated",
        "customer-identifier": agreement.customer_identifier,
        "product-code": product.product_code,
    }
    return News(
        message_id=new_uuid(),
        agreement_id=agreement.agreement_id,
        channel="sns",
        topic=product.entitlement_topic,
        name="entitlement-updated",
        due_at=due_at,
        body=json.dumps(message, separators=(",", ":")),
    )


def _parties(agreement: Agreement, seller: str) -> dict[str, Any]:
    return {
        "resaleAuthorization": {"id": None},
        "acceptor": {"accountId": agreement.customer_aws_account_id},
        "proposer": {"accountId": seller},
    }


def _license_event(
    detail_type: str, agreement: Agreement, product: Product, seller: str, due_at: datetime
) -> News:
    detail = {
        "agreement": {"id": agreement.agreement_id},
        "product": {"id": product.product_id, "code": product.product_code},
        "license": {"arn": agreement.license_arn},
        "acceptor": {"accountId": agreement.customer_aws_account_id},
        "proposer": {"accountId": seller},
        "offer": {"id": agreement.offer_id},
    }
    return _event(detail_type, agreement, seller, due_at, detail)


def _event(
    detail_type: str, agreement: Agreement, seller: str, due_at: datetime, detail: dict[str, Any]
) -> News:
    event_id = new_uuid()
    event = {
        "version": "0",
        "id": event_id,
        "detail-type": detail_type,
        "source": "aws.agreement-marketplace",
        "account": seller,
        "time": rfc3339_seconds(due_at),
        "region": "us-east-1",
        "resources": [f"arn:aws:aws-marketplace::aws:agreement:{agreement.agreement_id}"],
        "detail": {"requestId": new_uuid(), "catalog": "AWSMarketplace", **detail},
    }
    return News(
        message_id=event_id,
        agreement_id=agreement.agreement_id,
        channel="eventbridge",
        topic=None,
        name=detail_type,
        due_at=due_at,
        body=json.dumps(event, separators=(",", ":")),
    )
