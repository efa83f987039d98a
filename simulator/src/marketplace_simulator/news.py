"""What goes out when an agreement changes, word for word as AWS says it, and at which moment.

News is written down when its cause happens and carries its due moment; delivery is another file's job.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from marketplace_simulator.agreements import (
    CREATED_AFTER,
    DEPROVISIONED_AFTER_ENDED,
    FINAL_HOUR,
    LICENSE_UPDATED_AFTER_CREATED,
    SUBSCRIBE_SUCCESS_AFTER,
    Agreement,
)
from marketplace_simulator.identifiers import new_uuid
from marketplace_simulator.products import Product
from marketplace_simulator.times import rfc3339_millis, rfc3339_seconds

Channel = Literal["sns", "eventbridge"]

ENDING_NOTICE_DAYS = (180, 120, 90, 60, 30)
# For renewals whose price lies in a range: the seller's last word comes so long before the lockout.
TERMS_FINALIZED_BEFORE_LOCKOUT = timedelta(days=30)
# Prices are not simulated; the events have a place for them.
_NO_PRICE = {"tcv": "0.00", "currency": "USD"}
_SELLER_NAME = "Simulated Seller"


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
    """The news of an agreement that starts: bought, or the successor of another.

    Args:
        seller: the account that published the product.
    """
    if agreement.generation == "legacy":
        return _legacy_start(agreement, product)
    created: dict[str, Any] = {"agreement": _agreement_detail(agreement, agreement.intent)}
    if agreement.intent != "NEW":
        created["agreement"]["previousAgreementId"] = agreement.previous_agreement_id
    if agreement.intent == "RENEW" and not agreement.by_partner:
        created |= _named(agreement, product)
    else:
        created |= _parties(agreement)
    created["offer"] = {"id": agreement.offer_id}
    return [
        _event(
            f"Purchase Agreement Created - {_role(agreement)}",
            agreement,
            seller,
            agreement.starts_at + CREATED_AFTER,
            created,
        ),
        _license_event("License Updated - Manufacturer", agreement, product, seller, agreement.activates_at),
        *of_coming_end(agreement, product, seller, after=agreement.accepted_at),
    ]


def of_end(agreement: Agreement, product: Product, seller: str) -> list[News]:
    """The news of an agreement whose `ended_at` is set."""
    assert agreement.ended_at is not None, "news of an end without an end"
    if agreement.generation == "legacy":
        return _legacy_end(agreement, product, agreement.ended_at)
    ended = {
        "agreement": {"id": agreement.agreement_id, "status": agreement.end_reason},
        **_parties(agreement),
    }
    deprovisioned_at = agreement.ended_at + DEPROVISIONED_AFTER_ENDED
    return [
        _event(
            f"Purchase Agreement Ended - {_role(agreement)}", agreement, seller, agreement.ended_at, ended
        ),
        _license_event("License Deprovisioned - Manufacturer", agreement, product, seller, deprovisioned_at),
    ]


def of_amendment(
    agreement: Agreement, product: Product, seller: str, *, license_changed: bool, now: datetime
) -> list[News]:
    """The news of changed terms; the licence is updated unless only auto-renewal was switched.

    Args:
        agreement: as amended.
        now: when the buyer accepted the new terms.
    """
    if agreement.generation == "legacy":
        at = now + SUBSCRIBE_SUCCESS_AFTER
        if not license_changed:
            return []
        news = [_subscription_message("subscribe-success", agreement, product, at)]
        return [*news, *([_entitlement_message(agreement, product, at)] if product.has_entitlements else [])]
    amended: dict[str, Any] = {"agreement": _agreement_detail(agreement, "AMEND")}
    if not agreement.by_partner:
        amended["agreement"]["autoRenewalEnabled"] = agreement.auto_renew
        amended |= {"renewalSummary": _renewal_switch(agreement), "product": _product(product)}
    amended |= {**_parties(agreement), "offer": {"id": agreement.offer_id}}
    at = now + CREATED_AFTER
    news = [_event(f"Purchase Agreement Amended - {_role(agreement)}", agreement, seller, at, amended)]
    if license_changed:
        at += LICENSE_UPDATED_AFTER_CREATED
        news.append(_license_event("License Updated - Manufacturer", agreement, product, seller, at))
    return [*news, *of_coming_end(agreement, product, seller, after=now)]


NAMES_OF_COMING_END = (
    "Purchase Agreement Ending - Proposer",
    "Purchase Agreement Renewal Terms Finalized - Proposer",
    "Purchase Agreement Renewal Upcoming - Proposer",
)


def of_coming_end(agreement: Agreement, product: Product, seller: str, *, after: datetime) -> list[News]:
    """The notices before the end of a term, as far as their moments lie after `after`.

    A partner's agreement sends them to the partner. Legacy products have none on SNS.
    """
    if agreement.generation == "legacy" or agreement.by_partner or not agreement.has_term:
        return []
    term = {
        "id": agreement.agreement_id,
        "startTime": rfc3339_seconds(agreement.starts_at),
        "endTime": rfc3339_seconds(agreement.end_time),
    }
    named = _named(agreement, product)
    ending, finalized, upcoming = NAMES_OF_COMING_END
    notices = [
        _event(
            ending,
            agreement,
            seller,
            agreement.end_time - timedelta(days=days),
            {
                "agreement": {
                    **term,
                    "status": "ACTIVE",
                    "daysBeforeEndTime": days,
                    "autoRenewalEnabled": agreement.auto_renew,
                },
                "renewalSummary": _renewal_switch(agreement),
                **named,
                "offer": {"id": agreement.offer_id},
            },
        )
        for days in ENDING_NOTICE_DAYS
    ]
    lockout = agreement.lockout_starts_at
    if lockout is not None:
        settled = {"lockoutReached": True, **_NO_PRICE}
        notices.append(
            _event(
                upcoming, agreement, seller, lockout, {"agreement": term, "renewalSummary": settled, **named}
            )
        )
    if lockout is not None and agreement.renewal_price_range:
        at = lockout - TERMS_FINALIZED_BEFORE_LOCKOUT
        final = {
            **_NO_PRICE,
            "termsFinalizedTime": rfc3339_seconds(at),
            "lockoutReached": False,
            "lockoutStartTime": rfc3339_seconds(lockout),
        }
        notices.append(
            _event(finalized, agreement, seller, at, {"agreement": term, "renewalSummary": final, **named})
        )
    begins = max(after, agreement.starts_at)
    return [notice for notice in notices if notice.due_at > begins]


def of_advisory(
    agreement: Agreement, product: Product, seller: str, *, resolved: bool, now: datetime
) -> list[News]:
    """AWS warns of an account, or takes the warning back; always in the Manufacturer's variant."""
    detail = {
        "agreement": {"id": agreement.agreement_id},
        "product": {"id": product.product_id},
        "acceptor": {"accountId": agreement.customer_aws_account_id},
        "proposer": {"accountId": agreement.proposer_account_id},
        "offer": {"id": agreement.offer_id},
        "advisory": {"resolvedAt" if resolved else "issuedAt": rfc3339_seconds(now)},
    }
    word = "Resolved" if resolved else "Issued"
    return [_event(f"Purchase Agreement Advisory {word} - Manufacturer", agreement, seller, now, detail)]


