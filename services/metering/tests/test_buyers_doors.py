"""What buyers are shown of usage and of what became of it: their own, and nothing that is the seller's; all
else is answered as what never was."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from house import CONCURRENT, House, HousesClock

from chassis.auth import KeyRing
from chassis.quick_calls import QuickCalls
from chassis.tables import bind
from chassis.testing import TOKENS_ISSUER
from metering import tables
from metering.app import build_web
from metering.identity_ids import identity_id
from metering.record_desk import MOST_SUBSCRIPTIONS_A_PAGE
from metering.tables.models import CustomerRow, IdentityRow, MeteringKey

NEVER_WAS = "sub_" + "n" * 26
NO_CUSTOMER = "cus_" + "n" * 26
OF_THE_SELLER = {"reason", "resolution", "attempts"}

Headers = Callable[..., dict[str, str]]


@dataclass
class Buyer:
    """A customer, and how they are answered."""

    customer_id: str
    client: Any
    headers: dict[str, str]

    def get(self, path: str, expect: int = 200, /, **query: Any) -> Any:
        answer = self.client.get(path, params=query, headers=self.headers)
        assert answer.status_code == expect, answer.text
        return answer.json()

    def pages(self, path: str, **query: Any) -> list[list[dict[str, Any]]]:
        found = []
        cursor: dict[str, Any] = {}
        while True:
            page = self.get(path, **query, **cursor)
            found.append(page["items"])
            if page["next_cursor"] is None:
                return found
            cursor = {"cursor": page["next_cursor"]}


@pytest.fixture
def client(web: tuple[Any, HousesClock], house: House) -> Any:
    app, clock = web
    clock.house = house
    return app.test_client()


@pytest.fixture
def buyer(client: Any, house: House, token_of: Headers) -> Callable[..., Buyer]:
    """Makes somebody who has registered with these subscriptions and signs in."""

    def register(subject: str, *subs: str, scopes: tuple[str, ...] = ("buyer",)) -> Buyer:
        customer_id = house.register(*subs)
        IdentityRow(identity_id(TOKENS_ISSUER, subject), customer_id=customer_id).save()
        return Buyer(customer_id, client, token_of(subject, *scopes))

    return register


@pytest.fixture
def keyed(client: Any, house: House) -> Callable[..., Buyer]:
    """Makes somebody with a key of these scopes."""
    ring = KeyRing(MeteringKey)
    return lambda *scopes: Buyer("", client, {"X-API-Key": ring.add("gateway", set(scopes))})


def used(house: House, hours: int = 1) -> str:
    """A subscription with billed usage in so many hours."""
    sub = house.buy()
    for _ in range(hours):
        house.use(sub, "2")
        house.clock.advance(hours=1)
    house.clock.advance(minutes=5)
    house.run()
    return sub


def everything_about(who: Buyer, sub: str, customer_id: str) -> dict[str, Any]:
    """All that can be asked about a subscription and a customer."""
    of_it = {"subscription_id": sub}
    record = f"/v1/metering-records/{sub}.gpu_hours.2026-11-22T10"
    explained = who.client.get(record, headers=who.headers)
    by_customer = {"customer_id": customer_id, "product_code": CONCURRENT}
    return {
        "usage": who.get("/v1/usage", **of_it),
        "by day": who.get("/v1/usage", **of_it, by="day", dimension="gpu_hours", tags=True),
        "balance": who.get("/v1/balance", **of_it)["dimensions"],
        "customer's balance": who.get("/v1/customer-balance", **by_customer)["dimensions"],
        "records": who.get("/v1/metering-records", **of_it),
        "of all": who.get("/v1/metering-records", outcome="billed"),
        "record": explained.json() | {"instance": None},
    }


def test_a_buyer_is_shown_their_own(house: House, buyer: Callable[..., Buyer]) -> None:
    sub = used(house)
    ada = buyer("ada", sub)
    house.report(house.customers_event(ada.customer_id, "3"))
    house.clock.advance(hours=2)
    house.run(2)
    shown = everything_about(ada, sub, ada.customer_id)
    assert shown["usage"]["items"][0] == {
        "subscription_id": sub,
        "dimension": "gpu_hours",
        "hour": "2026-11-22T10:00:00.000000Z",
        "quantity": "2",
        "conflicting_events": 0,
    }
    assert shown["by day"]["items"][0]["by_tags"] == [{"tags": {}, "quantity": "2"}]
    (balance,) = shown["balance"]
    assert balance == {
        "dimension": "gpu_hours",
        "accepted": "5",
        "open": "0",
        "planned": "0",
        "billed": "5",
        "included": "0",
        "held": "0",
        "conflicting": "0",
        "written_off": "0",
        "corrections_waiting": "0",
    }
    (of_customer,) = shown["customer's balance"]
    assert of_customer.keys() == balance.keys()
    records = shown["records"]["items"]
    assert [(one["hour"], one["quantity"]) for one in records] == [
        ("2026-11-22T10:00:00.000000Z", "2"),
        ("2026-11-22T11:00:00.000000Z", "3"),
    ]
    assert all(one["aws_metering_record_id"] for one in records)
    assert not [one for one in records if OF_THE_SELLER & one.keys()]
    assert shown["of all"] == shown["records"]
    assert shown["record"] == {
        "metering_record": records[0],
        "allocations": [],
        "tags_left_out": False,
        "instance": None,
    }


def test_what_is_another_s_is_answered_as_what_never_was(
    house: House, buyer: Callable[..., Buyer], keyed: Callable[..., Buyer], token_of: Headers
) -> None:
    mine, theirs = house.buy(), used(house)
    ada, bob = buyer("ada", mine), buyer("bob", theirs)
    house.report(house.customers_event(bob.customer_id))
    house.run()
    nobody = Buyer("", ada.client, token_of("nobody", "buyer"))
    # A key proves no person; that it may write usage opens none, though another scope has let it in.
    for who in (ada, nobody, keyed("buyer"), keyed("buyer", "usage:write")):
        nothing = everything_about(who, NEVER_WAS, NO_CUSTOMER)
        assert everything_about(who, theirs, bob.customer_id) == nothing
        assert nothing["usage"] == nothing["records"] == nothing["of all"]
        assert nothing["records"] == {"items": [], "next_cursor": None}
        assert nothing["balance"] == nothing["customer's balance"] == []
        assert nothing["record"]["status"] == 404
    assert everything_about(bob, theirs, bob.customer_id)["records"]["items"]


def test_to_who_is_erased_nothing_is_there_any_more(house: House, buyer: Callable[..., Buyer]) -> None:
    sub = used(house)
    ada = buyer("ada", sub)
    assert ada.get("/v1/usage", subscription_id=sub)["items"]
    CustomerRow(ada.customer_id, status="deleted", subscription_ids=[sub]).save()
    assert everything_about(ada, sub, ada.customer_id) == everything_about(ada, NEVER_WAS, NO_CUSTOMER)


@pytest.mark.parametrize(
    ("scopes", "by_token", "sees_all"),
    [
        (("usage:read",), False, True),
        (("operator",), False, True),
        (("buyer", "usage:read"), False, True),
        (("operator",), True, True),
        (("usage:read",), True, True),
        (("buyer", "operator"), True, True),
        # A person is a buyer, whatever else the issuer lets them do.
        (("buyer", "usage:read"), True, False),
    ],
)
def test_who_sees_all_of_everybody(
    house: House,
    buyer: Callable[..., Buyer],
    keyed: Callable[..., Buyer],
    scopes: tuple[str, ...],
    by_token: bool,
    sees_all: bool,
) -> None:
    theirs = used(house)
    bob = buyer("bob", theirs)
    who = buyer("ada", house.buy(), scopes=scopes) if by_token else keyed(*scopes)
    shown = everything_about(who, theirs, bob.customer_id)
    if not sees_all:
        assert shown == everything_about(who, NEVER_WAS, NO_CUSTOMER)
        return
    assert shown["records"]["items"][0].keys() >= OF_THE_SELLER
    assert shown["record"]["metering_record"].keys() >= OF_THE_SELLER
    assert shown["record"]["sends"][0]["answer"] == "Success"
    assert shown["balance"][0].keys() >= {"balanced", "reasons"}


def test_the_records_of_all_one_s_subscriptions_page_by_page(
    house: House, buyer: Callable[..., Buyer]
) -> None:
    """Those from before a renewal too; none of them twice, none left out, no other's in between."""
    subs = sorted(used(house, hours) for hours in (1, 3, 2))
    without, others = house.buy(), used(house, 2)
    ada = buyer("ada", *subs, without)
    buyer("bob", others)
    everything = [
        one for sub in subs for one in ada.get("/v1/metering-records", subscription_id=sub)["items"]
    ]
    assert len(everything) == 6
    for limit in range(1, 8):
        found = ada.pages("/v1/metering-records", limit=limit)
        assert [one for page in found for one in page] == everything
        assert all(len(page) <= limit for page in found)
    assert [len(page) for page in ada.pages("/v1/metering-records", outcome="billed", limit=4)] == [4, 2]
    assert ada.get("/v1/metering-records", outcome="expired") == {"items": [], "next_cursor": None}


