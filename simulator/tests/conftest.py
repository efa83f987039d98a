"""A real server on a free loopback port, real boto3 in front of it, and a real local engine behind it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import boto3
import pytest
import uvicorn
from botocore.config import Config

from marketplace_simulator.app import build_app
from marketplace_simulator.delivery import NotDelivered
from marketplace_simulator.news import News
from marketplace_simulator.settings import Settings
from marketplace_simulator.times import parse_rfc3339

START = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)


class Mailbox:
    """Stands where the local engine does: keeps what was delivered, and can be away."""

    def __init__(self) -> None:
        self.delivered: list[News] = []
        self.away = False

    def deliver(self, news: News, subscribed_queues: list[str]) -> None:
        if self.away:
            raise NotDelivered("the engine is away")
        self.delivered.append(news)

    def prepare(self, topic: str, subscribed_queues: list[str]) -> None:
        if self.away:
            raise NotDelivered("the engine is away")

    def subscribe(self, topics: list[str], queue: str) -> list[str]:
        if self.away:
            raise NotDelivered("the engine is away")
        return [f"arn:{topic}:{queue}" for topic in topics]


@dataclass
class Answer:
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Seller:
    """Drives a running simulator: its control API by plain HTTP, AWS's APIs by boto3."""

    def __init__(self, url: str, mailbox: Mailbox | None = None) -> None:
        self.url = url
        self.mailbox = mailbox or Mailbox()
        self._clients: dict[tuple[Any, ...], Any] = {}

    def http(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        request = urllib.request.Request(self.url + path, data=body, method=method, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return Answer(response.status, response.headers, response.read())
        except HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def control(self, method: str, path: str, body: Any = None) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        return self.http(method, f"/_simulator/{path}", data, {"Content-Type": "application/json"})

    def do(self, method: str, path: str, body: Any = None) -> Any:
        """A control call that must succeed; its JSON."""
        answer = self.control(method, path, body)
        assert answer.status < 300, answer.body
        return answer.json

    def client(
        self, service: str, region: str = "us-east-1", access_key: str = "111122223333", **config: Any
    ) -> Any:
        """A boto3 client; `config` overrides: one try, ten seconds."""
        key = (service, region, access_key, str(config))
        if key not in self._clients:
            self._clients[key] = self._new_client(service, region, access_key, config)
        return self._clients[key]

    def _new_client(self, service: str, region: str, access_key: str, config: dict[str, Any]) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id=access_key,
            aws_secret_access_key="test",
            config=Config(**{"retries": {"total_max_attempts": 1}, "read_timeout": 10, **config}),
        )

    def metering(self, region: str = "us-east-1") -> Any:
        return self.client("meteringmarketplace", region)

    def product(self, generation: str = "concurrent_agreements", **more: Any) -> dict[str, Any]:
        body = {
            "title": "Inference",
            "generation": generation,
            "dimensions": [{"key": "gpu_hours", "title": "GPU hours", "unit": "Hours"}, {"key": "requests"}],
            **more,
        }
        return self.do("POST", "products", body)

    def buy(self, product: dict[str, Any], *, active: bool = True, **more: Any) -> dict[str, Any]:
        """A purchase; the clock is moved past its activation unless told otherwise."""
        agreement = self.do("POST", "agreements", {"product_code": product["product_code"], **more})
        if active:
            self.advance(120)
        return agreement

    def advance(self, seconds: float) -> datetime:
        return parse_rfc3339(self.do("PUT", "clock", {"advance_seconds": seconds})["now"])

    def set_now(self, moment: datetime) -> None:
        self.do("PUT", "clock", {"now": moment.isoformat()})

    def now(self) -> datetime:
        return parse_rfc3339(self.do("GET", "clock")["now"])

    def record(
        self, agreement: dict[str, Any], quantity: Any = 1, *, ago: timedelta = timedelta(), **more: Any
    ) -> dict[str, Any]:
        """A usage record by licence; a string is sent as QuantityAsDecimal."""
        form = "QuantityAsDecimal" if isinstance(quantity, str) else "Quantity"
        return {
            "Timestamp": self.now() - ago,
            "Dimension": "gpu_hours",
            "CustomerAWSAccountId": agreement["customer_aws_account_id"],
            "LicenseArn": agreement["license_arn"],
            form: quantity,
            **more,
        }

    def meter(
        self, *records: dict[str, Any], region: str = "us-east-1", **request: Any
    ) -> list[dict[str, Any]]:
        answer = self.metering(region).batch_meter_usage(UsageRecords=list(records), **request)
        assert answer["UnprocessedRecords"] == []
        return answer["Results"]

    def status(self, *records: dict[str, Any], **request: Any) -> list[str]:
        return [result["Status"] for result in self.meter(*records, **request)]

    def bill(self) -> list[dict[str, Any]]:
        return self.do("GET", "bill")["records"]

    def quantities(self) -> list[str]:
        return [record["quantity"] for record in self.bill()]


Serve = Callable[..., Seller]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts simulators in threads of this process."""
    stops: list[Callable[[], None]] = []

    def start(settings: Settings | None = None, *, real_post: bool = False) -> Seller:
        mailbox = Mailbox()
        # Tests call faster than AWS's quota; those that are about it leave it on.
        settings = settings or Settings(start=START, calls_per_second=0)
        app = build_app(settings, post=None if real_post else mailbox)
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()

        def stop() -> None:
            server.should_exit = True
            thread.join(10)
            listener.close()

        stops.append(stop)
        while not server.started:
            assert thread.is_alive(), "the simulator did not start"
            time.sleep(0.01)
        return Seller(f"http://127.0.0.1:{listener.getsockname()[1]}", mailbox)

    yield start
    for stop in stops:
        stop()


@pytest.fixture
def seller(serve: Serve) -> Seller:
    """A simulator without an engine; what it delivers is in `seller.mailbox`."""
    return serve()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None, "the process ended while starting"
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except HTTPError as error:
            error.close()
            return
        except (URLError, OSError):
            time.sleep(0.05)
    raise AssertionError(f"{url} did not answer")


@pytest.fixture
def serve_process(
    tmp_path: Path,
) -> Iterator[Callable[[dict[str, str]], tuple[subprocess.Popen[bytes], Seller]]]:
    """Starts simulators as processes, for those that are to be killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(environment: dict[str, str]) -> tuple[subprocess.Popen[bytes], Seller]:
        port = free_port()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        process = subprocess.Popen(
            [sys.executable, "-m", "marketplace_simulator"],
            env={**kept, "PORT": str(port), "LOG_LEVEL": "WARNING", **environment},
        )
        started.append(process)
        wait_for(f"http://127.0.0.1:{port}/healthz", process)
        return process, Seller(f"http://127.0.0.1:{port}")

    yield start
    for process in started:
        process.kill()
        process.wait(10)


def _engine_uvicorn() -> Path | None:
    """The local engine's uvicorn: the checkout's own environment, or beside $ENGINE_PYTHON."""
    candidates = [Path(__file__).parents[2] / ".venv/engine/bin/uvicorn"]
    if python := os.environ.get("ENGINE_PYTHON"):
        candidates.append(Path(python).parent / "uvicorn")
    return next((path for path in candidates if path.exists()), None)


@pytest.fixture(scope="session")
def engine_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A ministack of this session's own; $TEST_ENGINE_URL names one that runs already."""
    if running := os.environ.get("TEST_ENGINE_URL"):
        yield running
        return
    program = _engine_uvicorn()
    if program is None:
        pytest.skip("no local engine: neither .venv/engine nor $ENGINE_PYTHON")
    port = free_port()
    command = [program, "ministack.app:app", "--host", "127.0.0.1", "--port", str(port), "--no-access-log"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path_factory.mktemp("engine"),
        # Left alone, ministack opens further ports and looks for containers of its own.
        env={
            **os.environ,
            "GATEWAY_PORT": str(port),
            "LOG_LEVEL": "ERROR",
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "DOCKER_HOST": "unix:///nonexistent/docker.sock",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


class Inbox:
    """The seller's queue in the real engine."""

    queue = "marketplane-notifications"

    def __init__(self, engine_url: str, account: str) -> None:
        self.settings = Settings(
            start=START,
            sns_endpoint=engine_url,
            sqs_endpoint=engine_url,
            engine_access_key_id=account,
        )
        self.sqs = boto3.client(
            "sqs",
            endpoint_url=engine_url,
            region_name="us-east-1",
            aws_access_key_id=account,
            aws_secret_access_key="test",
        )

    def create(self) -> None:
        self.url = self.sqs.create_queue(QueueName=self.queue)["QueueUrl"]

    def bodies(self) -> list[Any]:
        bodies = []
        while messages := self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            bodies += [json.loads(message["Body"]) for message in messages]
        return bodies


@pytest.fixture
def inbox(engine_url: str, request: pytest.FixtureRequest) -> Inbox:
    # An account of its own for each test: 12 digits as access key.
    return Inbox(engine_url, f"{abs(hash(request.node.name)) % 10**12:012d}")
