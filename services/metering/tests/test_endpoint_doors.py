"""Endpoints through the HTTP door and at the desk: who may do what, and every refusal by its name."""

from collections.abc import Callable
from typing import Any

import pytest
from house import CONCURRENT, ENDPOINTS, House, HousesClock, at

from chassis.auth import KeyRing
from metering.callers import Asker
from metering.endpoint_desk import NoSuchEndpoint
from metering.endpoint_wishes import (
    NoSubscriptionWithEndpoints,
    NoSuchSubscription,
    SubscriptionNotNamed,
    Wish,
    new_id,
)
from metering.identity_ids import identity_id
from metering.tables.models import CustomerRow, EndpointRow, IdentityRow, MeteringKey

PATH = "/v1/endpoints"
NOBODYS = "end_" + "a" * 26
WISH = {"name": "Chat in Portuguese", "repository": "acme/llama-chat-pt", "accelerator": "GPU"}


@pytest.fixture
def client(web: tuple[Any, HousesClock], house: House) -> Any:
    app, clock = web
    clock.house = house
    return app.test_client()


@pytest.fixture
def keys(house: House) -> dict[str, dict[str, str]]:
    ring = KeyRing(MeteringKey)
    scopes = {
        "gateway": {"usage:write", "usage:read"},
        "another": {"usage:write", "usage:read"},
        "reader": {"usage:read"},
        "console": {"operator"},
        "buyer": {"buyer"},
    }
    return {name: {"X-API-Key": ring.add(name, some)} for name, some in scopes.items()}


Ask = Callable[..., Any]


@pytest.fixture
def ask(client: Any, keys: dict[str, dict[str, str]]) -> Ask:
    def send(method: str, path: str = "", key: str = "gateway", **more: Any) -> Any:
        return client.request(method, PATH + path, headers=keys[key], **more)

    return send


def slug(answer: Any) -> tuple[int, str]:
    assert answer.headers["content-type"].startswith("application/problem+json"), answer.text
    document = answer.json()
    assert document["title"]
    return answer.status_code, document["type"].removeprefix("https://marketplane.dev/problems/")


def create(ask: Ask, sub: str, **more: Any) -> dict[str, Any]:
    answer = ask("POST", json=WISH | {"subscription_id": sub} | more)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


# Services -----------------------------------------------------------------------------------------------


def test_a_service_creates_reads_changes_and_deletes_its_own(house: House, ask: Ask) -> None:
    sub = house.buy(ENDPOINTS)
    house.clock.advance(seconds=7.25)
    answer = ask("POST", json=WISH | {"subscription_id": sub})
    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{PATH}/{made['endpoint_id']}"
    assert made == WISH | {
        "endpoint_id": made["endpoint_id"],
        "owner": "key:gateway",
        "subscription_id": sub,
        "product_code": ENDPOINTS,
        "dimension": "gpu_hours",
        "state": "running",
        "created_at": "2026-11-22T10:00:07.000000Z",
        "deleted_at": None,
        "ended_because": None,
        "metered_until": "2026-11-22T10:00:07.000000Z",
    }
    place = f"/{made['endpoint_id']}"
    assert ask("GET", place).json() == made
    assert ask("GET", place, "console").json() == made
    changed = ask("PATCH", place, json={"name": "Another"})
    assert (changed.status_code, changed.json()) == (200, made | {"name": "Another"})
    changed = ask("PATCH", place, json={"repository": "acme/other", "name": "Third"})
    assert changed.json() == made | {"name": "Third", "repository": "acme/other"}
    house.clock.advance(minutes=5)
    for _ in range(2):
        deleted = ask("DELETE", place)
        assert (deleted.status_code, deleted.text) == (204, "")
        house.clock.advance(minutes=5)
    shown = ask("GET", place).json()
    assert (shown["state"], shown["deleted_at"]) == ("deleted", "2026-11-22T10:05:07.000000Z")
    assert shown["ended_because"] == "deleted_by_owner"
    assert slug(ask("PATCH", place, json={"name": "Fourth"})) == (409, "endpoint-deleted")


