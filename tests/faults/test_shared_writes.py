"""Many reporters at once, whose requests share their writes: the web is killed, or asked to stop, while the
engine keeps its answers back. Whoever was not answered sends the same events again, and each counts once.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.faults.faulty_house import FaultyHouse
from tests.faults.money_path import LOG
from tests.journeys.house import Buyer, together

WEB = "metering-web-2"
WRITES = {"operation": "BatchWriteItem", "resource": LOG, "caller": WEB}
REPORTERS, EVENTS_OF_EACH = 24, 4
# So many connections one after the other, that each server process gets some of them.
CALLERS = 40

Batch = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def web(house: FaultyHouse) -> Iterator[None]:
    """A web with two server processes, whose client library bears to be held."""
    house.start(WEB)
    yield
    if house.stack.is_running(WEB):
        house.stack.kill(WEB)


class Report:
    """One request on a connection of its own, sent and not answered yet."""

    def __init__(self, house: FaultyHouse, batch: Batch) -> None:
        headers = {"Content-Type": "application/json", **house.keys["metering"]}
        self._connection = connection(house)
        self._connection.request("POST", "/v1/usage-events", json.dumps({"events": batch}), headers)

    def status(self) -> int | None:
        """Of the answer; None where the connection ended without one."""
        with closing(self._connection):
            try:
                return self._connection.getresponse().status
            except (http.client.RemoteDisconnected, ConnectionResetError):
                return None


def connection(house: FaultyHouse) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(house.stack.urls[WEB]).netloc, timeout=90)


def used(house: FaultyHouse) -> tuple[list[Buyer], list[Batch]]:
    """Two buyers in a new hour, and what the reporters have to tell of them: no two quantities are the same,
    so that no sum is right by chance."""
    buyers = [house.buy_active("legacy"), house.buy_active("concurrent_agreements")]
    house.begin_hour()
    batches = []
    for reporter in range(REPORTERS):
        micro = (f"0.{(reporter * EVENTS_OF_EACH + number) ** 2 + 1:06d}" for number in range(EVENTS_OF_EACH))
        buyer = buyers[reporter % len(buyers)]
        batches.append([event for quantity in micro for event in house.events(buyer, 1, quantity=quantity)])
    return buyers, batches


def until_all_are_under_way(house: FaultyHouse) -> None:
    """Each server process has answered somebody who came after; what came before, it has begun with."""
    for _ in range(CALLERS):
        with closing(connection(house)) as late:
            late.request("GET", "/healthz")
            assert late.getresponse().status == 200


def events_in_the_log(house: FaultyHouse) -> int:
    return sum(int(row["events"]) for row in house.engine.rows(LOG))


def is_closed(house: FaultyHouse) -> bool:
    """Whether the web takes no new connections."""
    with closing(socket.socket()) as one:
        return one.connect_ex(("127.0.0.1", house.stack.ports[WEB])) != 0


def assert_each_counts_once(house: FaultyHouse, buyers: list[Buyer]) -> None:
    for buyer in buyers:
        house.until(lambda buyer=buyer: house.usage(buyer) == buyer.total, "the fold", buyer)
    house.seal_hour()
    house.assert_billed_exactly(*buyers)


def test_killed_between_the_write_and_the_answers(house: FaultyHouse) -> None:
    buyers, batches = used(house)
    before = events_in_the_log(house)
    held = house.fail("hold_after", **WRITES)
    reports = [Report(house, batch) for batch in batches]
    house.until_fired(held)
    until_all_are_under_way(house)
    house.until(lambda: events_in_the_log(house) > before, "a write")
    house.stack.kill(WEB)
    assert [report.status() for report in reports] == [None] * REPORTERS
    house.mend()
    house.start(WEB)
    together(*(partial(house.report_until_taken, batch, WEB) for batch in batches))
    # What was durable then lies there twice.
    assert events_in_the_log(house) - before > REPORTERS * EVENTS_OF_EACH
    assert_each_counts_once(house, buyers)


def test_asked_to_stop_while_writes_are_under_way(house: FaultyHouse) -> None:
    buyers, batches = used(house)
    before = events_in_the_log(house)
    held = house.fail("hold_before", **WRITES)
    reports = [Report(house, batch) for batch in batches]
    house.until_fired(held)
    until_all_are_under_way(house)
    with ThreadPoolExecutor(1) as pool:
        stopping = pool.submit(house.stack.stop_one, WEB)
        house.until(lambda: is_closed(house), "the web to take no more")
        assert events_in_the_log(house) == before
        house.forget(held)
        # All of them, also those whose write had not begun.
        assert [report.status() for report in reports] == [202] * REPORTERS
        stopping.result()
    assert events_in_the_log(house) - before == REPORTERS * EVENTS_OF_EACH
    house.start(WEB)
    together(*(partial(house.report_until_taken, batch, WEB) for batch in batches))
    assert_each_counts_once(house, buyers)
