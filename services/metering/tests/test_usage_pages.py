"""What a page of usage shows: every hour once, whole days, exact sums; and what it costs to read."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from house import House, at
from hypothesis import given
from hypothesis import strategies as st

from metering.hour_fold import HourUsage
from metering.ledger import LedgerRow
from metering.tags import UNTAGGED, total
from metering.usage_pages import (
    EVER,
    MOST_DIMENSIONS_A_PAGE,
    BadRange,
    By,
    HourRange,
    Place,
    Question,
    Rows,
    Used,
    WrongPlace,
    hour_range,
    page,
)

SUB = "sub_" + "a" * 26
A, B = (("team", "a"),), (("team", "b"),)
# Each begins as another does; `-` and `.` sort before `_` and letters.
DIMENSIONS = ["gpu", "gpu-x", "gpu.x", "gpu_hours", "gpux", "GPU"]


class ShelfRows:
    """The ledger's rows in their order, and how often they were read.

    Args:
        room: so many rows fill what DynamoDB answers at once.
    """

    def __init__(self, rows: Iterable[LedgerRow], room: int = 10_000) -> None:
        self.rows = sorted(rows, key=lambda row: f"{row.dimension}#{row.hour}")
        self.room = room
        self.reads: list[int] = []

    def stretch(
        self,
        holder: str,
        dimension: str | None,
        hours: HourRange,
        after: Place | None,
        most: int,
        tags: bool,
    ) -> tuple[list[LedgerRow], bool]:
        assert dimension or hours == EVER, "no key condition can say that"
        found = [
            row
            for row in self.rows
            if row.holder == holder
            and dimension in (None, row.dimension)
            and hours.first <= row.hour <= hours.last
            and (after is None or f"{row.dimension}#{row.hour}" > f"{after.dimension}#{after.hour}")
        ]
        shown = found[: min(most, self.room)]
        self.reads.append(len(shown))
        # DynamoDB stops where it has so many, and does not look whether that was all.
        return shown, len(shown) < len(found) or len(shown) == most

    def next_dimension(self, holder: str, after: str | None) -> str | None:
        self.reads.append(1)
        return min(
            (row.dimension for row in self.rows if after is None or row.dimension > after), default=None
        )


def row(hour: str, metered: int = 1, dimension: str = "gpu", **more: Any) -> LedgerRow:
    """`22T10` is an hour of November 2026."""
    return LedgerRow(SUB, dimension, f"2026-11-{hour}", metered, **more)


def pages(rows: Rows, question: Question, limit: int) -> list[list[Used]]:
    found: list[list[Used]] = []
    after: Place | None = None
    while True:
        items, after = page(rows, question, limit, after)
        found.append(items)
        if after is None:
            return found


def shown(rows: Iterable[LedgerRow], **question: Any) -> list[Used]:
    (only,) = pages(ShelfRows(rows), Question(SUB, **question), 100)
    return only


# Pages ------------------------------------------------------------------------------------------------------

HOURS = st.integers(0, 96).map(lambda number: at("20T00:00") + timedelta(hours=number))
ROWS = st.dictionaries(
    st.tuples(st.sampled_from(DIMENSIONS), HOURS), st.integers(0, 10**12), max_size=60
).map(
    lambda found: [
        LedgerRow(SUB, dimension, f"{hour:%Y-%m-%dT%H}", metered)
        for (dimension, hour), metered in found.items()
    ]
)


@given(
    rows=ROWS,
    dimension=st.none() | st.sampled_from(DIMENSIONS),
    since=st.none() | HOURS,
    until=st.none() | HOURS,
    by=st.sampled_from(By),
    limit=st.integers(1, 7),
    room=st.integers(1, 30),
)
def test_the_pages_are_the_whole(
    rows: list[LedgerRow],
    dimension: str | None,
    since: datetime | None,
    until: datetime | None,
    by: By,
    limit: int,
    room: int,
) -> None:
    if since and until and since >= until:
        since, until = until, since + timedelta(hours=1)
    wanted: dict[tuple[str, str], int] = {}
    for one in sorted(rows, key=lambda row: (row.dimension, row.hour)):
        moment = datetime.strptime(one.hour, "%Y-%m-%dT%H").replace(tzinfo=UTC)
        if (
            dimension in (None, one.dimension)
            and (not since or since <= moment)
            and (not until or moment < until)
        ):
            item = (one.dimension, one.hour if by is By.HOUR else one.hour[:10])
            wanted[item] = wanted.get(item, 0) + one.metered
    question = Question(SUB, dimension, hour_range(since, until), by)
    found = pages(ShelfRows(rows, room), question, limit)
    assert all(len(items) <= limit for items in found)
    items = [item for items in found for item in items]
    assert [(item.dimension, item.day or item.hour) for item in items] == list(wanted)
    assert [item.metered for item in items] == list(wanted.values())


def test_a_page_costs_one_read_of_what_it_shows() -> None:
    hours = [f"{day}T{hour:02d}" for day in range(10, 29) for hour in range(24)]
    rows = ShelfRows([row(hour, dimension=name) for hour in hours for name in ("gpu", "gpu_hours")])
    for question, limit, cost in (
        (Question(SUB), 50, 50),
        (Question(SUB, "gpu"), 50, 50),
        (Question(SUB, "gpu", hour_range(at("20T00:00"), None)), 50, 50),
        (Question(SUB, by=By.DAY), 7, 7 * 24),
        (Question(SUB, "gpu", by=By.DAY), 7, 7 * 24),
    ):
        rows.reads.clear()
        items, _ = page(rows, question, limit, None)
        assert (len(items), rows.reads) == (limit, [cost]), question


def test_nothing_is_read_of_what_lies_outside_of_a_range() -> None:
    hours = [f"{day}T{hour:02d}" for day in range(10, 29) for hour in range(24)]
    rows = ShelfRows([row(hour, dimension=name) for hour in hours for name in ("gpu", "gpu_hours")])
    question = Question(SUB, hours=hour_range(at("20T10:00"), at("20T13:00")))
    items, after = page(rows, question, 50, None)
    assert [(item.dimension, item.hour[8:]) for item in items] == [
        (name, hour) for name in ("gpu", "gpu_hours") for hour in ("20T10", "20T11", "20T12")
    ]
    # For each dimension one read to find it and one of its hours; and one to find that there are no others.
    assert (rows.reads, after) == ([1, 3, 1, 3, 1], None)


def test_a_page_of_several_dimensions_is_as_full_as_it_may_be() -> None:
    hours = [f"20T{hour:02d}" for hour in range(9, 14)]
    rows = ShelfRows([row(hour, dimension=name) for hour in hours for name in ("a", "b", "c")])
    question = Question(SUB, hours=hour_range(at("20T10:00"), at("20T13:00")))
    assert [len(items) for items in pages(rows, question, 4)] == [4, 4, 1]


def test_many_dimensions_without_usage_in_a_range_do_not_make_a_page_dear() -> None:
    rows = ShelfRows([row("10T00", dimension=f"dimension-{number:03d}") for number in range(35)])
    question = Question(SUB, hours=hour_range(at("20T00:00"), None))
    items, after = page(rows, question, 50, None)
    assert items == []
    assert after == Place(f"dimension-{MOST_DIMENSIONS_A_PAGE - 1:03d}", EVER.last)
    assert len(rows.reads) == 2 * MOST_DIMENSIONS_A_PAGE
    assert pages(rows, question, 50) == [[], [], [], []]


def test_rows_full_of_tags_come_few_at_a_time_and_a_day_is_whole_all_the_same() -> None:
    """DynamoDB answers 1 MB at the most, and such a row has up to 360 KB."""
    rows = ShelfRows([row(f"{day}T{hour:02d}") for day in (21, 22) for hour in range(24)], room=2)
    items, after = page(rows, Question(SUB, by=By.DAY), 50, None)
    assert [(item.day, item.metered) for item in items] == [("2026-11-21", 24)]
    assert after == Place("gpu", "2026-11-21T23")


def test_a_days_first_and_last_hour_may_be_missing() -> None:
    found = shown([row("21T05", 2), row("21T07", 3), row("22T00", 4)], by=By.DAY)
    assert [(item.day, item.hour, item.metered) for item in found] == [
        ("2026-11-21", "2026-11-21T00", 5),
        ("2026-11-22", "2026-11-22T00", 4),
    ]


@pytest.mark.parametrize(
    ("question", "place"),
    [
        (Question(SUB, "gpu"), Place("gpu_hours", "2026-11-22T10")),
        (Question(SUB, "gpu_hours"), Place("gpu", "2026-11-22T10")),
        (Question(SUB, hours=HourRange("2026-11-22T10", "2026-11-22T12")), Place("gpu", "2026-11-22T09")),
        (Question(SUB, hours=HourRange("2026-11-22T10", "2026-11-22T12")), Place("gpu", "2026-11-22T13")),
    ],
)
def test_a_place_of_another_question_is_refused(question: Question, place: Place) -> None:
    with pytest.raises(WrongPlace):
        page(ShelfRows([row("22T10")]), question, 10, place)


# Ranges -----------------------------------------------------------------------------------------------------


def test_the_end_of_a_range_is_outside_of_it() -> None:
    assert hour_range(at("22T10:00"), at("22T12:00")) == ("2026-11-22T10", "2026-11-22T11")
    assert hour_range(at("22T10:00"), None) == ("2026-11-22T10", EVER.last)
    assert hour_range(None, at("22T00:00")) == (EVER.first, "2026-11-21T23")
    assert hour_range(None, None) == EVER


def test_the_years_before_1000_sort_as_text() -> None:
    assert hour_range(datetime(33, 4, 3, tzinfo=UTC), None).first == "0033-04-03T00"


@pytest.mark.parametrize(
    ("since", "until", "end", "reason"),
    [
        (at("22T10:30"), None, "from", "It is not a whole hour."),
        (at("22T10:00") + timedelta(microseconds=1), at("22T12:00"), "from", "It is not a whole hour."),
        (at("22T10:00"), at("22T12:00:01"), "until", "It is not a whole hour."),
        (at("22T10:00"), at("22T10:00"), "until", "It is not the later one."),
        (at("22T10:00"), at("22T09:00"), "until", "It is not the later one."),
        (None, datetime(1, 1, 1, tzinfo=UTC), "until", "It is not the later one."),
    ],
)
def test_a_bad_range_names_its_end(
    since: datetime | None, until: datetime | None, end: str, reason: str
) -> None:
    with pytest.raises(BadRange) as caught:
        hour_range(since, until)
    assert (caught.value.end, caught.value.reason) == (end, reason)


# Tags and corrections ---------------------------------------------------------------------------------------


def by_tags(*rows: LedgerRow, by: By = By.DAY) -> list[Any]:
    return [item.by_tags for item in shown(rows, by=by, tags=True)]


def test_what_has_no_tags_stands_apart() -> None:
    assert by_tags(row("22T10", 10, metered_tags={A: 4, B: 3}), by=By.HOUR) == [{UNTAGGED: 3, A: 4, B: 3}]
    assert by_tags(row("22T10", 10), by=By.HOUR) == [{UNTAGGED: 10}]
    assert by_tags(row("22T10", 0), by=By.HOUR) == [{}]


def test_nobody_who_did_not_ask_is_told_of_tags() -> None:
    assert [item.by_tags for item in shown([row("22T10", 10, metered_tags={A: 4})])] == [None]


def test_corrections_are_shown_and_taken_off_the_tags() -> None:
    (item,) = shown([row("22T10", 10, corrections=4, metered_tags={A: 5})], tags=True)
    assert (item.metered, item.corrections, item.by_tags) == (10, 4, {UNTAGGED: 1, A: 5})
    (item,) = shown([row("22T10", 10, corrections=7, metered_tags={A: 5})], tags=True)
    assert (item.metered, item.corrections, item.by_tags) == (10, 7, {A: 3})


def test_a_days_tags_are_those_of_its_hours() -> None:
    """A correction comes off its own hour first, and only what is too much comes off another's."""
    ten = row("22T10", 10, corrections=4, metered_tags={A: 10})
    eleven = row("22T11", 5)
    assert by_tags(ten, eleven) == [{A: 6, UNTAGGED: 5}]
    assert by_tags(ten, eleven, row("22T12", 1, corrections=3)) == [{A: 6, UNTAGGED: 3}]
    assert by_tags(ten, eleven, row("22T12", 0, corrections=7)) == [{A: 4}]
    assert by_tags(ten, eleven, row("22T12", 0, corrections=99)) == [{}]


