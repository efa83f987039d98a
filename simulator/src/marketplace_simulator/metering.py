"""BatchMeterUsage: whose meter, which slot, billed or not.

Everything that can refuse the whole request is checked for every record before the first one is billed,
so a refused request has metered nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from marketplace_simulator.agreements import Agreement
from marketplace_simulator.aws_errors import AwsError
from marketplace_simulator.hour_slots import HourSlot, precedes, require_in_window
from marketplace_simulator.products import Product
from marketplace_simulator.times import hour_of
from marketplace_simulator.usage_records import UsageRecord, read_usage_record


@dataclass(frozen=True)
class BilledRecord:
    """What the buyer pays for: one slot, the first quantity written into it, in micro-units."""

    slot: HourSlot
    metering_record_id: str
    product_code: str
    customer_identifier: str | None
    license_arn: str | None
    customer_aws_account_id: str
    quantity: int
    accepted_at: datetime


class Ledger(Protocol):
    """What the rule needs to know and to have kept."""

    def product(self, product_code: str) -> Product | None: ...
    def agreement_by_license(self, license_arn: str) -> Agreement | None: ...
    def agreements_of_customer(
        self, product_code: str, customer_identifier: str | None, customer_aws_account_id: str | None
    ) -> list[Agreement]: ...
    def billed(self, slot: HourSlot) -> BilledRecord | None: ...
    def bill(self, record: BilledRecord) -> None: ...


@dataclass(frozen=True)
class _Meter:
    """Whose usage a record is: a licence's, or a legacy customer's; nobody's when there is no agreement."""

    product: Product
    agreements: Sequence[Agreement]
    by_license: bool

    @property
    def name(self) -> str:
        agreement = self.agreements[0]
        if self.by_license:
            return f"{agreement.customer_aws_account_id}/{agreement.license_arn}"
        return f"{self.product.product_code}/{agreement.customer_identifier}"


def meter_batch(
    request: Mapping[str, Any],
    ledger: Ledger,
    *,
    region: str,
    now: datetime,
    new_record_id: Callable[[], str],
) -> dict[str, Any]:
    """Decide on a batch whose shape has been checked, and bill what counts.

    Args:
        request: BatchMeterUsage's members as sent.
        region: where it was sent; slots are kept per Region, so one hour sent to two is billed twice.
        new_record_id: makes a MeteringRecordId.

    Returns:
        The members of BatchMeterUsage's answer.

    Raises:
        AwsError: the first fault found; nothing has been billed.
    """
    records = [read_usage_record(sent) for sent in request["UsageRecords"]]
    meters = _place(records, request.get("ProductCode") or None, ledger)
    for record, meter in zip(records, meters, strict=True):
        if not meter.product.has_dimension(record.dimension):
            raise AwsError(
                "InvalidUsageDimensionException",
                f"{record.dimension!r} is no dimension of product {meter.product.product_code}.",
            )
        require_in_window(record.timestamp, now)
    return {
        "Results": [
            _meter_one(record, meter, ledger, region=region, now=now, new_record_id=new_record_id)
            for record, meter in zip(records, meters, strict=True)
        ],
        "UnprocessedRecords": [],
    }


def _place(records: Sequence[UsageRecord], product_code: str | None, ledger: Ledger) -> list[_Meter]:
    if product_code is None:
        licensed = [_by_license(record, ledger) for record in records]
        if len({meter.product.product_code for meter in licensed}) > 1:
            raise AwsError("InvalidLicenseException", "The licences of one request must be of one product.")
        return licensed
    product = ledger.product(product_code)
    if product is None:
        raise AwsError("InvalidProductCodeException", f"There is no product {product_code!r}.")
    if product.generation != "legacy":
        raise AwsError(
            "InvalidProductCodeException",
            f"Product {product_code} uses concurrent agreements: send LicenseArn, no ProductCode.",
        )
    return [_by_customer(record, product, ledger) for record in records]


def _by_license(record: UsageRecord, ledger: Ledger) -> _Meter:
    if record.license_arn is None:
        raise AwsError(
            "InvalidProductCodeException",
            "A request without ProductCode must name a LicenseArn on each record.",
        )
    if record.customer_aws_account_id is None or record.customer_identifier is not None:
        raise AwsError(
            "InvalidCustomerIdentifierException",
            "A record with LicenseArn takes CustomerAWSAccountId, and no CustomerIdentifier.",
        )
    agreement = ledger.agreement_by_license(record.license_arn)
    if agreement is None or agreement.customer_aws_account_id != record.customer_aws_account_id:
        raise AwsError(
            "InvalidLicenseException",
            f"{record.license_arn} is no licence of account {record.customer_aws_account_id}.",
        )
    product = ledger.product(agreement.product_code)
    assert product is not None, "an agreement without its product"
    return _Meter(product, [agreement], by_license=True)


def _by_customer(record: UsageRecord, product: Product, ledger: Ledger) -> _Meter:
    if record.license_arn is not None:
        raise AwsError("InvalidLicenseException", "ProductCode and LicenseArn exclude each other.")
    if (record.customer_identifier is None) == (record.customer_aws_account_id is None):
        raise AwsError(
            "InvalidCustomerIdentifierException",
            "A record takes CustomerIdentifier or CustomerAWSAccountId, and exactly one of them.",
        )
    agreements = ledger.agreements_of_customer(
        product.product_code, record.customer_identifier, record.customer_aws_account_id
    )
    return _Meter(product, agreements, by_license=False)


def _meter_one(
    record: UsageRecord,
    meter: _Meter,
    ledger: Ledger,
    *,
    region: str,
    now: datetime,
    new_record_id: Callable[[], str],
) -> dict[str, Any]:
    agreement = next(
        (a for a in meter.agreements if a.meters_at(now) and not precedes(record.timestamp, a.activates_at)),
        None,
    )
    if agreement is None:
        return {"UsageRecord": record.sent, "Status": "CustomerNotSubscribed"}
    slot = HourSlot(region, meter.name, record.dimension, hour_of(record.timestamp))
    first = ledger.billed(slot)
    if first is None:
        first = BilledRecord(
            slot=slot,
            metering_record_id=new_record_id(),
            product_code=meter.product.product_code,
            customer_identifier=None if meter.by_license else agreement.customer_identifier,
            license_arn=agreement.license_arn if meter.by_license else None,
            customer_aws_account_id=agreement.customer_aws_account_id,
            quantity=record.quantity,
            accepted_at=now,
        )
        ledger.bill(first)
    elif first.quantity != record.quantity:
        return {"UsageRecord": record.sent, "Status": "DuplicateRecord"}
    return {
        "UsageRecord": record.sent,
        "MeteringRecordId": first.metering_record_id,
        "Status": "Success",
    }
