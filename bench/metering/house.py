"""What is measured: metering's web role as the stack starts it, with two server processes, on the local
engine; beside it servers of the same make that do nothing."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from usage import Subscription, subscriptions

from tools.ports import free_port
from tools.processes import Guard, Process
from tools.stack import ACCOUNT, REGION, ROOT, Stack, call

HERE = Path(__file__).resolve().parent
WEB = "metering-web"
SERVER_PROCESSES = 2
LOG, HOURS = "marketplane-usage-log", "marketplane-usage-hours"
LONG_AGO = "2026-11-01T00:00:00Z"
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Server:
    """One that takes usage. `pid` is of gunicorn's master."""

    port: int
    pid: int


class House:
    """The running stack, and what the benches do with it past its services."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.tables = boto3.client(
            "dynamodb",
            endpoint_url=stack.urls["engine"],
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="test",
            config=Config(retries={"mode": "standard", "total_max_attempts": 1}),
        )
        self.key = ""

    @property
    def engine_pid(self) -> int:
        return self.stack.pid("engine")

    @property
    def metering(self) -> Server:
        return Server(self.stack.ports[WEB], self.stack.pid(WEB))

    def publish(self, ones: list[Subscription]) -> None:
        """What notifications would have written of them."""
        puts = [{"PutRequest": {"Item": _published(one)}} for one in ones]
        for start in range(0, len(puts), 25):
            self.tables.batch_write_item(RequestItems={"marketplane-subscriptions": puts[start : start + 25]})

    def events_in_log(self) -> int:
        """How many events lie in the log's segments."""
        return sum(int(row["events"]["N"]) for row in self.segments(["events"]))

    def segments(self, attributes: list[str]) -> Iterator[dict[str, Any]]:
        names = {f"#{number}": name for number, name in enumerate(attributes)}
        pages = self.tables.get_paginator("scan").paginate(
            TableName=LOG,
            ConsistentRead=True,
            ProjectionExpression=",".join(names),
            ExpressionAttributeNames=names,
        )
        for page in pages:
            yield from page["Items"]

    def empty(self, table: str = LOG) -> None:
        """Throw a table away and make it anew, so that every round finds the same. The server remembers
        nothing of the log."""
        described = self.tables.describe_table(TableName=table)["Table"]
        made = {name: described[name] for name in ("TableName", "KeySchema", "AttributeDefinitions")}
        indexes = [
            {name: index[name] for name in ("IndexName", "KeySchema", "Projection")}
            for index in described.get("GlobalSecondaryIndexes", [])
        ]
        self.tables.delete_table(TableName=table)
        self.tables.create_table(
            **made,
            BillingMode="PAY_PER_REQUEST",
            **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
        )


@contextlib.contextmanager
def house(
    variables: Mapping[str, str] | None = None,
    ports: Mapping[str, int] | None = None,
    simulator: Mapping[str, str] | None = None,
    also: Sequence[str] = (),
) -> Iterator[House]:
    """Engine, tables, published subscriptions, an API key, and metering's web role.

    Args:
        variables: of the web role, over the usual ones.
        ports: by process name.
        simulator: the simulator's variables; None leaves it out.
        also: other processes, started last.
    """
    with tempfile.TemporaryDirectory() as folder:
        below = ["engine"] if simulator is None else ["engine", "simulator"]
        stack = Stack(
            Path(folder),
            [*below[1:], WEB, *also],
            process_environment={
                WEB: {"WEB_WORKERS": str(SERVER_PROCESSES), **(variables or {})},
                "simulator": simulator or {},
            },
            ports=ports,
        )
        try:
            for name in below:
                stack.start(name)
            stack.connect_simulator()
            for service in ("registration", "notifications", "metering"):
                stack.run(service, "create-local")
            found = House(stack)
            found.publish(subscriptions())
            found.key = stack.api_key("metering", ["usage:write"])
            for name in (WEB, *also):
                stack.start(name)
            yield found
        finally:
            stack.stop()


@contextlib.contextmanager
def no_op(at: House, name: str, looks_at_rows: bool) -> Iterator[Server]:
    """The bench's own service, started with metering's command and variables."""
    port = free_port(avoid=at.stack.ports.values())
    guard = Guard()
    process = Process(
        name,
        [str(ROOT / ".venv" / "metering" / "bin" / "python"), "-m", "no_op", "web"],
        environment=at.stack.environment_of(WEB)
        | {"PORT": str(port), "PYTHONPATH": str(HERE), "LOOKS_AT_ROWS": str(int(looks_at_rows))},
        directory=ROOT,
        log=at.stack.log_file(name),
        guard=guard,
    )
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            with contextlib.suppress(OSError):
                if call("GET", f"http://127.0.0.1:{port}/readyz", check=False)[0] == 200:
                    break
            if process.exit_code is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The no-op did not start:\n{at.stack.logs(name)[-3000:]}")
            time.sleep(0.05)
        yield Server(port, process.pid)
    finally:
        process.ask_to_stop()
        process.wait(time.monotonic() + 30)
        process.kill()
        guard.close()


def _published(one: Subscription) -> dict[str, Any]:
    row = {
        "subscription_id": one.subscription_id,
        "product_code": one.product_code,
        "generation": "legacy" if one.is_legacy else "concurrent_agreements",
        "status": "active",
        "access": "granted",
        "active_since": LONG_AGO,
    }
    if one.is_legacy:
        row |= {"customer_identifier": one.identity}
    else:
        row |= {"license_arn": one.identity, "customer_aws_account_id": one.account}
    return {name: {"S": value} for name, value in row.items()}
