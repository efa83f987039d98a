"""A simulator for other people's tests: `pytest_plugins = ["marketplace_simulator.pytest_plugin"]`.

Gives the fixture `marketplace_simulator`: a simulator of this test session's own on a free loopback port,
emptied before each test.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

# boto3 and the AWS CLI take these; other SDKs take an endpoint per client.
ENDPOINT_VARIABLES = (
    "AWS_ENDPOINT_URL_MARKETPLACE_METERING",
    "AWS_ENDPOINT_URL_MARKETPLACE_ENTITLEMENT_SERVICE",
    "AWS_ENDPOINT_URL_MARKETPLACE_AGREEMENT",
    "AWS_ENDPOINT_URL_MARKETPLACE_DEPLOYMENT",
)


class Refused(Exception):
    """The control API refused; `status` and `problem` say why."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status}: {problem.get('detail') or problem}")
        self.status = status
        self.problem = problem


class SimulatorClient:
    """The control API of a running simulator; each method answers the JSON that `openapi.yaml` describes.

    Args:
        url: its address, without a path.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def environment(self) -> dict[str, str]:
        """Variables that point boto3, the AWS CLI and other SDKs at it, credentials included."""
        return {
            **dict.fromkeys(ENDPOINT_VARIABLES, self.url),
            "AWS_ACCESS_KEY_ID": "111122223333",
            "AWS_SECRET_ACCESS_KEY": "test",  # nosec B105 # the simulator knows no secrets
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Any call below `/_simulator/`.

        Raises:
            Refused: it answered with a problem.
        """
        request = urllib.request.Request(
            f"{self.url}/_simulator/{path}",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        # A proxy of the machine has no business between a test and its simulator.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as response:
                return json.load(response)
        except HTTPError as error:
            with error:
                raise Refused(error.code, json.load(error)) from None

    def reset(self) -> None:
        self.call("POST", "reset")

    def list_product(self, title: str, *dimensions: str, **more: Any) -> dict[str, Any]:
        """List a product with these dimensions, of concurrent agreements unless told otherwise."""
        keys = [{"key": dimension} for dimension in dimensions]
        body = {"title": title, "generation": "concurrent_agreements", "dimensions": keys, **more}
        product: dict[str, Any] = self.call("POST", "products", body)
        return product

    def buy(self, product_code: str, *, active: bool = True, **more: Any) -> dict[str, Any]:
        """A purchase with its `registration_token`; the clock moves past its activation."""
        agreement: dict[str, Any] = self.call("POST", "agreements", {"product_code": product_code, **more})
        if active:
            self.advance(120)
        return agreement

    def act(self, agreement_id: str, action: str, **body: Any) -> dict[str, Any]:
        """`cancel`, `amend`, `renew`, `suspend` and so on."""
        agreement: dict[str, Any] = self.call("POST", f"agreements/{agreement_id}/{action}", body)
        return agreement

    def now(self) -> datetime:
        return datetime.fromisoformat(self.call("GET", "clock")["now"])

    def advance(self, seconds: float) -> datetime:
        """Move the clock on; what came due has been offered when this returns."""
        return datetime.fromisoformat(self.call("PUT", "clock", {"advance_seconds": seconds})["now"])

    def bill(self) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = self.call("GET", "bill")["records"]
        return records

    def news(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.call("GET", "news")["news"]
        return items


@pytest.fixture(scope="session")
def marketplace_simulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorClient]:
    """The process behind `marketplace_simulator`; tests want that one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_ENDPOINT_URL")}
    log = tmp_path_factory.mktemp("marketplace-simulator") / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "marketplace_simulator"],
            env=kept | {"HOST": "127.0.0.1", "PORT": str(port), "LOG_LEVEL": "WARNING"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    client = SimulatorClient(f"http://127.0.0.1:{port}")
    try:
        _wait(client, process, log)
        yield client
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def marketplace_simulator(marketplace_simulator_process: SimulatorClient) -> SimulatorClient:
    """An empty simulator, its clock frozen at its start."""
    marketplace_simulator_process.reset()
    return marketplace_simulator_process


def _wait(client: SimulatorClient, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            client.call("GET", "health")
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"The simulator did not start:\n{log.read_text()}")
