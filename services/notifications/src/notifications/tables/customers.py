"""Whose a subscription is: what registration publishes (openapi/tables/). Read, never written; without whom
an identity stands for and without the personal data, of which notifications has no use."""

from pynamodb.attributes import ListAttribute, UnicodeAttribute
from pynamodb.exceptions import DoesNotExist
from pynamodb.models import Model


class CustomerRow(Model):
    class Meta:
        table_name = "customers"

    customer_id = UnicodeAttribute(hash_key=True)
    status = UnicodeAttribute()
    subscription_ids: ListAttribute[UnicodeAttribute] = ListAttribute(of=UnicodeAttribute)


class IdentityRow(Model):
    class Meta:
        table_name = "identities"

    identity_id = UnicodeAttribute(hash_key=True)
    customer_id = UnicodeAttribute()


READ: list[type[Model]] = [CustomerRow, IdentityRow]


def subscription_ids_of(identity_id: str) -> list[str]:
    """The subscriptions of the customer to whom a sign-in leads, those before a renewal too; none where
    nobody has registered with it, or where the customer's data is erased."""
    try:
        identity = IdentityRow.get(
            identity_id, consistent_read=True, attributes_to_get=["identity_id", "customer_id"]
        )
        customer = CustomerRow.get(
            identity.customer_id,
            consistent_read=True,
            attributes_to_get=["customer_id", "status", "subscription_ids"],
        )
    except DoesNotExist:
        return []
    return [] if customer.status == "deleted" else [str(one) for one in customer.subscription_ids]
