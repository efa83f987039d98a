"""Three SDKs, each behind one function: boto3, the AWS CLI and the JavaScript SDK.

The CLI pins a botocore of its own and the JavaScript SDK is no Python at all: both are installed apart, by
hash, at the first run. Where that is not possible the tests are skipped, or fail when CI=true.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.running_simulator import Simulator, running_simulator

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CLI_FOLDER = ROOT / ".venv" / "sdks"
NODE_FOLDER = ROOT / ".venv" / "web" / "bin"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "111122223333", "AWS_SECRET_ACCESS_KEY": "test"}

# (service, operation, input) -> {"answer": ...} or {"error": code}
Sdk = Callable[[str, str, dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with running_simulator(tmp_path_factory.mktemp("simulator")) as running:
        yield running


@pytest.fixture(params=["boto3", "AWS CLI", "JavaScript SDK"])
def sdk(request: pytest.FixtureRequest, simulator: Simulator) -> Sdk:
    return {"boto3": boto3_sdk, "AWS CLI": cli_sdk, "JavaScript SDK": javascript_sdk}[request.param](
        simulator.url
    )


@pytest.fixture
def decimals(simulator: Simulator) -> Sdk:
    """The SDK whose model knows decimal quantities."""
    return boto3_sdk(simulator.url)


def boto3_sdk(url: str) -> Sdk:
    def call(service: str, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        client = boto3.client(
            service,
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}),
        )
        try:
            return {"answer": getattr(client, snake(operation))(**given)}
        except ClientError as error:
            return {"error": error.response["Error"]["Code"]}

    return call


def cli_sdk(url: str) -> Sdk:
    program = installed_cli()

    def call(service: str, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        command = [program, service, snake(operation).replace("_", "-"), "--no-paginate"]
        command += ["--cli-input-json", json.dumps(given), "--output", "json"]
        ended = subprocess.run(
            command, env=environment(url), capture_output=True, text=True, check=False, timeout=60
        )
        if ended.returncode == 0:
            return {"answer": json.loads(ended.stdout or "{}")}
        found = re.search(r"An error occurred \((\w+)\)", ended.stderr)
        assert found, ended.stderr
        return {"error": found[1]}

    return call


def javascript_sdk(url: str) -> Sdk:
    node = installed_javascript_sdk()

    def call(service: str, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        ended = subprocess.run(
            [node, "call.mjs"],
            cwd=HERE,
            env=environment(url),
            input=json.dumps({"service": service, "operation": operation, "input": given}),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert ended.returncode == 0, ended.stderr
        answer: dict[str, Any] = json.loads(ended.stdout)
        return answer

    return call


def environment(url: str) -> dict[str, str]:
    """The variables of a child; AWS's own name for the endpoint, which all three know."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return (
        kept
        | CREDENTIALS
        | {
            "AWS_ENDPOINT_URL": url,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
        }
    )


def installed_cli() -> str:
    program = CLI_FOLDER / "bin" / "aws"
    stamp = CLI_FOLDER / ".stamp"
    wanted = (HERE / "requirements.txt").read_text()
    if not (stamp.exists() and stamp.read_text() == wanted):
        uv = [str(ROOT / ".venv/uv/bin/uv"), "--quiet", "--no-config"]
        install([*uv, "venv", "--clear", str(CLI_FOLDER)], "the AWS CLI")
        python = str(CLI_FOLDER / "bin" / "python")
        requirements = str(HERE / "requirements.txt")
        install([*uv, "pip", "sync", "--python", python, "--require-hashes", requirements], "the AWS CLI")
        stamp.write_text(wanted)
    return str(program)


def installed_javascript_sdk() -> str:
    node, npm = NODE_FOLDER / "node", NODE_FOLDER / "npm"
    if not node.exists():
        missing(f"the JavaScript SDK: {node} is missing; this mends it: make setup")
    stamp = HERE / "node_modules" / ".stamp"
    wanted = (HERE / "package-lock.json").read_text()
    if not (stamp.exists() and stamp.read_text() == wanted):
        install([str(npm), "ci", "--no-audit", "--no-fund", "--ignore-scripts"], "the JavaScript SDK")
        stamp.write_text(wanted)
    return str(node)


def install(command: list[str], what: str) -> None:
    try:
        ended = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False, timeout=300)
    except FileNotFoundError as error:
        missing(f"{what}: {error}")
    else:
        if ended.returncode != 0:
            missing(f"{what}: {ended.stderr[-1000:]}")


def missing(what: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"Could not install {what}")
    pytest.skip(f"Could not install {what}")


def snake(operation: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()
