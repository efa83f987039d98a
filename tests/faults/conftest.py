"""The engine that the fault proxy stands in front of, and a whole house behind the proxy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.faulty_house import FAULTY_ENVIRONMENT, FAULTY_PROCESS_ENVIRONMENT, FaultyHouse
from tools.engine_fixture import account, engine, make_table
from tools.stack import Stack

__all__ = ["account", "engine", "make_table"]


@pytest.fixture(scope="session")
def standing_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyHouse]:
    """All processes of the Procfile, and the fault proxy."""
    with Stack(
        tmp_path_factory.mktemp("house"),
        environment=FAULTY_ENVIRONMENT,
        process_environment=FAULTY_PROCESS_ENVIRONMENT,
        faults=True,
    ) as stack:
        house = FaultyHouse(stack)
        yield house
        house.close()
        for worker in ("notifications-worker", "metering-worker"):
            stack.kill(worker)  # asked to stop, it would first end its long poll


@pytest.fixture
def house(standing_house: FaultyHouse) -> Iterator[FaultyHouse]:
    """The same house for each test, with no fault in it before and after."""
    standing_house.mend()
    yield standing_house
    standing_house.mend()
