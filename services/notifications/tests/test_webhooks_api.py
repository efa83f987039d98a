"""Endpoints, secrets, deliveries and replays, as operators see them."""

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
import samples
from conftest import World
from pydantic import ValidationError
from receiver import Receiver, receiving
from samples import after, cancelled_life
from test_webhooks import House

from chassis.contract import load_contract, named_schema
from chassis.tables import encode_cursor
from chassis.validation import compile_schema, mistakes
from notifications.app import build_web
from notifications.settings import Settings
from notifications.tables.webhook_models import WebhookEventRow
from notifications.webhook_endpoints import (
    MOST_ENDPOINTS,
    MOST_SECRETS,
    ChangedTooOften,
    Endpoint,
    alter,
    new_endpoint,
)

ENDPOINTS = "/v1/webhook-endpoints"
DELIVERIES = "/v1/webhook-deliveries"
MISSING = "whe_" + "a" * 26
KEY = "0123456789abcdef0123456789abcdef"


contract = cache(load_contract)


class Operator:
    """Asks as an operator, and holds each answer against the contract."""

    def __init__(self, world: World) -> None:
        self._client = world.client
        self._headers = world.key("operator")
        self._document = contract(world.settings.contracts_dir / "notifications.yaml")

    def ask(self, method: str, path: str, expect: int, body: Any = None, /, **headers: str) -> Any:
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {} if body is None else {"json": body}
        answer = self._client.request(method, path, headers=self._headers | more, **sent)
        assert answer.status_code == expect, answer.text
        self.last = answer
        if expect == 204:
            return None
        kind = "application/problem+json" if expect >= 400 else "application/json"
        assert answer.headers["content-type"] == kind
        return answer.json()

    def fits(self, schema: str, answer: Any) -> Any:
        assert mistakes(compile_schema(named_schema(self._document, schema)), answer) == []
        return answer

    def pages(self, path: str) -> list[list[Any]]:
        found, cursor = [], ""
        while True:
            page = self.ask("GET", path + cursor, 200)
            found.append(page["items"])
            if page["next_cursor"] is None:
                return found
            cursor = f"{'&' if '?' in path else '?'}cursor={page['next_cursor']}"


@pytest.fixture
def operator(world: World) -> Operator:
    return Operator(world)


@pytest.fixture
def house(world: World) -> House:
    return House(world)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


def made(operator: Operator, url: str, **more: Any) -> dict[str, Any]:
    answer = operator.ask("POST", ENDPOINTS, 201, {"url": url, **more})
    return dict(operator.fits("WebhookEndpointWithSecret", answer))


def test_an_endpoint_from_beginning_to_end(operator: Operator, world: World, receiver: Receiver) -> None:
    types = ["subscription.ended", "subscription.activated", "subscription.ended"]
    new = made(operator, receiver.url, description="Accounts", event_types=types)
    assert operator.last.headers["cache-control"] == "no-store"
    path = f"{ENDPOINTS}/{new['endpoint_id']}"
    assert operator.last.headers["location"] == path
    secret = new.pop("secret")
    assert secret.startswith("whsec_")
    assert new["event_types"] == ["subscription.activated", "subscription.ended"]
    assert new["secrets"] == [{"created_at": "2026-08-20T14:23:22.000000Z", "expires_at": None}]
    assert operator.ask("GET", path, 200) == operator.fits("WebhookEndpoint", new)
    assert operator.ask("GET", ENDPOINTS, 200) == {"items": [new], "next_cursor": None}
    assert secret not in operator.last.text

    world.clock.advance(seconds=1)
    changed = operator.ask("PATCH", path, 200, {"enabled": False, "event_types": None}, If_Match='"1"')
    assert operator.last.headers["etag"] == '"2"'
    assert (changed["enabled"], changed["disabled_reason"]) == (False, "by_operator")
    assert (changed["event_types"], changed["version"]) == (None, 2)
    assert changed["updated_at"] > changed["created_at"]
    same = operator.ask("PATCH", path, 200, {"enabled": False}, If_Match='"1", "2"')
    assert same == changed
    problem = operator.ask("PATCH", path, 412, {"enabled": True}, If_Match='"1"')
    assert problem["title"] == "It has changed since you read it."
    operator.ask("PATCH", path, 412, {"enabled": True}, If_Match='W/"2"')
    enabled = operator.ask("PATCH", path, 200, {"enabled": True, "description": None}, If_Match="*")
    assert (enabled["enabled"], enabled["disabled_reason"], enabled["description"]) == (True, None, None)

    operator.ask("DELETE", path, 204)
    for method, below, body in [
        ("GET", "", None),
        ("PATCH", "", {"enabled": True}),
        ("DELETE", "", None),
        ("POST", "/secrets", {}),
        ("POST", "/test-events", None),
        ("POST", "/replays", {"from": "2026-08-20T00:00:00Z", "to": "2026-08-21T00:00:00Z"}),
    ]:
        operator.ask(method, path + below, 404, body)
    assert operator.ask("GET", ENDPOINTS, 200)["items"] == []