SPLITS = st.dictionaries(st.sampled_from([A, B, (("team", "c"), ("zone", "1"))]), st.integers(1, 50))


@given(
    st.lists(st.tuples(st.integers(0, 23), st.integers(0, 200), st.integers(0, 100), SPLITS), max_size=12),
    st.sampled_from(By),
)
def test_the_sum_of_tags_is_the_quantity_less_corrections(hours: list[Any], by: By) -> None:
    rows = {
        hour: row(f"22T{hour:02d}", metered, corrections=corrections, metered_tags=split)
        for hour, metered, corrections, split in hours
    }
    for item in shown(rows.values(), by=by, tags=True):
        assert item.by_tags is not None
        assert total(item.by_tags) == max(item.metered - item.corrections, 0)
        assert all(quantity > 0 for quantity in item.by_tags.values())


# The ledger itself ------------------------------------------------------------------------------------------


def test_the_ledger_reads_as_the_rule_expects(house: House) -> None:
    """Whatever is asked, the same comes from DynamoDB as from the shelf."""
    sub, other = house.buy(), house.buy()
    for number in range(50):
        hour = f"{at('20T00:00') + timedelta(hours=number):%Y-%m-%dT%H}"
        of_it = [name for every, name in enumerate(DIMENSIONS, start=1) if number % every == 0]
        usage = {
            (holder, dimension): HourUsage(number + 5, number % 3, number % 2, {A: 1 + number})
            for holder in (sub, other)
            for dimension in of_it
        }
        house.ledger.book_fold(hour, usage, 1)
    shelf = ShelfRows(house.ledger.rows(sub))
    ranges = (EVER, hour_range(at("20T07:00"), at("21T03:00")), hour_range(at("21T20:00"), None))
    for dimension, hours, by in product((None, *DIMENSIONS), ranges, By):
        question = Question(sub, dimension, hours, by, tags=True)
        expected = [item for items in pages(shelf, question, 9) for item in items]
        assert [item for items in pages(house.ledger, question, 9) for item in items] == expected
        assert expected, question
