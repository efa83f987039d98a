"""A usage record as sent, read exactly: one form of quantity, allocations that sum."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from marketplace_simulator.aws_errors import AwsError
from marketplace_simulator.quantities import decimal_text, micro_from_decimal, micro_from_whole
from marketplace_simulator.times import from_epoch, hour_of


class UsageRecord(NamedTuple):
    """One record of a batch; `sent` is its wire form, which the answer echoes untouched."""

    sent: Mapping[str, Any]
    timestamp: datetime
    hour: datetime
    dimension: str
    quantity: int
    customer_identifier: str | None
    customer_aws_account_id: str | None
    license_arn: str | None


def read_usage_record(sent: Mapping[str, Any]) -> UsageRecord:
    """Read a record whose shape has been checked; quantities become micro-units.

    Raises:
        AwsError: ValidationException (both forms of quantity), InvalidUsageAllocationsException (other form
            than the record's, wrong sum, a tag set twice), InvalidTagException (a key twice in one set).
    """
    if "Quantity" in sent and "QuantityAsDecimal" in sent:
        raise AwsError("ValidationException", "A usage record takes Quantity or QuantityAsDecimal, not both.")
    as_decimal = "QuantityAsDecimal" in sent
    quantity = (
        micro_from_decimal(sent["QuantityAsDecimal"])
        if as_decimal
        else micro_from_whole(sent.get("Quantity", 0))
    )
    if "UsageAllocations" in sent:
        _require_allocations(sent["UsageAllocations"], quantity, as_decimal)
    timestamp, hour = _moments(sent["Timestamp"])
    return UsageRecord(
        sent,
        timestamp,
        hour,
        sent["Dimension"],
        quantity,
        sent.get("CustomerIdentifier") or None,
        sent.get("CustomerAWSAccountId"),
        sent.get("LicenseArn"),
    )


@lru_cache(1024)
def _moments(seconds: float) -> tuple[datetime, datetime]:
    """A moment and its hour; the records of a batch mostly share both."""
    moment = from_epoch(seconds)
    return moment, hour_of(moment)


def _require_allocations(allocations: list[Mapping[str, Any]], quantity: int, as_decimal: bool) -> None:
    form = "AllocatedUsageQuantityAsDecimal" if as_decimal else "AllocatedUsageQuantity"
    other = "AllocatedUsageQuantity" if as_decimal else "AllocatedUsageQuantityAsDecimal"
    total = 0
    tag_sets: set[frozenset[tuple[str, str]]] = set()
    for allocation in allocations:
        if other in allocation or form not in allocation:
            raise AwsError(
                "InvalidUsageAllocationsException",
                f"Each allocation must carry {form}, the form of its record's quantity, and no other.",
            )
        total += micro_from_decimal(allocation[form]) if as_decimal else micro_from_whole(allocation[form])
        tags = allocation.get("Tags", [])
        if len({tag["Key"] for tag in tags}) != len(tags):
            raise AwsError("InvalidTagException", "A tag key appears twice in one allocation.")
        tag_set = frozenset((tag["Key"], tag["Value"]) for tag in tags)
        if tag_set in tag_sets:
            raise AwsError("InvalidUsageAllocationsException", "Two allocations carry the same set of tags.")
        tag_sets.add(tag_set)
    if total != quantity:
        raise AwsError(
            "InvalidUsageAllocationsException",
            f"The allocations sum to {decimal_text(total)}, the record says {decimal_text(quantity)}.",
        )
