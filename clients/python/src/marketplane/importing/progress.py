"""How far it is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TextIO

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 10.0


class Progress(Protocol):
    def advance(self, rows: int) -> None: ...

    def close(self) -> None: ...


class Bar:
    """
    Args:
        total: how many rows there are, about.
        done: how many an earlier run has done.
        stream: a terminal.
    """

    def __init__(self, total: int, done: int, stream: TextIO) -> None:
        self._bar = tqdm(total=total, initial=done, unit=" rows", unit_scale=True, file=stream)

    def advance(self, rows: int) -> None:
        self._bar.update(rows)

    def close(self) -> None:
        self._bar.close()


class Lines:
    """The same for a log.

    Args:
        monotonic: seconds of a clock that never goes back.
    """

    def __init__(self, total: int, done: int, stream: TextIO, monotonic: Callable[[], float]) -> None:
        self._total = total
        self._before = self._done = done
        self._stream = stream
        self._monotonic = monotonic
        self._started = self._said = monotonic()

    def advance(self, rows: int) -> None:
        self._done += rows
        now = self._monotonic()
        if now - self._said >= SECONDS_BETWEEN_LINES:
            self._said = now
            rate = (self._done - self._before) / (now - self._started)
            left = max(self._total - self._done, 0) / rate if rate else 0.0
            print(
                f"{self._done:,} of about {self._total:,} rows, {rate:,.0f} rows/s, {left:,.0f} s left",
                file=self._stream,
                flush=True,
            )

    def close(self) -> None:
        pass


def progress(total: int, done: int, stream: TextIO, monotonic: Callable[[], float]) -> Progress:
    return Bar(total, done, stream) if stream.isatty() else Lines(total, done, stream, monotonic)
