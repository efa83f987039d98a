#!/usr/bin/env python3
"""How many messages one notifications worker applies a second, beside a loop that only receives and deletes.

    .venv/dev/bin/python bench/notifications/run.py [--messages 600] [--rounds 5] [--threads 2]

See README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import statistics
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
sys.path[:0] = [str(ROOT), str(HERE)]

from news import NAMES, lives  # noqa: E402

from tools.processes import Guard, Process  # noqa: E402
from tools.stack import ACCOUNT, REGION, Stack  # noqa: E402

GOAL = 0.4
NEWS_QUEUE, NO_OP_QUEUE = "marketplane-notifications", "marketplane-bench-no-op"
WORKER = "notifications-worker"
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
def no_op(stack: Stack, threads: int) -> Iterator[int]:
    """The loop that only receives and deletes; its process id."""
    guard = Guard()
    process = Process(
        "no-op",
        [
            str(ROOT / ".venv" / "notifications" / "bin" / "python"),
            str(HERE / "receive_and_delete.py"),
            NO_OP_QUEUE,
            str(threads),
        ],
        environment=stack.environment_of(WORKER),
        directory=ROOT,
        log=stack.log_file("no-op"),
        guard=guard,
    )
    try:
        yield process.pid
    finally:
        process.ask_to_stop()
        process.wait(time.monotonic() + 30)
        process.kill()
        guard.close()


def run(messages: int, rounds: int, threads: int) -> bool:
    figures: dict[str, list[tuple[float, float]]] = {"receive and delete": [], "worker": []}
    with (
        tempfile.TemporaryDirectory() as folder,
        # Nobody is asked and nobody told but the queues: the simulator is only the clock.
        Stack(
            Path(folder),
            ["simulator", WORKER],
            process_environment={WORKER: {"WORKER_THREADS": str(threads), "DESCRIBE_AGREEMENTS": "false"}},
        ) as stack,
    ):
        queues = Queues(stack)
        queues.create(NO_OP_QUEUE)
        with no_op(stack, threads) as idle:
            readers = {"receive and delete": (NO_OP_QUEUE, idle), "worker": (NEWS_QUEUE, stack.pid(WORKER))}
            for number in range(rounds + 1):
                for name, (queue, pid) in readers.items():
                    bodies = list(lives(messages // len(NAMES), datetime.now(UTC).replace(microsecond=0)))
                    found = drained(queues, queue, pid, bodies)
                    if number:  # the first warms up
                        figures[name].append(found)
        applied = _applied(stack)
    assert applied == (rounds + 1) * (messages // len(NAMES)), f"{applied} subscriptions were made"
    return show(figures, messages, rounds, threads)


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
    print(f"{'':<22}{'messages/s':>12}{'CPU ms':>12}")
    middle = {
        name: tuple(statistics.median(one[column] for one in found) for column in (0, 1))
        for name, found in figures.items()
    }
    for name, (rate, cpu) in middle.items():
        print(f"{name:<22}{rate:>12.0f}{cpu:>12.2f}")
    (idle_rate, idle_cpu), (rate, cpu) = middle["receive and delete"], middle["worker"]
    print(f"{'ratio':<22}{rate / idle_rate:>12.2f}{idle_cpu / cpu:>12.2f}")
    met = rate / idle_rate >= GOAL
    print(f"\nGoal: at least {GOAL} of the loop's rate: {'met' if met else 'MISSED'}.")
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures the notifications worker beside an empty loop.")
    parser.add_argument("--messages", type=int, default=600, help="in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    return 0 if run(options.messages, options.rounds, options.threads) else 1


if __name__ == "__main__":
    sys.exit(main())
