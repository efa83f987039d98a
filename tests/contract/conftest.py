"""One running world for all contract tests."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.seller_side import SellerSide
from tests.contract.world import ENVIRONMENT, PROCESS_ENVIRONMENT, World
from tools.stack import Stack


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """All processes, and a small history; see world.py."""
    folder = tmp_path_factory.mktemp("contract")
    side = SellerSide()
    environment = ENVIRONMENT | side.environment(folder)
    try:
        with Stack(folder, environment=environment, process_environment=PROCESS_ENVIRONMENT) as stack:
            world = World(stack, side)
            try:
                world.begin()
                yield world
            finally:
                world.close()
                if "CONTRACTS_REPORT" in os.environ:
                    Path(os.environ["CONTRACTS_REPORT"]).write_text(
                        json.dumps([[*key, n] for key, n in world.seen.items()])
                    )
    finally:
        side.close()
