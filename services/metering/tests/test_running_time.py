"""Running time, exact to the second: whole hours are 1, and the parts of a life sum up to the whole."""

import itertools
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.hours import end_of, hour_of
from metering.quantities import MICRO, to_text
from metering.running_time import SECOND, event_of_part, full_second, used_until

BEGIN = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
SECONDS = st.integers(0, 100_000)


def quantity(created_at: datetime, since: datetime, until: datetime) -> int:
    return event_of_part("end_a", "sub_a", "gpu_hours", created_at, since, until).quantity


def parts(created_at: datetime, cuts: list[datetime], until: datetime) -> list[tuple[datetime, datetime]]:
    """A life in parts: at each hour border, and at the cuts."""
    borders = []
    moment = end_of(hour_of(created_at))
    while moment < until:
        borders.append(moment)
        moment += timedelta(hours=1)
    ends = sorted({created_at, until, *borders, *(cut for cut in cuts if created_at < cut < until)})
    return list(itertools.pairwise(ends))


@given(SECONDS, SECONDS)
def test_what_was_used_is_the_seconds_in_hours_cut_off_after_six_decimals(start: int, lived: int) -> None:
    created_at = BEGIN + start * SECOND
    used = used_until(created_at + lived * SECOND, created_at)
    assert 0 <= Fraction(lived, 3600) - Fraction(used, MICRO) < Fraction(1, MICRO)


@given(SECONDS, SECONDS, st.lists(SECONDS, max_size=5))
def test_the_parts_of_a_life_sum_up_to_the_whole(start: int, lived: int, cuts: list[int]) -> None:
    created_at = BEGIN + start * SECOND
    until = created_at + lived * SECOND
    metered = [
        quantity(created_at, *part)
        for part in parts(created_at, [created_at + cut * SECOND for cut in cuts], until)
    ]
    assert sum(metered) == lived * MICRO // 3600
    assert all(one > 0 for one in metered)


@given(SECONDS, st.integers(1, 40))
def test_a_full_hour_is_exactly_one_wherever_the_life_began(start: int, hours: int) -> None:
    created_at = BEGIN + start * SECOND
    first = end_of(hour_of(created_at)) + timedelta(hours=hours)
    assert quantity(created_at, first, first + timedelta(hours=1)) == MICRO


@pytest.mark.parametrize(
    ("seconds", "text"), [(1, "0.000277"), (2, "0.000555"), (36, "0.01"), (1800, "0.5"), (3599, "0.999722")]
)
def test_some_parts(seconds: int, text: str) -> None:
    assert to_text(quantity(BEGIN, BEGIN, BEGIN + seconds * SECOND)) == text


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_moment_is_the_second_that_it_lies_in(moment: datetime) -> None:
    assert timedelta() <= moment - full_second(moment) < SECOND
    assert full_second(full_second(moment)) == full_second(moment)


def test_an_event_lies_in_its_hour_and_is_named_by_it() -> None:
    created_at = BEGIN + 90 * SECOND
    first = event_of_part("end_a", "sub_a", "gpu_hours", created_at, created_at, end_of("2026-11-22T10"))
    assert (first.source, first.id) == ("marketplane/endpoints", "endpoint/end_a/2026-11-22T10")
    assert (first.holder, first.dimension, first.time, first.tags) == (
        "sub_a",
        "gpu_hours",
        created_at,
        (),
    )
    second = end_of("2026-11-22T10")
    event = event_of_part("end_a", "sub_a", "gpu_hours", created_at, second, second + 5 * SECOND)
    assert (event.id, event.hour) == ("endpoint/end_a/2026-11-22T11", "2026-11-22T11")


def test_a_part_after_a_move_within_the_hour_names_its_subscription() -> None:
    moved_at = BEGIN + 600 * SECOND
    event = event_of_part("end_a", "sub_b", "gpu_hours", BEGIN, moved_at, end_of("2026-11-22T10"))
    assert event.id == "endpoint/end_a/2026-11-22T10/sub_b"
