"""The tables of this service. Their names get the prefix of the installation when `app.py` binds them.

| table | one item is | only ever |
|---|---|---|
| notifications-inbox | a message, whole, and what became of it | created; anew by a replay; expires |
| notifications-log | one entry of a subject's log: a fact, what it changed, what is to be told of it | created, numbered without gaps; its mark removed once all is told |
| notifications-reconciliations | a comparison with AWS, and how far it has come | created, then moved on |
| notifications-differences | what such a comparison found | put, the same each time it is found |
| subscriptions (published) | what all facts of a subject amount to; AWS's answers | replaced, one by one |
| notifications-webhook-… | what the seller's systems are told | see `webhook_models.py` |

**What a write costs.** DynamoDB counts a write unit for each started KB of an item, two in a transaction, and one
more for each index in which the item appears, disappears or looks different. So what belongs together is one item of
less than a KB (`packing.py`), a change of state is three of them (message, log entry, row), and an index that rows
are only found by has keys only: a change that leaves its key alone costs nothing there.

Lists need indexes; none has a key that is the same for many rows (one such key is one partition, and DynamoDB
gives a partition 1,000 writes a second and no more). So `status` and `product_code`, of which a seller has a
handful, are filters of a scan, not keys.
"""  # noqa: E501

from typing import Any

from pynamodb.attributes import (
    BinaryAttribute,
    BooleanAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    TTLAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
)
from pynamodb.indexes import GlobalSecondaryIndex, IncludeProjection, KeysOnlyProjection
from pynamodb.models import Model

from chassis.auth import ApiKey
from chassis.tables import TimeAttribute
from notifications.tables.packing import unpack
from notifications.tables.webhook_models import (
    WebhookDeliveryRow,
    WebhookEndpointRow,
    WebhookEventRow,
    WebhookReplayRow,
)

LISTED = ["source", "door", "name", "event_time", "outcome", "subscription_id"]
"""What lists show beside the keys. Not the body: each index would hold, and cost, another copy of it."""


class MessagesOfSubject(GlobalSecondaryIndex["InboxRow"]):
    class Meta:
        index_name = "of_subject"
        projection = IncludeProjection([*LISTED])

    subject = UnicodeAttribute(hash_key=True)
    received_at = TimeAttribute(range_key=True)


class MessagesOfDay(GlobalSecondaryIndex["InboxRow"]):
    """The newest first without a key that all messages share: each day has its own."""

    class Meta:
        index_name = "of_day"
        projection = IncludeProjection([*LISTED, "subject"])

    received_on = UnicodeAttribute(hash_key=True)
    received_at = TimeAttribute(range_key=True)


class InboxRow(Model):
    class Meta:
        table_name = "notifications-inbox"

    notification_id = UnicodeAttribute(hash_key=True)
    source = UnicodeAttribute()
    door = UnicodeAttribute(null=True)
    name = UnicodeAttribute()
    event_time = TimeAttribute()
    received_at = TimeAttribute()
    received_on = UnicodeAttribute()
    subject = UnicodeAttribute(null=True)
    outcome = UnicodeAttribute()
    subscription_id = UnicodeAttribute(null=True)
    packed_body = BinaryAttribute(null=True, legacy_encoding=False)
    # As an older release wrote it.
    body = UnicodeAttribute(null=True)
    forget_at = TTLAttribute()

    of_subject = MessagesOfSubject()
    of_day = MessagesOfDay()

    @property
    def whole_body(self) -> str:
        """The message, to the letter."""
        return unpack(self.packed_body) if self.packed_body else str(self.body)


class UntoldEntries(GlobalSecondaryIndex["LogRow"]):
    """Sparse: the entries of which something is still to be told, scanned whole twice a second. Keys only,
    and empty most of the time. Its key is a time, so it spreads by itself."""

    class Meta:
        index_name = "untold"
        projection = KeysOnlyProjection()

    untold_since = TimeAttribute(hash_key=True)


