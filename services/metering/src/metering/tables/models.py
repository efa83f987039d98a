"""Metering's tables, and the sibling's that it reads. Rows only; what they mean stands in the rules."""

from typing import Any

from pynamodb.attributes import (
    BinaryAttribute,
    BooleanAttribute,
    JSONAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    TTLAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
)
from pynamodb.exceptions import PynamoDBException
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model

from chassis.auth import ApiKey
from chassis.aws import cause_code
from chassis.tables import TimeAttribute


class SegmentRow(Model):
    """The usage log. Append-only: nothing updates or deletes a segment.

    `partition` is `<hour>#<shard>#<writer>` and `segment_id` the writer's number of the write. What older
    releases wrote (formats 1 and 2) has `<hour>#<shard>`, and the moment of acceptance.
    """

    class Meta:
        table_name = "usage-log"

    partition = UnicodeAttribute(hash_key=True)
    segment_id = UnicodeAttribute(range_key=True)
    format = NumberAttribute()
    events = NumberAttribute()
    data = BinaryAttribute(legacy_encoding=False)


class OpenHours(GlobalSecondaryIndex[Any]):  # type: ignore[no-untyped-call]
    """The hours that are still folded. Sparse: a retired hour leaves it. A few dozen items, few writes."""

    class Meta:
        index_name = "open-hours"
        projection = KeysOnlyProjection()

    open = UnicodeAttribute(hash_key=True)


class HourRow(Model):
    """An hour of use that has events.

    `writers` are those that have something in it, `writers_shards` is the largest shard count that any of
    them used, `shards` the same of older releases (formats 1 and 2). `announcements` counts up with each
    writer that says that it has something for the hour; an hour that was announced during its last fold is
    not retired. `folds` counts the folds that have booked, `folded` is the number of the newest of which all
    is written, and `folded_segments` and `folded_fingerprint` say what that one had read.
    """

    class Meta:
        table_name = "usage-hours"

    hour = UnicodeAttribute(hash_key=True)
    shards = NumberAttribute(default=0)
    writers = UnicodeSetAttribute(null=True)
    writers_shards = NumberAttribute(default=0)
    folds = NumberAttribute(default=0)
    folded = NumberAttribute(default=0)
    folded_segments = NumberAttribute(default=0)
    folded_fingerprint = UnicodeAttribute(null=True)
    quiet_since = NumberAttribute(default=0)
    announcements = NumberAttribute(default=0)
    open = UnicodeAttribute(null=True)
    open_hours = OpenHours()


class UnbilledRows(GlobalSecondaryIndex[Any]):  # type: ignore[no-untyped-call]
    """The ledger rows with something unbilled. Sparse: a row leaves it when all of it is allocated."""

    class Meta:
        index_name = "unbilled"
        projection = KeysOnlyProjection()

    unbilled = UnicodeAttribute(hash_key=True)
    usage_key = UnicodeAttribute(range_key=True)


class LedgerRowModel(Model):
    """The ledger. `usage_key` is `<dimension>#<hour>`; quantities are micro-units; sums of several, by name,
    are JSON. `tags` and `received_tags` (what divides the usage), and `spent_tags`, are as `tags.pack` makes
    them.

    The fold writes `metered`, `corrections`, `conflicts`, `tags` and `fold`, and nobody else does. `fold` is
    its number among those of the hour: an earlier fold never overwrites a later one.
    """

    class Meta:
        table_name = "metering-ledger"

    holder = UnicodeAttribute(hash_key=True)
    usage_key = UnicodeAttribute(range_key=True)
    metered = NumberAttribute(default=0)
    corrections = NumberAttribute(default=0)
    conflicts = NumberAttribute(default=0)
    fold = NumberAttribute(default=0)
    tags = BinaryAttribute(legacy_encoding=False, null=True)
    received = JSONAttribute(null=True)
    received_tags = BinaryAttribute(legacy_encoding=False, null=True)
    moved = JSONAttribute(null=True)
    allocated = NumberAttribute(default=0)
    included = NumberAttribute(default=0)
    written_off = JSONAttribute(null=True)
    corrections_received = NumberAttribute(default=0)
    corrections_moved = NumberAttribute(default=0)
    corrected = NumberAttribute(default=0)
    spent_tags = BinaryAttribute(legacy_encoding=False, null=True)
    changes = NumberAttribute(default=0)
    unbilled = UnicodeAttribute(null=True)
    unbilled_rows = UnbilledRows()