def test_a_page_of_records_goes_through_so_many_subscriptions_and_no_more(
    house: House, buyer: Callable[..., Buyer]
) -> None:
    last = used(house)
    without = [f"sub_{'2' * 24}{one}{two}" for one in "abcdefgh" for two in "abcdefgh"]
    ada = buyer("ada", *without[: MOST_SUBSCRIPTIONS_A_PAGE * 2], last)
    pages = ada.pages("/v1/metering-records")
    assert [len(page) for page in pages] == [0, 0, 1]


def test_a_cursor_goes_on_where_the_customer_has_one_subscription_less(
    house: House, buyer: Callable[..., Buyer]
) -> None:
    subs = sorted(used(house, 2) for _ in range(2))
    ada = buyer("ada", *subs)
    cursor = ada.get("/v1/metering-records", limit=1)["next_cursor"]
    CustomerRow(ada.customer_id, status="active", subscription_ids=subs[1:]).save()
    found = ada.get("/v1/metering-records", cursor=cursor)["items"]
    assert {one["subscription_id"] for one in found} == {subs[1]}


@pytest.mark.parametrize(
    "cursor", ["nonsense", "eyJhIjp7IlMiOiJiIn19", "eyJzdWJzY3JpcHRpb25faWQiOnsiTiI6IjEifX0"]
)
def test_a_cursor_of_another_list_is_400(house: House, buyer: Callable[..., Buyer], cursor: str) -> None:
    ada = buyer("ada", used(house))
    for query in ({}, {"subscription_id": ada.get("/v1/metering-records")["items"][0]["subscription_id"]}):
        assert ada.get("/v1/metering-records", 400, cursor=cursor, **query)["errors"][0]["path"] == "cursor"


