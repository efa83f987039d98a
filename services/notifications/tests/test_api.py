"""The API: who may ask, what is shown, and how lists page."""

from typing import Any

import pytest
import samples
from conftest import World
from samples import action, after, cancelled_life, created, license_updated

from chassis.contract import load_contract, operations
from chassis.tables import encode_cursor
from notifications.tables.paging import DAYS_AT_ONCE

MISSING = "sub_" + "a" * 26


class Asking:
    def __init__(self, world: World, **headers: str) -> None:
        self._client = world.client
        self._headers = headers or world.key("operator")

    def get(self, path: str, expect: int = 200, /, **params: Any) -> Any:
        answer = self._client.get(path, params=params, headers=self._headers)
        assert answer.status_code == expect, answer.text
        expected = "application/json" if expect == 200 else "application/problem+json"
        assert answer.headers["content-type"] == expected
        return answer.json()

    def pages(self, path: str, **params: Any) -> list[list[Any]]:
        found = []
        cursor: dict[str, Any] = {}
        while True:
            page = self.get(path, **params, **cursor)
            found.append(page["items"])
            if page["next_cursor"] is None:
                return found
            cursor = {"cursor": page["next_cursor"]}


@pytest.fixture
def asking(world: World) -> Asking:
    return Asking(world)


def buy(world: World, count: int, **changes: Any) -> None:
    """So many active subscriptions, each by an agreement of its own, one second apart."""
    for n in range(count):
        agreement = {"id": f"agmt-{n}"}
        license = {"arn": f"arn:aws:license-manager::1:license:l-{n}"}
        body = license_updated(after(n), f"e-{n}", agreement=agreement, license=license, **changes)
        world.apply(body)
        world.clock.advance(seconds=1)


def test_a_subscription(world: World, asking: Asking) -> None:
    world.apply(*cancelled_life())
    shown = asking.get(f"/v1/subscriptions/{samples.CONCURRENT_ID}")
    assert shown == {
        "subscription_id": samples.CONCURRENT_ID,
        "product_code": "74az0EXAMPLE",
        "generation": "concurrent_agreements",
        "status": "ending",
        "access": "denied",
        "customer_identifier": None,
        "license_arn": samples.ARN,
        "agreement_id": "agmt-EXAMPLE",
        "customer_aws_account_id": "444455556666",
        "offer_id": "offer-EXAMPLE",
        "free_trial": None,
        "trial_ends_at": None,
        "agreement_ends_at": None,
        "entitlements": None,
        "entitlements_as_of": None,
        "active_since": "2026-08-20T14:24:23.000000Z",
        "ended_at": "2026-08-20T14:24:57.000000Z",
        "end_reason": "CANCELLED",
        "meter_until": "2026-08-20T15:25:28.000000Z",
        "previous_subscription_id": None,
        "next_subscription_id": None,
        "version": 3,
        "changed_at": "2026-08-20T14:25:28.000000Z",
        "changed_by": "e4",
    }
    assert asking.get(f"/v1/subscriptions/{MISSING}", 404)["title"] == "There is no such thing."
    asking.get("/v1/subscriptions/anything", 400)


def test_subscriptions_by_each_filter(world: World, asking: Asking) -> None:
    world.apply(*cancelled_life(), action("subscribe-success", after(0), "m1"))
    both, agreement = {samples.CONCURRENT_ID, samples.LEGACY_ID}, {"agreement_id": "agmt-EXAMPLE"}
    for filters, expected in [
        ({}, both),
        ({"status": "ending"}, {samples.CONCURRENT_ID}),
        ({"status": "pending"}, set()),
        ({"product_code": samples.LEGACY_CODE}, {samples.LEGACY_ID}),
        (agreement, {samples.CONCURRENT_ID}),
        ({"agreement_id": "agmt-other"}, set()),
        ({"customer_aws_account_id": "444455556666"}, {samples.CONCURRENT_ID}),
        ({"customer_aws_account_id": "444455556666", "status": "active"}, set()),
        (
            {"agreement_id": "agmt-EXAMPLE", "customer_aws_account_id": "444455556666"},
            {samples.CONCURRENT_ID},
        ),
        ({"agreement_id": "agmt-EXAMPLE", "customer_aws_account_id": "other"}, set()),
    ]:
        pages = asking.pages("/v1/subscriptions", **filters)
        assert {item["subscription_id"] for page in pages for item in page} == expected, filters
    asking.get("/v1/subscriptions", 400, status="gone")


def test_subscriptions_page_by_page(world: World, asking: Asking) -> None:
    buy(world, 7)
    for filters in ({}, {"status": "active"}, {"customer_aws_account_id": "444455556666"}):
        pages = asking.pages("/v1/subscriptions", limit=3, **filters)
        assert all(len(page) <= 3 for page in pages)
        ids = [item["subscription_id"] for page in pages for item in page]
        assert len(ids) == len(set(ids)) == 7


def test_a_filter_that_nothing_passes_reads_so_many_pages_and_no_more(world: World, asking: Asking) -> None:
    buy(world, 23)
    page = asking.get("/v1/subscriptions", limit=1, status="failed")
    assert page["items"] == []
    assert page["next_cursor"] is not None
    assert sum(map(len, asking.pages("/v1/subscriptions", limit=1, status="failed"))) == 0


