"""Asks one server again and again, as cheaply as can be: ready-made requests, answers only counted.

A process of its own, so that it shares no interpreter with what it measures. Reads one JSON object from
stdin: `port`, `requests` (texts, sent in turn), `status` (which every answer must have), `connections`,
`seconds`, `most` (requests in all). Prints one: `answered`, `rate` (a second), `p50` and `p99` (in
milliseconds).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any


class _Asker(asyncio.Protocol):
    """Sends the next request as soon as an answer is complete, until there is none or time is up."""

    def __init__(
        self, requests: Iterator[bytes], status: bytes, took: Callable[[float], None], until: float
    ) -> None:
        self._requests, self._status, self._took, self._until = requests, status, took, until
        self._buffer = b""
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._took(time.perf_counter() - self._sent)
        if head.split(b" ", 2)[1] != self._status:
            self._end(RuntimeError(self._buffer.decode()))
            return
        self._buffer = b""
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error or ConnectionError("The server hung up."))

    def _send(self) -> None:
        self._sent = time.perf_counter()
        request = next(self._requests, None) if self._sent < self._until else None
        if request is None:
            self._end(None)
        else:
            self._transport.write(request)

    def _end(self, error: Exception | None) -> None:
        if not self._done.done():
            if error:
                self._done.set_exception(error)
            else:
                self._done.set_result(None)
        self._transport.close()

    async def done(self) -> None:
        await self._done


async def ask(job: dict[str, Any]) -> dict[str, Any]:
    requests = itertools.islice(itertools.cycle(text.encode() for text in job["requests"]), job["most"])
    times: list[float] = []
    started = time.perf_counter()
    loop = asyncio.get_running_loop()
    connections = [
        await loop.create_connection(
            lambda: _Asker(requests, str(job["status"]).encode(), times.append, started + job["seconds"]),
            "127.0.0.1",
            job["port"],
        )
        for _ in range(job["connections"])
    ]
    await asyncio.gather(*(asker.done() for _, asker in connections))
    rate = len(times) / (time.perf_counter() - started)
    cuts = statistics.quantiles(times, n=100)
    return {"answered": len(times), "rate": rate, "p50": cuts[49] * 1000, "p99": cuts[98] * 1000}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(ask(json.load(sys.stdin)))))
