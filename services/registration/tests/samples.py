"""Values that the rules' tests begin with."""

from datetime import UTC, datetime, timedelta
from typing import Any

from registration.catalogue import Product, QuickLaunch
from registration.claims import Claim
from registration.customers import Customer, CustomerDetails, new_customer
from registration.registrations import Registration, open_registration
from registration.resolved_purchase import ResolvedPurchase

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)

ADAS_DETAILS = CustomerDetails("ada@example.com", "Ada", "Engines", {"purpose": "fun"}, "de")

PLAIN = Product("plain", "prod-plain", "Plain", "concurrent_agreements", "subscription", {})
LAUNCHED = Product(
    "launched",
    "prod-launched",
    "Launched",
    "concurrent_agreements",
    "subscription",
    {},
    quick_launch=QuickLaunch("ApiKey", "{account_id}:{deployment_secret}"),
)
HOSTED = Product(
    "hosted",
    "prod-hosted",
    "Hosted",
    "concurrent_agreements",
    "subscription",
    {},
    hand_over_url="https://accounts.seller.example/marketplace",
)


def purchase(subscription_id: str = "sub_a", product: Product = PLAIN, **more: Any) -> ResolvedPurchase:
    values = {
        "subscription_id": subscription_id,
        "product_code": product.product_code,
        "generation": product.generation,
        "customer_aws_account_id": "444455556666",
        "customer_identifier": None,
        "license_arn": f"arn:aws:license-manager::294406891311:license:l-{subscription_id}",
        "agreement_id": "agmt-a",
    }
    return ResolvedPurchase(**values | more)


def registration(
    registration_id: str = "reg_a",
    subscription_id: str = "sub_a",
    product: Product = PLAIN,
    offer_type: str | None = None,
) -> Registration:
    bought = purchase(subscription_id, product)
    return open_registration(registration_id, "hash", bought, offer_type, NOW, minutes=60)


def claim(
    subscription_id: str = "sub_a",
    customer_id: str | None = "cus_a",
    registration_id: str = "reg_a",
    **more: Any,
) -> Claim:
    return Claim(subscription_id, customer_id, registration_id, "plain", NOW, "444455556666", **more)


def customer(
    customer_id: str = "cus_a", *subscription_ids: str, details: CustomerDetails = ADAS_DETAILS
) -> Customer:
    first, *others = subscription_ids or ("sub_a",)
    made = new_customer(customer_id, details, first, NOW)
    for one in others:
        made = made.holding(one, None, {}, NOW)
    return made
