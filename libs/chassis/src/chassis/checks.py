"""Checks that every service makes of its own (`doctor.py`): clock, tables, queues, and calls of AWS."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from pynamodb.models import Model

from chassis.aws import client, error_code
from chassis.clock_skew import skew_seconds
from chassis.doctor import Check, Ill, ill_of, is_about_us
from chassis.settings import ChassisSettings

MOST_SKEW_SECONDS = 30.0
"""AWS refuses what is signed five minutes early or late; what is off by so much soon is by more."""

LEAST_RETENTION = timedelta(days=4)
"""Of a queue: SQS's default. News that waits is lost after it."""

LEAST_LETTERS_RETENTION = timedelta(days=14)
"""Of a dead-letter queue: SQS's longest. A letter's age counts from when it was first sent."""

_STACK = "Deploy the service's stack, or run `create-local` on a local engine."


def clock_check(
    settings: ChassisSettings, model: type[Model], now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Check:
    """Whether this machine's clock is AWS's, by the Date of an answer; a refusal bears one too.

    Args:
        model: a table that the service's roles may look at, bound to its name.
        now: this machine's clock.
    """

    def look() -> str:
        try:
            answer = client(settings, "dynamodb").describe_table(TableName=_name_of(model))
        except ClientError as error:
            answer = dict(error.response)
        skew = skew_seconds(answer["ResponseMetadata"]["HTTPHeaders"]["date"], now())
        if abs(skew) > MOST_SKEW_SECONDS:
            raise Ill(
                f"It is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} AWS's.",
                "Let the machine keep time by NTP (on AWS: 169.254.169.123).",
            )
        return "within half a minute of AWS's"

    return Check("clock", look)


def table_checks(models: Sequence[type[Model]], settings: ChassisSettings) -> list[Check]:
    """Whether each table is there, with the keys and indexes that the code asks for, forgets what it is to
    forget, and could be brought back to a second of the past.

    A local engine is not asked for the last two: `create-local` leaves both out.

    Args:
        models: bound to their names.
    """
    dynamodb = client(settings, "dynamodb")
    deployed = settings.environment == "production"

    def check(model: type[Model]) -> Check:
        name = _name_of(model)
        return Check(f"table {name}", lambda: _look_at_table(dynamodb, name, model, deployed))

    return [check(model) for model in models]


def _look_at_table(dynamodb: Any, name: str, model: type[Model], deployed: bool) -> str:
    try:
        table = dynamodb.describe_table(TableName=name)["Table"]
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        raise Ill("It is not there.", _STACK) from None
    if table["TableStatus"] not in ("ACTIVE", "UPDATING"):
        raise Ill(f"It is {table['TableStatus']}.", "Wait until it is ACTIVE.")
    wanted = model._get_schema()
    if _keys(table) != _keys(wanted):
        raise Ill(
            f"Its key is {_keys(table)}, not {_keys(wanted)}.",
            "It is another release's, or not ours: " + _STACK,
        )
    there = {one["IndexName"]: one for one in table.get("GlobalSecondaryIndexes", [])}
    for index in wanted.get("global_secondary_indexes", []):
        found = there.get(index["index_name"])
        if found is None or _keys(found) != _keys(index):
            raise Ill(f"It lacks the index {index['index_name']} by {_keys(index)}.", _STACK)
        if found.get("IndexStatus", "ACTIVE") != "ACTIVE":
            raise Ill(
                f"Its index {index['index_name']} is {found['IndexStatus']}.", "Wait until it is ACTIVE."
            )
    said = f"there, with {', '.join(sorted(there))}" if there else "there"
    if deployed:
        _look_at_forgetting(dynamodb, name, model)
        _look_at_recovery(dynamodb, name)
        said += "; recoverable"
    return said


def _look_at_forgetting(dynamodb: Any, name: str, model: type[Model]) -> None:
    ttl = model._ttl_attribute()
    if ttl is None:
        return
    state = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if (
        state.get("TimeToLiveStatus") not in ("ENABLED", "ENABLING")
        or state["AttributeName"] != ttl.attr_name
    ):
        raise Ill(
            "It forgets nothing, so it grows for ever and keeps personal data too long.",
            f"Switch on its time to live, by `{ttl.attr_name}`.",
        )


def _look_at_recovery(dynamodb: Any, name: str) -> None:
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups.get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        raise Ill("It cannot be brought back to a second of the past.", "Switch on point-in-time recovery.")


def _name_of(model: type[Model]) -> str:
    return str(model.Meta.table_name)  # type: ignore[attr-defined]


def _keys(schema: dict[str, Any]) -> str:
    """`hash_key, range_key` of a table or an index, of AWS's answer or of pynamodb's."""
    elements = schema.get("KeySchema") or schema["key_schema"]
    return ", ".join(one["AttributeName"] for one in sorted(elements, key=lambda one: str(one["KeyType"])))


def queue_checks(
    settings: ChassisSettings, read: Iterable[str] = (), sent_to: Iterable[str] = ()
) -> list[Check]:
    """Whether queues are there, and those that we read from keep what fails.

    Args:
        read: the names of those that this service receives from.
        sent_to: of those that it only sends to.
    """
    sqs = client(settings, "sqs")
    return [
        *(Check(f"queue {name}", lambda name=name: _look_at_own_queue(sqs, name)) for name in read),
        *(Check(f"queue {name}", lambda name=name: _look_at_others_queue(sqs, name)) for name in sent_to),
    ]


def _look_at_own_queue(sqs: Any, name: str) -> str:
    found = _attributes(sqs, name)
    _must_keep(found, LEAST_RETENTION)
    policy = json.loads(found.get("RedrivePolicy", "{}"))
    if not policy:
        raise Ill("It has no dead-letter queue: what fails again and again is lost.", _STACK)
    letters = policy["deadLetterTargetArn"].rsplit(":", 1)[1]
    _must_keep(_attributes(sqs, letters), LEAST_LETTERS_RETENTION, f"{letters}: ")
    return f"there; after {policy['maxReceiveCount']} receipts a message goes to {letters}"


def _look_at_others_queue(sqs: Any, name: str) -> str:
    sqs.get_queue_url(QueueName=name)
    return "there"


def _attributes(sqs: Any, name: str) -> dict[str, str]:
    try:
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    except ClientError as error:
        if not error_code(error).endswith(("NonExistentQueue", "QueueDoesNotExist")):
            raise
        raise Ill(f"{name} is not there.", _STACK) from None
    attributes: dict[str, str] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return attributes


def _must_keep(attributes: dict[str, str], least: timedelta, of: str = "") -> None:
    kept = timedelta(seconds=int(attributes.get("MessageRetentionPeriod", "0")))
    if kept < least:
        raise Ill(
            f"{of}It keeps messages for {kept} only.", f"Let it keep them for {least.days} days or longer."
        )


def call_check(part: str, call: Callable[[], Any], wrong: Mapping[str, Ill] | None = None) -> Check:
    """Whether AWS answers a call of ours. That it refuses what is asked is an answer too; that it refuses us
    is none.

    Args:
        part: what is looked at.
        call: asks what nobody counts or bills.
        wrong: refusals that say that something is amiss all the same, by their code.
    """

    def look() -> str:
        try:
            call()
        except ClientError as error:
            code = error_code(error)
            if wrong and code in wrong:
                raise wrong[code] from None
            if is_about_us(error):
                raise ill_of(error) from None
        return "AWS answers us"

    return Check(part, look)
