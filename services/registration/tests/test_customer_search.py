"""Which customers an operator finds, on however many pages; and a buyer, who finds themself or nobody."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_tables import MemoryTables
from samples import NOW, claim, customer

from registration.customer_search import Search, search, search_own
from registration.customers import CustomerDetails
from registration.subscription_access import PublishedSubscription

# customer: e-mail, account, deleted, and of each subscription: product, AWS account, status
PEOPLE: dict[str, tuple[str, str | None, bool, list[tuple[str, str, str | None]]]] = {
    "cus_a": ("ada@example.com", "acct-a", False, [("plain", "111", "active"), ("hosted", "222", None)]),
    "cus_b": ("ADA@example.com", None, False, [("plain", "111", "ended")]),
    "cus_c": ("eve@example.com", "acct-a", False, [("plain", "222", "active"), ("plain", "111", "pending")]),
    "cus_d": ("", None, True, [("plain", "111", "active")]),
    "cus_e": ("eve@example.com", None, False, [("hosted", "111", "active")]),
}


def shelf(people: dict[str, Any]) -> MemoryTables:
    tables = MemoryTables()
    number = 0
    for customer_id, (email, account_id, deleted, subscriptions) in people.items():
        held = []
        for product_code, account, status in subscriptions:
            number += 1
            one = f"sub_{number}"
            held.append(one)
            tables.claims_by_id[one] = replace(
                claim(one, customer_id),
                product_code=product_code,
                customer_aws_account_id=account,
                # Some at the same time, and none in the order of their ids.
                claimed_at=NOW + timedelta(seconds=(number * 7) % 4),
            )
            if status:
                tables.published[one] = PublishedSubscription(one, product_code, status, "denied")
        made = replace(customer(customer_id, *held, details=CustomerDetails(email)), account_id=account_id)
        tables.customers_by_id[customer_id] = made.erased(NOW) if deleted else made
    return tables


SHELF = shelf(PEOPLE)


def found(tables: MemoryTables, wanted: Search, limit: int = 100) -> list[str]:
    """All pages, one after another."""
    ids: list[str] = []
    cursor: str | None = None
    for _ in range(1000):
        page, cursor = search(tables, wanted, limit, cursor)
        assert len(page) <= limit
        ids += [one.customer_id for one in page]
        if cursor is None:
            return ids
    raise AssertionError("a list without end")


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (Search(), "abce"),
        (Search(email="ada@EXAMPLE.com"), "ab"),
        (Search(email="nobody@example.com"), ""),
        (Search(account_id="acct-a"), "ac"),
        (Search(account_id="ACCT-A"), ""),
        (Search(subscription_id="sub_1"), "a"),
        (Search(subscription_id="sub_99"), ""),
        (Search(product_code="plain"), "abc"),
        (Search(product_code="hosted"), "ae"),
        (Search(customer_aws_account_id="111"), "abce"),
        (Search(customer_aws_account_id="222"), "ac"),
        (Search(status="active"), "ace"),
        (Search(status="pending"), "ac"),
        (Search(status="ended"), "b"),
        # All filters must hold ...
        (Search(email="eve@example.com", account_id="acct-a"), "c"),
        (Search(email="eve@example.com", product_code="hosted"), "e"),
        (Search(subscription_id="sub_1", email="eve@example.com"), ""),
        (Search(account_id="acct-a", status="ended"), ""),
        # ... and those of a subscription for one and the same.
        (Search(product_code="plain", customer_aws_account_id="222"), "c"),
        (Search(product_code="plain", customer_aws_account_id="111", status="active"), "a"),
        (Search(product_code="hosted", status="active"), "e"),
        (Search(subscription_id="sub_1", status="pending"), ""),
        (Search(email="ada@example.com", product_code="hosted", status="active"), ""),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 100])
def test_who_is_found_once(wanted: Search, ids: str, limit: int) -> None:
    assert sorted(found(SHELF, wanted, limit)) == [f"cus_{one}" for one in ids]


def test_the_erased_are_not_found_by_what_they_hold() -> None:
    assert found(SHELF, Search(subscription_id="sub_6")) == []
    assert SHELF.claims_by_id["sub_6"].customer_id == "cus_d"


def test_a_claim_without_a_customer_finds_nobody() -> None:
    tables = MemoryTables(claims_by_id={"sub_a": claim(customer_id=None)})
    for wanted in (Search(subscription_id="sub_a"), Search(product_code="plain"), Search(status="pending")):
        assert found(tables, wanted) == []


def test_a_page_may_be_empty_and_lead_on() -> None:
    # An operator's page shows what its part of the index holds; the cursor and not the number says the end.
    tables = shelf({"cus_d": PEOPLE["cus_d"], "cus_a": PEOPLE["cus_a"]})
    page, following = search(tables, Search(), 1, None)
    assert page == []
    assert following is not None
    page, following = search(tables, Search(), 1, following)
    assert ([one.customer_id for one in page], following) == (["cus_a"], None)


SUBSCRIPTIONS = st.tuples(
    st.sampled_from(["plain", "hosted"]),
    st.sampled_from(["111", "222"]),
    st.sampled_from(["active", "pending", "ended", None]),
)
SOMEBODY = st.tuples(
    st.sampled_from(["ada@example.com", "eve@example.com"]),
    st.sampled_from(["acct-a", None]),
    st.booleans(),
    st.lists(SUBSCRIPTIONS, min_size=1, max_size=4),
)
FILTERS = st.builds(
    Search,
    email=st.sampled_from([None, None, "Ada@example.com"]),
    account_id=st.sampled_from([None, None, "acct-a"]),
    subscription_id=st.sampled_from([None, None, None, "sub_1", "sub_2"]),
    product_code=st.sampled_from([None, "plain"]),
    customer_aws_account_id=st.sampled_from([None, "111"]),
    status=st.sampled_from([None, "active", "pending"]),
)


@given(people=st.lists(SOMEBODY, max_size=5), wanted=FILTERS, limit=st.integers(1, 4))
def test_each_who_fits_is_found_exactly_once(people: list[Any], wanted: Search, limit: int) -> None:
    tables = shelf({f"cus_{number}": one for number, one in enumerate(people)})
    fitting = [
        one.customer_id
        for one in tables.customers_by_id.values()
        if wanted.finds(one, tables.claims_by_id, tables.published)
    ]
    assert sorted(found(tables, wanted, limit)) == fitting


@given(people=st.lists(SOMEBODY, max_size=5), wanted=FILTERS)
def test_a_buyer_finds_themself_where_an_operator_would(people: list[Any], wanted: Search) -> None:
    tables = shelf({f"cus_{number}": one for number, one in enumerate(people)})
    among_all = found(tables, wanted)
    for one in tables.customers_by_id.values():
        themself = [one.customer_id] if one.customer_id in among_all else []
        assert [own.customer_id for own in search_own(tables, wanted, one)] == themself
