"""One running house for all journeys that do not need one of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.journeys.house import ENVIRONMENT, PROCESS_ENVIRONMENT, House
from tools.stack import Stack


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """All processes of the Procfile. The clock moves on from test to test; each brings its own buyers."""
    directory = tmp_path_factory.mktemp("house")
    with Stack(directory, environment=ENVIRONMENT, process_environment=PROCESS_ENVIRONMENT) as stack:
        standing = House(stack)
        yield standing
        standing.close()
        for worker in ("notifications-worker", "metering-worker"):
            stack.kill(worker)  # asked to stop, it would first end its long poll
