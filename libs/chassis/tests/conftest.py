"""A sample service on the real local engine, and what watches it: its log, and small servers on loopback."""

import contextlib
import http.client
import io
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.testclient import TestClient

from chassis import logs
from chassis.auth import KeyRing
from chassis.settings import ChassisSettings

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from sample.app import build, create_local, key_ring  # noqa: E402  (it is found through the line above)

pytest_plugins = ["chassis.testing"]


@dataclass
class LoopbackServer:
    """Answers every request with what the test put into `answer`: (status, body)."""

    url: str
    answer: tuple[int, bytes] = (200, b"")
    asked: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)


@pytest.fixture
def serve() -> Iterator[Callable[[], LoopbackServer]]:
    """Starts servers on free loopback ports and stops them after the test."""
    started = []

    def start() -> LoopbackServer:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found.asked.append(self.path)
                found.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                status, body = found.answer
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_: Any) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        found = LoopbackServer(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        started.append(server)
        return found

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


class Launched:
    """The sample service in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self._port = port

    def _ask(self, method: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        try:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        status, body = self._ask("GET", path, headers)
        return status, json.loads(body)

    def head(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        return self._ask("HEAD", path, headers)

    def text(self, path: str) -> str:
        return self._ask("GET", path)[1].decode()

    def get_until(self, path: str, status: int) -> Any:
        """Ask until that is the status; a minute is for a machine that is very busy."""
        for _ in range(600):
            found, body = self.get(path)
            if found == status:
                return body
            time.sleep(0.1)
        raise AssertionError(f"{path} never answered {status}.")

    def wait_until_it_says(self, path: str, part: str) -> None:
        """A request is counted after it was answered."""
        for _ in range(600):
            if part in self.text(path):
                return
            time.sleep(0.1)
        raise AssertionError(f"{path} never said {part}.")

    def raw(self, request: bytes) -> bytes:
        """Send bytes as they are, and give all that comes back until the other side hangs up."""
        with socket.create_connection(("127.0.0.1", self._port), timeout=20) as connection:
            connection.sendall(request)
            answer = b""
            with contextlib.suppress(ConnectionResetError):
                while part := connection.recv(65536):
                    answer += part
            return answer

    def wait_until_it_answers(self, path: str) -> None:
        for _ in range(600):
            if self.process.poll() is not None:
                raise AssertionError(f"It did not start: {self.process.communicate()}")
            with contextlib.suppress(OSError):
                if self._ask("GET", path)[0] == 200:
                    return
            time.sleep(0.1)
        raise AssertionError(f"{path} never answered.")


@pytest.fixture
def launch(aws_env: str, tmp_path: Path) -> Iterator[Callable[..., Launched]]:
    """Starts a role of the sample service on a free port, waits until `ready` answers, stops it after."""
    started: list[subprocess.Popen[str]] = []

    def start(role: str, *, ready: str, **variables: str) -> Launched:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        given = {"PYTHONPATH": str(HERE), "ENVIRONMENT": "test", "PORT": str(port), "HOST": "127.0.0.1"}
        given["TMPDIR"] = str(tmp_path)  # gunicorn's workers share their metrics there
        process = subprocess.Popen(
            [sys.executable, "-m", "sample", role],
            env={**os.environ, "PYTHONWARNINGS": "ignore", **given, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        launched = Launched(process, port)
        launched.wait_until_it_answers(ready)
        return launched

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=30)


@pytest.fixture
def log_lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Configures the log as a process does, and gives every line so far; each must be a JSON object."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    written = io.StringIO()
    logs.configure("sample-web", "INFO", written)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def issuer(serve: Callable[[], LoopbackServer], private_key: rsa.RSAPrivateKey) -> LoopbackServer:
    """Serves the public key of bearer tokens."""
    key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(private_key.public_key()))
    server = serve()
    server.answer = (200, json.dumps({"keys": [key | {"kid": "k1", "use": "sig"}]}).encode())
    return server


@pytest.fixture
def settings(issuer: LoopbackServer) -> ChassisSettings:
    return ChassisSettings(
        environment="test",
        max_body_bytes=2048,
        web_threads=4,
        aws_attempts=1,
        jwks_url=issuer.url,
        jwt_issuer="https://issuer",
        jwt_audience="us",
    )


@pytest.fixture
def keys(aws_env: str, settings: ChassisSettings) -> KeyRing:
    create_local(settings)
    return key_ring(settings)


@pytest.fixture
def notes() -> list[Any]:
    return []


@pytest.fixture
def client(keys: KeyRing, notes: list[Any], settings: ChassisSettings) -> Iterator[TestClient]:
    app = build(settings, keys, notes, headers={"X-Frame-Options": "DENY"})
    with app.test_client() as client:
        yield client


@pytest.fixture
def operator(keys: KeyRing) -> dict[str, str]:
    return {"X-API-Key": keys.add("ada", {"operator"})}


@pytest.fixture
def assert_problem() -> Callable[[Any, int, str], dict[str, Any]]:
    """Asserts that an answer is a problem document of ours, and gives it."""

    def check(answer: Any, status: int, slug: str) -> dict[str, Any]:
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        document: dict[str, Any] = answer.json()
        assert document["type"] == f"https://marketplane.dev/problems/{slug}"
        assert document["instance"] == answer.headers["x-request-id"]
        return document

    return check