class AllowanceRow(Model):
    """How much of a contract's entitlement is used up in one period. `allowance_key` is
    `<dimension>#<period>`."""

    class Meta:
        table_name = "metering-allowances"

    subscription_id = UnicodeAttribute(hash_key=True)
    allowance_key = UnicodeAttribute(range_key=True)
    entitled = NumberAttribute(null=True)
    used = NumberAttribute()


class SourceMap(MapAttribute[str, Any]):
    hour = UnicodeAttribute()
    quantity = NumberAttribute()


class SendMap(MapAttribute[str, Any]):
    number = NumberAttribute()
    at = TimeAttribute()
    answer = UnicodeAttribute(null=True)


class DueRecords(GlobalSecondaryIndex[Any]):  # type: ignore[no-untyped-call]
    """The records that AWS has not answered for. Sparse: a settled record leaves it."""

    class Meta:
        index_name = "due"
        projection = KeysOnlyProjection()

    due = UnicodeAttribute(hash_key=True)
    slot = UnicodeAttribute(range_key=True)


class RecordRow(Model):
    """Metering records. The key is AWS's own slot, so that a slot can never be planned twice."""

    class Meta:
        table_name = "metering-records"

    subscription_id = UnicodeAttribute(hash_key=True)
    slot = UnicodeAttribute(range_key=True)
    timestamp = TimeAttribute()
    quantity = NumberAttribute()
    product_code = UnicodeAttribute()
    customer_identifier = UnicodeAttribute(null=True)
    license_arn = UnicodeAttribute(null=True)
    customer_aws_account_id = UnicodeAttribute(null=True)
    sources = ListAttribute(of=SourceMap)
    tags = BinaryAttribute(legacy_encoding=False, null=True)
    tags_left_out = BooleanAttribute(default=False)
    created_at = TimeAttribute()
    outcome = UnicodeAttribute()
    reason = UnicodeAttribute(null=True)
    in_doubt = BooleanAttribute(default=False)
    attempts = NumberAttribute(default=0)
    aws_metering_record_id = UnicodeAttribute(null=True)
    settled_at = TimeAttribute(null=True)
    sends = ListAttribute(of=SendMap, default=list)
    decision = UnicodeAttribute(null=True)
    decided_because = UnicodeAttribute(null=True)
    decided_by = UnicodeAttribute(null=True)
    decided_at = TimeAttribute(null=True)
    due = UnicodeAttribute(null=True)
    due_records = DueRecords()


class HeldDecisionRow(Model):
    """What a person decided about held usage. `decision_key` is
    `<dimension>#<hour>#<the ledger row's changes before it>`."""

    class Meta:
        table_name = "metering-held-decisions"

    holder = UnicodeAttribute(hash_key=True)
    decision_key = UnicodeAttribute(range_key=True)
    quantity = NumberAttribute()
    held_because = UnicodeAttribute()
    decision = UnicodeAttribute()
    to = UnicodeAttribute(null=True)
    reason = UnicodeAttribute()
    by = UnicodeAttribute()
    at = TimeAttribute()


class ReconciliationsByTime(GlobalSecondaryIndex[Any]):  # type: ignore[no-untyped-call]
    """The reconciliations themselves, without their differences. A few a day at most."""

    class Meta:
        index_name = "by-time"
        projection = AllProjection()

    listed = UnicodeAttribute(hash_key=True)
    at = TimeAttribute(range_key=True)


class ReconciliationRow(Model):
    """Reconciliations with AWS. Of each there is one `item` "reconciliation", and a `difference#<number>` for
    each difference: JSON, as the API shows it."""

    class Meta:
        table_name = "metering-reconciliations"

    reconciliation_id = UnicodeAttribute(hash_key=True)
    item = UnicodeAttribute(range_key=True)
    source = UnicodeAttribute(null=True)
    by = UnicodeAttribute(null=True)
    at = TimeAttribute(null=True)
    finished_at = TimeAttribute(null=True)
    complete_from = TimeAttribute(null=True)
    complete_until = TimeAttribute(null=True)
    counts = JSONAttribute(null=True)
    difference = JSONAttribute(null=True)
    listed = UnicodeAttribute(null=True)
    by_time = ReconciliationsByTime()


class CallRateRow(Model):
    """How many calls of AWS all workers have made in one second. `second` is `<region>#<seconds since 1970>`;
    DynamoDB's TTL removes the row by `delete_after`, in seconds too."""

    class Meta:
        table_name = "metering-call-rates"

    second = UnicodeAttribute(hash_key=True)
    calls = NumberAttribute()
    delete_after = NumberAttribute()


