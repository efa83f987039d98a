"""A usage event: checked once, written once, and from then on the same bytes however often it is sent.

Only what the contract (openapi/metering.yaml, UsageEvent) says of every event is checked here; whether a
dimension or a subscription exists is the service's to know.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from marketplane.errors import InvalidEvent

MOST_DIGITS, MOST_DECIMALS = 10, 6
MOST_TAGS = 5
LONGEST_NAME = 128  # of a source and an id
# Well above the largest event of the contract, so that a buffer of so many events is one of so many bytes.
MOST_BYTES = 16_384

_PLAIN = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?", re.ASCII)
_encode = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode
_HOLDERS = ({"subscription_id"}, {"license_arn"}, {"customer_id", "product_code"})


@dataclass(frozen=True)
class UsageEvent:
    """
    Attributes:
        source: which system reports.
        id: unique within the source; with it and the time the service knows the event again.
        body: the event as JSON, as it is sent each time.
    """

    source: str
    id: str
    body: bytes

    @property
    def members(self) -> dict[str, Any]:
        """All that the event says, by the names of the contract."""
        found: dict[str, Any] = json.loads(self.body)
        return found


def usage_event(content: Mapping[str, Any], id: str | None = None) -> UsageEvent:
    """Make an event of its content; with a random id where none is given.

    Raises:
        InvalidEvent: the id is none, or the event is too large.
    """
    event_id = str(uuid.uuid4()) if id is None else _text("id", id, LONGEST_NAME)
    body = encoded({**content, "id": event_id})
    if len(body) > MOST_BYTES:
        raise InvalidEvent(f"An event has at most {MOST_BYTES} bytes.")
    return UsageEvent(content["source"], event_id, body)


def content_of(
    *,
    source: str,
    dimension: str,
    quantity: Decimal | int | str,
    time: datetime,
    subscription_id: str | None = None,
    license_arn: str | None = None,
    customer_id: str | None = None,
    product_code: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """All that an event says but its id, checked, and written in the one way that there is for it.

    Raises:
        InvalidEvent: it could never be accepted, or not exactly.
    """
    named = {
        "subscription_id": subscription_id,
        "license_arn": license_arn,
        "customer_id": customer_id,
        "product_code": product_code,
    }
    holder = {name: _text(name, value) for name, value in named.items() if value is not None}
    if set(holder) not in _HOLDERS:
        raise InvalidEvent(
            "An event names whose usage it is: by subscription_id, by license_arn, or by customer_id and"
            " product_code; and by one of these only."
        )
    content: dict[str, Any] = {
        "source": _text("source", source, LONGEST_NAME),
        **holder,
        "dimension": _text("dimension", dimension),
        "quantity": exact(quantity),
        "time": moment(time),
    }
    if tags:
        content["tags"] = _tags(tags)
    return content


def event_of(body: bytes) -> UsageEvent:
    """Read back what `UsageEvent.body` was.

    Raises:
        ValueError: it is none.
    """
    members = json.loads(body)
    if not isinstance(members, dict):
        raise ValueError("An event is a JSON object.")
    source, event_id = members.get("source"), members.get("id")
    if (
        not isinstance(source, str)
        or not isinstance(event_id, str)
        or not {"quantity", "time"} <= set(members)
    ):
        raise ValueError("An event has a source, an id, a quantity and a time.")
    return UsageEvent(source, event_id, body)


def exact(quantity: Decimal | int | str) -> str:
    """A quantity as the service takes it: the shortest exact decimal.

    Raises:
        InvalidEvent: a float, which holds no exact decimal; or finer or larger than the service takes.
    """
    match quantity:
        case bool() | float():
            raise InvalidEvent(
                f"A quantity is exact: give a Decimal, an int or text, not a {type(quantity).__name__}."
                " (Decimal(str(x)) says that the digits that are shown are meant.)"
            )
        case str():
            if not _PLAIN.fullmatch(quantity) or len(quantity) > LONGEST_NAME:
                raise InvalidEvent("A quantity as text is a plain decimal, such as 0.25.")
            number = Decimal(quantity)
        case int():
            if abs(quantity) >= 10**MOST_DIGITS:
                raise InvalidEvent(f"A quantity has at most {MOST_DIGITS} digits before the point.")
            number = Decimal(quantity)
        case Decimal():
            number = quantity
        case _:
            raise InvalidEvent(f"A quantity is a Decimal, an int or text, not a {type(quantity).__name__}.")
    if not number.is_finite():
        raise InvalidEvent("A quantity is a finite number.")
    if not number:
        return "0"
    # Before it is written out: 1E+999999 is a short Decimal and a long text.
    if not -MOST_DECIMALS <= number.adjusted() < MOST_DIGITS:
        raise InvalidEvent(
            f"A quantity has at most {MOST_DIGITS} digits before the point and {MOST_DECIMALS} after it."
        )
    whole, _, decimals = format(number, "f").partition(".")  # exact: no precision is named
    decimals = decimals.rstrip("0")
    if len(decimals) > MOST_DECIMALS:
        raise InvalidEvent(f"A quantity has at most {MOST_DECIMALS} digits after the point; none is rounded.")
    return f"{whole}.{decimals}" if decimals else whole


def moment(time: datetime) -> str:
    """A time as the service takes it, in UTC.

    Raises:
        InvalidEvent: it has no zone, so which hour it means would be a guess.
    """
    if not isinstance(time, datetime):
        raise InvalidEvent("A time is a datetime with a zone.")
    if time.tzinfo is None or time.utcoffset() is None:
        raise InvalidEvent("A time has a zone, such as datetime.now(UTC); this one has none.")
    try:
        return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    except OverflowError:
        raise InvalidEvent("A time lies within the years 1 to 9999 in UTC.") from None


def _text(name: str, value: object, longest: int | None = None) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidEvent(f"{name} is text, and not empty.")
    if longest is not None and len(value) > longest:
        raise InvalidEvent(f"{name} has at most {longest} characters.")
    return value


def _tags(tags: Mapping[str, str]) -> dict[str, str]:
    if len(tags) > MOST_TAGS:
        raise InvalidEvent(f"An event has at most {MOST_TAGS} tags.")
    return {_text("A tag's key", key): _text("A tag's value", tags[key]) for key in sorted(tags)}


def encoded(members: Mapping[str, Any]) -> bytes:
    """The same members are the same bytes."""
    return _encode(members).encode()
