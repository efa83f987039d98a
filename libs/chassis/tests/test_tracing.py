"""What is traced, what goes on from process to process, and what is in no span; and that nothing of it is
there while it is off. On the real engine; the collector is a server on loopback."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from botocore.exceptions import ClientError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import SpanKind, StatusCode
from pydantic import ValidationError
from pynamodb.attributes import UnicodeAttribute
from pynamodb.models import Model
from starlette.testclient import TestClient

from chassis import tracing
from chassis.aws import client as aws_client
from chassis.open_telemetry import SaidOnce
from chassis.outbox import OutboxItem, relay_once
from chassis.queues import Message, Queue, Unreadable, create_queue_with_dlq, handle_batch
from chassis.settings import ChassisSettings
from chassis.tables import bind, create_tables
from chassis.testing import Traced, ids
from chassis.worker import every

TRACE, ABOVE = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{ABOVE}-01"
NOT_SAMPLED = f"00-{TRACE}-{ABOVE}-00"
SETTINGS = ChassisSettings(environment="test", aws_attempts=1)
LogLines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def sqs(aws_env: str) -> Any:
    sqs = aws_client(SETTINGS, "sqs")
    create_queue_with_dlq(sqs, "news")
    return sqs


def receive(sqs: Any, name: str = "news") -> tuple[Queue, list[Message]]:
    queue = Queue(sqs, name)
    return queue, queue.receive(wait_seconds=0)


# -- off -----------------------------------------------------------------------------------------------------


def test_off_nothing_of_opentelemetry_is_imported(aws_env: str) -> None:
    """By the web role, by the loops of a worker, and by a call of each kind."""
    program = (
        "import sys; from chassis import commands, outbox, queues, tracing, worker; import sample.asgi\n"
        "tracing.start('sample-worker', sample.asgi.settings)\n"
        "with tracing.of_round('r'), tracing.of_sending('q') as span, tracing.of_call('C', records=1):\n"
        "    assert span is tracing.NOTHING and tracing.trace_id() is tracing.traceparent() is None\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=here, capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_off_a_message_has_no_attribute_and_a_line_no_trace(sqs: Any, log_lines: LogLines) -> None:
    Queue(sqs, "news").send({"n": 1})
    structlog.get_logger().info("One.")
    _, (message,) = receive(sqs)
    assert message.attributes == {}
    assert "trace_id" not in log_lines()[0]


@pytest.mark.parametrize("value", ["", "http://127.0.0.1:4318", "https://collector.seller.example/otlp"])
def test_a_collectors_address_is_taken(value: str) -> None:
    assert ChassisSettings(otel_exporter_otlp_endpoint=value).otel_exporter_otlp_endpoint == value


@pytest.mark.parametrize(
    "value",
    [
        "collector:4318",
        "grpc://collector:4317",
        "http://",
        "http://u:p@collector",
        "http://c?k=1",
        "http://c:x",
    ],
)
def test_what_is_no_address_stops_the_start(value: str) -> None:
    with pytest.raises(ValidationError, match="not the address of a collector"):
        ChassisSettings(otel_exporter_otlp_endpoint=value)


def test_a_variable_that_opentelemetry_refuses_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "-1")
    settings = ChassisSettings(environment="test", otel_exporter_otlp_endpoint="http://127.0.0.1:9")
    with pytest.raises(SystemExit) as ended:
        tracing.start("sample-web", settings)
    assert ended.value.code == 78
    assert capsys.readouterr().err.startswith("Cannot start. One of OpenTelemetry's variables")
    assert tracing.traceparent() is None


def test_a_credential_that_cannot_be_read_is_not_logged(
    monkeypatch: pytest.MonkeyPatch, log_lines: LogLines
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "opaque-credential")
    settings = ChassisSettings(environment="test", otel_exporter_otlp_endpoint="http://127.0.0.1:9")
    with tracing.switched_on("sample-web", settings):
        (line,) = log_lines()
    assert line["event"].startswith("Header format invalid!")
    assert "opaque" not in str(line)


# -- requests ------------------------------------------------------------------------------------------------


def test_a_request_is_a_span_of_its_callers_trace(
    traced: Traced, client: TestClient, operator: dict[str, str], log_lines: LogLines
) -> None:
    answer = client.get("/v1/notes/opaque-id", headers=operator | {"traceparent": PARENT})
    assert answer.status_code == 200
    (span,) = traced.all
    assert (span.name, span.kind) == ("sample.api.read_note", SpanKind.SERVER)
    assert ids(span)[0] == TRACE
    assert ids(span)[2] == ABOVE
    assert dict(span.attributes or {}) == {"http.request.method": "GET", "http.response.status_code": 200}
    assert [line["trace_id"] for line in log_lines() if line["event"] == "Answered."] == [TRACE]
    assert "traceparent" not in answer.headers


def test_what_is_answered_in_the_event_loop_is_one_too(
    traced: Traced, client: TestClient, operator: dict[str, str]
) -> None:
    assert client.post("/v1/bells", json={"text": "rings"}, headers=operator).status_code < 300
    assert client.post("/v1/bells", json={"text": "rings"}, headers=operator).status_code < 300
    first, second = traced.all
    assert first.name == second.name == "sample.api.ring_bell"
    assert ids(first)[0] != ids(second)[0]


@pytest.mark.parametrize(
    "given",
    [
        [],
        [PARENT, PARENT],
        ["00-" + "0" * 32 + f"-{ABOVE}-01"],
        [PARENT.upper()],
        [PARENT + "-more"],
        ["x" * 9000],
        ["ä"],
    ],
)
def test_without_one_readable_traceparent_a_trace_begins(
    traced: Traced, client: TestClient, log_lines: LogLines, given: list[str]
) -> None:
    headers = [(b"traceparent", one.encode("latin-1")) for one in given]
    client.get("/v1/notes/n", headers=headers)
    (span,) = traced.all
    assert span.parent is None
    assert ids(span)[0] != TRACE
    assert [line["event"] for line in log_lines()] == ["Answered."]


def test_what_a_caller_does_not_sample_is_not_sent(traced: Traced, client: TestClient) -> None:
    client.get("/v1/notes/n", headers={"traceparent": NOT_SAMPLED})
    assert traced.all == []


def test_health_and_metrics_are_no_requests_to_trace(traced: Traced, client: TestClient) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert client.get(path).status_code == 200
    assert traced.all == []


def test_a_failure_is_told_by_its_name_and_nothing_else(
    traced: Traced, client: TestClient, operator: dict[str, str]
) -> None:
    secret = "opaque-secret"
    headers = operator | {"Cookie": secret, "tracestate": f"a={secret}", "baggage": f"a={secret}"}
    assert client.get("/v1/breakdowns?how=us", headers=headers).status_code == 500
    assert client.get(f"/v1/{secret}", headers=headers).status_code == 404
    broken, unknown = traced.all
    assert broken.status.status_code is StatusCode.ERROR
    assert broken.attributes is not None
    assert broken.attributes["error.type"] == "500"
    assert (unknown.name, unknown.status.status_code) == ("unknown", StatusCode.UNSET)
    said = "".join(span.to_json() for span in traced.all)
    for text in (secret, "ada@example.com", operator["X-API-Key"], "Traceback"):
        assert text not in said
    assert all(span.events == () for span in traced.all)


# -- calls ---------------------------------------------------------------------------------------------------


def test_a_call_bears_its_name_its_count_and_awss_name_of_an_error(traced: Traced) -> None:
    refusal = ClientError({"Error": {"Code": "ThrottlingException", "Message": "opaque"}}, "BatchMeterUsage")
    with pytest.raises(ClientError), tracing.of_call("BatchMeterUsage", records=25):
        raise refusal
    with pytest.raises(KeyError), tracing.of_call("GetEntitlements"):
        raise KeyError("opaque")
    metered, read = traced.all
    assert metered.kind is SpanKind.CLIENT
    assert dict(metered.attributes or {}) == {
        "marketplane.records": 25,
        "error.type": "ThrottlingException",
    }
    assert dict(read.attributes or {}) == {"error.type": "KeyError"}
    assert "opaque" not in metered.to_json() + read.to_json()


# -- queues --------------------------------------------------------------------------------------------------


def test_a_message_goes_on_with_its_senders_trace(traced: Traced, sqs: Any, log_lines: LogLines) -> None:
    with tracing.of_call("outer"):
        Queue(sqs, "news").send({"n": 1})
    queue, messages = receive(sqs)

    def handle(_message: Message) -> None:
        structlog.get_logger().info("Handled.")
        with tracing.of_call("inner"):
            pass

    assert handle_batch(queue, messages, handle) == 0
    outer, send = traced.named("outer"), traced.named("send news")
    process, inner = traced.named("process news"), traced.named("inner")
    assert (send.kind, process.kind) == (SpanKind.PRODUCER, SpanKind.CONSUMER)
    assert [ids(one)[2] for one in (outer, send, process, inner)] == [
        None,
        ids(outer)[1],
        ids(send)[1],
        ids(process)[1],
    ]
    assert {ids(span)[0] for span in traced.all} == {ids(outer)[0]}
    assert [line["trace_id"] for line in log_lines() if line["event"] == "Handled."] == [ids(outer)[0]]
    assert process.attributes is not None
    assert process.attributes["messaging.message.id"] == messages[0].id


@pytest.mark.parametrize("failure", [Unreadable("opaque"), RuntimeError("opaque")])
def test_a_message_that_fails_is_a_failed_span(traced: Traced, sqs: Any, failure: Exception) -> None:
    Queue(sqs, "news").send({"n": 1})
    queue, messages = receive(sqs)

    def handle(_message: Message) -> None:
        raise failure

    handle_batch(queue, messages, handle)
    process = traced.named("process news")
    assert process.status.status_code is StatusCode.ERROR
    assert process.attributes is not None
    assert process.attributes["error.type"] == type(failure).__name__
    assert "opaque" not in process.to_json()


def test_a_buried_message_keeps_its_trace(traced: Traced, sqs: Any) -> None:
    sent_by = Queue(sqs, "news")
    sent_by.send({"n": 1}, PARENT)
    queue, messages = receive(sqs)
    queue.bury(messages[0], "opaque")
    _, (letter,) = receive(sqs, "news-dlq")
    assert letter.traceparent is not None
    assert TRACE in letter.traceparent


OTHER = f"00-{'1' * 32}-{ABOVE}-01"
SISTER = f"00-{TRACE}-{'1' * 16}-01"


@pytest.mark.parametrize(
    ("parents", "trace", "linked"),
    [
        ([PARENT, PARENT], TRACE, set()),
        ([PARENT, SISTER], TRACE, {TRACE}),
        ([PARENT, OTHER], None, {TRACE, "1" * 32}),
        ([PARENT, None], None, {TRACE}),
        ([None, None], None, set()),
        (["garbage", "garbage"], None, set()),
        (["garbage", OTHER], None, {"1" * 32}),
    ],
)
def test_messages_that_are_handled_together(
    traced: Traced, sqs: Any, parents: list[str | None], trace: str | None, linked: set[str]
) -> None:
    for parent in parents:
        attribute = {"traceparent": {"DataType": "String", "StringValue": parent}} if parent else {}
        sqs.send_message(QueueUrl=Queue(sqs, "news").url, MessageBody="{}", MessageAttributes=attribute)
    queue, messages = receive(sqs)
    assert len(messages) == 2

    def alone(_message: Message) -> None:
        raise AssertionError("all were handled")

    handle_batch(queue, messages, alone, together=lambda some: some)
    span = traced.named("process news")
    assert span.attributes is not None
    assert span.attributes["messaging.batch.message_count"] == 2
    assert (ids(span)[0] == TRACE) is (trace is not None)
    assert {f"{link.context.trace_id:032x}" for link in span.links} == linked


# -- the outbox ----------------------------------------------------------------------------------------------


class Outbox(OutboxItem):
    class Meta:
        table_name = "outbox"


def test_an_item_that_is_sent_later_goes_on_with_the_trace_it_was_written_in(
    traced: Traced, sqs: Any
) -> None:
    bind([Outbox], SETTINGS)
    create_tables([Outbox])
    with tracing.of_call("outer"):
        Outbox.of("news", {"n": 1}).save()
    assert relay_once(Outbox, lambda name: Queue(sqs, name)) == 1
    assert ids(traced.named("send news"))[2] == ids(traced.named("outer"))[1]
    assert ids(traced.named("send news"))[0] == ids(traced.named("outer"))[0]


def test_an_older_release_reads_an_item_that_has_a_trace(traced: Traced, sqs: Any) -> None:
    class OlderOutbox(Model):
        class Meta:
            table_name = "outbox"

        outbox_id = UnicodeAttribute(hash_key=True)
        queue = UnicodeAttribute()
        body = UnicodeAttribute()

    bind([Outbox], SETTINGS)
    bind([OlderOutbox], SETTINGS)
    create_tables([Outbox])
    with tracing.of_call("outer"):
        Outbox.of("news", {"n": 1}).save()
    (item,) = OlderOutbox.scan()
    assert (item.queue, item.body) == ("news", '{"n":1}')
    # It writes what it knows, and the next reader finds no trace.
    item.save()
    (again,) = Outbox.scan()
    assert again.traceparent is None


def test_an_item_without_a_trace_begins_one_when_it_is_sent(traced: Traced, sqs: Any) -> None:
    bind([Outbox], SETTINGS)
    create_tables([Outbox])
    Outbox.of("news", {"n": 1}).save()
    with tracing.of_call("another item's"):
        relay_once(Outbox, lambda name: Queue(sqs, name))
    assert traced.named("send news").parent is None


# -- rounds --------------------------------------------------------------------------------------------------


def one_round(step: Callable[[], object]) -> None:
    """Take one round of a loop."""

    class Once(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            self.set()
            return True

    every(1.0, step)(Once())


def test_a_round_that_did_nothing_is_not_told(traced: Traced) -> None:
    one_round(lambda: None)
    assert traced.all == []


def test_a_round_that_called_somebody_said_something_or_failed_is(
    traced: Traced, log_lines: LogLines
) -> None:
    def calls() -> None:
        with tracing.of_call("GetEntitlements"):
            pass

    def says() -> None:
        structlog.get_logger().info("Something.")

    def fails() -> None:
        raise RuntimeError("opaque")

    one_round(calls)
    one_round(says)
    with pytest.raises(RuntimeError):
        one_round(fails)
    call, calling, saying, failing = traced.all
    assert [span.name for span in (calling, saying, failing)] == ["calls", "says", "fails"]
    assert ids(call)[2] == ids(calling)[1]
    assert [line["trace_id"] for line in log_lines()] == [ids(saying)[0]]
    assert failing.status.status_code is StatusCode.ERROR
    assert len({ids(span)[0] for span in (calling, saying, failing)}) == 3


def test_a_call_in_one_round_does_not_tell_of_the_next(traced: Traced) -> None:
    def calls() -> None:
        with tracing.of_call("GetEntitlements"):
            pass

    one_round(calls)
    one_round(lambda: None)
    assert len(traced.all) == 2


# -- the collector -------------------------------------------------------------------------------------------


class Collector:
    """Takes spans, or not, as the test says."""

    result = SpanExportResult.SUCCESS

    def export(self, spans: Any) -> SpanExportResult:
        if self.result is None:
            raise ConnectionError("opaque")
        return self.result

    def shutdown(self) -> None: ...

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


@pytest.mark.parametrize("how", [SpanExportResult.FAILURE, None])
def test_that_spans_are_not_taken_is_said_once_and_once_that_they_are_again(
    log_lines: LogLines, how: Any
) -> None:
    collector = Collector()
    said_once = SaidOnce(collector)  # type: ignore[arg-type]
    said_once.export([])
    for result in (how, how, how, SpanExportResult.SUCCESS, SpanExportResult.SUCCESS, how):
        collector.result = result
        expected = SpanExportResult.FAILURE if result is None else result
        assert said_once.export([None]) is expected  # type: ignore[list-item]
    assert [(line["level"], line["event"]) for line in log_lines()] == [
        ("warning", "Traces are not taken; they are dropped until they are."),
        ("info", "Traces are taken again."),
        ("warning", "Traces are not taken; they are dropped until they are."),
    ]
    assert log_lines()[1]["dropped"] == 3
    assert "opaque" not in str(log_lines())


def test_server_processes_send_what_is_left_when_they_are_told_to_stop(
    aws_env: str, launch: Any, keys: Any, serve: Any
) -> None:
    """Two, forked by gunicorn, and no batch is due within the test."""
    collector = serve()
    key = keys.add("ada", {"operator"})
    web = launch(
        "web",
        ready="/readyz",
        WEB_WORKERS="2",
        WEB_THREADS="4",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_EXPORTER_OTLP_HEADERS="authorization=opaque-credential",
        OTEL_BSP_SCHEDULE_DELAY="3600000",
        OTEL_RESOURCE_ATTRIBUTES="cloud.region=us-east-1",
    )
    for _ in range(10):
        assert web.get("/v1/notes/opaque-id", {"X-API-Key": key, "traceparent": PARENT})[0] == 200
    assert collector.asked == []
    web.process.terminate()
    out, err = web.process.communicate(timeout=60)
    assert web.process.returncode == 0, err
    assert set(collector.asked) == {"/v1/traces"}
    requests = [ExportTraceServiceRequest.FromString(body) for body in collector.bodies]
    resources = [one for request in requests for one in request.resource_spans]
    spans = [span for one in resources for scope in one.scope_spans for span in scope.spans]
    assert [(span.name, span.trace_id.hex()) for span in spans] == [("sample.api.read_note", TRACE)] * 10
    assert len({span.span_id for span in spans}) == 10
    for resource in resources:
        said = {one.key: one.value.string_value for one in resource.resource.attributes}
        assert said["service.name"] == "sample-web"
        assert said["deployment.environment.name"] == "test"
        assert said["cloud.region"] == "us-east-1"
    lines = [json.loads(line) for line in out.splitlines()]
    assert {line["trace_id"] for line in lines if line["event"] == "Answered."} == {TRACE}
    assert "opaque" not in out + err + str(requests)


def test_a_collector_that_is_away_fails_no_request_and_is_said_once(
    aws_env: str, launch: Any, keys: Any
) -> None:
    key = keys.add("ada", {"operator"})
    web = launch(
        "web",
        ready="/readyz",
        WEB_WORKERS="1",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_BSP_SCHEDULE_DELAY="1",
    )
    for _ in range(20):
        assert web.get("/v1/notes/n", {"X-API-Key": key})[0] == 200
    web.process.terminate()
    out, err = web.process.communicate(timeout=60)
    assert web.process.returncode == 0, err
    said = [json.loads(line)["event"] for line in out.splitlines()]
    assert said.count("Answered.") == 20
    assert said.count("Traces are not taken; they are dropped until they are.") <= 1
    assert len(said) <= 21


def test_a_worker_sends_what_is_left_too(aws_env: str, launch: Any, serve: Any) -> None:
    collector = serve()
    worker = launch(
        "worker",
        ready="/healthz",
        TABLE_PREFIX="failing-",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_BSP_SCHEDULE_DELAY="3600000",
    )
    worker.wait_until_it_says("/metrics", 'marketplane_loop_failures_total{loop="failing"} 1.0')
    worker.process.terminate()
    _, err = worker.process.communicate(timeout=60)
    assert worker.process.returncode == 0, err
    requests = [ExportTraceServiceRequest.FromString(body) for body in collector.bodies]
    spans = [
        span
        for request in requests
        for one in request.resource_spans
        for scope in one.scope_spans
        for span in scope.spans
    ]
    assert {span.name for span in spans} == {"fail"}
