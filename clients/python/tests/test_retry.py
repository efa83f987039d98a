"""How long to wait."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from marketplane.retry import LONGEST_RETRY_AFTER, Backoff, retry_after

NOW = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)


def test_the_bound_doubles_up_to_the_cap() -> None:
    most = Backoff(base=0.5, cap=30.0, draw=lambda bound: bound)
    assert [most.pause(failures) for failures in (1, 2, 3, 7, 8, 5000)] == [0.5, 1.0, 2.0, 30.0, 30.0, 30.0]


def test_jitter_is_full() -> None:
    assert Backoff(draw=lambda bound: 0.0).pause(9) == 0.0
    drawn = [Backoff(base=8.0, cap=8.0).pause(1) for _ in range(200)]
    assert all(0 <= one <= 8 for one in drawn)
    assert min(drawn) < 4 < max(drawn)


def test_what_the_server_asked_for_is_waited_at_least() -> None:
    assert Backoff(draw=lambda bound: 0.0).pause(1, asked=17.0) == 17.0
    # Those who were asked for the same do not come back at the same moment.
    assert Backoff(base=0.5, draw=lambda bound: bound).pause(9, asked=17.0) == 17.5


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        (" 120 ", 120.0),
        ("99999999999999", LONGEST_RETRY_AFTER),
        ("Sun, 22 Nov 2026 10:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 09:59:00 GMT", 0.0),
        ("Sun, 22 Nov 2027 10:00:00 GMT", LONGEST_RETRY_AFTER),
        ("Sun, 22 Nov 2026 10:00:30 -0000", 30.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds
