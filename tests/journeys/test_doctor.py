"""`python -m <service> doctor` finds nothing amiss where all is well, and asks of all that it needs."""

from __future__ import annotations

import pytest

from tests.journeys.house import House
from tools.stack import SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_a_house_in_which_all_is_well(house: House, service: str) -> None:
    # A non-zero exit code would raise.
    said = house.stack.run(service, "doctor").splitlines()
    assert said[-1].endswith("looked at, 0 to mend.")
    found = {line.removeprefix("ok  ").split(":")[0] for line in said[:-2]}
    assert {"clock", "catalogue", "table marketplane-subscriptions"} <= found
    tables = {name for name in house.engine.tables() if name.startswith("marketplane-")}
    own = {part.removeprefix("table ") for part in found if part.startswith("table ")}
    assert own <= tables
    assert any(part.endswith("of AWS Marketplace") for part in found)


def test_every_table_is_some_services_to_look_at(house: House) -> None:
    looked_at = {
        line.removeprefix("ok  table ").split(":")[0]
        for service in SERVICES
        for line in house.stack.run(service, "doctor").splitlines()
        if line.startswith("ok  table ")
    }
    assert looked_at == {name for name in house.engine.tables() if name.startswith("marketplane-")}
