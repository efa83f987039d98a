"""The DynamoDB tables: our own, and the sibling's published `subscriptions`, which is only read."""

from chassis.quick_calls import QuickCalls
from registration.tables.models import (
    ALL_MODELS,
    OWN_MODELS,
    ApiKeyRow,
    ClaimRow,
    CustomerRow,
    IdentityRow,
    OutboxRow,
    RegistrationRow,
    SubscriptionRow,
)
from registration.tables.store import Tables

__all__ = [
    "ALL_MODELS",
    "OWN_MODELS",
    "ApiKeyRow",
    "ClaimRow",
    "CustomerRow",
    "IdentityRow",
    "OutboxRow",
    "QuickCalls",
    "RegistrationRow",
    "SubscriptionRow",
    "Tables",
]
