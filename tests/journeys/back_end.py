"""The seller's own back end, which makes or finds accounts: a tiny one, that believes no unsigned word.

The keys of the seller's bearer tokens are here too, so that a test has a token of anybody without a sign-in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.contract.token_issuer import TokenIssuer
from tools.ports import free_port

TOLERANCE_SECONDS = 300  # of Standard Webhooks


@dataclass(frozen=True)
class Question:
    """One request, as it came."""

    address: str
    headers: dict[str, str]
    body: bytes
    genuine: bool

    @property
    def key(self) -> str:
        """The idempotency key."""
        return self.headers["webhook-id"]

    @property
    def asked(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.body)
        return read


class SellersBackEnd:
    """A repeat of a question gets the same account, as does another purchase of who signed in before."""

    def __init__(self) -> None:
        self._key = os.urandom(24)
        self.issuer = TokenIssuer()
        self.secret = "whsec_" + base64.b64encode(self._key).decode()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.questions: list[Question] = []
        self.secrets: dict[str, str] = {}  # what Quick Launch is to be given, by account
        self._accounts: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._refusal: str | None = None
        self._may_answer = threading.Event()
        self._may_answer.set()
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None
        self.start()

    # -- what a test does with it ------------------------------------------------------------------

    def start(self) -> None:
        self._server = _Server(("127.0.0.1", self.port), _handler(self))
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Nobody listens any more."""
        self._may_answer.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @contextmanager
    def down(self) -> Iterator[None]:
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def refusing(self, detail: str) -> Iterator[None]:
        self._refusal = detail
        try:
            yield
        finally:
            self._refusal = None

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Questions are taken, and answered only afterwards."""
        self._may_answer.clear()
        try:
            yield
        finally:
            self._may_answer.set()

    def asked_of(self, subscription_id: str) -> list[Question]:
        """All questions about one purchase."""
        return [one for one in list(self.questions) if one.asked["subscription_id"] == subscription_id]

    # -- what it does ------------------------------------------------------------------------------

    def answer(self, question: Question) -> tuple[int, dict[str, Any]]:
        self.questions.append(question)
        if not question.genuine:
            return 401, {"detail": "This was not signed by whom I know."}
        self._may_answer.wait(30)
        if self._refusal is not None:
            return 422, {"detail": self._refusal}
        if question.asked["type"] == "registration.renewed":
            return 200, {"deployment_secret": self.secrets[question.asked["account_id"]]}
        who = question.asked["identity"]
        with self._lock:
            name = f"{who['issuer']} {who['subject']}" if who else question.key
            account = self._accounts.setdefault(name, f"acct-{next(self._numbers)}")
            secret = self.secrets.setdefault(account, f"launch-{os.urandom(9).hex()}")
        return 200, {"account_id": account, "deployment_secret": secret}

    def is_genuine(self, headers: dict[str, str], body: bytes) -> bool:
        """Whether it was signed with the shared secret, now (standardwebhooks.com)."""
        try:
            moment = int(headers["webhook-timestamp"])
            signed = f"{headers['webhook-id']}.{moment}.".encode() + body
            signatures = headers["webhook-signature"].split()
        except (KeyError, ValueError):
            return False
        expected = "v1," + base64.b64encode(hmac.digest(self._key, signed, hashlib.sha256)).decode()
        in_time = abs(time.time() - moment) <= TOLERANCE_SECONDS
        return in_time and any(hmac.compare_digest(expected, one) for one in signatures)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked was killed before the answer: that is what some tests are about."""


def _handler(back_end: SellersBackEnd) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            genuine = back_end.is_genuine(headers, body)
            self._answer(*back_end.answer(Question(self.path, headers, body, genuine)))

        def do_GET(self) -> None:
            self._answer(200, back_end.issuer.jwks())

        def _answer(self, status: int, answer: dict[str, Any]) -> None:
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_args: Any) -> None:
            """Tests look at `questions`."""

    return Handler
