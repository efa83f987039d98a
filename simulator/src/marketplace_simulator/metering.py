"""BatchMeterUsage: whose meter, which slot, billed or not.

Everything that can refuse the whole request is checked for every record before the first one is billed,
so a refused request has metered nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, NoReturn, Protocol

from marketplace_simulator.agreements import Agreement
from marketplace_simulator.aws_errors import AwsError
from marketplace_simulator.hour_slots import Window, precedes
from marketplace_simulator.products import Product
from marketplace_simulator.switches import Switches
from marketplace_simulator.usage_records import UsageRecord, read_usage_record


class Meter(NamedTuple):
    """Who is billed: a licence's account, or a customer of a product; the other of the two is None.

    `name` is `account/license_arn` for metering by licence and `product_code/customer` for metering by
    customer: two meters, so a customer metered both ways in one hour is billed twice, as AWS warns.
    """

    name: str
    product_code: str
    customer_identifier: str | None
    license_arn: str | None
    customer_aws_account_id: str


class Series(NamedTuple):
    """A line of the bill, hour by hour: a meter's dimension in a Region."""

    region: str
    meter: Meter
    dimension: str


class BilledRecord(NamedTuple):
    """What the buyer pays for an hour of a series: the first quantity that came, in micro-units.

    Series and hour are the slot, which one record fills.
    """

    series: Series
    hour: datetime
    metering_record_id: str
    quantity: int
    accepted_at: datetime


class Ledger(Protocol):
    """What the rule needs to know and to have kept."""

    def product(self, product_code: str) -> Product | None: ...
    def agreement_by_license(self, license_arn: str) -> Agreement | None: ...
    def agreements_of_customer(
        self, product_code: str, customer_identifier: str | None, customer_aws_account_id: str | None
    ) -> Sequence[Agreement]: ...
    def fill(self, records: Sequence[BilledRecord]) -> Sequence[BilledRecord]:
        """Fill the slots that are free; answers what stands in each now."""
        ...


class _Live(NamedTuple):
    """An agreement under which usage is taken now: since when, and on which meter."""

    activates_at: datetime
    meter: Meter


class _Payer(NamedTuple):
    """Whose usage a record is: a licence's, or a customer's; nobody's when nothing is live."""

    product_code: str
    dimensions: frozenset[str]
    live: Sequence[_Live]


def none_left_out(record: UsageRecord) -> bool:
    """AWS's usual day: every record is processed."""
    return False


def meter_batch(
    request: Mapping[str, Any],
    ledger: Ledger,
    switches: Switches,
    *,
    region: str,
    now: datetime,
    new_record_id: Callable[[], str],
    unprocessed: Callable[[UsageRecord], bool] = none_left_out,
) -> dict[str, Any]:
    """Decide on a batch whose shape has been checked, and bill what counts.

    Args:
        request: BatchMeterUsage's members as sent.
        region: where it was sent; slots are kept per Region, so one hour sent to two is billed twice.
        new_record_id: makes a MeteringRecordId.
        unprocessed: whether AWS leaves a record undone this time, as an injected fault decides.

    Returns:
        The members of BatchMeterUsage's answer.

    Raises:
        AwsError: the first fault found; nothing has been billed.
    """
    records = [read_usage_record(sent) for sent in request["UsageRecords"]]
    payers = _Payers(request.get("ProductCode") or None, ledger, switches, now).of(records)
    window = Window(now, switches)
    slots = []
    for record, payer in zip(records, payers, strict=True):
        if record.dimension not in payer.dimensions:
            raise AwsError(
                "InvalidUsageDimensionException",
                f"{record.dimension!r} is no dimension of product {payer.product_code}.",
            )
        window.require(record.timestamp)
        slots.append(_slot(record, payer, switches, region=region, now=now, new_record_id=new_record_id))
    if switches.same_slot_in_one_batch == "refused":
        _require_distinct(slots)
    left = [unprocessed(record) for record in records]
    taken = [slot for slot, is_left in zip(slots, left, strict=True) if slot is not None and not is_left]
    standing = iter(ledger.fill(taken))
    results = []
    for record, slot, is_left in zip(records, slots, left, strict=True):
        if is_left:
            continue
        if slot is None:
            results.append({"UsageRecord": record.sent, "Status": "CustomerNotSubscribed"})
        else:
            results.append(_result(record, slot, next(standing), switches))
    return {
        "Results": results,
        "UnprocessedRecords": [record.sent for record, is_left in zip(records, left, strict=True) if is_left],
    }


