"""AWS Marketplace as metering sees it: one operation, BatchMeterUsage."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chassis import tracing
from chassis.checks import call_check
from chassis.doctor import Check
from metering.allocations import allocations
from metering.hours import hour_of
from metering.outcomes import Failure
from metering.quantities import to_text
from metering.records import MeteringRecord
from metering.tags import UNTAGGED, TagSet


class BatchFailed(Exception):
    """A call that ended in an error."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.code}: {failure.message}")
        self.failure = failure


@dataclass(frozen=True)
class Answer:
    """What AWS said of one record. A record of which it said nothing, or `Unprocessed`, has no Answer."""

    status: str
    aws_metering_record_id: str | None


class Marketplace:
    """Calls BatchMeterUsage.

    Args:
        client: a boto3 `meteringmarketplace` client that tries each call once: were boto3 to try again by
            itself, a definite error of the second try would hide that the first may have been counted.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def check(self) -> Check:
        """Whether AWS answers us: it is told of no record at all."""
        return call_check(
            "BatchMeterUsage of AWS Marketplace", lambda: self._client.batch_meter_usage(UsageRecords=[])
        )

    def batch_meter_usage(self, records: list[MeteringRecord]) -> tuple[dict[str, Answer], set[str]]:
        """Send up to 25 records of one product.

        Returns:
            AWS's answer for each record by our metering record id, and the ids of those that it left
            unprocessed.

        Raises:
            BatchFailed: the call ended in an error.
        """
        request: dict[str, Any] = {"UsageRecords": [_usage_record(record) for record in records]}
        if records[0].identity.is_legacy:
            # Never beside a licence: the same usage under both identities is billed twice.
            request["ProductCode"] = records[0].identity.product_code
        try:
            with tracing.of_call("BatchMeterUsage", records=len(records)):
                answer = self._client.batch_meter_usage(**request)
        except ClientError as error:
            described = error.response.get("Error", {})
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            raise BatchFailed(
                Failure(described.get("Code", ""), status, described.get("Message", ""))
            ) from error
        except BotoCoreError as error:
            raise BatchFailed(Failure(type(error).__name__, None, str(error))) from error
        ids = {_slot(_usage_record(record)): record.metering_record_id for record in records}
        answers = {
            ids[slot]: Answer(result.get("Status", ""), result.get("MeteringRecordId"))
            for result in answer.get("Results", [])
            if (slot := _slot(result.get("UsageRecord", {}))) in ids
        }
        unprocessed = {
            ids[_slot(echo)] for echo in answer.get("UnprocessedRecords", []) if _slot(echo) in ids
        }
        return answers, unprocessed


def _usage_record(record: MeteringRecord) -> dict[str, Any]:
    usage: dict[str, Any] = {
        "Timestamp": record.timestamp,
        "Dimension": record.dimension,
        "QuantityAsDecimal": to_text(record.quantity),
    }
    if buckets := allocations(record):
        usage["UsageAllocations"] = [_allocation(tags, buckets[tags]) for tags in sorted(buckets)]
    if record.identity.is_legacy:
        usage["CustomerIdentifier"] = record.identity.customer_identifier
    else:
        usage["CustomerAWSAccountId"] = record.identity.customer_aws_account_id
        usage["LicenseArn"] = record.identity.license_arn
    return usage


def _allocation(tags: TagSet, quantity: int) -> dict[str, Any]:
    bucket: dict[str, Any] = {"AllocatedUsageQuantityAsDecimal": to_text(quantity)}
    if tags != UNTAGGED:
        # The one bucket without tags leaves them out; AWS takes no empty list.
        bucket["Tags"] = [{"Key": key, "Value": value} for key, value in tags]
    return bucket


def _slot(usage: dict[str, Any]) -> tuple[str, str, str]:
    """What AWS echoes of a record that tells it from the others of its call: its slot.

    The hour and not the timestamp, so that whoever rounds a fraction of a second loses no answer.
    """
    timestamp: datetime | None = usage.get("Timestamp")
    return (
        usage.get("LicenseArn") or usage.get("CustomerIdentifier") or "",
        usage.get("Dimension", ""),
        hour_of(timestamp) if timestamp else "",
    )
