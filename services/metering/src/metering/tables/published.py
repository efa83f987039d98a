"""What siblings publish: read, never written (openapi/tables/)."""

from collections.abc import Iterable

from pynamodb.exceptions import DoesNotExist
from pynamodb.transactions import TransactWrite

from metering.choosing import Customer
from metering.entitlements import Entitlement
from metering.subscriptions import Subscription
from metering.tables.models import CustomerRow, IdentityRow, SubscriptionRow

_WANTED = ["customer_id", "subscription_ids", "status"]


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
        try:
            return _customer(CustomerRow.get(customer_id, consistent_read=True, attributes_to_get=_WANTED))
        except DoesNotExist:
            return None

    def customers(self, customer_ids: Iterable[str]) -> list[Customer]:
        """Those of them that there are."""
        found = CustomerRow.batch_get(list(customer_ids), consistent_read=True, attributes_to_get=_WANTED)
        return [_customer(row) for row in found]

    def customer_of(self, identity_id: str) -> Customer | None:
        """To whom a sign-in leads; None where nobody has registered with it."""
        try:
            row = IdentityRow.get(
                identity_id, consistent_read=True, attributes_to_get=["identity_id", "customer_id"]
            )
        except DoesNotExist:
            return None
        return self.customer(row.customer_id)


def only_while_granted(act: TransactWrite, subscription_id: str) -> None:
    """Let a transaction be made only while a subscription gives access."""
    act.condition_check(SubscriptionRow, subscription_id, condition=SubscriptionRow.access == "granted")


def _customer(row: CustomerRow) -> Customer:
    return Customer(row.customer_id, tuple(row.subscription_ids), row.status == "deleted")


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
        access=row.access,
        next_subscription_id=row.next_subscription_id,
        entitlements=None
        if entitlements is None
        else tuple(Entitlement(one.dimension, one.type, one.value, one.expires_at) for one in entitlements),
    )
