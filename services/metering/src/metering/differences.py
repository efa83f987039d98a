"""What AWS and we say differently."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from metering.evidence import Unreadable
from metering.records import Decision, MeteringRecord, Outcome


class Kind(StrEnum):
    """How AWS and we differ. The contract says each in a sentence."""

    NOT_IN_OUR_BOOKS = "not_in_our_books"
    QUANTITY_DIFFERS = "quantity_differs"
    NOT_AT_AWS = "not_at_aws"
    OUTCOME_DIFFERS = "outcome_differs"
    BILLED_UNDER_TWO_IDENTITIES = "billed_under_two_identities"
    ANOTHER_REGION = "another_region"
    STILL_UNKNOWN = "still_unknown"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Side:
    """What one side has: a quantity (micro-units), and what it says of it in a word; AWS, by which call."""

    quantity: int | None
    says: str
    region: str | None = None
    aws_metering_record_id: str | None = None
    event_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing that AWS and we say differently.

    Args:
        sentence: for a person.
        settles: what the evidence decides about the record, where it is certain.
        hour, day: the one that it is about; of a usage report days are known only.
        place: in the file, where it cannot be read.
    """

    kind: Kind
    sentence: str
    settles: Decision | None = None
    metering_record_id: str | None = None
    subscription_id: str | None = None
    product_code: str | None = None
    dimension: str | None = None
    hour: str | None = None
    day: date | None = None
    ours: Side | None = None
    theirs: Side | None = None
    place: str | None = None


def unreadable_parts(parts: Iterable[Unreadable]) -> Iterator[Difference]:
    for part in parts:
        yield Difference(kind=Kind.UNREADABLE, sentence=part.reason, place=part.place)


def standing(record: MeteringRecord) -> str:
    """Its outcome in a word, and what was decided about it."""
    if record.resolution is None:
        return record.outcome.value
    return f"{record.outcome.value}, decided {record.resolution.decision.value}"


def stands_as_billed(record: MeteringRecord) -> bool:
    decided = record.resolution.decision if record.resolution else None
    return record.outcome is Outcome.BILLED or decided is Decision.BILLED