_STEPS_OF_CANCELLATION = {
    "PENDING_APPROVAL": "Pending Approval",
    "APPROVED": "Approved",
    "REJECTED": "Rejected",
    "CANCELLED": "Cancelled",
    "VALIDATION_FAILED": "Validation Failed",
}


def of_cancellation_request(agreement: Agreement, product: Product, seller: str) -> list[News]:
    """Where a seller's wish to cancel stands. A failed validation is told to the proposer only."""
    request = agreement.cancellation_request
    assert request is not None, "news of a request without a request"
    if request.status_code == "VALIDATION_FAILED" and agreement.by_partner:
        return []
    detail = {
        "agreement": {
            "id": agreement.agreement_id,
            "acceptorId": agreement.customer_aws_account_id,
            "productId": product.product_id,
            "offerId": agreement.offer_id,
        },
        "agreementCancellationRequest": {
            "id": request.request_id,
            "reasonCode": request.reason_code,
            "reasonMessage": request.reason_message,
            "statusCode": request.status_code,
            "statusMessage": request.status_message,
            "createdAt": rfc3339_seconds(request.created_at),
            "updatedAt": rfc3339_seconds(request.updated_at),
        },
    }
    step = _STEPS_OF_CANCELLATION[request.status_code]
    name = f"Agreement Cancellation Request {step} - {_role(agreement)}"
    return [_event(name, agreement, seller, request.updated_at, detail, resources=[])]