def test_what_names_a_subscription_has_to_name_it(buyer: Callable[..., Buyer], house: House) -> None:
    ada = buyer("ada", house.buy())
    for path in ("/v1/usage", "/v1/balance", "/v1/customer-balance"):
        assert ada.get(path, 400)["title"] == "The request does not fit the contract."


def test_whose_it_is_and_what_was_used_are_read_quickly(
    house: House, buyer: Callable[..., Buyer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a service's request does not read whose it is."""
    asked: list[str] = []
    ask = QuickCalls.ask

    def note(self: QuickCalls, operation: str, request: dict[str, Any]) -> dict[str, Any] | None:
        asked.append(operation)
        return ask(self, operation, request)

    monkeypatch.setattr(QuickCalls, "ask", note)
    sub = used(house)
    ada = buyer("ada", sub)
    key = {"X-API-Key": KeyRing(MeteringKey).add("gateway", {"usage:read"})}
    try:
        ada.client = build_web(
            house.settings.model_copy(update={"aws_attempts": 2}), house.clock
        ).test_client()
        assert ada.get("/v1/usage", subscription_id=sub)["items"]
        assert asked == ["GetItem", "GetItem", "Query"]
        asked.clear()
        ada.headers = key
        assert ada.get("/v1/usage", subscription_id=sub)["items"]
        assert asked == ["GetItem", "Query"]  # of the key, and of the usage
    finally:
        bind([*tables.OWN, *tables.READ], house.settings)
