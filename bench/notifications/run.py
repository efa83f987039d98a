#!/usr/bin/env python3
"""How many messages one notifications worker applies a second, beside loops that only receive and delete.

    .venv/dev/bin/python bench/notifications/run.py [--messages 1000] [--rounds 5] [--threads 2]

See README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PYTHON = ROOT / ".venv" / "notifications" / "bin" / "python"
sys.path[:0] = [str(ROOT), str(HERE)]

from news import NAMES, lives  # noqa: E402

from tools.processes import Guard, Process  # noqa: E402
from tools.stack import ACCOUNT, REGION, Stack  # noqa: E402

GOAL = 0.4
NEWS_QUEUE = "marketplane-notifications"
WORKER = "notifications-worker"
LOOPS = {"deletes one by one": "one-by-one", "deletes ten in one call": "in-one-call"}
"""What is printed of each, and how `receive_and_delete.py` calls it."""
PATIENCE_SECONDS = 300.0
BATCH = 10


class Queues:
    """Both queues, from outside."""

    def __init__(self, stack: Stack) -> None:
        self._sqs = boto3.client(
            "sqs",
            endpoint_url=stack.urls["engine"],
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="test",
        )

    def create(self, name: str) -> None:
        self._sqs.create_queue(QueueName=name)

    def fill(self, name: str, bodies: list[str]) -> None:
        url = self._url(name)
        for batch in _batches(bodies):
            entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(batch)]
            self._sqs.send_message_batch(QueueUrl=url, Entries=entries)

    def left(self, name: str) -> int:
        """What is not deleted yet."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        told = self._sqs.get_queue_attributes(QueueUrl=self._url(name), AttributeNames=names)["Attributes"]
        return sum(int(told[one]) for one in names)

    def _url(self, name: str) -> str:
        return str(self._sqs.get_queue_url(QueueName=name)["QueueUrl"])


def _batches(bodies: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(bodies), BATCH):
        yield bodies[start : start + BATCH]


def drained(queues: Queues, name: str, pid: int, bodies: list[str]) -> tuple[float, float]:
    """Fill a queue while its reader is held, let the reader go, and time how long the queue lasts.

    Returns:
        Messages a second, and milliseconds of the reader's own processor time for each.
    """
    os.kill(pid, signal.SIGSTOP)
    try:
        queues.fill(name, bodies)
    finally:
        used, started = _cpu_seconds(pid), time.monotonic()
        os.kill(pid, signal.SIGCONT)
    while queues.left(name):
        if time.monotonic() - started > PATIENCE_SECONDS:
            raise RuntimeError(f"{name} was not worked off.")
        time.sleep(0.02)
    return len(bodies) / (time.monotonic() - started), (_cpu_seconds(pid) - used) * 1000 / len(bodies)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def loop(stack: Stack, how: str, threads: int) -> Iterator[int]:
    """A loop that only receives and deletes; its process id."""
    guard = Guard()
    process = Process(
        how,
        [str(PYTHON), str(HERE / "receive_and_delete.py"), _queue_of(how), str(threads), how],
        environment=stack.environment_of(WORKER),
        directory=ROOT,
        log=stack.log_file(how),
        guard=guard,
    )
    try:
        yield process.pid
    finally:
        process.ask_to_stop()
        process.wait(time.monotonic() + 30)
        process.kill()
        guard.close()


def _queue_of(how: str) -> str:
    return f"marketplane-bench-{how}"


def run(messages: int, rounds: int, threads: int) -> bool:
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in (*LOOPS, "the worker")}
    with contextlib.ExitStack() as until_the_end:
        folder = until_the_end.enter_context(tempfile.TemporaryDirectory())
        # Nobody is asked, and nobody told but queues. Without the simulator the clock is the system's.
        stack = until_the_end.enter_context(
            Stack(
                Path(folder),
                [WORKER],
                process_environment={
                    WORKER: {"WORKER_THREADS": str(threads), "DESCRIBE_AGREEMENTS": "false"}
                },
            )
        )
        queues = Queues(stack)
        for name in stack.environment_of(WORKER)["SIGNAL_QUEUES"].split(","):
            queues.create(name)  # their readers are not here
        readers = {}
        for name, how in LOOPS.items():
            queues.create(_queue_of(how))
            readers[name] = _queue_of(how), until_the_end.enter_context(loop(stack, how, threads))
        readers["the worker"] = NEWS_QUEUE, stack.pid(WORKER)
        for number in range(rounds + 1):
            for name, (queue, pid) in readers.items():
                bodies = list(lives(messages // len(NAMES), datetime.now(UTC).replace(microsecond=0)))
                found = drained(queues, queue, pid, bodies)
                if number:  # the first warms up
                    figures[name].append(found)
        applied = _applied(stack)
        units = _write_units(stack, min(messages, 200))
    assert applied == (rounds + 1) * (messages // len(NAMES)), f"{applied} subscriptions were made"
    met = show(figures, messages, rounds, threads)
    print("\nDynamoDB's write units for each message, and those of indexes beside:")
    for what, (of_items, of_indexes) in units.items():
        print(f"{what:<26}{of_items:>10.2f}{of_indexes:>10.2f}")
    return met


def _write_units(stack: Stack, messages: int) -> dict[str, tuple[float, float]]:
    """Counted apart from what is timed, since counting takes reads: see `write_units_of_news.py`."""
    done = subprocess.run(
        [str(PYTHON), str(HERE / "write_units_of_news.py"), str(messages)],
        env=stack.environment_of(WORKER) | {"AWS_ACCESS_KEY_ID": "444455556666"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _applied(stack: Stack) -> int:
    """How many subscriptions there are, all at their end: or the figures would be of something else."""
    tables = boto3.client(
        "dynamodb",
        endpoint_url=stack.urls["engine"],
        region_name=REGION,
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="test",
    )
    pages: Any = tables.get_paginator("scan").paginate(TableName="marketplane-subscriptions")
    rows = [row for page in pages for row in page["Items"]]
    assert {row["status"]["S"] for row in rows} == {"ending"}, "not all news was applied"
    return len(rows)


def show(figures: dict[str, list[tuple[float, float]]], messages: int, rounds: int, threads: int) -> bool:
    """Print the table. Answers whether the goal is met."""
    print(f"\nOne process, {threads} threads; middle of {rounds} rounds of {messages} messages; ", end="")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print(f"{'':<26}{'messages/s':>12}{'CPU ms':>10}{'worker/loop':>14}")
    middle = {
        name: tuple(statistics.median(one[column] for one in found) for column in (0, 1))
        for name, found in figures.items()
    }
    of_worker = middle["the worker"][0]
    for name, (rate, cpu) in middle.items():
        ratio = f"{of_worker / rate:>14.2f}" if name in LOOPS else ""
        print(f"{name:<26}{rate:>12.0f}{cpu:>10.2f}{ratio}")
    met = {name: of_worker / middle[name][0] >= GOAL for name in LOOPS}
    for name, is_met in met.items():
        print(f"Goal of {GOAL} beside the loop that {name}: {'met' if is_met else 'MISSED'}.")
    return all(met.values())


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures the notifications worker beside empty loops.")
    parser.add_argument("--messages", type=int, default=1000, help="in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    return 0 if run(options.messages, options.rounds, options.threads) else 1


if __name__ == "__main__":
    sys.exit(main())
