"""AWS Marketplace on a shelf: BatchMeterUsage by AWS's rules, with faults on request, and a readable bill.

It stands behind a real boto3 client, at the place of the network, so that requests are written and answers
are read by boto3 itself: its typed errors, its epoch timestamps, its refusals before anything is sent.
"""

import json
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from chassis.clock import FrozenClock

URL = "https://metering.marketplace.invalid/"
MICRO = 1_000_000
BEFORE_SEND = "before-send.marketplace-metering.BatchMeterUsage"


def boto3_client() -> Any:
    """A client that tries each call once, and reaches nothing but what stands behind it."""
    return boto3.session.Session().client(
        "meteringmarketplace",
        region_name="us-east-1",
        endpoint_url=URL,
        aws_access_key_id="000000000000",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1, "mode": "standard"}),
    )


class Refused(Exception):
    """AWS answers the whole call with this error; nothing of it is counted."""

    def __init__(self, code: str, status: int = 400) -> None:
        super().__init__(code)
        self.code, self.status = code, status


@dataclass
class Fault:
    """What befalls one call.

    Args:
        before: raised in place of counting: a Refused is answered, another exception befalls boto3.
        after: the same, but once everything was counted.
        unprocessed: for each record of the call by its place, True where AWS leaves it unprocessed.
    """

    before: Exception | None = None
    after: Exception | None = None
    unprocessed: Callable[[int], bool] = lambda _: False


@dataclass
class Buyer:
    """An agreement: until when AWS takes its usage, and since when."""

    product_code: str
    since: datetime
    until: datetime | None = None
    account: str | None = None