class _Payers:
    """Finds each record's payer, and each payer once: a batch holds several dimensions of one licence."""

    def __init__(self, product_code: str | None, ledger: Ledger, switches: Switches, now: datetime) -> None:
        self._product_code = product_code
        self._ledger = ledger
        self._switches = switches
        self._now = now
        self._dimensions: dict[str, frozenset[str]] = {}

    def of(self, records: Sequence[UsageRecord]) -> list[_Payer]:
        """Raises AwsError for the first record that can have no payer."""
        product = None if self._product_code is None else self._product(self._product_code)
        found: dict[tuple[str | None, str | None, str | None], _Payer] = {}
        payers = []
        for record in records:
            named = (record.license_arn, record.customer_aws_account_id, record.customer_identifier)
            payer = found.get(named)
            if payer is None:
                payer = found[named] = (
                    self._by_license(record) if product is None else self._by_customer(record, product)
                )
            payers.append(payer)
        if len({payer.product_code for payer in found.values()}) > 1:
            raise AwsError("InvalidLicenseException", "The licences of one request must be of one product.")
        return payers

    def _product(self, product_code: str) -> Product:
        product = self._ledger.product(product_code)
        if product is None:
            raise AwsError("InvalidProductCodeException", f"There is no product {product_code!r}.")
        if product.generation != "legacy" and self._switches.product_code_with_license == "refused":
            raise AwsError(
                "InvalidProductCodeException",
                f"Product {product_code} uses concurrent agreements: send LicenseArn, no ProductCode.",
            )
        return product

    def _by_license(self, record: UsageRecord) -> _Payer:
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
        agreement = self._ledger.agreement_by_license(record.license_arn)
        if agreement is None or agreement.customer_aws_account_id != record.customer_aws_account_id:
            _refuse_license(record)
        product = self._ledger.product(agreement.product_code)
        assert product is not None, "an agreement without its product"
        return self._payer(product, [agreement], by_license=True)

    def _by_customer(self, record: UsageRecord, product: Product) -> _Payer:
        if record.license_arn is not None and self._switches.product_code_with_license == "refused":
            raise AwsError("InvalidLicenseException", "ProductCode and LicenseArn exclude each other.")
        if (record.customer_identifier is None) == (record.customer_aws_account_id is None):
            raise AwsError(
                "InvalidCustomerIdentifierException",
                "A record takes CustomerIdentifier or CustomerAWSAccountId, and exactly one of them.",
            )
        agreements = self._ledger.agreements_of_customer(
            product.product_code, record.customer_identifier, record.customer_aws_account_id
        )
        if record.license_arn is not None and all(
            agreement.license_arn != record.license_arn for agreement in agreements
        ):
            _refuse_license(record)
        return self._payer(product, agreements, by_license=False)

    def _payer(self, product: Product, agreements: Sequence[Agreement], *, by_license: bool) -> _Payer:
        meter_of = _license_meter if by_license else _customer_meter
        return _Payer(
            product.product_code,
            self._dimensions_of(product),
            [
                _Live(agreement.activates_at, meter_of(agreement))
                for agreement in agreements
                if agreement.meters_at(self._now)
            ],
        )

    def _dimensions_of(self, product: Product) -> frozenset[str]:
        keys = self._dimensions.get(product.product_code)
        if keys is None:
            keys = frozenset(dimension.key for dimension in product.dimensions)
            self._dimensions[product.product_code] = keys
        return keys


def _license_meter(agreement: Agreement) -> Meter:
    account = agreement.customer_aws_account_id
    name = f"{account}/{agreement.license_arn}"
    return Meter(name, agreement.product_code, None, agreement.license_arn, account)


def _customer_meter(agreement: Agreement) -> Meter:
    account, identifier = agreement.customer_aws_account_id, agreement.customer_identifier
    name = f"{agreement.product_code}/{identifier or account}"
    return Meter(name, agreement.product_code, identifier, None, account)


def _refuse_license(record: UsageRecord) -> NoReturn:
    who = record.customer_aws_account_id or record.customer_identifier
    raise AwsError("InvalidLicenseException", f"{record.license_arn} is no licence of {who}.")


def _slot(
    record: UsageRecord,
    payer: _Payer,
    switches: Switches,
    *,
    region: str,
    now: datetime,
    new_record_id: Callable[[], str],
) -> BilledRecord | None:
    """What would be billed if the slot is free; None when nobody is subscribed."""
    for live in payer.live:
        if not precedes(record.timestamp, live.activates_at):
            series = Series(region, live.meter, record.dimension)
            return BilledRecord(series, record.hour, new_record_id(), record.quantity, now)
    if payer.live and switches.usage_before_activation == "invalid_license":
        raise AwsError("InvalidLicenseException", "The usage lies before the licence's activation period.")
    return None


def _require_distinct(slots: Sequence[BilledRecord | None]) -> None:
    filled = [(billed.series, billed.hour) for billed in slots if billed is not None]
    if len(set(filled)) < len(filled):
        raise AwsError("ValidationException", "Two records of one request name the same customer and hour.")


def _result(
    record: UsageRecord, mine: BilledRecord, standing: BilledRecord, switches: Switches
) -> dict[str, Any]:
    record_id = standing.metering_record_id
    is_mine = record_id == mine.metering_record_id
    is_same = standing.quantity == mine.quantity
    if is_mine or (is_same and switches.identical_resend == "success"):
        return {"UsageRecord": record.sent, "MeteringRecordId": record_id, "Status": "Success"}
    result: dict[str, Any] = {"UsageRecord": record.sent, "Status": "DuplicateRecord"}
    if switches.duplicate_record_id == "first":
        result["MeteringRecordId"] = record_id
    return result
