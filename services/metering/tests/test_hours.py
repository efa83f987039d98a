"""Hours, and which of them AWS still takes."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.hours import AwsWindow, after, end_of, hour_of, start_of

EXACT = AwsWindow(margin=timedelta(0))
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=1100)).map(
    lambda age: datetime(2026, 1, 1, tzinfo=UTC) + age
)


@given(MOMENTS)
def test_an_hour_holds_its_moments(moment: datetime) -> None:
    hour = hour_of(moment)
    assert start_of(hour) <= moment < end_of(hour)
    assert start_of(after(hour)) == end_of(hour)
    assert hour_of(start_of(hour)) == hour


def test_an_hour_is_utc_wherever_the_moment_was_written() -> None:
    in_india = datetime(2026, 11, 22, 15, 45, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert hour_of(in_india) == "2026-11-22T10"


def test_a_record_of_24_hours_is_too_old() -> None:
    ten = datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert EXACT.takes(ten, ten + timedelta(hours=23, minutes=59, seconds=59))
    assert not EXACT.takes(ten, ten + timedelta(hours=24))


def test_a_record_of_the_future_is_not_taken() -> None:
    ten = datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert EXACT.takes(ten, ten)
    assert not EXACT.takes(ten, ten - timedelta(microseconds=1))


@pytest.mark.parametrize(
    ("last_hour", "closes"),
    [
        (datetime(2026, 11, 30, 23, tzinfo=UTC), datetime(2026, 12, 1, 6, tzinfo=UTC)),
        (datetime(2026, 12, 31, 23, tzinfo=UTC), datetime(2027, 1, 1, 6, tzinfo=UTC)),
        (datetime(2028, 2, 29, 7, tzinfo=UTC), datetime(2028, 3, 1, 6, tzinfo=UTC)),
        # Six in the morning on the last day: both rules agree.
        (datetime(2026, 11, 30, 6, tzinfo=UTC), datetime(2026, 12, 1, 6, tzinfo=UTC)),
        (datetime(2026, 11, 30, 5, tzinfo=UTC), datetime(2026, 12, 1, 5, tzinfo=UTC)),
        (datetime(2026, 12, 1, 0, tzinfo=UTC), datetime(2026, 12, 2, 0, tzinfo=UTC)),
    ],
)
def test_last_months_usage_is_taken_until_six_on_the_first(last_hour: datetime, closes: datetime) -> None:
    assert EXACT.closes_at(last_hour) == closes
    assert EXACT.takes(last_hour, closes - timedelta(seconds=1))
    assert not EXACT.takes(last_hour, closes)


@given(MOMENTS, st.timedeltas(timedelta(0), timedelta(hours=2)))
def test_we_stop_a_margin_before_aws(moment: datetime, margin: timedelta) -> None:
    assert AwsWindow(margin=margin).closes_at(moment) == EXACT.closes_at(moment) - margin


@given(MOMENTS, st.timedeltas(timedelta(0), timedelta(hours=30)))
def test_what_we_take_aws_takes(moment: datetime, age: timedelta) -> None:
    now = moment + age
    if AwsWindow().takes(moment, now):
        assert age < timedelta(hours=24)
        month_began = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        assert moment >= month_began or now < month_began + timedelta(hours=6)
