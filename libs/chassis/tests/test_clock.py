"""One clock for all; none of them ever guesses."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from chassis.clock import FrozenClock, SimulatorClock, SystemClock, clock_for
from chassis.settings import ChassisSettings


def test_the_simulators_time_is_asked_anew_each_time(serve: Callable[[], Any]) -> None:
    simulator = serve()
    clock = SimulatorClock(f"{simulator.url}/_simulator/clock")
    simulator.answer = (200, b'{"now": "2026-11-22T10:00:00Z", "speed": 1}')
    assert clock.now() == datetime(2026, 11, 22, 10, tzinfo=UTC)
    simulator.answer = (200, b'{"now": "2026-11-22T13:00:00+01:00"}')
    assert clock.now() == datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert simulator.asked == ["/_simulator/clock"] * 2


def test_it_refuses_to_guess_while_the_simulator_is_away_or_ill(serve: Callable[[], Any]) -> None:
    with pytest.raises(httpx.ConnectError):
        SimulatorClock("http://127.0.0.1:9/clock").now()
    simulator = serve()
    clock = SimulatorClock(simulator.url)
    for answer, error in [
        ((503, b"{}"), httpx.HTTPStatusError),
        ((200, b"{}"), KeyError),
        ((200, b"<html>"), ValueError),
        ((200, b'{"now": "2026-11-22T10:00:00"}'), ValueError),
    ]:
        simulator.answer = answer
        with pytest.raises(error):
            clock.now()


def test_the_settings_choose_the_clock() -> None:
    assert isinstance(clock_for(ChassisSettings(environment="local")), SystemClock)
    assert isinstance(
        clock_for(ChassisSettings(environment="local", clock_url="http://127.0.0.1:9")), SimulatorClock
    )


def test_the_systems_clock_is_aware_and_in_utc() -> None:
    before = datetime.now(UTC)
    assert before <= SystemClock().now() <= datetime.now(UTC)
    assert SystemClock().now().utcoffset() == timedelta(0)


def test_a_frozen_clock_moves_only_when_told(frozen_clock: FrozenClock) -> None:
    start = frozen_clock.now()
    assert frozen_clock.now() == start
    assert frozen_clock.advance(hours=1, seconds=5) == start + timedelta(hours=1, seconds=5)
    assert frozen_clock.now() == start + timedelta(hours=1, seconds=5)
