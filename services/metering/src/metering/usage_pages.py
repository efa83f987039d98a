"""What `GET /v1/usage` shows: the ledger's hours as they are, or gathered into UTC days, a page at a time.

A page costs one read of the rows that it shows. Where neither a dimension is named nor the range is open, the
dimensions are gone through one by one, so that what was used before and after the range is never read; each
costs one more.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from typing import NamedTuple, Protocol

from metering.hours import ONE, hour_of, start_of
from metering.ledger import LedgerRow
from metering.tags import Split, TagSet, divide, merged

HOURS_OF_A_DAY = 24

MOST_DIMENSIONS_A_PAGE = 10
"""So many are gone through for one page. What one page shows of a hundred dimensions without usage in the
range would cost two hundred reads."""


class By(StrEnum):
    HOUR = "hour"
    DAY = "day"


class BadRange(Exception):
    """A range that cannot be asked for.

    Args:
        end: `from` or `until`: which end is wrong.
        reason: why.
    """

    def __init__(self, end: str, reason: str) -> None:
        super().__init__(reason)
        self.end, self.reason = end, reason


class HourRange(NamedTuple):
    """Hours of use, the first and the last one included."""

    first: str
    last: str


EVER = HourRange("0001-01-01T00", "9999-12-31T23")


def hour_range(since: datetime | None, until: datetime | None) -> HourRange:
    """
    Args:
        since: the first hour's start; None where all are meant.
        until: the end of the last one.

    Raises:
        BadRange: an end is no whole hour, or not the later one.
    """
    for end, moment in (("from", since), ("until", until)):
        if moment and moment != start_of(hour_of(moment)):
            raise BadRange(end, "It is not a whole hour.")
    if until and until <= (since or start_of(EVER.first)):
        raise BadRange("until", "It is not the later one.")
    return HourRange(hour_of(since) if since else EVER.first, hour_of(until - ONE) if until else EVER.last)


@dataclass(frozen=True)
class Question:
    """Whose usage is asked for, and how it is to be shown.

    Attributes:
        holder: whose.
        dimension: of which alone; None where all are meant.
        hours: of which alone.
        by: what an item is.
        tags: whether each item divides by tags.
    """

    holder: str
    dimension: str | None = None
    hours: HourRange = EVER
    by: By = By.HOUR
    tags: bool = False


class Place(NamedTuple):
    """Of the last row that a page shows; the next page begins after it."""

    dimension: str
    hour: str


class WrongPlace(Exception):
    """No page of this question ends there."""


@dataclass(frozen=True)
class Used:
    """An item: what was used of one dimension in an hour or a day; in micro-units.

    Attributes:
        hour: the hour, or the day's first one.
        day: the day, where it is one.
        metered: before corrections.
        by_tags: how it divides, less corrections; None where nobody asked.
    """

    holder: str
    dimension: str
    hour: str
    day: str | None
    metered: int
    corrections: int
    conflicts: int
    by_tags: Split | None


class Rows(Protocol):
    """The ledger, as far as a page reads it."""

    def stretch(
        self,
        holder: str,
        dimension: str | None,
        hours: HourRange,
        after: Place | None,
        most: int,
        tags: bool,
    ) -> tuple[list[LedgerRow], bool]:
        """At most so many rows after a place, by dimension and hour, and whether there may be more. Some at
        the least, where there are any."""

    def next_dimension(self, holder: str, after: str | None) -> str | None:
        """The first dimension with rows, or the first one after another; None where there is none."""


def page(rows: Rows, question: Question, limit: int, after: Place | None) -> tuple[list[Used], Place | None]:
    """One page, and where the next one begins; None at the end.

    Args:
        rows: the ledger.
        question: what is asked for.
        limit: the most items.
        after: where the page before ended.

    Raises:
        WrongPlace: see there.
    """
    if after and not _may_end_at(question, after):
        raise WrongPlace
    if question.dimension or question.hours == EVER:
        return _of_a_stretch(rows, question, question.dimension, limit, after)
    found: list[Used] = []
    for number, dimension in enumerate(_dimensions(rows, question.holder, after), start=1):
        of_it, after = _of_a_stretch(rows, question, dimension, limit - len(found), after)
        found += of_it
        if after:
            return found, after
        if len(found) == limit or number == MOST_DIMENSIONS_A_PAGE:
            return found, Place(dimension, question.hours.last)
    return found, None


def _may_end_at(question: Question, place: Place) -> bool:
    first, last = question.hours
    return question.dimension in (None, place.dimension) and first <= place.hour <= last


def _dimensions(rows: Rows, holder: str, after: Place | None) -> Iterator[str]:
    dimension = after.dimension if after else rows.next_dimension(holder, None)
    while dimension is not None:
        yield dimension
        dimension = rows.next_dimension(holder, dimension)


def _of_a_stretch(
    rows: Rows, question: Question, dimension: str | None, limit: int, after: Place | None
) -> tuple[list[Used], Place | None]:
    """Of one dimension, or of all where the range is open."""
    most = limit * (HOURS_OF_A_DAY if question.by is By.DAY else 1)
    read: list[LedgerRow] = []
    more = True
    whole: list[list[LedgerRow]] = []
    # Rows full of tags come few at a time: then a day is read by several reads.
    while more and not whole:
        part, more = rows.stretch(question.holder, dimension, question.hours, after, most, question.tags)
        read += part
        whole = _groups(read, question.by)
        if more:
            after = Place(read[-1].dimension, read[-1].hour)
            if not _is_last_of_its_group(read[-1], question.by):
                whole.pop()
    items = [_used(group, question) for group in whole[:limit]]
    if more or len(whole) > limit:
        end = whole[:limit][-1][-1]
        return items, Place(end.dimension, end.hour)
    return items, None


def _groups(rows: Sequence[LedgerRow], by: By) -> list[list[LedgerRow]]:
    """The rows of each item."""
    return [list(group) for _, group in groupby(rows, lambda row: (row.dimension, _start(row.hour, by)))]


def _start(hour: str, by: By) -> str:
    """The first hour of the item that an hour belongs to."""
    return f"{day_of(hour)}T00" if by is By.DAY else hour


def day_of(hour: str) -> str:
    return hour.partition("T")[0]


def _is_last_of_its_group(row: LedgerRow, by: By) -> bool:
    return by is By.HOUR or row.hour.endswith("T23")


def _used(rows: Sequence[LedgerRow], question: Question) -> Used:
    first = rows[0]
    return Used(
        holder=first.holder,
        dimension=first.dimension,
        hour=_start(first.hour, question.by),
        day=day_of(first.hour) if question.by is By.DAY else None,
        metered=sum(row.metered for row in rows),
        corrections=sum(row.corrections for row in rows),
        conflicts=sum(row.conflicts for row in rows),
        by_tags=_by_tags(rows) if question.tags else None,
    )


def _by_tags(rows: Iterable[LedgerRow]) -> dict[TagSet, int]:
    """Hour by hour, and then what of the corrections an hour has too many comes off the others'."""
    net = [(row.metered - row.corrections, row.metered_tags) for row in rows]
    hour_by_hour = merged(divide(quantity, tags, {}) for quantity, tags in net)
    return divide(sum(quantity for quantity, _ in net), hour_by_hour, {})
