"""Every operation, with requests made from its contract: its examples, the edges of its schemas, fuzzed valid
and invalid data. Whatever is sent, the answer must be one that the contract promises."""

from __future__ import annotations

import pytest
import schemathesis

from tests.contract.contracts import Operation, operations, schema
from tests.contract.world import World


@schema("registration").parametrize()
def test_registration(case: schemathesis.Case, world: World) -> None:
    world.send("registration", case)


@schema("notifications").parametrize()
def test_notifications(case: schemathesis.Case, world: World) -> None:
    world.send("notifications", case)


@schema("metering").parametrize()
def test_metering(case: schemathesis.Case, world: World) -> None:
    world.send("metering", case)


@pytest.mark.parametrize("operation", list(operations()), ids=str)
def test_each_success_was_really_seen(operation: Operation, world: World) -> None:
    """Only refusals would prove little. (It looks back on the tests above: run the whole file.)"""
    assert world.never_seen(operation) == []