class LogRow(Model):
    """The number is what keeps two workers from deciding on half of the facts: both can read n entries, but
    only one can write entry n + 1. The other reads again.

    `packed` is a line of JSON (see `log_rows.py`), and a line for each event of webhooks, to the letter:
    nothing is asked for by what stands in them.
    """

    class Meta:
        table_name = "notifications-log"

    subject = UnicodeAttribute(hash_key=True)
    number = NumberAttribute(range_key=True)
    recorded_at = TimeAttribute()
    notification_id = UnicodeAttribute(null=True)
    packed = BinaryAttribute(legacy_encoding=False)
    untold_since = TimeAttribute(null=True)
    # Who was told while somebody else could not be.
    told_to = UnicodeSetAttribute(null=True)
    # What was traced as it was written; who tells of it goes on with that.
    traceparent = UnicodeAttribute(null=True)

    untold = UntoldEntries()


class SubscriptionsOfAgreement(GlobalSecondaryIndex["SubscriptionRow"]):
    class Meta:
        index_name = "of_agreement"
        projection = KeysOnlyProjection()

    agreement_id = UnicodeAttribute(hash_key=True)


class SubscriptionsOfAccount(GlobalSecondaryIndex["SubscriptionRow"]):
    class Meta:
        index_name = "of_account"
        projection = KeysOnlyProjection()

    customer_aws_account_id = UnicodeAttribute(hash_key=True)


class SubscriptionsInLastHour(GlobalSecondaryIndex["SubscriptionRow"]):
    """Sparse: it holds the subscriptions in their last hour and no others, so the sweep may scan it whole,
    each minute. Its key is a time, so it spreads by itself; and no place to go on from needs to be kept, as
    there would be with one key for each hour."""

    class Meta:
        index_name = "in_last_hour"
        projection = KeysOnlyProjection()

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
    previous_subscription_id = UnicodeAttribute(null=True)
    next_subscription_id = UnicodeAttribute(null=True)
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


class ReconciliationRow(Model):
    class Meta:
        table_name = "notifications-reconciliations"

    reconciliation_id = UnicodeAttribute(hash_key=True)
    state = UnicodeAttribute()
    step = UnicodeAttribute()
    requested_at = TimeAttribute()
    requested_by = UnicodeAttribute()
    started_at = TimeAttribute(null=True)
    finished_at = TimeAttribute(null=True)
    agreements_read = NumberAttribute(default=0)
    subscriptions_compared = NumberAttribute(default=0)
    not_told = NumberAttribute(default=0)
    differences = NumberAttribute(default=0)
    healed = NumberAttribute(default=0)
    last_failure = UnicodeAttribute(null=True)
    # Where to go on: AWS's token, or the key of our own table.
    position = UnicodeAttribute(null=True)
    revision = NumberAttribute(default=1)
    forget_at = TTLAttribute()


class DifferenceRow(Model):
    """Its key says what differs, so that a step that is repeated puts the same row."""

    class Meta:
        table_name = "notifications-differences"

    reconciliation_id = UnicodeAttribute(hash_key=True)
    difference_id = UnicodeAttribute(range_key=True)
    kind = UnicodeAttribute()
    agreement_id = UnicodeAttribute(null=True)
    subscription_id = UnicodeAttribute(null=True)
    product_code = UnicodeAttribute(null=True)
    ours = UnicodeAttribute()
    theirs = UnicodeAttribute()
    action = UnicodeAttribute()
    notification_ids: ListAttribute[UnicodeAttribute] = ListAttribute(of=UnicodeAttribute)
    found_at = TimeAttribute()
    forget_at = TTLAttribute()


class NotificationsKey(ApiKey):
    class Meta:
        table_name = "notifications-api-keys"


TABLES: list[type[Model]] = [
    InboxRow,
    LogRow,
    SubscriptionRow,
    ReconciliationRow,
    DifferenceRow,
    NotificationsKey,
    WebhookEndpointRow,
    WebhookEventRow,
    WebhookDeliveryRow,
    WebhookReplayRow,
]