def test_what_is_no_endpoint(operator: Operator, receiver: Receiver) -> None:
    for body, path in [
        ({}, "/"),
        ({"url": "hooks.seller.example"}, "/url"),
        ({"url": "https://me:secret@hooks.seller.example/"}, "/url"),
        ({"url": receiver.url, "event_types": ["subscription.exploded"]}, "/event_types/0"),
        ({"url": receiver.url, "secret": "whsec_mine"}, "/"),
        ({"url": "https://169.254.169.254/latest/meta-data"}, "/url"),
        ({"url": "http://8.8.8.8/"}, "/url"),
        ({"url": "https://hooks.seller.example:99999/"}, "/url"),
    ]:
        problem = operator.ask("POST", ENDPOINTS, 400, body)
        assert problem["errors"][0]["path"] == path, body
    problem = operator.ask("POST", ENDPOINTS, 400, {"url": "https://169.254.169.254/?key=hidden"})
    assert problem["errors"][0]["reason"] == "It leads to an address that is not on the open Internet."
    assert "hidden" not in operator.last.text
    new = made(operator, receiver.url)
    path = f"{ENDPOINTS}/{new['endpoint_id']}"
    operator.ask("PATCH", path, 400, {"url": "https://[fe80::1]/"})
    operator.ask("PATCH", path, 400, {})
    operator.ask("GET", f"{ENDPOINTS}/whe_1", 400)


def test_without_the_setting_nothing_inside_is_taken(world: World) -> None:
    closed = world.settings.model_copy(update={"webhooks_allow_inside": False})
    client = build_web(closed, world.clock).test_client()
    for url in ("https://127.0.0.1/", "http://127.0.0.1/", "https://10.0.0.1/", "https://[::1]/"):
        answer = client.post(ENDPOINTS, json={"url": url}, headers=world.key("operator"))
        assert answer.status_code == 400, url
    answer = client.post(ENDPOINTS, json={"url": "https://93.184.215.14/"}, headers=world.key("operator"))
    assert answer.status_code == 201


def test_there_are_so_many_endpoints_and_no_more(operator: Operator, receiver: Receiver) -> None:
    all_of_them = [made(operator, receiver.url)["endpoint_id"] for _ in range(MOST_ENDPOINTS)]
    problem = operator.ask("POST", ENDPOINTS, 409, {"url": receiver.url})
    assert problem["type"].endswith("/too-many-webhook-endpoints")
    operator.ask("DELETE", f"{ENDPOINTS}/{all_of_them.pop()}", 204)
    all_of_them.append(made(operator, receiver.url)["endpoint_id"])
    pages = operator.pages(f"{ENDPOINTS}?limit=10")
    assert all(len(page) <= 10 for page in pages)
    assert sorted(one["endpoint_id"] for page in pages for one in page) == sorted(all_of_them)


def test_a_new_secret(operator: Operator, house: House, receiver: Receiver) -> None:
    new = made(operator, receiver.url)
    path = f"{ENDPOINTS}/{new['endpoint_id']}"
    rotated = operator.fits(
        "WebhookEndpointWithSecret",
        operator.ask("POST", f"{path}/secrets", 201, {"overlap_seconds": 60}),
    )
    assert rotated["secret"] != new["secret"]
    assert rotated["version"] == 2
    now = "2026-08-20T14:23:22.000000Z"
    assert rotated["secrets"] == [
        {"created_at": now, "expires_at": None},
        {"created_at": now, "expires_at": "2026-08-20T14:24:22.000000Z"},
    ]
    operator.ask("POST", f"{path}/test-events", 202)
    house.send()
    assert receiver.received[0].verified(new["secret"]) == receiver.received[0].verified(rotated["secret"])

    operator.ask("POST", f"{path}/secrets", 400, {"overlap_seconds": 604801})
    at_once = operator.ask("POST", f"{path}/secrets", 201, {"overlap_seconds": 0})
    assert [one["expires_at"] for one in at_once["secrets"]] == [None, "2026-08-20T14:24:22.000000Z"]
    for _ in range(MOST_SECRETS - 2):
        operator.ask("POST", f"{path}/secrets", 201, {})
    problem = operator.ask("POST", f"{path}/secrets", 409, {})
    assert problem["type"].endswith("/too-many-webhook-secrets")
    house.clock.advance(days=1)
    assert len(operator.ask("POST", f"{path}/secrets", 201, {})["secrets"]) == 2


