"""A simulator in a process of its own, for tests that meet it as a stranger would: by its address alone."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 90.0  # a cold start on a busy core, not a time that is expected


class Simulator:
    """A simulator that runs, and its control API."""

    def __init__(self, url: str) -> None:
        self.url = url

    def do(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}/_simulator/{path}",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)


@contextmanager
def running_simulator(folder: Path) -> Iterator[Simulator]:
    """Starts one on a free port, its clock standing at 22 November 2026, 14:00, and stops it after."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    process = subprocess.Popen(
        [ROOT / ".venv/simulator/bin/python", "-m", "marketplace_simulator"],
        cwd=folder,
        env=kept | {"PORT": str(port), "LOG_LEVEL": "ERROR", "SIMULATOR_START": "2026-11-22T14:00:00Z"},
    )
    simulator = Simulator(f"http://127.0.0.1:{port}")
    try:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            assert process.poll() is None, "the simulator ended while starting"
            try:
                simulator.do("GET", "health")
                break
            except OSError:
                assert time.monotonic() < deadline, "the simulator did not start"
                time.sleep(0.05)
        yield simulator
    finally:
        process.terminate()
        process.wait(20)
