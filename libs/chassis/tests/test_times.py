"""Times as text: one width, so that text order is time order; only RFC 3339 comes in."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.times import parse_rfc3339, rfc3339

# Naive bounds are how hypothesis wants them; far enough from both ends for any offset.
bounds = {
    "min_value": datetime(1, 1, 3),  # noqa: DTZ001
    "max_value": datetime(9999, 12, 29),  # noqa: DTZ001
}
zones = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(**bounds, timezones=zones)


@given(moments)
def test_what_is_written_is_read_back(moment: datetime) -> None:
    assert parse_rfc3339(rfc3339(moment)) == moment
    assert parse_rfc3339(rfc3339(moment)).utcoffset() == timedelta(0)


@given(moments, moments)
def test_text_order_is_time_order(one: datetime, other: datetime) -> None:
    assert (rfc3339(one) < rfc3339(other)) == (one < other)
    assert len(rfc3339(one)) == len("2026-11-22T10:00:00.000000Z")


def test_a_time_without_a_zone_is_not_written() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        rfc3339(datetime(2026, 11, 22, 10))  # noqa: DTZ001  (the mistake under test)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00.000000Z"),
        ("2026-11-22t10:00:00.5z", "2026-11-22T10:00:00.500000Z"),
        ("2026-11-22T10:00:00.123456789Z", "2026-11-22T10:00:00.123456Z"),
        ("2026-11-22T01:30:00-08:30", "2026-11-22T10:00:00.000000Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z"),
        ("2016-12-31T23:59:60.9Z", "2017-01-01T00:00:00.000000Z"),
    ],
)
def test_every_form_of_rfc_3339_is_read(text: str, means: str) -> None:
    assert rfc3339(parse_rfc3339(text)) == means


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-11-22",
        "2026-11-22T10:00:00",
        "2026-11-22 10:00:00Z",
        "20261122T100000Z",
        "2026-W47-7T10:00:00Z",
        "2026-11-22T10:00Z",
        "2026-11-22T10:00:00,5Z",
        "2026-11-22T10:00:00+00:00:30",
        "2026-11-22T24:00:01Z",
        "2026-02-30T10:00:00Z",
        "2026-11-22T10:00:00Z\n",
        "٢٠٢٦-11-22T10:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:60Z",
        "9999-12-31T23:59:59-01:00",
    ],
)
def test_nothing_else_is_read(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (each reader's words differ; the kind is what callers catch)
        parse_rfc3339(text)