class RunRow(Model):
    """A metering run that a person asked for. `taken_until` is how long the worker that took it has it for
    itself; DynamoDB's TTL removes the row by `forget_at`."""

    class Meta:
        table_name = "metering-runs"

    metering_run_id = UnicodeAttribute(hash_key=True)
    requested_at = TimeAttribute()
    requested_by = UnicodeAttribute()
    subscription_id = UnicodeAttribute(null=True)
    state = UnicodeAttribute()
    taken_until = TimeAttribute(null=True)
    started_at = TimeAttribute(null=True)
    finished_at = TimeAttribute(null=True)
    outcomes = JSONAttribute(null=True)
    due = NumberAttribute(null=True)
    left = JSONAttribute(null=True)
    failures = JSONAttribute(null=True)
    forget_at = TTLAttribute()


class HealthRow(Model):
    """When something last ended well, in whichever worker: a step of the metering cycle by its name, or the
    `audit`, with what it found."""

    class Meta:
        table_name = "metering-health"

    what = UnicodeAttribute(hash_key=True)
    ended_at = TimeAttribute()
    imbalances = NumberAttribute(null=True)


class RunningEndpoints(GlobalSecondaryIndex[Any]):  # type: ignore[no-untyped-call]
    """The endpoints that are not metered to their end, by subscription. Sparse: one that is leaves it."""

    class Meta:
        index_name = "running"
        projection = AllProjection()

    running = UnicodeAttribute(hash_key=True)
    endpoint_id = UnicodeAttribute(range_key=True)


class EndpointsById(GlobalSecondaryIndex[Any]):  # type: ignore[no-untyped-call]
    """Whose an endpoint is: for operators, who know its id only."""

    class Meta:
        index_name = "by-id"
        projection = KeysOnlyProjection()

    endpoint_id = UnicodeAttribute(hash_key=True)


class EndpointRow(Model):
    """Endpoints. `owner` is a customer's id, or a service's name; text order of an owner's `endpoint_id`s is
    the order in which they were created. `running` is the subscription, for as long as there is something to
    meter."""

    class Meta:
        table_name = "metering-endpoints"

    owner = UnicodeAttribute(hash_key=True)
    endpoint_id = UnicodeAttribute(range_key=True)
    name = UnicodeAttribute()
    repository = UnicodeAttribute()
    accelerator = UnicodeAttribute()
    subscription_id = UnicodeAttribute()
    product_code = UnicodeAttribute()
    dimension = UnicodeAttribute()
    created_at = TimeAttribute()
    metered_until = TimeAttribute()
    metering_until = TimeAttribute()
    moves_to = UnicodeAttribute(null=True)
    deleted_at = TimeAttribute(null=True)
    ended_because = UnicodeAttribute(null=True)
    version = NumberAttribute()
    running = UnicodeAttribute(null=True)
    running_endpoints = RunningEndpoints()
    by_id = EndpointsById()


class MeteringKey(ApiKey):
    class Meta:
        table_name = "metering-api-keys"


class EntitlementMap(MapAttribute[str, Any]):
    dimension = UnicodeAttribute()
    type = UnicodeAttribute()
    value = UnicodeAttribute()
    expires_at = TimeAttribute(null=True)


class SubscriptionRow(Model):
    """Published by notifications (openapi/tables/subscriptions.schema.json). Read here, never written."""

    class Meta:
        table_name = "subscriptions"

    subscription_id = UnicodeAttribute(hash_key=True)
    product_code = UnicodeAttribute()
    generation = UnicodeAttribute()
    status = UnicodeAttribute()
    customer_identifier = UnicodeAttribute(null=True)
    license_arn = UnicodeAttribute(null=True)
    customer_aws_account_id = UnicodeAttribute(null=True)
    active_since = TimeAttribute(null=True)
    meter_until = TimeAttribute(null=True)
    access = UnicodeAttribute()
    next_subscription_id = UnicodeAttribute(null=True)
    entitlements = ListAttribute(of=EntitlementMap, null=True)


class CustomerRow(Model):
    """Published by registration (openapi/tables/customers.schema.json). Read here, never written; without the
    personal data that metering has no use for."""

    class Meta:
        table_name = "customers"

    customer_id = UnicodeAttribute(hash_key=True)
    status = UnicodeAttribute()
    subscription_ids = ListAttribute(of=UnicodeAttribute)


class IdentityRow(Model):
    """Published by registration (openapi/tables/identities.schema.json). Read here, never written; without
    whom it stands for."""

    class Meta:
        table_name = "identities"

    identity_id = UnicodeAttribute(hash_key=True)
    customer_id = UnicodeAttribute()


def is_lost_race(error: PynamoDBException) -> bool:
    """True where a condition kept a write from being made."""
    return cause_code(error) == "ConditionalCheckFailedException"
