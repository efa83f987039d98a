"""Stands in front of a server and writes down all that passes."""

from __future__ import annotations

import base64
import http.client
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONNECTION_HEADERS = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass(frozen=True)
class Exchange:
    """One request and its answer."""

    address: str
    headers: str
    body: str
    answer: str

    @property
    def told(self) -> str:
        """All that the server was told but for the address; what Basic authentication wraps is unwrapped."""
        words = self.headers.split()
        secrets = [words[at + 1] for at, word in enumerate(words) if word == "Basic"]
        unwrapped = [base64.b64decode(secret).decode() for secret in secrets]
        return "\n".join((self.headers, *unwrapped, self.body))


class RecordingProxy:
    """Until it is closed. The server sees the proxy's own host and port in `Host`.

    Args:
        port: of the server, on loopback.
    """

    def __init__(self, port: int) -> None:
        self.exchanges: list[Exchange] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, port))
        self._server.daemon_threads = True
        # Another host than its neighbours', as in life: browsers send a host's cookies to all of its ports.
        self.url = f"http://localhost:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(proxy: RecordingProxy, port: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            onward = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            try:
                onward.request(self.command, self.path, body, dict(self.headers))
                answer = onward.getresponse()
                content = answer.read()
            finally:
                onward.close()
            proxy.exchanges.append(
                Exchange(self.path, str(self.headers), body.decode(), content.decode(errors="replace"))
            )
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in CONNECTION_HEADERS:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _pass_on

        def log_message(self, *_args: object) -> None:
            """Tests look at `exchanges`."""

    return Handler
