"""Rows become values of the rules, and those become rows."""

from datetime import timedelta
from typing import Any, Literal, cast

from chassis import tracing
from chassis.times import parse_rfc3339, rfc3339
from registration.catalogue import Generation
from registration.claims import Claim
from registration.customers import Customer, email_key
from registration.entitlements import Entitlement, Type
from registration.outbox_items import Kind, OutboxItem
from registration.registrations import Registration
from registration.resolved_purchase import ResolvedPurchase
from registration.subscription_access import Access, PublishedSubscription
from registration.tables.models import ClaimRow, CustomerRow, OutboxRow, RegistrationRow, SubscriptionRow

# An expired registration stays readable for this long, so that a late buyer hears "expired" and not
# "unknown", and support can look up what a buyer quotes. Then DynamoDB's TTL removes it.
KEPT_AFTER_EXPIRY = timedelta(days=1)


def registration_row(registration: Registration) -> RegistrationRow:
    purchase = registration.purchase
    return RegistrationRow(
        registration_id=registration.registration_id,
        secret_hash=registration.secret_hash,
        subscription_id=purchase.subscription_id,
        product_code=purchase.product_code,
        generation=purchase.generation,
        customer_aws_account_id=purchase.customer_aws_account_id,
        customer_identifier=purchase.customer_identifier,
        license_arn=purchase.license_arn,
        agreement_id=purchase.agreement_id,
        offer_type=registration.offer_type,
        created_at=registration.created_at,
        expires_at=registration.expires_at,
        delete_after=registration.expires_at + KEPT_AFTER_EXPIRY,
    )


def registration_of(row: RegistrationRow) -> Registration:
    return Registration(
        registration_id=row.registration_id,
        secret_hash=row.secret_hash,
        purchase=ResolvedPurchase(
            subscription_id=row.subscription_id,
            product_code=row.product_code,
            generation=cast(Generation, row.generation),
            customer_aws_account_id=row.customer_aws_account_id,
            customer_identifier=row.customer_identifier,
            license_arn=row.license_arn,
            agreement_id=row.agreement_id,
        ),
        offer_type=row.offer_type,
        created_at=row.created_at,
        expires_at=row.expires_at,
        entitlements=None
        if row.entitlements is None
        else tuple(_entitlement(one) for one in cast(list[Any], row.entitlements)),
        signed_in=row.signed_in,
        refusal=row.refusal,
    )


def entitlement_json(entitlement: Entitlement) -> dict[str, str]:
    found = {"dimension": entitlement.dimension, "type": entitlement.type, "value": entitlement.value}
    if entitlement.expires_at:
        found["expires_at"] = rfc3339(entitlement.expires_at)
    return found


def _entitlement(found: Any) -> Entitlement:
    expires_at = found.get("expires_at")
    return Entitlement(
        dimension=str(found["dimension"]),
        type=cast(Type, found["type"]),
        value=str(found["value"]),
        expires_at=parse_rfc3339(str(expires_at)) if expires_at else None,
    )


def claim_row(claim: Claim) -> ClaimRow:
    return ClaimRow(
        subscription_id=claim.subscription_id,
        customer_id=claim.customer_id,
        registration_id=claim.registration_id,
        product_code=claim.product_code,
        customer_aws_account_id=claim.customer_aws_account_id,
        offer_type=claim.offer_type,
        claimed_at=claim.claimed_at,
        access_told_at=claim.access_told_at,
        follows=claim.follows,
    )


def claim_of(row: ClaimRow) -> Claim:
    return Claim(
        subscription_id=row.subscription_id,
        customer_id=row.customer_id,
        registration_id=row.registration_id,
        product_code=row.product_code,
        customer_aws_account_id=row.customer_aws_account_id,
        offer_type=row.offer_type,
        claimed_at=row.claimed_at,
        access_told_at=row.access_told_at,
        follows=row.follows,
    )


def customer_row(customer: Customer) -> CustomerRow:
    return CustomerRow(
        customer_id=customer.customer_id,
        status=customer.status,
        email=customer.email,
        email_key=email_key(customer.email) if customer.email else None,
        name=customer.name,
        company=customer.company,
        account_id=customer.account_id,
        fields=dict(customer.fields) or None,
        language=customer.language if customer.status == "active" else None,
        identity_ids=list(customer.identity_ids) or None,
        subscription_ids=list(customer.subscription_ids),
        created_at=customer.created_at,
        updated_at=customer.updated_at,
        version=customer.version,
    )


def customer_of(row: CustomerRow) -> Customer:
    return Customer(
        customer_id=row.customer_id,
        status=cast(Literal["active", "deleted"], row.status),
        email=row.email,
        name=row.name,
        company=row.company,
        account_id=row.account_id,
        fields=cast(dict[str, str], row.fields or {}),
        language=row.language or "en",
        identity_ids=tuple(str(one) for one in row.identity_ids or ()),
        subscription_ids=tuple(str(one) for one in row.subscription_ids),
        created_at=row.created_at,
        updated_at=row.updated_at,
        version=int(row.version),
    )


def outbox_row(item: OutboxItem) -> OutboxRow:
    return OutboxRow(
        outbox_id=item.outbox_id,
        kind=item.kind.value,
        subscription_id=item.subscription_id,
        customer_id=item.customer_id,
        payload=dict(item.payload),
        created_at=item.created_at,
        due_at=item.due_at,
        attempts=item.attempts,
        last_error=item.last_error,
        traceparent=item.traceparent or tracing.traceparent(),
    )


def outbox_item_of(row: OutboxRow) -> OutboxItem:
    return OutboxItem(
        outbox_id=row.outbox_id,
        kind=Kind(row.kind),
        subscription_id=row.subscription_id,
        customer_id=row.customer_id,
        payload=cast(dict[str, Any], row.payload),
        created_at=row.created_at,
        due_at=row.due_at,
        attempts=int(row.attempts),
        last_error=row.last_error,
        traceparent=row.traceparent,
    )


def published_of(row: SubscriptionRow) -> PublishedSubscription:
    return PublishedSubscription(
        subscription_id=row.subscription_id,
        product_code=row.product_code,
        status=row.status,
        access=cast(Access, row.access),
        free_trial=row.free_trial,
        trial_ends_at=row.trial_ends_at,
        agreement_ends_at=row.agreement_ends_at,
        entitlements=None
        if row.entitlements is None
        else tuple(_entitlement(one.as_dict()) for one in row.entitlements),
        entitlements_as_of=row.entitlements_as_of,
        agreement_id=row.agreement_id,
        customer_aws_account_id=row.customer_aws_account_id,
        previous_subscription_id=row.previous_subscription_id,
        next_subscription_id=row.next_subscription_id,
    )
