"""Pytest fixtures for tests that speak to the local engine with boto3, from .venv/dev.

A conftest.py takes them by `from tools.engine_fixture import account, engine`.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tools.stack import REGION, Stack

_numbers = itertools.count(os.getpid() % 100_000 * 1_000_000)


@dataclass(frozen=True)
class Engine:
    """Where the engine under test is: `tables` for DynamoDB, `queues` for SQS and SNS."""

    name: str
    tables: str
    queues: str


@dataclass(frozen=True)
class Account:
    """An account that no other test has: the engines keep each 12-digit access key apart."""

    id: str
    engine: Engine

    def client(self, service: str, *, at: str | None = None, attempts: int = 1, **settings: Any) -> Any:
        """A boto3 client of this account.

        Args:
            service: `dynamodb`, `sqs` or `sns`.
            at: another address than the engine's, such as the fault proxy's.
            attempts: how often a call is tried; once, so that a test sees what the engine said.
            settings: further parts of botocore's Config.
        """
        url = at or (self.engine.tables if service == "dynamodb" else self.engine.queues)
        return boto3.client(
            service,
            endpoint_url=url,
            region_name=REGION,
            aws_access_key_id=self.id,
            aws_secret_access_key="test",  # nosec B106 # the local engine knows no secrets
            config=Config(
                retries={"total_max_attempts": attempts, "mode": "standard"},
                **{"connect_timeout": 5, "read_timeout": 60, **settings},
            ),
        )


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The engine that `make test` started, or one for this run. ENGINE=dynamodb-local is Amazon's own, for
    tables."""
    name = os.environ.get("ENGINE") or "ministack"
    if queues := os.environ.get("TEST_ENGINE_URL"):
        yield Engine(name, os.environ.get("TEST_DYNAMODB_URL") or queues, queues)
        return
    with Stack(tmp_path_factory.mktemp("engine"), processes=[], engine=name) as stack:
        yield Engine(name, stack.urls.get("dynamodb-local", stack.urls["engine"]), stack.urls["engine"])


@pytest.fixture
def account(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Account:
    """A fresh account, and none of the caller's own AWS set-up."""
    for variable in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    return Account(f"{300_000_000_000 + next(_numbers)}", engine)


@pytest.fixture
def make_table(account: Account) -> Callable[..., Any]:
    """Makes a table with the string key `pk` (and `sk` if asked) and answers a DynamoDB client."""

    def make(name: str = "things", *, sort: bool = False, **more: Any) -> Any:
        client = account.client("dynamodb")
        keys = [("pk", "HASH"), *([("sk", "RANGE")] if sort else [])]
        attributes = {key: "S" for key, _ in keys} | more.pop("attributes", {})
        client.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys],
            AttributeDefinitions=[
                {"AttributeName": key, "AttributeType": kind} for key, kind in attributes.items()
            ],
            BillingMode="PAY_PER_REQUEST",
            **more,
        )
        client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
        return client

    return make
