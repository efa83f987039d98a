"""One of the seller's systems: a real HTTP server on this machine that verifies what it gets with the
Standard Webhooks library, and answers as it is told."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks.webhooks import Webhook


@dataclass(frozen=True)
class Received:
    """One request, as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def webhook_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def told(self) -> Any:
        return json.loads(self.body)

    def verified(self, secret: str) -> Any:
        """What it says, if it was signed with this secret.

        Raises:
            WebhookVerificationError: it was not.
        """
        return Webhook(secret).verify(self.body, self.headers)


class Receiver:
    """What came, and what is answered: a status, then headers and a body."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.status = 204
        self.headers: dict[str, str] = {}
        self.body = b""
        self.before_answering: Callable[[], object] = lambda: None
        self.url = ""

    def answers(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.status, self.body = status, body
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    @property
    def types(self) -> list[str]:
        return [one.told["type"] for one in self.received]


@contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.received.append(Received(self.path, headers, body))
            receiver.before_answering()
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(receiver.body)))
            self.end_headers()
            self.wfile.write(receiver.body)

        def log_message(self, *_args: Any) -> None:
            pass

        def handle(self) -> None:
            with suppress(OSError):  # the caller hung up, as tests want it to
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    receiver.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}/hooks?from=marketplane"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
