"""Metering's door on a real socket: answers as it is told, keeps what it was sent, and counts each event
once."""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PROBLEMS = "https://marketplane.dev/problems/"
PATIENCE_SECONDS = 60.0  # for a condition on a busy machine; nothing is expected to take so long


@dataclass
class Said:
    """An answer; none at all where the status is 0."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def events(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.body)["events"]
        return found

    @property
    def ids(self) -> list[str]:
        return [event["id"] for event in self.events]


Act = Callable[["FakeMetering", Request], Said]


class FakeMetering:
    """
    Attributes:
        script: what the next requests are answered with, one act each; `otherwise` answers what comes after.
        requests: all that came.
        taken: the accepted events by source and id: however often one comes, it is there once.
    """

    def __init__(self) -> None:
        self.script: deque[Act] = deque()
        self.otherwise: Act = accept
        self.requests: list[Request] = []
        self.taken: dict[tuple[str, str], dict[str, Any]] = {}
        self.changed = threading.Condition()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                said = fake.answer(Request(self.path, headers, body))
                if not said.status:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                text = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
                self.send_response(said.status)
                for name, value in said.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                pass  # a client that was killed in the midst of it

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request: Request) -> Said:
        with self.changed:
            self.requests.append(request)
            act = self.script.popleft() if self.script else self.otherwise
            self.changed.notify_all()
        said = act(self, request)
        with self.changed:
            self.changed.notify_all()
        return said

    def take(self, events: list[dict[str, Any]]) -> None:
        with self.changed:
            for event in events:
                self.taken.setdefault((event["source"], event["id"]), event)

    def until(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE_SECONDS), "it never came to that"

    @property
    def taken_ids(self) -> list[str]:
        return [event_id for _, event_id in self.taken]


def accept(fake: FakeMetering, request: Request) -> Said:
    fake.take(request.events)
    return Said(202, {"accepted": len(request.events), "refused": []})


def refuse(*ids: str, reason: str = "unknown_dimension", detail: str = "There is no such dimension.") -> Act:
    """Takes the others, and answers as metering does where some or all are refused."""

    def act(fake: FakeMetering, request: Request) -> Said:
        refused = [
            {"index": index, "reason": reason, "detail": detail, "path": f"/events/{index}"}
            for index, event_id in enumerate(request.ids)
            if event_id in ids
        ]
        good = [event for event in request.events if event["id"] not in ids]
        if not good:
            return problem(400, "no-event-accepted", refused=refused)(fake, request)
        fake.take(good)
        return Said(207 if refused else 202, {"accepted": len(good), "refused": refused})

    return act


def say(status: int, body: Any = None, **headers: str) -> Act:
    """Takes nothing."""
    return lambda fake, request: Said(
        status, body, {name.replace("_", "-"): value for name, value in headers.items()}
    )


def problem(status: int, kind: str, **more: Any) -> Act:
    return say(status, {"type": PROBLEMS + kind, "title": "A problem.", "status": status} | more)


def hang_up(fake: FakeMetering, request: Request) -> Said:
    """Before anything was taken."""
    return Said(0)


def take_and_hang_up(fake: FakeMetering, request: Request) -> Said:
    """The batch is durable, and nobody hears of it."""
    fake.take(request.events)
    return Said(0)


def at_most(events: int) -> Act:
    """Refuses larger batches as too large."""

    def act(fake: FakeMetering, request: Request) -> Said:
        if len(request.events) > events:
            return problem(413, "too-large")(fake, request)
        return accept(fake, request)

    return act


class Gate:
    """An act that holds a request until it is opened."""

    def __init__(self, then: Act = accept) -> None:
        self._opened = threading.Event()
        self._then = then

    def __call__(self, fake: FakeMetering, request: Request) -> Said:
        assert self._opened.wait(PATIENCE_SECONDS)
        return self._then(fake, request)

    def open(self) -> None:
        self._opened.set()
