"""Posts usage to one server as cheaply as can be: requests made beforehand, answers only counted.

A process of its own, so that it shares no interpreter with what it measures; started by measured.py. Reads
one JSON object from stdin, says `ready` when every request is made, begins when it is told to, and prints
what came of it:

    port, key        of the server
    events           in each request
    connections
    seconds          how long requests are sent
    most             requests in all; when they are spent it ends earlier. What they take in memory is made
                     beforehand
    pace             requests a second, each sent when its time has come, however the others fare; the time
                     that it then waits for a free connection counts. 0: a connection sends the next one as
                     soon as it is answered
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import uvloop
from usage import bodies

GOOD = b"HTTP/1.1 202 "
END_OF_HEAD = b"\r\n\r\n"


class _Connection(asyncio.Protocol):
    """Carries one request at a time.

    Args:
        answered: told when an answer is whole; the connection is then free.
        failed: told what went wrong.
    """

    def __init__(
        self, answered: Callable[[_Connection], None], failed: Callable[[BaseException], None]
    ) -> None:
        self._answered, self._failed = answered, failed
        self._buffer = b""
        self._asked = False
        self.since = 0.0
        """When the request was to be sent."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        # The largest request goes to the kernel at once.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 19)

    def send(self, request: bytes, since: float) -> None:
        self.since, self._asked = since, True
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        head = self._buffer.find(END_OF_HEAD)
        if head < 0:
            return
        start = self._buffer.index(b"content-length: ") + 16
        length = int(self._buffer[start : self._buffer.index(b"\r", start)])
        if len(self._buffer) < head + len(END_OF_HEAD) + length:
            return
        if not self._buffer.startswith(GOOD):
            self._failed(RuntimeError(self._buffer.decode()[:2000]))
        self._buffer, self._asked = b"", False
        self._answered(self)

    def connection_lost(self, error: Exception | None) -> None:
        if self._asked:  # else it had nothing to do for longer than the server keeps a connection
            self._failed(error or ConnectionError("The server hung up."))


class Load:
    """One job, from its first request to its last answer."""

    def __init__(self, job: dict[str, Any], requests: list[bytes]) -> None:
        self._job = job
        self._requests = iter(requests)
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._connections: list[_Connection] = []
        self._under_way = 0
        self._free: deque[_Connection] = deque()
        self._waiting: deque[float] = deque()
        self._last_due = False
        self.took: list[float] = []

    async def connect(self) -> None:
        for _ in range(self._job["connections"]):
            _, connection = await self._loop.create_connection(
                lambda: _Connection(self._on_answer, self._on_failure), "127.0.0.1", self._job["port"]
            )
            self._connections.append(connection)

    async def run(self) -> float:
        """Answers how many seconds it took, the last answer included."""
        started = time.perf_counter()
        self._until = started + self._job["seconds"]
        if self._job["pace"]:
            self._free.extend(self._connections)
            self._tick(started, 1 / self._job["pace"])
        else:
            self._last_due = True
            for connection in self._connections:
                self._send(connection, time.perf_counter())
        await self._done
        return time.perf_counter() - started

    def close(self) -> None:
        for connection in self._connections:
            connection.transport.abort()

    def _tick(self, due: float, apart: float) -> None:
        """Send what is due, and come again when the next one is."""
        now = time.perf_counter()
        while due <= now and due < self._until:
            self._waiting.append(due)
            due += apart
        while self._waiting and self._free:
            self._send(self._free.popleft(), self._waiting.popleft())
        if due < self._until:
            self._loop.call_later(due - time.perf_counter(), self._tick, due, apart)
        else:
            self._last_due = True
            self._perhaps_done()

    def _send(self, connection: _Connection, since: float) -> None:
        request = next(self._requests, None)
        if request is None:
            self._until = 0.0
        else:
            self._under_way += 1
            connection.send(request, since)

    def _on_answer(self, connection: _Connection) -> None:
        now = time.perf_counter()
        self._under_way -= 1
        self.took.append(now - connection.since)
        if self._waiting:
            self._send(connection, self._waiting.popleft())
        elif self._job["pace"]:
            self._free.append(connection)
        elif now < self._until:
            self._send(connection, now)
        self._perhaps_done()

    def _perhaps_done(self) -> None:
        if self._last_due and not self._under_way and not self._done.done():
            self._done.set_result(None)

    def _on_failure(self, error: BaseException) -> None:
        if not self._done.done():
            self._done.set_exception(error)


def requests_of(job: dict[str, Any]) -> list[bytes]:
    head = (
        f"POST /v1/usage-events HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {job['key']}\r\n"
        "Content-Type: application/json\r\nContent-Length: "
    ).encode()
    return [
        head + str(len(body)).encode() + END_OF_HEAD + body
        for body in itertools.islice(bodies(job["events"]), job["most"])
    ]


async def main(job: dict[str, Any]) -> dict[str, Any]:
    requests = requests_of(job)
    load = Load(job, requests)
    await load.connect()
    gc.collect()
    gc.disable()
    print("ready", flush=True)
    sys.stdin.readline()
    used = time.process_time()
    seconds = await load.run()
    used = time.process_time() - used
    load.close()
    return {
        "requests": len(load.took),
        "events": len(load.took) * job["events"],
        "seconds": seconds,
        "cpu": used,
        "took": load.took,
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(main(json.loads(sys.stdin.readline())))))
