"""What AWS says that it has counted, as its own files tell it, and what such a word is worth."""

import gzip
import io
import json
import zlib
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from fractions import Fraction
from typing import Any, NamedTuple, TypeGuard

from metering.outcomes import Failure, Verdict
from metering.quantities import MICRO
from metering.subscription_ids import of_customer, of_license

MOST_UNPACKED = 32 * 1024 * 1024
"""Bytes of a file once it is unpacked: a thousand calls of 25 records."""


LONGEST_NAME = 255
"""Of all that BatchMeterUsage takes or gives (botocore 1.44.5)."""


class NotEvidence(ValueError):
    """A file as a whole is none of the forms that AWS gives; the words say what is missing."""


class TooLong(Exception):
    """A packed file that is longer than MOST_UNPACKED."""


class Source(StrEnum):
    """Which of AWS's files it is."""

    CLOUDTRAIL = "cloudtrail"
    USAGE_REPORT = "usage_report"


class Meaning(StrEnum):
    """What a word of AWS's says about one sending of a record."""

    COUNTED = "counted"
    NOT_COUNTED = "not_counted"
    PERHAPS = "perhaps"


SUCCESS, UNPROCESSED, NO_ANSWER = "Success", "Unprocessed", "no answer"
_NOT_COUNTED = frozenset({"CustomerNotSubscribed", UNPROCESSED})
_PERHAPS = frozenset({"DuplicateRecord", NO_ANSWER})


def meaning_of(answer: str) -> Meaning:
    """What an answer says: a status of a record, or the name of the error that the whole call ended in."""
    if answer == SUCCESS:
        return Meaning.COUNTED
    if answer in _NOT_COUNTED:
        return Meaning.NOT_COUNTED
    if answer in _PERHAPS or Failure(answer, None, "").verdict is Verdict.TRY_AGAIN_IN_DOUBT:
        return Meaning.PERHAPS
    return Meaning.NOT_COUNTED


class Party(NamedTuple):
    """Under which identity AWS was told, in AWS's words; empty what was not given."""

    license_arn: str = ""
    product_code: str = ""
    customer_identifier: str = ""
    customer_aws_account_id: str = ""

    @property
    def subscription_id(self) -> str | None:
        """Ours; None where the identity is none that we bill under."""
        if self.license_arn:
            return of_license(self.license_arn)
        if self.product_code and self.customer_identifier:
            return of_customer(self.product_code, self.customer_identifier)
        return None

    @property
    def name(self) -> str:
        if self.license_arn:
            return self.license_arn
        return f"{self.product_code}/{self.customer_identifier or self.customer_aws_account_id}"


@dataclass(frozen=True)
class Told:
    """What AWS answered about one record of one call.

    Args:
        at: when the call was made, by AWS's clock.
        quantity: micro-units.
        answer: AWS's word: a status, `Unprocessed`, an error's name, or `no answer` where the file has none.
    """

    event_id: str
    at: datetime
    region: str
    party: Party
    dimension: str
    hour: str
    quantity: int
    answer: str
    aws_metering_record_id: str | None = None


@dataclass(frozen=True)
class Unreadable:
    """A part of a file that says nothing to us: where, why, and of what time if that can be read."""

    place: str
    reason: str
    at: datetime | None = None


@dataclass
class Calls:
    """A CloudTrail file: each call once, however often it is in there.

    Args:
        calls: how many calls of BatchMeterUsage it has.
        passed_over: other events, and calls that came again.
    """

    told: list[Told] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    calls: int = 0
    passed_over: int = 0


def unpacked(body: bytes) -> bytes:
    """A file as it is, or out of its gzip, in which CloudTrail delivers.

    Raises:
        NotEvidence, TooLong: see there.
    """
    if not body.startswith(b"\x1f\x8b"):
        return body
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as packed:
            found = packed.read(MOST_UNPACKED + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise NotEvidence(f"It begins as gzip and cannot be unpacked: {error}.") from None
    if len(found) > MOST_UNPACKED:
        raise TooLong
    return found


def text_of(body: bytes) -> str:
    """
    Raises:
        NotEvidence: it is not UTF-8.
    """
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotEvidence("It is not text in UTF-8.") from None


def read_json(text: str) -> Any:
    """JSON with its numbers as they are written: no quantity is ever a float.

    Raises:
        ValueError: it is none.
    """
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number")


def is_name(value: object) -> TypeGuard[str]:
    """Whether it is text such as AWS gives for a name or an id: of some length, and fit to be shown and
    kept."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable()


def exact_micro(value: object) -> int:
    """Micro-units of a quantity as AWS writes it: decimal text, or a number of JSON that is read exactly.

    Raises:
        ValueError: it is no such quantity.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("it is no quantity")
    try:
        exact = Decimal(value)
    except InvalidOperation:
        raise ValueError("it is no quantity") from None
    # Before Fraction, which would write 1E+999999 out.
    if not exact.is_finite() or (exact and not -7 < exact.adjusted() < 10):
        raise ValueError("it is no quantity of AWS's")
    micro = Fraction(exact) * MICRO
    if micro.denominator != 1 or micro < 0:
        raise ValueError("it is below zero, or has more than six digits after the point")
    return int(micro)
