"""One running house for all journeys that do not need one of their own.

With JOURNEYS_ON=stacks its tables and queues are those of `infrastructure/`, not of `create-local`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.infrastructure.formation import make_by_stacks
from tests.journeys.back_end import SellersBackEnd
from tests.journeys.house import (
    ENVIRONMENT,
    PROCESS_ENVIRONMENT,
    WORKERS,
    Buyer,
    House,
    Landing,
    seen_by_registration,
)
from tools.ports import free_port
from tools.stack import Stack


@pytest.fixture(scope="session")
def back_end() -> Iterator[SellersBackEnd]:
    """The seller's own, which the house hands over to."""
    standing = SellersBackEnd()
    yield standing
    standing.stop()


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory, back_end: SellersBackEnd) -> Iterator[House]:
    """All processes of the Procfile. The clock moves on from test to test; each brings its own buyers."""
    directory = tmp_path_factory.mktemp("house")
    identity = free_port()
    with Stack(
        directory,
        environment=ENVIRONMENT | seen_by_registration(directory, back_end, identity),
        process_environment=PROCESS_ENVIRONMENT,
        ports={"identity": identity},
        calls=directory / "calls",
        make_tables=make_by_stacks if os.environ.get("JOURNEYS_ON") == "stacks" else None,
    ) as stack:
        standing = House(stack, back_end)
        yield standing
        standing.close()
        for worker in WORKERS:
            stack.kill(worker)  # asked to stop, it would first end its long poll


@pytest.fixture
def land(house: House) -> Iterator[Callable[..., Any]]:
    """Lets a buyer arrive; they go away after the test."""
    here: list[Landing] = []

    def arrive(door: str, buyer: Buyer, token: str | None = None) -> Any:
        here.append(house.land(door, buyer, token))
        return here[-1]

    yield arrive
    for one in here:
        one.close()
