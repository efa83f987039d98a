"""What follows when a subscription has changed: one letter when access comes, and the end of tombstones."""

from dataclasses import replace

import pytest
from memory_tables import MemoryTables
from samples import HOSTED, LATER, NOW, PLAIN, claim, customer

from registration.catalogue import Catalogue
from registration.outbox_items import Kind
from registration.settling import Settled, settle
from registration.subscription_access import PublishedSubscription

NOTHING = Settled()
CATALOGUE = Catalogue({PLAIN.product_code: PLAIN, HOSTED.product_code: HOSTED})


def world(*subscription_ids: str, deleted: bool = False, **statuses: str) -> MemoryTables:
    held = subscription_ids or ("sub_a",)
    ada = customer("cus_a", *held)
    tables = MemoryTables(
        claims_by_id={one: claim(one) for one in held},
        customers_by_id={"cus_a": ada.erased(NOW) if deleted else ada},
    )
    for one, status in statuses.items():
        tables.published[one] = published(one, status)
    return tables


def published(subscription_id: str, status: str) -> PublishedSubscription:
    access = "granted" if status in ("active", "ending") else "denied"
    return PublishedSubscription(subscription_id, "plain", status, access)


def look(tables: MemoryTables) -> Settled:
    return settle(tables, list(tables.claims_by_id.values()), CATALOGUE, LATER)


@pytest.mark.parametrize("status", ["active", "ending"])
def test_when_access_comes_one_letter_goes_out(status: str) -> None:
    tables = world(sub_a=status)
    assert look(tables) == Settled(access_told=1)
    assert tables.claims_by_id["sub_a"] == claim(access_told_at=LATER)
    (item,) = tables.outbox_by_id.values()
    assert (item.kind, item.outbox_id, item.customer_id) == (
        Kind.ACCESS_LETTER,
        "access-letter-sub_a",
        "cus_a",
    )
    assert (item.subscription_id, item.due_at) == ("sub_a", LATER)
    assert look(tables) == NOTHING
    assert list(tables.outbox_by_id) == ["access-letter-sub_a"]


@pytest.mark.parametrize("status", ["pending", "ended", "failed"])
def test_without_access_no_letter_goes_out(status: str) -> None:
    tables = world(sub_a=status)
    assert look(tables) == NOTHING
    assert (tables.outbox_by_id, tables.claims_by_id["sub_a"]) == ({}, claim())


def test_without_news_nothing_follows() -> None:
    assert look(world()) == look(world(deleted=True)) == NOTHING
    assert settle(MemoryTables(), [], CATALOGUE, NOW) == NOTHING


def test_a_claim_without_a_customer_waits() -> None:
    tables = MemoryTables(claims_by_id={"sub_a": claim(customer_id=None)})
    tables.published["sub_a"] = published("sub_a", "active")
    assert look(tables) == NOTHING


def test_the_sweep_writes_nothing_for_who_was_told() -> None:
    # It looks at every claim on every beat: a write for each would cost money each time.
    tables = world(sub_a="active")
    look(tables)
    acts: list[str] = []
    tables.before = acts.append
    look(tables)
    assert acts == ["published_subscriptions"]


def test_of_two_looks_at_once_one_sends_the_letter() -> None:
    tables = world(sub_a="active")
    stale = [claim()]
    assert [settle(tables, stale, CATALOGUE, LATER).access_told for _ in range(2)] == [1, 0]


@pytest.mark.parametrize("status", ["ended", "failed"])
def test_a_tombstone_ends_with_its_last_subscription(status: str) -> None:
    tables = world("sub_a", "sub_b", deleted=True, sub_a=status, sub_b="active")
    assert look(tables).buried == 0
    assert set(tables.claims_by_id) == {"sub_a", "sub_b"}
    tables.published["sub_b"] = published("sub_b", "ended")
    assert look(tables) == Settled(buried=1)
    assert (tables.claims_by_id, tables.customers_by_id) == ({}, {})


@pytest.mark.parametrize("other", ["pending", "active", "ending", None])
def test_it_stays_while_anything_may_still_be_billed(other: str | None) -> None:
    tables = world("sub_a", "sub_b", deleted=True, sub_a="ended", **({"sub_b": other} if other else {}))
    assert look(tables).buried == 0
    assert "cus_a" in tables.customers_by_id
    assert set(tables.claims_by_id) == {"sub_a", "sub_b"}


def test_a_living_customer_keeps_what_has_ended() -> None:
    tables = world(sub_a="ended")
    assert look(tables) == NOTHING
    assert (set(tables.claims_by_id), set(tables.customers_by_id)) == ({"sub_a"}, {"cus_a"})


def test_one_signal_of_many_subscriptions_is_enough() -> None:
    tables = world("sub_a", "sub_b", "sub_c", deleted=True, sub_a="ended", sub_b="ended", sub_c="failed")
    assert settle(tables, [claim("sub_b")], CATALOGUE, LATER) == Settled(buried=1)
    assert tables.claims_by_id == {}


def test_a_burial_that_broke_off_is_taken_up_again() -> None:
    tables = world("sub_a", "sub_b", "sub_c", deleted=True, sub_a="ended", sub_b="ended", sub_c="ended")
    del tables.claims_by_id["sub_a"]
    # Meanwhile the first has been claimed by the next buyer; it is theirs.
    tables.claims_by_id["sub_a"] = claim("sub_a", "cus_b", "reg_b")
    tables.customers_by_id["cus_b"] = customer("cus_b", "sub_a")
    assert look(tables) == Settled(buried=1)
    assert set(tables.customers_by_id) == {"cus_b"}
    assert tables.claims_by_id == {"sub_a": claim("sub_a", "cus_b", "reg_b")}


def test_a_tombstone_that_has_moved_is_left_for_the_next_look() -> None:
    tables = world(deleted=True, sub_a="ended")

    def moved(act: str) -> None:
        if act == "bury":
            tables.customers_by_id["cus_a"] = replace(tables.customers_by_id["cus_a"], version=9)
            tables.before = lambda _: None

    tables.before = moved
    assert look(tables) == NOTHING
    assert look(tables) == Settled(buried=1)


def test_each_customer_is_judged_alone() -> None:
    tables = world("sub_a", deleted=True, sub_a="ended", sub_b="ended", sub_c="active")
    tables.claims_by_id |= {"sub_b": claim("sub_b", "cus_b"), "sub_c": claim("sub_c", "cus_c")}
    tables.customers_by_id |= {"cus_b": customer("cus_b", "sub_b"), "cus_c": customer("cus_c", "sub_c")}
    assert look(tables) == Settled(access_told=1, buried=1)
    assert set(tables.customers_by_id) == {"cus_b", "cus_c"}