def test_what_is_another_s_is_not_there(house: House, ask: Ask) -> None:
    place = f"/{create(ask, house.buy(ENDPOINTS))['endpoint_id']}"
    for key in ("another", "buyer", "reader"):
        if key != "another":
            assert slug(ask("GET", place, key)) == (404, "not-found")
            continue
        assert slug(ask("GET", place, key)) == (404, "not-found")
        assert slug(ask("PATCH", place, key, json={"name": "Mine"})) == (404, "not-found")
        assert slug(ask("DELETE", place, key)) == (404, "not-found")
        assert ask("GET", "", key).json()["items"] == []
    assert slug(ask("GET", f"/{NOBODYS}")) == (404, "not-found")
    assert slug(ask("GET", f"/{NOBODYS}", "console")) == (404, "not-found")
    assert slug(ask("DELETE", f"/{NOBODYS}", "console")) == (404, "not-found")


def test_an_operator_deletes_any_and_changes_and_creates_none(house: House, ask: Ask) -> None:
    sub = house.buy(ENDPOINTS)
    place = f"/{create(ask, sub)['endpoint_id']}"
    assert slug(ask("POST", "", "console", json=WISH | {"subscription_id": sub})) == (403, "forbidden")
    assert slug(ask("PATCH", place, "console", json={"name": "Mine"})) == (403, "forbidden")
    assert ask("DELETE", place, "console").status_code == 204
    assert ask("GET", place).json()["ended_because"] == "deleted_by_operator"


def test_the_list_is_newest_first_page_by_page_and_of_one_state(house: House, ask: Ask) -> None:
    sub = house.buy(ENDPOINTS)
    made = []
    for _ in range(5):
        made.append(create(ask, sub)["endpoint_id"])
        house.clock.advance(seconds=1)
    assert ask("DELETE", f"/{made[2]}").status_code == 204

    def listed(key: str = "gateway", **query: Any) -> list[str]:
        found: list[str] = []
        cursor = None
        while True:
            more = {"cursor": cursor} if cursor else {}
            page = ask("GET", "", key, params=query | {"limit": 2} | more).json()
            assert len(page["items"]) <= 2
            found += [one["endpoint_id"] for one in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    assert listed() == made[::-1]
    assert listed(state="deleted") == [made[2]]
    assert listed(state="running") == [one for one in made[::-1] if one != made[2]]
    assert sorted(listed("console")) == sorted(made)
    assert listed("reader") == listed("buyer") == []


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({}, (400, "invalid-request")),
        (WISH | {"accelerator": "APU"}, (400, "invalid-request")),
        (WISH | {"name": ""}, (400, "invalid-request")),
        (WISH | {"repository": "no spaces"}, (400, "invalid-request")),
        (WISH | {"owner": "key:another"}, (400, "invalid-request")),
        (WISH, (400, "subscription-not-named")),
        (WISH | {"subscription_id": "sub_" + "n" * 26}, (404, "not-found")),
    ],
)
def test_a_wish_is_refused_by_name(ask: Ask, body: dict[str, Any], refusal: tuple[int, str]) -> None:
    assert slug(ask("POST", json=body)) == refusal
    assert list(EndpointRow.scan()) == []


@pytest.mark.parametrize(
    ("product_code", "row", "accelerator", "refusal"),
    [
        (ENDPOINTS, {}, "TPU", (400, "accelerator-not-offered")),
        (CONCURRENT, {}, "GPU", (400, "accelerator-not-offered")),
        (ENDPOINTS, {"status": "pending"}, "GPU", (409, "access-not-granted")),
        (ENDPOINTS, {"status": "ending", "meter_until": at("22T11:00")}, "GPU", (409, "access-not-granted")),
        (ENDPOINTS, {"status": "ended", "meter_until": at("22T09:00")}, "GPU", (409, "access-not-granted")),
        (ENDPOINTS, {"status": "failed"}, "GPU", (409, "access-not-granted")),
    ],
)
def test_what_a_subscription_does_not_give_is_refused_by_name(
    house: House, ask: Ask, product_code: str, row: dict[str, Any], accelerator: str, refusal: tuple[int, str]
) -> None:
    sub = house.buy(product_code)
    house.publish(sub, **row)
    answer = ask("POST", json=WISH | {"subscription_id": sub, "accelerator": accelerator})
    assert slug(answer) == refusal
    assert list(EndpointRow.scan()) == []


@pytest.mark.parametrize("body", [{}, {"accelerator": "CPU"}, {"name": None}, {"repository": "a b"}])
def test_nothing_else_of_it_can_be_changed(house: House, ask: Ask, body: dict[str, Any]) -> None:
    place = f"/{create(ask, house.buy(ENDPOINTS))['endpoint_id']}"
    assert slug(ask("PATCH", place, json=body)) == (400, "invalid-request")


