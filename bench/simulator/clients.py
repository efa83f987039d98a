"""Two clients that send batches of 25 records over four connections: one as cheap as can be, and boto3."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
from botocore.config import Config

CONNECTIONS = 4
PROFILE = {"aws_access_key_id": "111122223333", "aws_secret_access_key": "test"}


class _Sender(asyncio.Protocol):
    """Sends the next request as soon as an answer is complete, until there is none or time is up."""

    def __init__(self, requests: Iterator[bytes], done: Callable[[int], None], until: float) -> None:
        self._requests, self._done, self._until = requests, done, until
        self._buffer = b""
        self._answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._buffer[:head_end].lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(self._buffer) < head_end + 4 + length:
            return
        if not head.startswith(b"http/1.1 200"):
            raise RuntimeError(self._buffer.decode())
        self._buffer = b""
        self._answered += 1
        self._send()

    def _send(self) -> None:
        request = next(self._requests, None) if time.perf_counter() < self._until else None
        if request is None:
            self._transport.close()
            self._done(self._answered)
        else:
            self._transport.write(request)


def lean_rate(port: int, requests: Iterator[bytes], seconds: float) -> float:
    """Calls a second of a client that writes ready-made requests and only counts the answers."""

    async def run() -> float:
        loop = asyncio.get_running_loop()
        counts: list[int] = []
        finished = asyncio.Event()

        def done(count: int) -> None:
            counts.append(count)
            if len(counts) == CONNECTIONS:
                finished.set()

        started = time.perf_counter()
        for _ in range(CONNECTIONS):
            await loop.create_connection(
                lambda: _Sender(requests, done, started + seconds), "127.0.0.1", port
            )
        await finished.wait()
        return sum(counts) / (time.perf_counter() - started)

    return asyncio.run(run())


def boto3_rate(port: int, batches: Iterator[tuple[str, list[dict[str, Any]]]], seconds: float) -> float:
    """Calls a second of boto3 in four threads."""
    left: queue.SimpleQueue[tuple[str, list[dict[str, Any]]]] = queue.SimpleQueue()
    for batch in batches:
        left.put(batch)
    counts = [0] * CONNECTIONS
    started = time.perf_counter()

    def send(index: int) -> None:
        clients: dict[str, Any] = {}
        while time.perf_counter() < started + seconds and not left.empty():
            region, records = left.get()
            if region not in clients:
                clients[region] = boto3.client(
                    "meteringmarketplace",
                    endpoint_url=f"http://127.0.0.1:{port}",
                    region_name=region,
                    config=Config(retries={"total_max_attempts": 1}),
                    **PROFILE,
                )
            clients[region].batch_meter_usage(UsageRecords=records)
            counts[index] += 1

    threads = [threading.Thread(target=send, args=(index,)) for index in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - started)
