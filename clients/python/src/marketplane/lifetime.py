"""Open reporters at the two moments that no caller sees: when the interpreter exits, and when the process
forks."""

from __future__ import annotations

import atexit
import os
from typing import Protocol


class LivesUntilExit(Protocol):
    def at_exit(self) -> None: ...

    def after_fork_in_child(self) -> None: ...


_open: set[LivesUntilExit] = set()


def opened(reporter: LivesUntilExit) -> None:
    _open.add(reporter)


def closed(reporter: LivesUntilExit) -> None:
    _open.discard(reporter)


def _at_exit() -> None:
    for reporter in list(_open):
        reporter.at_exit()


def _after_fork_in_child() -> None:
    for reporter in list(_open):
        reporter.after_fork_in_child()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork_in_child)
