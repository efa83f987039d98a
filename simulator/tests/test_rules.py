"""Rules on their own: no server, no database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from marketplace_simulator.aws_errors import AwsError
from marketplace_simulator.clock import Clock, ClockRefused, ClockState
from marketplace_simulator.hour_slots import Window, precedes
from marketplace_simulator.quantities import decimal_text, micro_from_decimal, micro_from_whole
from marketplace_simulator.settings import DESCRIPTIONS, Settings
from marketplace_simulator.switches import Switches
from marketplace_simulator.times import parse_rfc3339
from marketplace_simulator.tokens import Token, redeem

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "micro", "shortest"),
    [
        ("0", 0, "0"),
        ("17", 17_000_000, "17"),
        ("17.00", 17_000_000, "17"),
        ("0.000001", 1, "0.000001"),
        ("9999999999.999999", 9_999_999_999_999_999, "9999999999.999999"),
        ("100", 100_000_000, "100"),
    ],
)
def test_quantities_are_exact(text, micro, shortest):
    assert micro_from_decimal(text) == micro
    assert decimal_text(micro) == shortest
    assert micro_from_whole(17) == micro_from_decimal("17.000000")


def require_in_window(timestamp: datetime, now: datetime) -> None:
    Window(now, Switches()).require(timestamp)


@pytest.mark.parametrize(
    ("ago", "fits"),
    [
        (timedelta(0), True),
        (timedelta(hours=24) - timedelta(microseconds=1), True),
        (timedelta(hours=24), False),
        (-timedelta(microseconds=1), False),
    ],
)
def test_the_window_is_a_day_and_never_the_future(ago, fits):
    if fits:
        require_in_window(NOON - ago, NOON)
        return
    with pytest.raises(AwsError, match="TimestampOutOfBoundsException"):
        require_in_window(NOON - ago, NOON)


def test_a_year_ends_as_a_month_does():
    new_year = datetime(2027, 1, 1, 6, tzinfo=UTC)
    last_hour = datetime(2026, 12, 31, 23, tzinfo=UTC)
    require_in_window(last_hour, new_year - timedelta(microseconds=1))
    with pytest.raises(AwsError, match="closed at 06:00"):
        require_in_window(last_hour, new_year)
    require_in_window(datetime(2027, 1, 1, tzinfo=UTC), new_year)


def test_the_hour_that_holds_the_activation_counts():
    activation = NOON + timedelta(minutes=20)
    assert not precedes(NOON, activation)
    assert precedes(NOON - timedelta(microseconds=1), activation)
    assert precedes(NOON - timedelta(hours=1), NOON)


def test_a_token_lives_up_to_its_last_moment():
    token = Token("f", "agmt-1", NOON)
    assert redeem(token, NOON - timedelta(microseconds=1)) == "agmt-1"
    with pytest.raises(AwsError, match="ExpiredTokenException"):
        redeem(token, NOON)
    with pytest.raises(AwsError, match="InvalidTokenException: Registration token is invalid"):
        redeem(None, NOON)


def test_the_clock_runs_at_its_speed_and_never_goes_back():
    real = [NOON]
    clock = Clock(ClockState(NOON, NOON, 60.0), lambda: real[0])
    real[0] += timedelta(seconds=2)
    assert clock.now() == NOON + timedelta(minutes=2)
    real[0] -= timedelta(seconds=2)
    assert clock.now() == NOON + timedelta(minutes=2)
    with pytest.raises(ClockRefused, match="never goes back"):
        clock.set_now(NOON)
    clock.set_speed(0)
    real[0] += timedelta(hours=1)
    assert clock.now() == NOON + timedelta(minutes=2)
    clock.restart(NOON)
    assert clock.now() == NOON


def test_every_setting_is_described_here_and_in_the_readme():
    assert set(DESCRIPTIONS) == set(Settings.__dataclass_fields__)
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    for name, (variable, description) in DESCRIPTIONS.items():
        default = getattr(Settings(), name)
        shown = "" if default is None else f"`{default}`"
        assert " ".join(f"| `{variable}` | {shown} | {description} |".split()) in readme


@pytest.mark.parametrize("text", ["2026-11-22", "2026-11-22T12:00:00", "noon", ""])
def test_a_moment_needs_its_offset(text):
    with pytest.raises(ValueError, match=r"RFC 3339|Invalid isoformat"):
        parse_rfc3339(text)
