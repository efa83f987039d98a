"""Usage reported while the engine fails: 202 only for what is durable, and each event is billed once.

Each call of a report fails in every way in `test_money_path.py`; here the client's side of it.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.faulty_house import ATTEMPTS, FaultyHouse, assert_unavailable
from tests.faults.money_path import WEB

LOG = ("BatchWriteItem", "marketplane-usage-log")
HOURS = ("UpdateItem", "marketplane-usage-hours")
SUBSCRIPTIONS = ("GetItem", "marketplane-subscriptions")

# What fails (kind, operation, table, how often), and what the client hears. Once: our client library tries
# again by itself. ATTEMPTS times: our own code sees it. None: until it is mended.
CASES: dict[str, tuple[str, tuple[str, str], dict[str, Any], int]] = {
    "throttled once": ("throttle", LOG, {"count": 1}, 202),
    "throttled": ("throttle", LOG, {"count": ATTEMPTS}, 503),
    "error before": ("error_before", LOG, {"count": ATTEMPTS}, 503),
    "error after the commit, once": ("error_after", LOG, {"count": 1}, 202),
    "error after the commit": ("error_after", LOG, {"count": ATTEMPTS}, 503),
    "dropped before": ("drop_before", LOG, {"count": ATTEMPTS}, 503),
    "dropped after the commit, once": ("drop_after", LOG, {"count": 1}, 202),
    "dropped after the commit": ("drop_after", LOG, {"count": ATTEMPTS}, 503),
    "a part of the batch left undone": ("unprocessed", LOG, {"keep": 1, "count": 1}, 202),
    "all of the batch left undone": ("unprocessed", LOG, {"keep": 0}, 503),
    "announcing the hour fails": ("error_before", HOURS, {"count": ATTEMPTS}, 503),
    "the subscription cannot be read": ("error_before", SUBSCRIPTIONS, {"count": ATTEMPTS}, 503),
    "everything is down": ("down", ("", ""), {}, 503),
}


@pytest.mark.parametrize("case", CASES)
def test_acknowledged_only_when_durable(house: FaultyHouse, case: str) -> None:
    kind, (operation, resource), more, status = CASES[case]
    buyers = [house.buy("legacy"), house.buy_active("concurrent_agreements")]
    moments = [house.now()]
    house.begin_hour()
    moments.append(house.now())
    # Two hours of two subscriptions, so several segments in one request.
    events = [event for buyer in buyers for at in moments for event in house.events(buyer, 3, at)]

    # The worker writes to the same tables meanwhile.
    caller = {} if kind == "down" else {"caller": WEB}
    house.fail(kind, operation, resource, **caller, **more)
    answer = house.post(events)
    assert house.fired()
    house.mend()
    assert answer.status_code == status, answer.text
    if status == 503:
        assert_unavailable(answer)
        # The client does what it was told: the same events again, in other company.
        again = house.post([*reversed(events), *events[:3]])
        assert again.status_code == 202, again.text
    for buyer in buyers:
        house.until(lambda buyer=buyer: house.usage(buyer) == buyer.total, "the fold")
    house.seal_hour()
    house.assert_billed_exactly(*buyers)


def test_an_outage_is_no_missing_key(house: FaultyHouse) -> None:
    """Whose key cannot be checked is asked to wait, not told that it is wrong."""
    buyer = house.buy_active("legacy")
    events = house.events(buyer)
    key = house.new_key("metering")
    assert house.post(events).status_code == 202
    house.fail("error_before", "GetItem", "marketplane-metering-api-keys")
    assert_unavailable(house.post(events, key))
    # A key that was checked a moment ago goes on working.
    assert house.post(events).status_code == 202
    house.mend()
    assert house.post(events, key).status_code == 202
    house.seal_hour()
    house.assert_billed_exactly(buyer)


def test_the_wrong_events_are_still_named_in_an_outage_of_others(house: FaultyHouse) -> None:
    """A batch that is partly wrong is not half acknowledged when the log takes nothing."""
    buyer = house.buy_active("legacy")
    good = house.events(buyer, 2)
    bad = {**good[0], "id": "bad", "quantity": "1e3"}
    house.fail("error_before", *LOG)
    assert_unavailable(house.post([*good, bad]))
    assert house.post([bad]).status_code == 400
    house.mend()
    answer = house.post([*good, bad])
    assert answer.status_code == 207
    assert [(one["index"], one["reason"]) for one in answer.json()["refused"]] == [(2, "invalid_event")]
    house.seal_hour()
    house.assert_billed_exactly(buyer)


def test_reading_the_books_fails_in_words(house: FaultyHouse) -> None:
    buyer = house.buy_active("legacy")
    house.fail("error_before", "Query", "marketplane-metering-")
    for path in ("usage", "balance", "metering-records"):
        url = f"{house.stack.urls['metering-web']}/v1/{path}"
        query = {"subscription_id": buyer.subscription_id}
        assert_unavailable(house.http.get(url, params=query, headers=house.keys["metering"]))
