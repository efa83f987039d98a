"""An API key is replaced while its service runs: made, listed, disabled, each by a command (docs/keys.md)."""

from __future__ import annotations

import httpx
import pytest

from tests.journeys.house import House
from tools.stack import SERVICES

# Of each service something that a key of the scope `operator` opens.
READS = {
    "registration": "/v1/customers",
    "notifications": "/v1/subscriptions",
    "metering": "/v1/metering-health",
}


@pytest.mark.parametrize("service", SERVICES)
def test_a_key_is_replaced(house: House, service: str) -> None:
    name = f"replaced-{service}"
    old = house.stack.api_key(service, ["operator"], name)
    new = house.stack.api_key(service, ["operator"], name)
    assert opens(house, service, new)

    house.stack.run(service, "disable-key", "--id", id_of(old))
    listed = [line.split() for line in house.stack.run(service, "list-keys").splitlines() if name in line]
    assert {words[0]: words[-1] for words in listed} == {id_of(old): "disabled", id_of(new): "enabled"}
    # It was never shown, so no process has it in mind; from one that has, it is gone after half a minute.
    assert not opens(house, service, old)
    assert opens(house, service, new)


def id_of(key: str) -> str:
    return key.split("_")[1]


def opens(house: House, service: str, key: str) -> bool:
    address = house.stack.urls[f"{service}-web"] + READS[service]
    status = httpx.get(address, headers={"X-API-Key": key}).status_code
    assert status in (200, 401)
    return status == 200