def test_a_cursor_of_another_list_is_400(house: House, ask: Ask) -> None:
    create(ask, house.buy(ENDPOINTS))
    for cursor in ("nonsense", "eyJhIjp7IlMiOiJiIn19"):
        for key in ("gateway", "console"):
            assert slug(ask("GET", "", key, params={"cursor": cursor})) == (400, "invalid-request")


# Buyers; how their token is read is tested with the contracts -------------------------------------------


def person(house: House, subject: str, *subs: str) -> Asker:
    """Somebody who has registered with these subscriptions and signs in."""
    customer_id = house.register(*subs)
    who = identity_id("https://id.seller.example", subject)
    IdentityRow(who, customer_id=customer_id).save()
    return Asker(identity_id=who)


def wish(sub: str | None = None) -> Wish:
    return Wish("A name", "acme/model", "GPU", sub)


def test_a_buyer_with_one_that_fits_need_not_name_it(house: House) -> None:
    sub, other, pending = house.buy(ENDPOINTS), house.buy(CONCURRENT), house.buy(ENDPOINTS, status="pending")
    ada = person(house, "ada", sub, other, pending)
    endpoint = house.endpoint_desk.create(ada, wish())
    assert endpoint.subscription_id == sub
    assert endpoint.owner.startswith("cus_")
    assert house.endpoint_desk.endpoint(ada, endpoint.endpoint_id) == endpoint
    assert house.endpoint_desk.create(ada, wish(sub)).endpoint_id != endpoint.endpoint_id


def test_a_buyer_with_several_names_one_and_with_none_is_told_so(house: House) -> None:
    subs = sorted([house.buy(ENDPOINTS), house.buy(ENDPOINTS)])
    with pytest.raises(SubscriptionNotNamed, match=", ".join(subs)):
        house.endpoint_desk.create(person(house, "ada", *subs), wish())
    with pytest.raises(NoSubscriptionWithEndpoints):
        house.endpoint_desk.create(person(house, "bob", house.buy(CONCURRENT)), wish())


def test_of_a_renewed_subscription_and_the_next_it_is_the_next(house: House) -> None:
    old, new = house.buy(ENDPOINTS), house.buy(ENDPOINTS)
    house.publish(
        old, status="ending", access="granted", meter_until=at("22T11:00"), next_subscription_id=new
    )
    assert house.endpoint_desk.create(person(house, "ada", old, new), wish()).subscription_id == new


def test_a_buyer_s_wish_for_another_s_subscription_is_404_as_is_another_s_endpoint(house: House) -> None:
    mine, theirs = house.buy(ENDPOINTS), house.buy(ENDPOINTS)
    ada, bob = person(house, "ada", mine), person(house, "bob", theirs)
    with pytest.raises(NoSuchSubscription):
        house.endpoint_desk.create(ada, wish(theirs))
    endpoint = house.endpoint_desk.create(ada, wish())
    desk, endpoint_id = house.endpoint_desk, endpoint.endpoint_id
    for act in (
        lambda who: desk.endpoint(who, endpoint_id),
        lambda who: desk.change(who, endpoint_id, {"name": "Mine"}),
        lambda who: desk.delete(who, endpoint_id),
    ):
        with pytest.raises(NoSuchEndpoint):
            act(bob)
    assert desk.page(bob, None, 50, None) == ([], None)
    assert desk.page(ada, None, 50, None) == ([endpoint], None)


def test_who_has_not_registered_or_is_deleted_has_and_gets_nothing(house: House) -> None:
    sub = house.buy(ENDPOINTS)
    erased = person(house, "erased", sub)
    endpoint = house.endpoint_desk.create(erased, wish())
    CustomerRow(endpoint.owner, status="deleted", subscription_ids=[sub]).save()
    for who in (erased, Asker(identity_id="unheard-of"), Asker()):
        with pytest.raises(NoSuchSubscription):
            house.endpoint_desk.create(who, wish(sub))
        with pytest.raises(NoSuchEndpoint):
            house.endpoint_desk.endpoint(who, endpoint.endpoint_id)
        assert house.endpoint_desk.page(who, None, 50, None) == ([], None)


def test_later_ids_are_greater(house: House) -> None:
    ids = []
    for _ in range(40):
        ids.append(new_id(house.clock.now()))
        house.clock.advance(seconds=0.001 if len(ids) % 2 else 86_400 * 30)
    assert sorted(ids) == ids
    assert len(set(ids)) == len(ids)