@dataclass
class ShelfMarketplace:
    """One account and Region of AWS Marketplace.

    Args:
        clock: AWS's clock.
        products: for each product code its dimensions.
    """

    clock: FrozenClock
    products: dict[str, set[str]]
    age: timedelta = timedelta(hours=24)
    month_end: timedelta = timedelta(hours=6)
    buyers: dict[str, Buyer] = field(default_factory=dict)
    slots: dict[tuple[str, str, str], tuple[Decimal, str]] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)
    trail: list[tuple[datetime, dict[str, Any], dict[str, Any] | str]] = field(default_factory=list)
    """What CloudTrail has of each call that arrived: when, the request, the answer or the error's name."""
    faults: list[Fault] = field(default_factory=list)
    always: Fault | None = None
    poison: dict[str, str] = field(default_factory=dict)
    identical_is_duplicate: bool = False
    through: Callable[[Callable[[], AWSResponse]], AWSResponse] = lambda call: call()

    def next_calls(self, *faults: Fault) -> None:
        """The coming calls meet these, one each."""
        self.faults += faults

    def bill(self) -> dict[tuple[str, str], int]:
        """What each identity owes for each dimension, in micro-units."""
        total: dict[tuple[str, str], int] = defaultdict(int)
        for (identity, dimension, _), (quantity, _) in self.slots.items():
            total[identity, dimension] += int(quantity * MICRO)
        return dict(total)

    def hours(self, identity: str, dimension: str = "gpu_hours") -> dict[str, str]:
        """What stands in each hour of one identity."""
        return {
            hour: str(quantity)
            for (who, what, hour), (quantity, _) in sorted(self.slots.items())
            if (who, what) == (identity, dimension)
        }

    def sent(self) -> list[list[dict[str, Any]]]:
        """The records of each call, the oldest first."""
        return [request["UsageRecords"] for request in self.requests]

    def stand_behind(self, client: Any) -> None:
        """Become the network of a boto3 client."""
        client.meta.events.unregister(BEFORE_SEND, unique_id="shelf")
        client.meta.events.register(BEFORE_SEND, self._receive, unique_id="shelf")

    def _receive(self, request: Any, **_: Any) -> AWSResponse:
        body = json.loads(request.body)
        return self.through(lambda: self._answer(body))

    def _answer(self, request: dict[str, Any]) -> AWSResponse:
        self.requests.append(request)
        fault = self.always or (self.faults.pop(0) if self.faults else Fault())
        try:
            if fault.before:
                raise fault.before
            answer = self._count(request, fault)
            if isinstance(fault.after, Refused):
                raise fault.after
        except Refused as refused:
            self.trail.append((self.clock.now(), request, refused.code))
            return _response(refused.status, {"__type": refused.code, "message": "As the test wishes."})
        self.trail.append((self.clock.now(), request, answer))
        if fault.after:
            raise fault.after
        return _response(200, answer)

    def _count(self, request: dict[str, Any], fault: Fault) -> dict[str, Any]:
        records = request["UsageRecords"]
        if len(records) > 25:
            raise Refused("ValidationException")
        of_products = {self._check(record, request.get("ProductCode")) for record in records} - {None}
        if len(of_products) > 1:
            raise Refused("InvalidLicenseException")
        answer: dict[str, Any] = {"Results": [], "UnprocessedRecords": []}
        for place, record in enumerate(records):
            if fault.unprocessed(place):
                answer["UnprocessedRecords"].append(record)
            else:
                answer["Results"].append(self._slot(record) | {"UsageRecord": record})
        return answer

    def _check(self, record: dict[str, Any], product_code: str | None) -> str | None:
        """Refuse the whole call for this record, or name the product that its buyer has."""
        if "LicenseArn" in record and (product_code or "CustomerIdentifier" in record):
            raise Refused("InvalidProductCodeException")
        if "LicenseArn" not in record and product_code not in self.products:
            raise Refused("InvalidProductCodeException")
        identity = _identity(record)
        if identity in self.poison:
            raise Refused(self.poison[identity])
        moment, now = _moment(record), self.clock.now()
        first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        next_month = (first + timedelta(days=32)).replace(day=1)
        if not moment <= now < min(moment + self.age, next_month + self.month_end):
            raise Refused("TimestampOutOfBoundsException")
        buyer = self.buyers.get(identity)
        code = buyer.product_code if buyer else product_code
        if code and record["Dimension"] not in self.products[code]:
            raise Refused("InvalidUsageDimensionException")
        if buyer and (
            product_code not in (None, code) or record.get("CustomerAWSAccountId") != buyer.account
        ):
            raise Refused(
                "InvalidLicenseException" if "LicenseArn" in record else "InvalidCustomerIdentifierException"
            )
        return code

    def _slot(self, record: dict[str, Any]) -> dict[str, str]:
        """The first quantity of an hour stands; the same again is welcome."""
        identity, moment = _identity(record), _moment(record)
        buyer = self.buyers.get(identity)
        if buyer is None or moment < buyer.since or (buyer.until and self.clock.now() >= buyer.until):
            return {"Status": "CustomerNotSubscribed"}
        slot = (identity, record["Dimension"], moment.strftime("%Y-%m-%dT%H"))
        quantity = Decimal(record["QuantityAsDecimal"])
        came_before = slot in self.slots
        known, record_id = self.slots.setdefault(slot, (quantity, str(uuid.uuid4())))
        if known != quantity or (self.identical_is_duplicate and came_before):
            return {"Status": "DuplicateRecord"}
        return {"Status": "Success", "MeteringRecordId": record_id}


def _identity(record: dict[str, Any]) -> str:
    return str(record.get("LicenseArn") or record.get("CustomerIdentifier"))


def _moment(record: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(record["Timestamp"], UTC)


class _Raw:
    """What boto3 reads an answer's body from."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._body


def raw_response(status: int, body: bytes) -> AWSResponse:
    """An HTTP answer as boto3 gets it from its socket."""
    return AWSResponse(URL, status, {"content-type": "application/x-amz-json-1.1"}, _Raw(body))


def _response(status: int, body: dict[str, Any]) -> AWSResponse:
    return raw_response(status, json.dumps(body).encode())