def test_a_test_event(operator: Operator, house: House, receiver: Receiver) -> None:
    new = made(operator, receiver.url, event_types=["subscription.ended"])
    other = made(operator, receiver.url)
    path = f"{ENDPOINTS}/{new['endpoint_id']}"
    begun = operator.fits("WholeWebhookDelivery", operator.ask("POST", f"{path}/test-events", 202))
    assert (begun["state"], begun["event_type"], begun["attempts"]) == ("pending", "webhook.test", [])
    house.tell()
    (request,) = receiver.received
    assert request.verified(new["secret"]) == {
        "type": "webhook.test",
        "timestamp": "2026-08-20T14:23:22.000000Z",
        "data": {"endpoint_id": new["endpoint_id"]},
    }
    operator.fits("WebhookEvent", request.told)
    done = operator.ask("GET", f"{DELIVERIES}/{begun['delivery_id']}", 200)
    assert (done["state"], done["webhook_id"]) == ("delivered", request.webhook_id)
    # No replay tells it again, whosever it is.
    wish = {"from": "2026-08-20T00:00:00Z", "to": "2026-08-22T00:00:00Z"}
    for endpoint in (new, other):
        begun = operator.ask("POST", f"{ENDPOINTS}/{endpoint['endpoint_id']}/replays", 202, wish)
    for _ in range(200):
        house.fan_out.replay()
    assert len(house.deliveries()) == 1
    operator.ask("PATCH", path, 200, {"enabled": False})
    problem = operator.ask("POST", f"{path}/test-events", 409)
    assert problem["type"].endswith("/webhook-endpoint-disabled")
    operator.ask("POST", f"{path}/replays", 409, wish)


def test_the_log_of_deliveries(operator: Operator, house: House, receiver: Receiver) -> None:
    good = made(operator, receiver.url)["endpoint_id"]
    with receiving() as broken:
        bad = made(operator, broken.url)["endpoint_id"]
        broken.answers(500, b"whsec_none of this is ours")
        for body in cancelled_life():
            house.world.apply(body)
            house.tell()
            house.clock.advance(days=1)
    house.world.apply(samples.action("subscribe-success", after(0), "m1"))
    house.make_deliveries()

    def listed(**filters: str) -> list[dict[str, Any]]:
        query = "&".join(f"{name}={value}" for name, value in {"limit": "2", **filters}.items())
        found = [one for page in operator.pages(f"{DELIVERIES}?{query}") for one in page]
        times = [one["created_at"] for one in found]
        assert times == sorted(times, reverse=True)
        return found

    everything = listed()
    assert len(everything) == 8
    assert [one["state"] for one in listed(endpoint_id=good)] == ["pending"] + ["delivered"] * 3
    assert {one["state"] for one in listed(endpoint_id=bad)} == {"pending"}
    assert len(listed(state="delivered")) == 3
    assert listed(state="dead") == []
    assert len(listed(subscription_id=samples.CONCURRENT_ID)) == 6
    assert len(listed(subscription_id=samples.CONCURRENT_ID, endpoint_id=good, state="delivered")) == 3
    assert len(listed(subscription_id=samples.LEGACY_ID)) == 2
    assert listed(endpoint_id=MISSING) == []

    tried = next(one for one in listed(endpoint_id=bad) if one["tries"])
    whole = operator.fits(
        "WholeWebhookDelivery", operator.ask("GET", f"{DELIVERIES}/{tried['delivery_id']}", 200)
    )
    attempt = whole["attempts"][-1]
    assert (attempt["reason"], attempt["status"], attempt["excerpt"]) == (
        "status",
        500,
        "whsec_none of this is ours",
    )
    assert attempt["duration_ms"] >= 0
    operator.fits("WebhookDeliveryPage", operator.ask("GET", DELIVERIES, 200))
    operator.ask("GET", f"{DELIVERIES}/whd_{'a' * 26}", 404)
    operator.ask("GET", f"{DELIVERIES}?state=lost", 400)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (ENDPOINTS, {"delivery_id": {"S": "x"}}),
        (DELIVERIES, {"created_on": {"S": "yesterday"}}),
        (DELIVERIES, {"created_on": {"N": "1"}}),
        (DELIVERIES, {"endpoint_id": {"S": "x"}}),
        (
            f"{DELIVERIES}?subscription_id={samples.CONCURRENT_ID}",
            {
                "delivery_id": {"S": "x"},
                "created_at": {"S": "x"},
                "subscription_id": {"S": samples.LEGACY_ID},
            },
        ),
    ],
)
def test_a_cursor_of_another_list_is_refused(operator: Operator, path: str, key: dict[str, Any]) -> None:
    cursor = f"{'&' if '?' in path else '?'}cursor={encode_cursor(key)}"
    problem = operator.ask("GET", path + cursor, 400)
    assert problem["errors"] == [{"in": "query", "path": "cursor", "reason": "not a cursor of this list"}]


