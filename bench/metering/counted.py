"""The house with the counting proxy between metering and what stands in for AWS."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from house import HERE, PATIENCE_SECONDS, House, house

from tools.ports import free_port
from tools.processes import Guard, Process
from tools.stack import ROOT, call


@contextlib.contextmanager
def counting_proxy(port: int, dynamodb: int, marketplace: int = 0) -> Iterator[str]:
    """Start it. Answers where its counts are.

    Args:
        port: where it listens.
        dynamodb: the engine's port; it need not listen yet.
        marketplace: the simulator's.
    """
    guard = Guard()
    words = ["--port", str(port), "--dynamodb", f"http://127.0.0.1:{dynamodb}"]
    words += ["--marketplace", f"http://127.0.0.1:{marketplace}"]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "counting-proxy.log"
        process = Process(
            "counting-proxy",
            [sys.executable, str(HERE / "counting_proxy.py"), *words],
            environment={},
            directory=ROOT,
            log=log,
            guard=guard,
        )
        counts = f"http://127.0.0.1:{port}/_counts/"
        try:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while True:
                with contextlib.suppress(OSError):
                    call("GET", counts)
                    break
                if process.exit_code is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"The counting proxy did not start:\n{log.read_text()[-3000:]}")
                time.sleep(0.05)
            yield counts
        finally:
            process.kill()
            guard.close()


@contextlib.contextmanager
def counted_house() -> Iterator[tuple[House, str]]:
    """Metering's web role, its calls of DynamoDB counted; and where the counts are."""
    engine = free_port()
    port = free_port(avoid=[engine])
    with (
        counting_proxy(port, engine) as counts,
        house({"AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{port}"}, {"engine": engine}) as at,
    ):
        yield at, counts
