"""What AWS's serverless SaaS sample has not told AWS yet, as usage events for Marketplane.

The sample (aws-samples/aws-marketplace-serverless-saas-integration, commit beeb9bb) keeps usage in the
table `AWSMarketplaceMeteringRecords`: `customerIdentifier`, `create_timestamp`, `dimension_usage`, and
`metering_pending` until its `metering-sqs.js` has called BatchMeterUsage and written `metering_response`
and `metering_failed`.

Only rows that are pending and have no answer become events. What the sample has sent is never sent again, and
what it may have sent is left to a person.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b32encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from marketplane.errors import InvalidEvent
from marketplane.events import exact
from marketplane.importing.errors import FileError

AHEAD = timedelta(minutes=1)
"""How far clocks may differ; the service takes no more."""
MILLISECONDS_FROM = 10**11
"""The sample wants UNIX seconds; products write what their language gives. No seconds are as many as this."""

FAILED = (
    "The sample's call failed, or AWS refused a part of it: metering_response and CloudTrail say what "
    "AWS has counted."
)
UNPROCESSED = (
    "AWS left records of this call unprocessed, which the sample took for told: CloudTrail says which."
)
BOTH = "It is pending and has an answer: CloudTrail says whether AWS counted it."
NEITHER = "It is neither pending nor answered: the sample would never have sent it."


@dataclass
class Plan:
    """
    Attributes:
        first_hour: that every event counts in; see `first_free_hour`.
        events: members of usage events, as text, ids included.
        left_out: `customerIdentifier`, `create_timestamp` and why, of rows that a person has to look at.
        sent: rows that the sample has told AWS; nothing is to do.
    """

    first_hour: datetime
    events: list[dict[str, str]] = field(default_factory=list)
    left_out: list[dict[str, str]] = field(default_factory=list)
    sent: int = 0


def plan(scan: Any, product_code: str, now: datetime) -> Plan:
    """
    Args:
        scan: what `aws dynamodb scan` printed, of the whole table and made after the sample was stopped.
        product_code: of the sample's one product.
        now: the time now.

    Raises:
        FileError: it is no such scan or not whole, or nobody can tell when the sample last sent.
    """
    rows = [_Row(item) for item in _items(scan)]
    made = Plan(first_free_hour(rows, now))
    for row in rows:
        if row.is_sent:
            made.sent += 1
        elif why := row.why_not():
            made.left_out.append({**row.key, "why": why})
        else:
            made.events += _events(row, product_code, made.first_hour)
    return made


def first_free_hour(rows: Sequence[_Row], now: datetime) -> datetime:
    """The hour after all that the sample has sent and all that it was given.

    The sample stamps usage with the moment of its call, and AWS takes one record for each buyer, dimension
    and hour: usage in an hour in which the sample has sent would be refused as a duplicate. It follows from
    the rows alone, so the same table always gives the same hour and so the same events.

    Raises:
        FileError: a row's time has not come.
    """
    last = max((moment for row in rows for moment in row.moments), default=now)
    if last > now + AHEAD:
        raise FileError(f"A row was made or sent at {last:%Y-%m-%dT%H:%MZ}, which has not come.")
    return last.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def subscription_id(product_code: str, customer_identifier: str) -> str:
    """The id that all services derive of a legacy buyer of a product (notifications' subscription_ids.py)."""
    digest = hashlib.sha256(f"{product_code}/{customer_identifier}".encode()).digest()
    return "sub_" + b32encode(digest).decode().lower()[:26]


def source(product_code: str) -> str:
    """Of all events of a product's sample: the same at each run."""
    return f"aws-sample-{product_code}"


def _items(scan: Any) -> list[Mapping[str, Any]]:
    if not isinstance(scan, dict) or not isinstance(scan.get("Items"), list):
        raise FileError("The file is not what `aws dynamodb scan` prints: it has no Items.")
    if "LastEvaluatedKey" in scan or "NextToken" in scan:
        raise FileError("The scan is not whole: it ends with a key to go on from.")
    if not scan.get("Count") == scan.get("ScannedCount") == len(scan["Items"]):
        raise FileError("The scan is not whole: it was filtered, or its counts are not the rows' number.")
    items: list[Mapping[str, Any]] = scan["Items"]
    return items


def _events(row: _Row, product_code: str, hour: datetime) -> Iterator[dict[str, str]]:
    for number, (dimension, quantity) in enumerate(row.usage):
        named = json.dumps([row.customer, row.created, number])
        yield {
            "id": hashlib.sha256(named.encode()).hexdigest()[:40],
            "source": source(product_code),
            "subscription_id": subscription_id(product_code, row.customer),
            "dimension": dimension,
            "quantity": quantity,
            "time": hour.isoformat(),
        }


class _Row:
    """One item of the table, in DynamoDB's JSON.

    Raises:
        FileError: it lacks its key, or the answer of a call that succeeded cannot be read.
    """

    def __init__(self, item: Mapping[str, Any]) -> None:
        try:
            self.customer = str(item["customerIdentifier"]["S"])
            self.created = str(item["create_timestamp"]["N"])
        except (KeyError, TypeError):
            raise FileError("A row has no customerIdentifier or create_timestamp: another table?") from None
        self.key = {"customerIdentifier": self.customer, "create_timestamp": self.created}
        self._pending = item.get("metering_pending") == {"S": "true"}
        self._failed = item.get("metering_failed")
        self._answered = "metering_response" in item or "metering_failed" in item
        self._answer = _answer(item.get("metering_response", {}).get("S"))
        if self._failed == {"BOOL": False} and not self._pending and not _calls(self._answer):
            raise FileError(f"When was {self.key} sent? Its metering_response cannot be read.")
        self._created_at = _moment(self.created)
        self._item = item

    @property
    def is_sent(self) -> bool:
        told = not self._pending and self._failed == {"BOOL": False}
        return told and not self._answer.get("UnprocessedRecords")

    @property
    def moments(self) -> list[datetime]:
        """When AWS was called about it, and when it was made."""
        return [*_calls(self._answer), *([self._created_at] if self._created_at else [])]

    def why_not(self) -> str | None:
        """Why it becomes no event, in words for a person."""
        if self._answered:
            if self._pending:
                return BOTH
            return UNPROCESSED if self._failed == {"BOOL": False} else FAILED
        if not self._pending:
            return NEITHER
        if self._created_at is None:
            return "Its create_timestamp is no time."
        try:
            if not self.usage:
                return "It has no dimension_usage."
        except InvalidEvent as error:
            return str(error)
        return None

    @property
    def usage(self) -> list[tuple[str, str]]:
        """Dimensions and exact quantities.

        Raises:
            InvalidEvent: one of them cannot be billed as it stands; none of the row is then.
        """
        try:
            pairs = [
                (str(one["M"]["dimension"]["S"]), exact(str(one["M"]["value"]["N"])))
                for one in self._item["dimension_usage"]["L"]
            ]
        except (KeyError, TypeError):
            raise InvalidEvent("Its dimension_usage is not a list of dimensions and values.") from None
        if any(quantity.startswith("-") for _, quantity in pairs):
            raise InvalidEvent("A value is below zero, which the sample could not have sent.")
        return pairs


def _answer(text: str | None) -> dict[str, Any]:
    """`metering_response`: AWS's answer as JSON, or an error, which the sample has made JSON of twice."""
    found: Any = text
    for _ in range(2):
        if isinstance(found, str):
            try:
                found = json.loads(found)
            except ValueError:
                return {}
    return found if isinstance(found, dict) else {}


def _calls(answer: Mapping[str, Any]) -> list[datetime]:
    """The moments of calls that an answer names: those of its records, or an error's own."""
    results = [one.get("UsageRecord") for one in answer.get("Results") or () if isinstance(one, dict)]
    records = [*results, *(answer.get("UnprocessedRecords") or ())]
    said: list[Any] = [one.get("Timestamp") for one in records if isinstance(one, dict)]
    said.append(answer.get("time"))
    moments = []
    for text in said:
        try:
            moments.append(datetime.fromisoformat(text).astimezone(UTC))
        except (TypeError, ValueError):
            continue
    return moments


def _moment(number: str) -> datetime | None:
    try:
        count = int(Decimal(number))
        return datetime.fromtimestamp(count / 1000 if count >= MILLISECONDS_FROM else count, UTC)
    except (InvalidOperation, ValueError, OverflowError, OSError):
        return None