@pytest.mark.parametrize(
    ("path", "params", "key"),
    [
        ("/v1/subscriptions", {}, {"subscription_id": {"N": "1"}}),
        ("/v1/subscriptions", {}, {"notification_id": {"S": "x"}}),
        ("/v1/subscriptions", {"agreement_id": "a"}, {"subscription_id": {"S": "x"}}),
        (
            "/v1/subscriptions",
            {"agreement_id": "a"},
            {"subscription_id": {"S": "x"}, "agreement_id": {"S": "b"}},
        ),
        ("/v1/notifications", {}, {"received_on": {"S": "yesterday"}}),
        ("/v1/notifications", {}, {"subscription_id": {"S": "x"}}),
        (
            "/v1/notifications",
            {"subscription_id": samples.CONCURRENT_ID},
            {"notification_id": {"S": "e1"}, "received_at": {"S": "x"}, "subject": {"S": "agmt-other"}},
        ),
    ],
)
def test_a_cursor_of_another_list_is_refused(
    world: World, asking: Asking, path: str, params: dict[str, str], key: dict[str, Any]
) -> None:
    world.apply(*cancelled_life())
    problem = asking.get(path, 400, cursor=encode_cursor(key), **params)
    assert problem["errors"] == [{"in": "query", "path": "cursor", "reason": "not a cursor of this list"}]
    asking.get(path, 400, cursor="%%%", **params)


def test_a_notification_whole(world: World, asking: Asking) -> None:
    body = cancelled_life()[1]
    world.apply(body)
    assert asking.get("/v1/notifications/e2") == {
        "notification_id": "e2",
        "source": "eventbridge",
        "door": "queue",
        "name": "License Updated - Manufacturer",
        "event_time": "2026-08-20T14:24:23.000000Z",
        "received_at": "2026-08-20T14:23:22.000000Z",
        "subject": "agmt-EXAMPLE",
        "outcome": "applied",
        "subscription_id": samples.CONCURRENT_ID,
        "body": body,
    }
    asking.get("/v1/notifications/e9", 404)


def test_notifications_of_a_subscription(world: World, asking: Asking) -> None:
    """Also those that came before it was known whose they are, and none of another."""
    for body in [*cancelled_life(), created(after(0), "other", agreement={"id": "agmt-2"})]:
        world.apply(body)
        world.clock.advance(seconds=1)
    pages = asking.pages("/v1/notifications", subscription_id=samples.CONCURRENT_ID, limit=3)
    assert [item["notification_id"] for page in pages for item in page] == ["e4", "e3", "e2", "e1"]
    waiting = asking.pages("/v1/notifications", subscription_id=samples.CONCURRENT_ID, outcome="waiting")
    assert [item["notification_id"] for page in waiting for item in page] == ["e1"]
    assert asking.get("/v1/notifications", subscription_id=MISSING) == {"items": [], "next_cursor": None}

    world.apply(action("subscribe-success", after(0), "m1"))
    legacy = asking.pages("/v1/notifications", subscription_id=samples.LEGACY_ID)
    assert [item["notification_id"] for page in legacy for item in page] == ["m1"]


def test_all_notifications_newest_first_over_days_without_any(world: World, asking: Asking) -> None:
    world.apply(created(after(0), "first"))
    world.clock.advance(days=3)
    world.apply(created(after(0), "second"))
    world.clock.advance(seconds=1)
    world.apply(samples.event("Something New", after(0), "third"))
    world.clock.advance(days=DAYS_AT_ONCE * 2)

    pages = asking.pages("/v1/notifications", limit=1)
    items = [item for page in pages for item in page]
    assert [item["notification_id"] for item in items] == ["third", "second", "first"]
    assert "body" not in items[0]
    pages = asking.pages("/v1/notifications", outcome="ignored")
    assert [item["notification_id"] for page in pages for item in page] == ["third"]

    world.clock.advance(days=401)
    assert sum(map(len, asking.pages("/v1/notifications"))) == 0


PATHS = [
    "/v1/subscriptions",
    f"/v1/subscriptions/{samples.CONCURRENT_ID}",
    "/v1/notifications",
    "/v1/notifications/e1",
]


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_shown_without_a_key_or_scope(world: World, path: str) -> None:
    world.apply(*cancelled_life())
    Asking(world, **{"X-Nothing": "x"}).get(path, 401)
    Asking(world, **{"X-API-Key": "mpk_wrong_key"}).get(path, 401)
    Asking(world, **world.key("usage:write")).get(path, 403)
    of_one_subscription = path == PATHS[1]
    Asking(world, **world.key("usage:read")).get(path, 200 if of_one_subscription else 403)
    # What a key that proves no person is shown: see test_buyers.py.
    Asking(world, **world.key("buyer")).get(path, {PATHS[0]: 200, PATHS[1]: 404}.get(path, 403))


def test_health_and_documents_are_public(world: World) -> None:
    client = world.client
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
        assert client.get(path).status_code == 200, path


def test_the_contract_guards_all_but_health(world: World) -> None:
    contract = load_contract(world.settings.contracts_dir / "notifications.yaml")
    for name, operation in operations(contract).items():
        public = name.startswith("chassis.health") or name == "doors.receive_sns"
        assert (operation["security"] == []) == public, name
        by_secret = operation["security"] == [{"eventBridgeSecret": []}]
        assert by_secret == (name == "doors.receive_event")
        assert public or by_secret or operation["x-required-scopes"], name
