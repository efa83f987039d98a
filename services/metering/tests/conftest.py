"""Settings, tables and the assembled service; the engine and the clock come from `chassis.testing`."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from house import PRODUCTS_YAML, Clients, House, HousesClock, empty_tables
from shelf_marketplace import boto3_client
from wire import Wire

from chassis.aws import client
from chassis.clock import FrozenClock
from chassis.tables import bind, create_tables
from metering import tables
from metering.app import build_web
from metering.settings import Settings

pytest_plugins = ["chassis.testing"]

OPENAPI = Path(__file__).parents[3] / "openapi"
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="session")
def settings(engine_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """One account and one set of tables for all tests: emptying tables is much quicker than making them."""
    products = tmp_path_factory.mktemp("catalogue") / "products.yaml"
    products.write_text(PRODUCTS_YAML)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", f"{210_000_000_000 + os.getpid()}")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        environment.setenv("AWS_ENDPOINT_URL_DYNAMODB", os.environ.get("TEST_DYNAMODB_URL", engine_url))
        environment.setenv("AWS_ENDPOINT_URL_SQS", engine_url)
        # Whatever a test forgets to point somewhere must fail, never reach AWS.
        environment.setenv("AWS_ENDPOINT_URL", NOWHERE)
        # One try for each call: a test that takes a call away must see what that does.
        settings = Settings(
            environment="test",
            contracts_dir=OPENAPI,
            products_file=products,
            web_threads=4,
            log_shards=4,
            aws_attempts=1,
            aws_read_timeout_seconds=20,
        )
        models = [*tables.OWN, *tables.READ]
        bind(models, settings)
        create_tables(models)
        yield settings


@pytest.fixture(scope="session")
def clients(settings: Settings) -> Clients:
    return Clients(bind([*tables.OWN, *tables.READ], settings), client(settings, "dynamodb"), boto3_client())


@pytest.fixture
def house(settings: Settings, frozen_clock: FrozenClock, clients: Clients) -> Iterator[House]:
    """Metering on empty tables, at ten in the morning."""
    yield House(settings, frozen_clock, clients)
    empty_tables()


@pytest.fixture
def wire(house: House, monkeypatch: pytest.MonkeyPatch) -> Wire:
    return Wire(house.aws, monkeypatch)


@pytest.fixture(scope="session")
def web(settings: Settings) -> tuple[Any, HousesClock]:
    """The application, and the clock that it shares with whichever test is running."""
    clock = HousesClock()
    return build_web(settings, clock), clock
