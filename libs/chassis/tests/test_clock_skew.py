"""How far our clock is off AWS's, by the Date of its answers."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from prometheus_client import REGISTRY

from chassis.aws import client
from chassis.clock_skew import LOOK_EVERY_SECONDS, skew_seconds, watch
from chassis.settings import ChassisSettings

TEN = datetime(2026, 11, 22, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("date", "skew"),
    [
        ("Sun, 22 Nov 2026 10:00:00 GMT", -0.5),
        ("Sun, 22 Nov 2026 09:59:59 GMT", 0.5),
        ("Sun, 22 Nov 2026 10:05:00 GMT", -300.5),
        ("Sun, 22 Nov 2026 10:00:00 -0000", -0.5),
        ("Sun, 22 Nov 2026 11:00:00 +0100", -0.5),
    ],
)
def test_our_clock_less_the_others(date: str, skew: float) -> None:
    assert skew_seconds(date, TEN) == skew


@pytest.mark.parametrize("date", ["", "soon", "2026-11-22T10:00:00Z"])
def test_what_is_no_date_is_refused(date: str) -> None:
    with pytest.raises(ValueError, match="date"):
        skew_seconds(date, TEN)


class OtherClock:
    """An AWS that lives by a clock of its own."""

    def __init__(self) -> None:
        self.date: str | None = None
        self.status = 200

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = b"{}" if self.status == 200 else b'{"__type": "AccessDenied", "message": "no"}'
        handler.send_response_only(self.status)
        if self.date is not None:
            handler.send_header("Date", self.date)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch, aws_env: str) -> Iterator[OtherClock]:
    there = OtherClock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            there.answer(self)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"http://127.0.0.1:{server.server_port}")
    yield there
    server.shutdown()
    server.server_close()


def shown() -> float | None:
    return REGISTRY.get_sample_value("marketplane_clock_skew_seconds")


def test_clock_skew(other: OtherClock) -> None:
    """Each client of ours looks, at answers and at refusals."""

    def http_date(moment: datetime) -> str:
        return moment.strftime("%a, %d %b %Y %H:%M:%S GMT")

    settings = ChassisSettings(environment="test", aws_attempts=1)
    for ahead, status in ((timedelta(hours=1), 200), (timedelta(), 200), (timedelta(minutes=-10), 403)):
        other.date, other.status = http_date(datetime.now(UTC) + ahead), status
        sqs = client(settings, "sqs")
        if status == 200:
            sqs.list_queues()
        else:
            with pytest.raises(ClientError):
                sqs.list_queues()
        skew = shown()
        assert skew is not None
        # A minute is for a machine that is very busy.
        assert abs(skew + ahead.total_seconds()) < 60


def test_it_looks_now_and_then_and_bears_any_answer(other: OtherClock) -> None:
    seconds = 0.0
    # Not one of ours, which looks by itself.
    sqs = boto3.session.Session().client("sqs")
    watch(sqs, now=lambda: TEN, monotonic=lambda: seconds)

    def answered(date: str | None) -> float | None:
        other.date = date
        sqs.list_queues()
        return shown()

    assert answered("Sun, 22 Nov 2026 09:00:00 GMT") == 3599.5
    assert answered("Sun, 22 Nov 2026 10:00:00 GMT") == 3599.5
    seconds += LOOK_EVERY_SECONDS
    assert answered(None) == 3599.5
    assert answered("yesterday") == 3599.5
    assert answered("Sun, 22 Nov 2026 10:00:00 GMT") == -0.5
