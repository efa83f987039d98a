"""One try of a DynamoDB call: signed as botocore signs, and None for whatever is not a plain answer."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import botocore.httpsession
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from conftest import House

from registration.tables import QuickCalls, RegistrationRow

CREDENTIALS = Credentials("111122223333", "secret", "session-token")
Answer = tuple[int, bytes]


@dataclass
class Engine:
    """Answers as the test says, and keeps what it was asked and over which connections."""

    port: int = 0
    answer: Callable[[], Answer | None] = lambda: (200, b"{}")
    asked: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    connections: set[int] = field(default_factory=set)

    def calls(self) -> QuickCalls:
        return QuickCalls(
            f"http://127.0.0.1:{self.port}",
            "eu-central-1",
            CREDENTIALS,
            connect_seconds=5,
            read_seconds=5,
            ca_file=botocore.httpsession.get_cert_path(True),
            connections=4,
        )


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            engine.connections.add(self.client_address[1])
            body = self.rfile.read(int(self.headers["Content-Length"]))
            engine.asked.append((dict(self.headers.items()), body))
            answer = engine.answer()
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(answer[1])))
            self.end_headers()
            self.wfile.write(answer[1])

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    engine.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield engine
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_is_asked_is_signed_and_answered(engine: Engine) -> None:
    engine.answer = lambda: (200, b'{"Responses": {}}')

    assert engine.calls().ask("BatchGetItem", {"RequestItems": {}}) == {"Responses": {}}

    ((headers, body),) = engine.asked
    assert body == b'{"RequestItems":{}}'
    assert headers["X-Amz-Target"] == "DynamoDB_20120810.BatchGetItem"
    assert headers["X-Amz-Security-Token"] == "session-token"
    assert headers["Host"] == f"127.0.0.1:{engine.port}"
    # Signed anew over what came: the same moment must give the same signature.
    signed_names = headers["Authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert {"host", "x-amz-date", "x-amz-target", "x-amz-security-token"} <= set(signed_names)
    again = AWSRequest(
        "POST",
        f"http://127.0.0.1:{engine.port}/",
        {name: value for name, value in headers.items() if name.lower() in signed_names},
        body,
    )
    again.context["timestamp"] = headers["X-Amz-Date"]
    signer = SigV4Auth(CREDENTIALS, "dynamodb", "eu-central-1")
    signature = signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)
    assert headers["Authorization"].endswith(f"Signature={signature}")


def test_a_connection_is_kept_for_the_next_call(engine: Engine) -> None:
    calls = engine.calls()
    for _ in range(3):
        assert calls.ask("BatchGetItem", {}) == {}
    assert len(engine.connections) == 1


@pytest.mark.parametrize(
    "answer",
    [
        None,
        (400, b'{"__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"}'),
        (500, b'{"__type": "InternalServerError"}'),
        (200, b"<html>"),
        (200, b""),
    ],
    ids=["hangs up", "refused", "broken", "no JSON", "empty"],
)
def test_whatever_is_no_plain_answer_is_none_and_the_next_call_is_as_good_as_ever(
    engine: Engine, answer: Answer | None
) -> None:
    calls = engine.calls()
    engine.answer = lambda: answer
    assert calls.ask("BatchGetItem", {}) is None
    engine.answer = lambda: (200, b'{"well": "again"}')
    assert calls.ask("BatchGetItem", {}) == {"well": "again"}


def test_nobody_there_is_none() -> None:
    assert Engine(port=9).calls().ask("BatchGetItem", {}) is None


def test_an_arrival_is_written_by_it_whole(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def not_the_ordinary_way(*_: Any, **__: Any) -> None:
        raise AssertionError("written the ordinary way")

    with monkeypatch.context() as patched:
        patched.setattr(RegistrationRow, "save", not_the_ordinary_way)
        quick = house.arrive("token-1", offer_type="free-trial")
    with monkeypatch.context() as patched:
        patched.setattr(QuickCalls, "ask", lambda *_: None)
        ordinary = house.arrive("token-2", offer_type="free-trial")

    (one, other) = (RegistrationRow.get(it["registration_id"]).serialize() for it in (quick, ordinary))
    own = ("registration_id", "secret_hash")
    assert [one[name] for name in one if name not in own] == [
        other[name] for name in other if name not in own
    ]
    assert one.keys() == other.keys()
