"""One try of a DynamoDB call: signed as botocore signs, and None for whatever is not a plain answer."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import botocore.httpsession
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from pynamodb.attributes import (
    BinaryAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    UnicodeAttribute,
)
from pynamodb.connection import Connection
from pynamodb.exceptions import PutError, TransactWriteError
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from chassis.aws import client
from chassis.quick_calls import QuickCalls, QuickConnection, quick_calls, with_bytes
from chassis.settings import ChassisSettings
from chassis.tables import bind, create_tables

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
            user_agent="who/asks",
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
    assert headers["User-Agent"] == "who/asks"
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


@pytest.mark.parametrize(
    ("answer", "nothing_was_done"),
    [
        (None, False),
        ((500, b"{}"), False),
        ((503, b""), False),
        ((200, b"<html>"), False),
        ((400, b"{}"), True),
    ],
)
def test_only_a_refusal_says_that_nothing_was_done(
    engine: Engine, answer: Answer | None, nothing_was_done: bool
) -> None:
    engine.answer = lambda: answer
    assert engine.calls().attempt("BatchWriteItem", {}) == (None, nothing_was_done)


def test_what_a_batch_left_undone_has_bytes_as_it_was_given() -> None:
    answer = {"UnprocessedItems": {"parcels": [{"PutRequest": {"Item": {"packed": {"B": "AAE="}}}}]}}
    assert with_bytes(answer) == {
        "UnprocessedItems": {"parcels": [{"PutRequest": {"Item": {"packed": {"B": b"\0\1"}}}}]}
    }
    keys = {"UnprocessedItems": {"parcels": [{"DeleteRequest": {"Key": {"name": {"S": "a"}}}}]}}
    assert with_bytes(keys) == keys


@pytest.mark.parametrize(
    ("app_id", "told"),
    [
        ("", []),
        ("metering-worker", ["app/metering-worker"]),
        ("büro's worker", ["app/b-ro's-worker"]),
    ],
)
@pytest.mark.parametrize("named_in", ["environment", "file"])
def test_who_asks_is_told_as_botocores_client_tells_it(
    aws_env: str,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    app_id: str,
    told: list[str],
    named_in: str,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{engine.port}")
    if named_in == "environment":
        monkeypatch.setenv("AWS_SDK_UA_APP_ID", app_id)
    else:
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        (tmp_path / "config").write_text(f"[default]\nsdk_ua_app_id = {app_id}\n")
    settings = ChassisSettings(environment="test")
    quick = quick_calls(settings)
    assert quick is not None
    quick.ask("ListTables", {})
    client(settings, "dynamodb").list_tables()

    # But for `m/`: which of its own means the client takes for a call.
    quickly, by_client = (
        [word for word in headers["User-Agent"].split() if not word.startswith("m/")]
        for headers, _ in engine.asked
    )
    assert quickly == by_client
    assert [word for word in quickly if word.startswith("app/")] == told


# -- models that are bound to them, on the real engine -------------------------------------------------------


def make_model() -> Any:
    class Part(MapAttribute[str, Any]):
        blob = BinaryAttribute(legacy_encoding=False)

    class Parcel(Model):
        class Meta:
            table_name = "parcels"

        name = UnicodeAttribute(hash_key=True)
        number = NumberAttribute(range_key=True)
        packed = BinaryAttribute(legacy_encoding=False, null=True)
        parts = ListAttribute(of=Part, null=True)

    Parcel.Part = Part  # type: ignore[attr-defined]
    return Parcel


@dataclass
class Calls:
    """What went the quick way and what by the client, and what becomes of the quick ones."""

    quick: list[str] = field(default_factory=list)
    by_client: list[str] = field(default_factory=list)
    lose: str = ""  # "request": it never arrives; "answer": it is done, and nobody hears


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    seen = Calls()
    ask, through_client = QuickCalls.ask, Connection._make_api_call

    def quick(self: QuickCalls, operation: str, request: dict[str, Any]) -> dict[str, Any] | None:
        seen.quick.append(operation)
        answer = None if seen.lose == "request" else ask(self, operation, request)
        return None if seen.lose else answer

    def by_client(self: Connection, operation: str, request: dict[str, Any]) -> Any:
        seen.by_client.append(operation)
        return through_client(self, operation, request)

    monkeypatch.setattr(QuickCalls, "ask", quick)
    monkeypatch.setattr(Connection, "_make_api_call", by_client)
    return seen


@pytest.fixture
def parcel(aws_env: str, calls: Calls) -> Any:
    settings = ChassisSettings(environment="test", aws_attempts=2)
    model = make_model()
    connection = bind([model], settings, quick_calls(settings))
    assert isinstance(connection, QuickConnection)
    model.connection = connection
    create_tables([model])
    assert calls.quick == []
    calls.by_client.clear()
    return model


def kinds_of_calls(parcel: Any) -> list[Any]:
    blob = bytes(range(256))
    parcel("a", 1, packed=blob, parts=[parcel.Part(blob=blob)]).save()
    with parcel.batch_write() as batch:
        batch.save(parcel("a", 2, packed=b"x"))
    parcel("a", 2).update([parcel.packed.set(blob)])
    with TransactWrite(connection=parcel.connection) as transaction:
        transaction.save(parcel("a", 3, packed=blob), condition=parcel.name.does_not_exist())
    found = [
        parcel.get("a", 1, consistent_read=True),
        *parcel.query("a", consistent_read=True),
        *parcel.scan(consistent_read=True),
        *sorted(parcel.batch_get([("a", n) for n in (1, 2, 3)]), key=lambda row: row.number),
    ]
    parcel("a", 3).delete()
    assert [(row.number, row.packed) for row in found] == [(1, blob), *[(n, blob) for n in (1, 2, 3)] * 3]
    assert found[0].parts[0].blob == blob
    return found


def test_models_are_read_and_written_quickly_and_say_the_same(parcel: Any, calls: Calls) -> None:
    kinds_of_calls(parcel)
    assert calls.by_client == []
    assert len(calls.quick) == 9


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_what_gets_no_answer_is_asked_again_through_the_client(parcel: Any, calls: Calls, lost: str) -> None:
    calls.lose = lost
    kinds_of_calls(parcel)
    assert calls.by_client == calls.quick


def test_a_transaction_whose_answer_is_lost_is_done_once(parcel: Any, calls: Calls) -> None:
    calls.lose = "answer"
    with TransactWrite(connection=parcel.connection) as transaction:
        transaction.save(parcel("a", 1), condition=parcel.name.does_not_exist())
    assert calls.by_client == ["TransactWriteItems"]
    with (
        pytest.raises(TransactWriteError) as refused,
        TransactWrite(connection=parcel.connection) as transaction,
    ):
        transaction.save(parcel("a", 1), condition=parcel.name.does_not_exist())
    assert [reason and reason.code for reason in refused.value.cancellation_reasons] == [
        "ConditionalCheckFailed"
    ]


@pytest.mark.parametrize(("attempts", "of_client"), [(1, 1), (2, 1), (3, 2)])
def test_a_quick_try_is_one_of_the_attempts(aws_env: str, attempts: int, of_client: int) -> None:
    settings = ChassisSettings(environment="test", aws_attempts=attempts)
    connection = bind([make_model()], settings, quick_calls(settings))
    assert connection.client.meta.config.retries["total_max_attempts"] == of_client


def test_a_condition_that_fails_has_the_clients_name(parcel: Any, calls: Calls) -> None:
    parcel("a", 1).save()
    with pytest.raises(PutError) as refused:
        parcel("a", 1).save(condition=parcel.name.does_not_exist())
    assert refused.value.cause_response_code == "ConditionalCheckFailedException"
    assert calls.by_client == ["PutItem"]


def test_nothing_is_quick_past_a_proxy(aws_env: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ChassisSettings(environment="test")
    assert quick_calls(settings) is not None
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://dynamodb.invalid")
    assert quick_calls(settings) is None


def test_nothing_is_quick_that_may_be_tried_once_only(aws_env: str) -> None:
    assert quick_calls(ChassisSettings(environment="test", aws_attempts=1)) is None
