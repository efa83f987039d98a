"""The seller's own back end, as registration asks it for accounts: answers what the test told it to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class SellerBackend:
    """What it answers is in `answer` (status and body); what it was asked is in `asked`."""

    def __init__(self) -> None:
        self.answer: tuple[int, dict[str, Any]] = (503, {})
        self.asked: list[dict[str, Any]] = []
        self.address = ""

    def names(self, account_id: str) -> None:
        self.answer = (200, {"account_id": account_id})

    def refuses(self, detail: str) -> None:
        self.answer = (422, {"detail": detail})

    def is_away(self) -> None:
        self.answer = (503, {})


@contextmanager
def running_backend() -> Iterator[SellerBackend]:
    """Starts one on a free port and stops it after."""
    backend = SellerBackend()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            backend.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, body = backend.answer
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    backend.address = f"http://127.0.0.1:{server.server_port}/accounts"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield backend
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
