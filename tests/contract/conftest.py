"""One running world for all contract tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.world import ENVIRONMENT, PROCESS_ENVIRONMENT, World
from tools.stack import Stack


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """All processes, and a small history; see world.py."""
    folder = tmp_path_factory.mktemp("contract")
    with Stack(folder, environment=ENVIRONMENT, process_environment=PROCESS_ENVIRONMENT) as stack:
        world = World(stack)
        world.begin()
        yield world