def test_sent_again_by_hand(operator: Operator, house: House, receiver: Receiver) -> None:
    new = made(operator, receiver.url)
    receiver.answers(410)
    house.world.apply(*cancelled_life()[:2])
    (dead,) = house.tell()
    path = f"{DELIVERIES}/{dead.delivery_id}/redeliver"
    problem = operator.ask("POST", path, 409)
    assert problem["type"].endswith("/webhook-endpoint-disabled")
    operator.ask("PATCH", f"{ENDPOINTS}/{new['endpoint_id']}", 200, {"enabled": True})
    receiver.answers(200)
    begun = operator.fits("WholeWebhookDelivery", operator.ask("POST", path, 202))
    assert (begun["state"], begun["tries"], len(begun["attempts"])) == ("pending", 0, 1)
    (done,) = house.send()
    assert done.state == "delivered"
    # Also what was taken, if somebody wishes it.
    operator.ask("POST", path, 202)
    house.send()
    assert len({request.webhook_id for request in receiver.received}) == 1
    assert len(receiver.received) == 3

    for row in WebhookEventRow.scan():
        row.delete()
    assert operator.ask("POST", path, 409)["type"].endswith("/webhook-event-forgotten")
    operator.ask("DELETE", f"{ENDPOINTS}/{new['endpoint_id']}", 204)
    assert operator.ask("POST", path, 409)["type"].endswith("/webhook-endpoint-disabled")
    operator.ask("POST", f"{DELIVERIES}/whd_{'a' * 26}/redeliver", 404)


def test_a_replay(operator: Operator, house: House, receiver: Receiver) -> None:
    house.world.apply(*cancelled_life())
    house.make_deliveries()
    new = made(operator, receiver.url)
    path = f"{ENDPOINTS}/{new['endpoint_id']}/replays"
    wish = {"from": "2026-08-20T14:00:00Z", "to": "2026-08-20T16:00:00Z"}
    begun = operator.fits("WebhookReplay", operator.ask("POST", path, 202, wish))
    assert (begun["state"], begun["deliveries"], begun["event_types"]) == ("running", 0, None)
    assert (begun["from"], begun["to"]) == ("2026-08-20T14:00:00.000000Z", "2026-08-20T16:00:00.000000Z")
    assert operator.last.headers["location"] == f"{path}/{begun['replay_id']}"
    house.clock.advance(days=1)
    while (
        house.fan_out.replay()
        or operator.ask("GET", f"{path}/{begun['replay_id']}", 200)["state"] == "running"
    ):
        pass
    done = operator.fits("WebhookReplay", operator.ask("GET", f"{path}/{begun['replay_id']}", 200))
    assert (done["state"], done["deliveries"], done["done_until"]) == ("done", 3, done["to"])
    assert done["finished_at"] == "2026-08-21T14:23:22.000000Z"
    house.send()
    assert len(receiver.received) == 3

    for body, wrong in [
        ({"from": wish["to"], "to": wish["from"]}, "/to"),
        ({"from": wish["to"], "to": wish["to"]}, "/to"),
        ({"from": "0000-01-01T00:00:00Z", "to": wish["to"]}, "/from"),
        ({"from": "yesterday", "to": wish["to"]}, "/from"),
        ({**wish, "event_types": ["webhook.test"]}, "/event_types/0"),
    ]:
        assert operator.ask("POST", path, 400, body)["errors"][0]["path"] == wrong
    operator.ask("GET", f"{path}/whr_{'a' * 26}", 404)
    operator.ask("GET", f"{ENDPOINTS}/{MISSING}/replays/{begun['replay_id']}", 404)
    # Long ago: only what can still be there is looked for.
    operator.ask("POST", path, 202, {"from": "1970-01-01T00:00:00Z", "to": "2026-08-20T00:00:00Z"})


