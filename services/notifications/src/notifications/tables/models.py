"""The tables of this service. Their names get the prefix of the installation when `app.py` binds them.

| table | one item is | only ever |
|---|---|---|
| notifications-inbox | a message, whole, and what became of it | created; gone after a retention time |
| notifications-news | one fact of one subject | created, numbered without gaps |
| subscriptions (published) | what all facts of a subject amount to; AWS's answers | replaced, one by one |
| notifications-outbox | a signal that is still to be sent | created, deleted once sent |

Lists need indexes; none has a key that is the same for many rows (one such key is one partition, and DynamoDB
gives a partition 1,000 writes a second and no more). So `status` and `product_code`, of which a seller has a
handful, are filters of a scan, not keys.
"""

from typing import Any

from pynamodb.attributes import (
    BooleanAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    TTLAttribute,
    UnicodeAttribute,
)
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model

from chassis.auth import ApiKey
from chassis.outbox import OutboxItem
from chassis.tables import TimeAttribute


class MessagesOfSubject(GlobalSecondaryIndex["InboxRow"]):
    class Meta:
        index_name = "of_subject"
        projection = AllProjection()

    subject = UnicodeAttribute(hash_key=True)
    received_at = TimeAttribute(range_key=True)


class MessagesOfDay(GlobalSecondaryIndex["InboxRow"]):
    """The newest first without a key that all messages share: each day has its own."""

    class Meta:
        index_name = "of_day"
        projection = AllProjection()

    received_on = UnicodeAttribute(hash_key=True)
    received_at = TimeAttribute(range_key=True)


class InboxRow(Model):
    class Meta:
        table_name = "notifications-inbox"

    notification_id = UnicodeAttribute(hash_key=True)
    source = UnicodeAttribute()
    name = UnicodeAttribute()
    event_time = TimeAttribute()
    received_at = TimeAttribute()
    received_on = UnicodeAttribute()
    subject = UnicodeAttribute(null=True)
    outcome = UnicodeAttribute()
    subscription_id = UnicodeAttribute(null=True)
    body = UnicodeAttribute()
    forget_at = TTLAttribute()

    of_subject = MessagesOfSubject()
    of_day = MessagesOfDay()


class NewsRow(Model):
    """The number is what keeps two workers from deciding on half of the facts: both can read n facts, but
    only one can write fact n + 1. The other reads again."""

    class Meta:
        table_name = "notifications-news"

    subject = UnicodeAttribute(hash_key=True)
    number = NumberAttribute(range_key=True)
    notification_id = UnicodeAttribute()
    kind = UnicodeAttribute()
    generation = UnicodeAttribute()
    event_time = TimeAttribute()
    product_code = UnicodeAttribute(null=True)
    license_arn = UnicodeAttribute(null=True)
    agreement_id = UnicodeAttribute(null=True)
    customer_identifier = UnicodeAttribute(null=True)
    customer_aws_account_id = UnicodeAttribute(null=True)
    offer_id = UnicodeAttribute(null=True)
    free_trial = BooleanAttribute(null=True)
    agreement_status = UnicodeAttribute(null=True)
    intent = UnicodeAttribute(null=True)
    accepted_at = TimeAttribute(null=True)
    starts_at = TimeAttribute(null=True)
    ends_at = TimeAttribute(null=True)
    previous_agreement_id = UnicodeAttribute(null=True)


class SubscriptionsOfAgreement(GlobalSecondaryIndex["SubscriptionRow"]):
    class Meta:
        index_name = "of_agreement"
        projection = AllProjection()

    agreement_id = UnicodeAttribute(hash_key=True)


class SubscriptionsOfAccount(GlobalSecondaryIndex["SubscriptionRow"]):
    class Meta:
        index_name = "of_account"
        projection = AllProjection()

    customer_aws_account_id = UnicodeAttribute(hash_key=True)


class SubscriptionsInLastHour(GlobalSecondaryIndex["SubscriptionRow"]):
    """Sparse: it holds the subscriptions in their last hour and no others, so the sweep may scan it whole,
    each minute. Its key is a time, so it spreads by itself; and no place to go on from needs to be kept, as
    there would be with one key for each hour."""

    class Meta:
        index_name = "in_last_hour"
        projection = AllProjection()

    private_ending_until = TimeAttribute(hash_key=True)


class SubscriptionsToAskAbout(GlobalSecondaryIndex["SubscriptionRow"]):
    """Sparse: the subscriptions about which AWS will be asked, now or later. Scanned whole each few seconds,
    so it holds keys only: about 100 bytes a row, 40 rows for half a read unit."""

    class Meta:
        index_name = "to_ask_about"
        projection = KeysOnlyProjection()

    private_ask_at = TimeAttribute(hash_key=True)


class EntitlementMap(MapAttribute[str, Any]):
    dimension = UnicodeAttribute()
    type = UnicodeAttribute()
    value = UnicodeAttribute()
    expires_at = TimeAttribute(null=True)


class SubscriptionRow(Model):
    """The published row: openapi/tables/subscriptions.schema.json"""

    class Meta:
        table_name = "subscriptions"

    subscription_id = UnicodeAttribute(hash_key=True)
    generation = UnicodeAttribute()
    product_code = UnicodeAttribute()
    status = UnicodeAttribute()
    access = UnicodeAttribute()
    customer_identifier = UnicodeAttribute(null=True)
    license_arn = UnicodeAttribute(null=True)
    agreement_id = UnicodeAttribute(null=True)
    customer_aws_account_id = UnicodeAttribute(null=True)
    offer_id = UnicodeAttribute(null=True)
    free_trial = BooleanAttribute(null=True)
    active_since = TimeAttribute(null=True)
    ended_at = TimeAttribute(null=True)
    end_reason = UnicodeAttribute(null=True)
    meter_until = TimeAttribute(null=True)
    version = NumberAttribute()
    changed_at = TimeAttribute()
    changed_by = UnicodeAttribute()
    entitlements: ListAttribute[EntitlementMap] = ListAttribute(of=EntitlementMap, null=True)
    entitlements_as_of = TimeAttribute(null=True)
    trial_ends_at = TimeAttribute(null=True)
    agreement_ends_at = TimeAttribute(null=True)
    private_ending_until = TimeAttribute(null=True)
    private_ask_at = TimeAttribute(null=True)
    private_ask_agreement = BooleanAttribute(null=True)
    private_revision = NumberAttribute(null=True)

    of_agreement = SubscriptionsOfAgreement()
    of_account = SubscriptionsOfAccount()
    in_last_hour = SubscriptionsInLastHour()
    to_ask_about = SubscriptionsToAskAbout()


class SignalOutbox(OutboxItem):
    class Meta:
        table_name = "notifications-outbox"


class NotificationsKey(ApiKey):
    class Meta:
        table_name = "notifications-api-keys"


TABLES: list[type[Model]] = [InboxRow, NewsRow, SubscriptionRow, SignalOutbox, NotificationsKey]
