"""Fixtures for tests that need the real local engine or a clock that stands still.

A pytest plugin: a conftest.py names it, `pytest_plugins = ["chassis.testing"]`.
"""

import itertools
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chassis import tracing
from chassis.auth import BearerTokens, Caller
from chassis.clock import FrozenClock

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

TOKENS_ISSUER = "https://id.seller.example"
"""Of `token_of`'s."""

_accounts = itertools.count(100_000_000_000 + (os.getpid() % 100_000) * 1_000_000)


def _engine_command(port: int) -> list[str | Path]:
    """As in the Procfile. (`local_engine` keeps ministack to its port, and away from the user's Docker.)"""
    for folder in [Path.cwd(), *Path.cwd().parents]:
        program = folder / ".venv" / "engine" / "bin" / "uvicorn"
        if program.exists():
            what = ["local_engine:app", "--app-dir", str(folder / "engine"), "--no-access-log"]
            return [program, *what, "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"]
    raise RuntimeError("The local engine is not installed: run `make setup`.")


@pytest.fixture(scope="session")
def engine_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a local engine: `$TEST_ENGINE_URL`, or one started for this run and stopped after it."""
    if url := os.environ.get("TEST_ENGINE_URL"):
        yield url
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    engine = subprocess.Popen(
        _engine_command(port),
        cwd=tmp_path_factory.mktemp("engine"),
        env={**os.environ, "GATEWAY_PORT": str(port), "LOG_LEVEL": "WARNING", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                # The address is that of the tests' own engine.
                urllib.request.urlopen(f"{url}/_ministack/health", timeout=1).close()  # nosec B310
                break
            except OSError:
                if engine.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("The local engine did not start.") from None
                time.sleep(0.05)
        yield url
    finally:
        engine.terminate()
        engine.wait(timeout=20)


@pytest.fixture
def aws_env(engine_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Point AWS clients at the engine, as an account that no other test has. Returns the account id."""
    account = str(next(_accounts))
    for variable in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", account)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    # Set where tables are on another engine than the rest (ENGINE=dynamodb-local).
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", os.environ.get("TEST_DYNAMODB_URL", engine_url))
    for service in ("SQS", "SNS"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", engine_url)
    # Whatever a test forgets to point somewhere must fail, never reach AWS.
    for service in ("MARKETPLACE_METERING", "MARKETPLACE_ENTITLEMENT_SERVICE"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    return account


@pytest.fixture
def frozen_clock() -> FrozenClock:
    """A clock at 22 November 2026, 10:00 UTC, that moves only when told."""
    return FrozenClock(datetime(2026, 11, 22, 10, 0, tzinfo=UTC))


class Traced:
    """The spans that have ended, in the order of their ends."""

    def __init__(self) -> None:
        # Here and not above: where nothing is traced, nothing of it is imported.
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        from chassis.open_telemetry import Tracer

        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = Tracer(provider)

    @property
    def all(self) -> "list[ReadableSpan]":
        return list(self._exporter.get_finished_spans())

    def named(self, name: str) -> "ReadableSpan":
        """The one span of this name."""
        (found,) = [span for span in self.all if span.name == name]
        return found


def ids(span: "ReadableSpan") -> tuple[str, str, str | None]:
    """Of a span: its trace's, its own, and its parent's."""
    parent = f"{span.parent.span_id:016x}" if span.parent else None
    own = span.get_span_context()
    assert own is not None
    return f"{own.trace_id:032x}", f"{own.span_id:016x}", parent


@pytest.fixture
def traced() -> Iterator[Traced]:
    """Traces, and gives the spans."""
    found = Traced()
    tracing.use(found.tracer)
    yield found
    tracing.use(None)


@pytest.fixture
def token_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str]]:
    """Answers the header of somebody's bearer token with these scopes, which is believed as it is: how tokens
    are checked is tested with `chassis.auth` and with the contracts."""

    def check(_: BearerTokens, token: str) -> Caller:
        subject, *scopes = token.split("/")
        return Caller(subject, frozenset(scopes), subject, {"iss": TOKENS_ISSUER})

    monkeypatch.setattr(BearerTokens, "check", check)
    return lambda subject, *scopes: {"Authorization": f"Bearer {'/'.join([subject, *scopes])}"}
