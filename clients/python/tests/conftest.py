"""A metering service that does as it is told, and reporters that wait for nothing."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_metering import FakeMetering

from marketplane import MarketplaneError, UsageReporter
from marketplane.retry import Backoff

KEY = "mpk_aaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"


@pytest.fixture
def metering() -> Iterator[FakeMetering]:
    fake = FakeMetering()
    yield fake
    fake.close()


@pytest.fixture
def pauses() -> list[float]:
    """The seconds that were waited between tries, if anybody had waited."""
    return []


@pytest.fixture
def reporter(metering: FakeMetering, pauses: list[float]) -> Iterator[Callable[..., UsageReporter]]:
    """Makes reporters; each is closed after the test."""
    made: list[UsageReporter] = []

    def make(**settings: Any) -> UsageReporter:
        usual: dict[str, Any] = {
            "api_key": KEY,
            "source": "test",
            "flush_interval": 3600,  # only `flush` sends, unless the test says something else
            "backoff": Backoff(draw=lambda most: most),
            "pause": pauses.append,
        }
        made.append(UsageReporter(metering.url, **usual | settings))
        return made[-1]

    yield make
    for one in made:
        with contextlib.suppress(MarketplaneError):
            one.close(0)


@pytest.fixture
def program() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts Python programs of their own processes; none is left running."""
    started: list[subprocess.Popen[str]] = []

    def start(text: str, *words: str | Path, **settings: Any) -> subprocess.Popen[str]:
        # From 3.12 on Python warns of forks in processes with threads, which is what is tried out here.
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-c", text, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **settings,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