def _legacy_start(agreement: Agreement, product: Product) -> list[News]:
    at = agreement.activates_at
    if agreement.payment_failed:
        return [_subscription_message("subscribe-fail", agreement, product, at)]
    news = [_subscription_message("subscribe-success", agreement, product, at)]
    if agreement.intent == "RENEW":
        # The customer stays subscribed; only what is owned begins anew.
        news = []
    if product.has_entitlements:
        news.append(_entitlement_message(agreement, product, at))
    return news


def _legacy_end(agreement: Agreement, product: Product, ended_at: datetime) -> list[News]:
    if agreement.next_agreement_id is not None:
        return []
    news = [
        _subscription_message("unsubscribe-pending", agreement, product, ended_at),
        _subscription_message("unsubscribe-success", agreement, product, ended_at + FINAL_HOUR),
    ]
    if product.has_entitlements:
        news.append(_entitlement_message(agreement, product, ended_at))
    return news


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


def _role(agreement: Agreement) -> str:
    """Which variant the seller gets: one of them, never both."""
    return "Manufacturer" if agreement.by_partner else "Proposer"


def _agreement_detail(agreement: Agreement, intent: str) -> dict[str, Any]:
    return {
        "id": agreement.agreement_id,
        "intent": intent,
        "status": "ACTIVE",
        "acceptanceTime": rfc3339_millis(agreement.accepted_at),
        "startTime": rfc3339_millis(agreement.starts_at),
        "endTime": rfc3339_seconds(agreement.end_time),
    }


def _parties(agreement: Agreement) -> dict[str, Any]:
    return {
        "resaleAuthorization": {"id": agreement.resale_authorization_id},
        "acceptor": {"accountId": agreement.customer_aws_account_id},
        "proposer": {"accountId": agreement.proposer_account_id},
    }


def _named(agreement: Agreement, product: Product) -> dict[str, Any]:
    """The newest form: the product is named, and so is the proposer."""
    return {
        "product": _product(product),
        "acceptor": {"accountId": agreement.customer_aws_account_id},
        "proposer": {"name": _SELLER_NAME, "accountId": agreement.proposer_account_id},
    }


def _product(product: Product) -> dict[str, str]:
    return {"id": product.product_id, "title": product.title}


def _renewal_switch(agreement: Agreement) -> dict[str, Any]:
    lockout = agreement.lockout_starts_at
    return {
        "lockoutStartTime": rfc3339_seconds(lockout) if lockout else None,
        "disabledBy": agreement.renewal_disabled_by,
    }


def _license_event(
    detail_type: str, agreement: Agreement, product: Product, seller: str, due_at: datetime
) -> News:
    detail = {
        "agreement": {"id": agreement.agreement_id},
        "product": {"id": product.product_id, "code": product.product_code},
        "license": {"arn": agreement.license_arn},
        "acceptor": {"accountId": agreement.customer_aws_account_id},
        "proposer": {"accountId": agreement.proposer_account_id},
        "offer": {"id": agreement.offer_id},
    }
    return _event(detail_type, agreement, seller, due_at, detail)


def _event(
    detail_type: str,
    agreement: Agreement,
    seller: str,
    due_at: datetime,
    detail: dict[str, Any],
    resources: list[str] | None = None,
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
        "resources": (
            [f"arn:aws:aws-marketplace::aws:agreement:{agreement.agreement_id}"]
            if resources is None
            else resources
        ),
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
