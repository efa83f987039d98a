"""One child process of the runner: its own session, its own log file, and nothing of it left behind.

Standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # prctl(2), Linux
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _dies_with(parent: int) -> Callable[[], None]:
    """What a child does before it becomes its program: ask the kernel for a SIGKILL when its parent dies."""

    def ask() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return ask


class Guard:
    """The small process that kills whole groups should this one be killed (see guard.py)."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("guard.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, pid: int) -> None:
        self._say(f"watch {pid}")

    def forget(self, pid: int) -> None:
        self._say(f"forget {pid}")

    def close(self) -> None:
        """Ends the guard, which first kills what is still watched."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()

    def _say(self, line: str) -> None:
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()


class Process:
    """A started program. Must be made in a thread that lives as long as the program shall: the kernel's
    `PR_SET_PDEATHSIG` looks at the thread that started it.

    Args:
        name: the word before the colon in the Procfile.
        command: the program and its arguments.
        environment: all of its variables; nothing is inherited.
        directory: where it runs.
        log: the file its output is appended to.
        guard: who kills it if we are killed.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        directory: Path,
        log: Path,
        guard: Guard,
    ) -> None:
        self.name = name
        self._guard = guard
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                command,
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_dies_with(os.getpid()),
            )
        guard.watch(self._child.pid)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._child.poll()

    def ask_to_stop(self) -> None:
        """SIGTERM to the master only: gunicorn's workers hang now and then when they get it too."""
        if self._child.poll() is None:
            self._child.terminate()

    def wait(self, deadline: float) -> bool:
        """Waits until `deadline` (of time.monotonic) for its end. Answers whether it came."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(timeout=max(0.0, deadline - time.monotonic()))
        return self._child.poll() is not None

    def kill(self) -> None:
        """SIGKILL to the program and to all that it started, then waits for its end."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        self._guard.forget(self._child.pid)
