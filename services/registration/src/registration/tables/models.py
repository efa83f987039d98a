"""The rows as DynamoDB holds them."""

from pynamodb.attributes import (
    BooleanAttribute,
    DynamicMapAttribute,
    JSONAttribute,
    ListAttribute,
    NumberAttribute,
    TTLAttribute,
    UnicodeAttribute,
)
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model

from chassis.auth import ApiKey
from chassis.tables import TimeAttribute


class RegistrationRow(Model):
    class Meta:
        table_name = "registrations"

    registration_id = UnicodeAttribute(hash_key=True)
    secret_hash = UnicodeAttribute()
    subscription_id = UnicodeAttribute()
    product_code = UnicodeAttribute()
    generation = UnicodeAttribute()
    customer_aws_account_id = UnicodeAttribute(null=True)
    customer_identifier = UnicodeAttribute(null=True)
    license_arn = UnicodeAttribute(null=True)
    agreement_id = UnicodeAttribute(null=True)
    offer_type = UnicodeAttribute(null=True)
    # A JSON array; absent until AWS has said, empty where it says none.
    entitlements = JSONAttribute(null=True)
    # Encrypted with the session's secret, which is not kept here: who reads the table does not see who.
    signed_in = UnicodeAttribute(null=True)
    refusal = UnicodeAttribute(null=True)
    created_at = TimeAttribute()
    expires_at = TimeAttribute()
    delete_after = TTLAttribute()


class ClaimsByProduct(GlobalSecondaryIndex["ClaimRow"]):
    class Meta:
        index_name = "by-product"
        projection = AllProjection()

    product_code = UnicodeAttribute(hash_key=True)
    claimed_at = TimeAttribute(range_key=True)


class ClaimsByAwsAccount(GlobalSecondaryIndex["ClaimRow"]):
    class Meta:
        index_name = "by-aws-account"
        projection = AllProjection()

    customer_aws_account_id = UnicodeAttribute(hash_key=True)
    claimed_at = TimeAttribute(range_key=True)


class ClaimRow(Model):
    class Meta:
        table_name = "claims"

    subscription_id = UnicodeAttribute(hash_key=True)
    # Absent only while the seller's own back end has not named the account.
    customer_id = UnicodeAttribute(null=True)
    registration_id = UnicodeAttribute()
    product_code = UnicodeAttribute()
    customer_aws_account_id = UnicodeAttribute(null=True)
    offer_type = UnicodeAttribute(null=True)
    claimed_at = TimeAttribute()
    access_told_at = TimeAttribute(null=True)
    follows = UnicodeAttribute(null=True)
    by_product = ClaimsByProduct()
    by_aws_account = ClaimsByAwsAccount()


class CustomersByEmail(GlobalSecondaryIndex["CustomerRow"]):
    class Meta:
        index_name = "by-email"
        projection = AllProjection()

    # Absent from tombstones, so the index forgets the deleted by itself.
    email_key = UnicodeAttribute(hash_key=True, attr_name="private_email_key")


class CustomersByAccount(GlobalSecondaryIndex["CustomerRow"]):
    class Meta:
        index_name = "by-account"
        projection = AllProjection()

    account_id = UnicodeAttribute(hash_key=True)


class CustomerRow(Model):
    """Published: `openapi/tables/customers.schema.json`."""

    class Meta:
        table_name = "customers"

    customer_id = UnicodeAttribute(hash_key=True)
    status = UnicodeAttribute()
    email = UnicodeAttribute(null=True)
    email_key = UnicodeAttribute(null=True, attr_name="private_email_key")
    name = UnicodeAttribute(null=True)
    company = UnicodeAttribute(null=True)
    account_id = UnicodeAttribute(null=True)
    fields = JSONAttribute(null=True, attr_name="private_fields")
    language = UnicodeAttribute(null=True, attr_name="private_language")
    identity_ids = ListAttribute(of=UnicodeAttribute, null=True, attr_name="private_identity_ids")
    subscription_ids = ListAttribute(of=UnicodeAttribute)
    created_at = TimeAttribute()
    updated_at = TimeAttribute()
    version = NumberAttribute()
    by_email = CustomersByEmail()
    by_account = CustomersByAccount()


class IdentityRow(Model):
    """Whose sign-in leads to which customer. Published: `openapi/tables/identities.schema.json`."""

    class Meta:
        table_name = "identities"

    identity_id = UnicodeAttribute(hash_key=True)
    issuer = UnicodeAttribute(attr_name="private_issuer")
    subject = UnicodeAttribute(attr_name="private_subject")
    customer_id = UnicodeAttribute()
    connected_at = TimeAttribute()


class OutboxRow(Model):
    """What is to be done elsewhere (`outbox_items.py`). It exists only until it is done."""

    class Meta:
        table_name = "registration-outbox"

    outbox_id = UnicodeAttribute(hash_key=True)
    kind = UnicodeAttribute()
    subscription_id = UnicodeAttribute()
    customer_id = UnicodeAttribute(null=True)
    payload = JSONAttribute()
    created_at = TimeAttribute()
    due_at = TimeAttribute()
    attempts = NumberAttribute()
    last_error = UnicodeAttribute(null=True)
    traceparent = UnicodeAttribute(null=True)


class ApiKeyRow(ApiKey):
    class Meta:
        table_name = "registration-api-keys"


class SubscriptionRow(Model):
    """The sibling's row (`openapi/tables/subscriptions.schema.json`), as far as we read it."""

    class Meta:
        table_name = "subscriptions"

    subscription_id = UnicodeAttribute(hash_key=True)
    product_code = UnicodeAttribute()
    status = UnicodeAttribute()
    access = UnicodeAttribute()
    free_trial = BooleanAttribute(null=True)
    trial_ends_at = TimeAttribute(null=True)
    agreement_ends_at = TimeAttribute(null=True)
    entitlements = ListAttribute(of=DynamicMapAttribute, null=True)
    entitlements_as_of = TimeAttribute(null=True)
    agreement_id = UnicodeAttribute(null=True)
    customer_aws_account_id = UnicodeAttribute(null=True)
    previous_subscription_id = UnicodeAttribute(null=True)
    next_subscription_id = UnicodeAttribute(null=True)


OWN_MODELS: list[type[Model]] = [RegistrationRow, ClaimRow, CustomerRow, IdentityRow, OutboxRow, ApiKeyRow]
ALL_MODELS: list[type[Model]] = [*OWN_MODELS, SubscriptionRow]
