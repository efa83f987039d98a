"""What siblings publish: read, never written (openapi/tables/)."""

from collections.abc import Iterable

from pynamodb.exceptions import DoesNotExist

from metering.choosing import Customer
from metering.entitlements import Entitlement
from metering.subscriptions import Subscription
from metering.tables.models import CustomerRow, SubscriptionRow


class Published:
    """Rows of notifications and registration, as they are now."""

    def subscription(self, subscription_id: str) -> Subscription | None:
        """None where notifications has not heard of it."""
        try:
            return _subscription(SubscriptionRow.get(subscription_id, consistent_read=True))
        except DoesNotExist:
            return None

    def subscriptions(self, subscription_ids: Iterable[str]) -> list[Subscription]:
        """Those of them that notifications has heard of."""
        found = SubscriptionRow.batch_get(list(subscription_ids), consistent_read=True)
        return [_subscription(row) for row in found]

    def every_subscription(self) -> list[Subscription]:
        """All that notifications has heard of. A scan: see `Roll`."""
        return [_subscription(row) for row in SubscriptionRow.scan()]

    def customer(self, customer_id: str) -> Customer | None:
        """None where nobody registered under that id."""
        wanted = ["customer_id", "subscription_ids"]
        try:
            row = CustomerRow.get(customer_id, consistent_read=True, attributes_to_get=wanted)
        except DoesNotExist:
            return None
        return Customer(row.customer_id, tuple(row.subscription_ids))


def _subscription(row: SubscriptionRow) -> Subscription:
    entitlements = row.entitlements
    return Subscription(
        subscription_id=row.subscription_id,
        product_code=row.product_code,
        generation=row.generation,
        status=row.status,
        customer_identifier=row.customer_identifier,
        license_arn=row.license_arn,
        customer_aws_account_id=row.customer_aws_account_id,
        active_since=row.active_since,
        meter_until=row.meter_until,
        entitlements=None
        if entitlements is None
        else tuple(Entitlement(one.dimension, one.type, one.value, one.expires_at) for one in entitlements),
    )
