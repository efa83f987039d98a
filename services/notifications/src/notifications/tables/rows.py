"""The bridges between rows of tables and the values that rules work with."""

from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from notifications.changes import Outcome, Published
from notifications.inbox import Entry
from notifications.news import Door, Generation
from notifications.purchase import Entitlement, Purchase, ValueType
from notifications.questions import Questions
from notifications.subscription import Status, Subscription
from notifications.tables.models import EntitlementMap, InboxRow, SubscriptionRow
from notifications.tables.packing import pack

SUBSCRIPTION = [field.name for field in fields(Subscription)]


def subscription_row(row: Published) -> SubscriptionRow:
    subscription, purchase = row.subscription, row.purchase
    values: dict[str, Any] = {name: getattr(subscription, name) for name in SUBSCRIPTION}
    values |= {
        "generation": subscription.generation.value,
        "status": subscription.status.value,
        "access": subscription.access.value,
        "free_trial": subscription.free_trial if _is_legacy(subscription.generation) else purchase.free_trial,
        "entitlements": None
        if purchase.entitlements is None
        else [_entitlement_map(one) for one in purchase.entitlements],
        "entitlements_as_of": purchase.entitlements_as_of,
        "trial_ends_at": purchase.trial_ends_at,
        "agreement_ends_at": purchase.agreement_ends_at,
        "version": row.version,
        "private_ending_until": subscription.meter_until if subscription.status == Status.ENDING else None,
        "private_ask_at": row.questions.ask_at,
        "private_ask_agreement": row.questions.agreement or None,
        "private_revision": row.revision,
    }
    return SubscriptionRow(**values)


def published(row: SubscriptionRow) -> Published:
    generation = Generation(row.generation)
    values = {name: getattr(row, name) for name in SUBSCRIPTION}
    values |= {"generation": generation, "status": Status(row.status)}
    # One attribute, two sources: SNS's flag is news, an agreement's trial is an answer.
    free_trial = values.pop("free_trial")
    return Published(
        Subscription(**values, free_trial=free_trial if _is_legacy(generation) else None),
        int(row.version),
        Purchase(
            entitlements=None
            if row.entitlements is None
            else tuple(_entitlement(one) for one in row.entitlements),
            entitlements_as_of=row.entitlements_as_of,
            free_trial=None if _is_legacy(generation) else free_trial,
            trial_ends_at=row.trial_ends_at,
            agreement_ends_at=row.agreement_ends_at,
        ),
        Questions(row.private_ask_at, bool(row.private_ask_agreement)),
        int(row.private_revision or 0),
    )


def _is_legacy(generation: Generation) -> bool:
    return generation == Generation.LEGACY


def _entitlement_map(entitlement: Entitlement) -> EntitlementMap:
    return EntitlementMap(
        dimension=entitlement.dimension,
        type=entitlement.type.value,
        value=entitlement.value,
        expires_at=entitlement.expires_at,
    )


def _entitlement(one: EntitlementMap) -> Entitlement:
    return Entitlement(
        dimension=one.dimension, type=ValueType(one.type), value=one.value, expires_at=one.expires_at
    )


def inbox_row(
    entry: Entry, outcome: Outcome, subscription_id: str | None, received_at: datetime, retention: timedelta
) -> InboxRow:
    return InboxRow(
        notification_id=entry.notification_id,
        source=entry.source.value,
        door=None if entry.door == Door.QUEUE else entry.door.value,
        name=entry.name,
        event_time=entry.event_time,
        received_at=received_at,
        received_on=day_of(received_at),
        subject=entry.subject,
        outcome=outcome.value,
        subscription_id=subscription_id,
        packed_body=pack(entry.body),
        forget_at=received_at + retention,
    )


def day_of(moment: datetime) -> str:
    """The day in UTC, as the inbox's index by day has it."""
    return moment.date().isoformat()
