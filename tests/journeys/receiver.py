"""One of the seller's systems: a real HTTP server that believes what the Standard Webhooks library verifies,
and nothing else, and answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


@dataclass(frozen=True)
class Arrival:
    """One request, verified as it came.

    Attributes:
        by: the secrets that it was signed with, of those that the receiver knew then.
        answered: the status; None while it is kept waiting.
    """

    webhook_id: str
    told: dict[str, Any]
    by: frozenset[str]
    signatures: int
    answered: int

    @property
    def type(self) -> str:
        return str(self.told["type"])

    @property
    def about(self) -> str | None:
        """The subscription."""
        subscription = self.told["data"].get("subscription")
        return subscription["subscription_id"] if subscription else None


@dataclass
class Receiver:
    """What came, and what is answered.

    Attributes:
        status: of each answer from now on.
        go_on: while it is not set, a caller waits for the answer.
        forged: how many requests bore no signature by a secret that is known here.
    """

    url: str = ""
    secrets: set[str] = field(default_factory=set)
    status: int = 204
    arrivals: list[Arrival] = field(default_factory=list)
    forged: int = 0
    go_on: threading.Event = field(default_factory=threading.Event)

    def of(self, webhook_id: str) -> list[Arrival]:
        return [one for one in self.arrivals if one.webhook_id == webhook_id]

    def about(self, *subjects: str) -> list[Arrival]:
        """What came of these subscriptions or agreements."""
        return [
            one for one in self.arrivals if {one.about, one.told["data"].get("agreement_id")} & {*subjects}
        ]

    def take(self, headers: dict[str, str], body: bytes) -> int:
        by = frozenset(secret for secret in self.secrets if _verifies(secret, headers, body))
        if not by:
            self.forged += 1
            return 401
        status = self.status
        signatures = len(headers["webhook-signature"].split())
        self.arrivals.append(Arrival(headers["webhook-id"], json.loads(body), by, signatures, status))
        self.go_on.wait(60)
        return status


def _verifies(secret: str, headers: dict[str, str], body: bytes) -> bool:
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that runs."""
    receiver = Receiver()
    receiver.go_on.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = receiver.take({name.lower(): text for name, text in self.headers.items()}, body)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            pass

        def handle(self) -> None:
            with suppress(OSError):  # the caller was killed
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/hooks"
    try:
        yield receiver
    finally:
        receiver.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
