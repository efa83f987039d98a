"""All processes on the tables and queues that the stacks made: a buyer's life, and the bill. (`make
journeys-on-stacks` plays all journeys so.)"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.infrastructure.formation import make_by_stacks
from tests.journeys.house import (
    DONE,
    ENVIRONMENT,
    GENERATIONS,
    PROCESS_ENVIRONMENT,
    UNTIL_ACTIVE,
    UNTIL_ENDING,
    WORKERS,
    House,
)
from tools.stack import Stack


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with Stack(
        tmp_path_factory.mktemp("house"),
        environment=ENVIRONMENT,
        process_environment=PROCESS_ENVIRONMENT,
        make_tables=make_by_stacks,
    ) as stack:
        standing = House(stack)
        yield standing
        standing.close()
        for worker in WORKERS:
            stack.kill(worker)  # asked to stop, it would first end its long poll


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_life_is_billed_exactly(house: House, generation: str) -> None:
    house.begin_hour()
    buyer = house.buy(generation)
    landing = house.land("json", buyer)
    assert landing.submit(buyer.email).status_code in DONE
    landing.close()
    house.advance(UNTIL_ACTIVE)
    house.until_status("active", buyer)
    house.report(buyer)
    house.cancel(buyer)
    house.advance(UNTIL_ENDING)
    house.until_status("ending", buyer)
    house.seal_hour()
    house.assert_billed_exactly(buyer)