PATHS = [
    ("GET", ENDPOINTS, None),
    ("POST", ENDPOINTS, {"url": "https://hooks.seller.example/"}),
    ("GET", f"{ENDPOINTS}/{MISSING}", None),
    ("PATCH", f"{ENDPOINTS}/{MISSING}", {"enabled": True}),
    ("DELETE", f"{ENDPOINTS}/{MISSING}", None),
    ("POST", f"{ENDPOINTS}/{MISSING}/secrets", {}),
    ("POST", f"{ENDPOINTS}/{MISSING}/test-events", None),
    (
        "POST",
        f"{ENDPOINTS}/{MISSING}/replays",
        {"from": "2026-08-20T00:00:00Z", "to": "2026-08-21T00:00:00Z"},
    ),
    ("GET", f"{ENDPOINTS}/{MISSING}/replays/whr_{'a' * 26}", None),
    ("GET", DELIVERIES, None),
    ("GET", f"{DELIVERIES}/whd_{'a' * 26}", None),
    ("POST", f"{DELIVERIES}/whd_{'a' * 26}/redeliver", None),
]


@pytest.mark.parametrize(("method", "path", "body"), PATHS)
def test_operators_only(world: World, method: str, path: str, body: Any) -> None:
    sent = {} if body is None else {"json": body}
    for headers, status in [({}, 401), (world.key("usage:read", "usage:write", "buyer"), 403)]:
        answer = world.client.request(method, path, headers=headers, **sent)
        assert answer.status_code == status, answer.text


def test_two_changes_at_once_both_hold(house: House) -> None:
    endpoint, _ = house.endpoint("https://hooks.seller.example/")

    def overtaken(one: Endpoint) -> Endpoint:
        if one.version == 1:
            house.change(endpoint, description="theirs")
        return one.changed({"enabled": False}, house.clock.now())

    both = alter(house.store, endpoint.endpoint_id, None, overtaken)
    assert (both.description, both.enabled, both.version) == ("theirs", False, 3)


def test_changed_by_others_each_time() -> None:
    now = samples.T0
    endpoint = new_endpoint("whe_1", "sealed", {"url": "https://hooks.seller.example/"}, now)
    assert endpoint.version == 1

    class Busy:
        def endpoint(self, endpoint_id: str) -> Endpoint:
            return endpoint

        def replace_endpoint(self, before: Endpoint, after: Endpoint) -> bool:
            return False

    with pytest.raises(ChangedTooOften):
        alter(Busy(), "whe_1", None, lambda one: one.rotated("sealed", timedelta(0), now))


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"webhook_key": "short"}, "WEBHOOK_KEY is shorter"),
        ({"webhook_key": f"{KEY},short"}, "WEBHOOK_KEY is shorter"),
        ({"webhook_key": ","}, "WEBHOOK_KEY is shorter"),
        ({"webhooks_allow_inside": True, "webhooks_allowed_networks": "10.0.0.1/8"}, "names no network"),
        ({"webhooks_allowed_networks": "10.0.0.0/8"}, "WEBHOOKS_ALLOW_INSIDE is not"),
        ({"environment": "production"}, "WEBHOOK_KEY is not set"),
        (
            {
                "environment": "production",
                "webhook_key": f"{KEY},{Settings.model_fields['webhook_key'].default.get_secret_value()}",
            },
            "WEBHOOK_KEY is not set",
        ),
        (
            {"environment": "production", "webhook_key": KEY, "webhooks_allow_inside": True},
            "name the networks in WEBHOOKS_ALLOWED_NETWORKS",
        ),
    ],
)
def test_settings_that_would_not_be_safe(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Settings(**{"environment": "test", **settings})


def test_settings_that_are_safe() -> None:
    settings = Settings(
        environment="production",
        webhook_key=f"{KEY}, {KEY[::-1]}",
        webhooks_allow_inside=True,
        webhooks_allowed_networks="10.1.0.0/16",
    )
    assert settings.webhook_keys == [KEY, KEY[::-1]]
    assert KEY not in repr(settings)
