"""One measured window: somebody works, and what it cost each process is noted.

The workers are processes of their own that prepare themselves, say `ready`, begin together when told to, and
print what they did as one line of JSON: load.py and peers.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processor_time import cpu_seconds

HERE = Path(__file__).resolve().parent
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Window:
    """What was done, and what it took.

    Attributes:
        events: acknowledged.
        requests: in which they were.
        seconds: from the first request to the last answer.
        took: seconds, of each request.
        cpu: seconds of processor time, by who.
    """

    events: int
    requests: int
    seconds: float
    took: list[float]
    cpu: dict[str, float]

    @property
    def events_per_second(self) -> float:
        return self.events / self.seconds

    @property
    def requests_per_second(self) -> float:
        return self.requests / self.seconds

    def ms_a_request(self, who: str) -> float:
        return self.cpu[who] * 1000 / self.requests

    def percentile(self, share: float) -> float:
        """Of the requests' times, in milliseconds."""
        return sorted(self.took)[min(len(self.took) - 1, int(len(self.took) * share))] * 1000


def measure(
    script: str,
    jobs: Sequence[Mapping[str, Any]],
    watched: Mapping[str, int],
    python: str = sys.executable,
) -> Window:
    """Let one worker for each job work, all at once.

    Args:
        script: the worker's file.
        jobs: what each is told.
        watched: process ids by name, whose processor time (with that of the processes below) is noted; that
            of the workers is noted as `load`.
        python: who runs it.

    Raises:
        RuntimeError: a worker failed; with what it said.
    """
    with ExitStack() as until_the_end:
        workers = [until_the_end.enter_context(_worker(script, job, python)) for job in jobs]
        for worker in workers:
            _line(worker)
        before = {name: cpu_seconds(pid) for name, pid in watched.items()}
        for worker in workers:
            _tell(worker, "go")
        found = [json.loads(_line(worker)) for worker in workers]
        cpu = {name: cpu_seconds(pid) - before[name] for name, pid in watched.items()}
    return Window(
        events=sum(one["events"] for one in found),
        requests=sum(one["requests"] for one in found),
        seconds=max(one["seconds"] for one in found),
        took=[seconds for one in found for seconds in one["took"]],
        cpu=cpu | {"load": sum(one["cpu"] for one in found)},
    )


@contextmanager
def _worker(script: str, job: Mapping[str, Any], python: str) -> Iterator[subprocess.Popen[str]]:
    # Its errors go where ours go. It ends when its stdin does.
    worker = subprocess.Popen(
        [python, str(HERE / script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        _tell(worker, json.dumps(job))
        yield worker
    finally:
        worker.kill()
        worker.communicate()


def _tell(worker: subprocess.Popen[str], line: str) -> None:
    assert worker.stdin
    worker.stdin.write(line + "\n")
    worker.stdin.flush()


def _line(worker: subprocess.Popen[str]) -> str:
    assert worker.stdout
    line = worker.stdout.readline()
    if not line:
        raise RuntimeError(f"The load ended with exit code {worker.wait()}; what it said stands above.")
    return line
