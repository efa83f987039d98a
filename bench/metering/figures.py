"""Tables of what rounds gave: the middle one of each column counts."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import TypeVar

from measured import Window

T = TypeVar("T")

COLUMNS: dict[str, tuple[str, Callable[[Window], float]]] = {
    "events/s": ("10.0f", lambda window: window.events_per_second),
    "requests/s": ("12.0f", lambda window: window.requests_per_second),
    "p50 ms": ("9.1f", lambda window: window.percentile(0.50)),
    "p99 ms": ("9.1f", lambda window: window.percentile(0.99)),
    "server ms": ("11.2f", lambda window: window.ms_a_request("server")),
    "engine ms": ("11.2f", lambda window: window.ms_a_request("engine")),
    "load ms": ("9.2f", lambda window: window.ms_a_request("load")),
    "load cores": ("12.2f", lambda window: window.cpu["load"] / window.seconds),
}
"""The last four are processor time: of a request, and of the load all in all."""
_WIDTH_OF_NAMES = 34


def middle(windows: Sequence[Window], of: Callable[[Window], float]) -> float:
    return statistics.median(of(window) for window in windows)


def heading() -> str:
    return " " * _WIDTH_OF_NAMES + "".join(f"{name:>{_width(how)}}" for name, (how, _) in COLUMNS.items())


def line(name: str, windows: Sequence[Window]) -> str:
    figures = "".join(
        f"{middle(windows, of):>{how}}" if _is_known(windows, column) else f"{'':>{_width(how)}}"
        for column, (how, of) in COLUMNS.items()
    )
    return f"{name:<{_WIDTH_OF_NAMES}}{figures}"


def verdict(what: str, found: float, goal: float, *, at_least: bool = True) -> bool:
    """Say how a figure stands to its goal, and answer whether it meets it."""
    met = found >= goal if at_least else found <= goal
    bound = "at least" if at_least else "at most"
    print(f"  {what:<58}{found:>12,.2f}   {bound} {goal:>9,g}: {'met' if met else 'MISSED'}")
    return met


def _is_known(windows: Sequence[Window], column: str) -> bool:
    return column != "server ms" or all("server" in window.cpu for window in windows)


def _width(how: str) -> int:
    return int(how.partition(".")[0])
