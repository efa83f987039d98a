"""The engine that the fault proxy stands in front of, and a whole house behind the proxy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.faulty_house import FAULTY_ENVIRONMENT, FAULTY_PROCESS_ENVIRONMENT, SPARES, FaultyHouse
from tests.faults.metered_products import add_products
from tests.journeys.back_end import SellersBackEnd
from tests.journeys.house import WORKERS, seen_by_registration
from tools.engine_fixture import account, engine, make_table
from tools.ports import free_port
from tools.stack import Stack

__all__ = ["account", "engine", "make_table"]


@pytest.fixture(scope="session")
def back_end() -> Iterator[SellersBackEnd]:
    """The seller's own, which the house hands over to."""
    standing = SellersBackEnd()
    yield standing
    standing.stop()


@pytest.fixture(scope="session")
def standing_house(
    tmp_path_factory: pytest.TempPathFactory, back_end: SellersBackEnd
) -> Iterator[FaultyHouse]:
    """All processes of the Procfile, and the fault proxy."""
    directory = tmp_path_factory.mktemp("house")
    identity = free_port()
    variables = seen_by_registration(directory, back_end, identity)
    add_products(Path(variables["PRODUCTS_FILE"]))
    with Stack(
        directory,
        environment=FAULTY_ENVIRONMENT | variables,
        process_environment=FAULTY_PROCESS_ENVIRONMENT,
        ports={"identity": identity},
        faults=True,
        spares=SPARES,
    ) as stack:
        house = FaultyHouse(stack, back_end)
        yield house
        house.close()
        for worker in WORKERS:
            stack.kill(worker)  # asked to stop, it would first end its long poll


@pytest.fixture
def house(standing_house: FaultyHouse) -> Iterator[FaultyHouse]:
    """The same house for each test, with no fault in it before and after, and nothing left to do."""
    standing_house.all_up()
    standing_house.mend()
    standing_house.aws_is_well()
    standing_house.until_quiet()
    yield standing_house
    standing_house.mend()
