"""/readyz says which part is away, goes on saying so, and takes it back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.faulty_house import FaultyHouse, assert_unavailable

REGISTRATION_TABLES = {
    "registrations table": "marketplane-registrations",
    "claims table": "marketplane-claims",
    "customers table": "marketplane-customers",
    "identities table": "marketplane-identities",
    "outbox table": "marketplane-registration-outbox",
}
# For each process its parts: what the part is called, and which table or queue it is.
PARTS = {
    "registration-web": REGISTRATION_TABLES,
    "registration-worker": {
        **REGISTRATION_TABLES,
        "signals queue": "marketplane-registration-subscription-events",
    },
    "notifications-web": {"tables": "marketplane-subscriptions"},
    "notifications-worker": {
        "tables": "marketplane-notifications-inbox",
        "queue": "marketplane-notifications",
    },
    "metering-web": {
        "usage log": "marketplane-usage-log",
        "ledger": "marketplane-metering-ledger",
        "subscriptions": "marketplane-subscriptions",
    },
    "metering-worker": {
        "usage log": "marketplane-usage-log",
        "ledger": "marketplane-metering-ledger",
        "subscriptions": "marketplane-subscriptions",
        "signals queue": "marketplane-metering-subscription-events",
        "usage events queue": "marketplane-usage-events",
    },
}
ASKING = {"table": "DescribeTable", "queue": "GetQueueAttributes"}


def readiness(house: FaultyHouse, process: str) -> tuple[int, dict[str, Any]]:
    answer = house.http.get(house.stack.urls[process] + "/readyz")
    if answer.status_code != 200 and process.endswith("-web"):
        assert_unavailable(answer)
    return answer.status_code, answer.json()["parts"]


@pytest.mark.parametrize("process", PARTS)
def test_the_part_that_is_away_is_named(house: FaultyHouse, process: str) -> None:
    status, parts = readiness(house, process)
    assert status == 200
    assert set(parts) - {"clock"} == set(PARTS[process])
    assert set(parts.values()) == {"ready"}
    for part, resource in PARTS[process].items():
        # Only the asking fails, so that no loop is disturbed.
        house.fail("error_before", ASKING["queue" if "queue" in part else "table"], resource)
        status, parts = readiness(house, process)
        assert status == 503
        assert parts.pop(part).startswith("away (")
        assert set(parts.values()) <= {"ready"}, parts
        house.mend()
        assert readiness(house, process)[0] == 200


def test_with_the_engine_down_all_is_away_and_nobody_dies(house: FaultyHouse) -> None:
    house.fail("down")
    for process, parts in PARTS.items():
        status, answers = readiness(house, process)
        assert status == 503
        assert all(answers[part].startswith("away (") for part in parts)
        alive = house.http.get(house.stack.urls[process] + "/healthz")
        assert (alive.status_code, alive.json()["status"]) == (200, "alive")
    house.mend()
    for process in PARTS:
        assert readiness(house, process)[0] == 200
