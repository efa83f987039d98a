"""Outlives a process runner that was killed, by just long enough to kill what it had started.

Reads lines `watch PID` and `forget PID` on its standard input. When the input ends, the runner is gone, and
every process group still watched gets SIGKILL. Needed since a killed gunicorn master leaves its workers
behind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys


def main() -> None:
    # Ctrl-C goes to the whole terminal; the runner's own orderly stop comes first.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    watched: set[int] = set()
    for line in sys.stdin:
        word, pid = line.split()
        if word == "watch":
            watched.add(int(pid))
        else:
            watched.discard(int(pid))
    for pid in watched:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
