"""Customers: addresses, changes, tombstones, and changing them against a version."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from memory_tables import IdentityRow, MemoryTables

from registration import customer_changes
from registration.customers import Customer, CustomerDetails, new_customer, valid_email
from registration.identities import of_account

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
ADA = new_customer("cus_a", CustomerDetails("Ada@Example.com", "Ada", "Engines"), "sub_a", NOW)


@pytest.mark.parametrize(
    ("email", "good"),
    [
        ("ada@example.com", True),
        ("ada.lovelace+aws@mail.example.co.uk", True),
        ("ada@example", False),
        ("ada@@example.com", False),
        ("ada@-example.com", False),
        ("ada@example.com\n", False),
        ("ada lovelace@example.com", False),
        ("", False),
        ("a" * 65 + "@example.com", False),
        ("ada@" + "a.b" * 90 + ".com", False),
    ],
)
def test_addresses(email: str, good: bool) -> None:
    assert valid_email(email) is good


def test_an_address_is_the_same_in_any_case() -> None:
    assert ADA.has_email("aDA@eXAMPLE.COM")
    assert not ADA.has_email("eve@example.com")


def test_a_change_touches_what_it_names() -> None:
    changed = ADA.changed({"company": None, "name": "Ada Lovelace"}, LATER)
    assert (changed.email, changed.name, changed.company) == ("Ada@Example.com", "Ada Lovelace", None)
    assert (changed.version, changed.created_at, changed.updated_at) == (2, NOW, LATER)


def test_a_change_to_what_it_is_already_changes_nothing() -> None:
    assert ADA.changed({"name": "Ada"}, LATER) is ADA


def test_a_tombstone_keeps_the_links_and_nothing_personal() -> None:
    tombstone = ADA.erased(LATER)
    assert (tombstone.status, tombstone.subscription_ids, tombstone.version) == ("deleted", ("sub_a",), 2)
    assert (tombstone.email, tombstone.name, tombstone.company) == (None, None, None)


@pytest.mark.parametrize(
    ("if_match", "meant"),
    [
        (None, True),
        ("*", True),
        ('"1"', True),
        ('"7", "1"', True),
        ('"2"', False),
        ('W/"1"', False),
        ("1", False),
    ],
)
def test_if_match(if_match: str | None, meant: bool) -> None:
    assert ADA.is_meant_by(if_match) is meant


def test_another_purchase_is_held_too_and_keeps_what_the_customer_told() -> None:
    more = ADA.holding("sub_b", None, {}, LATER)
    assert (more.subscription_ids, more.version, more.updated_at) == (("sub_a", "sub_b"), 2, LATER)
    assert (more.email, more.name, more.company, more.created_at) == (ADA.email, "Ada", "Engines", NOW)
    assert ADA.holding("sub_b", "acct-1", {}, LATER).account_id == "acct-1"
    assert ADA.holding("sub_b", "acct-1", {}, LATER).holding("sub_c", None, {}, LATER).account_id == "acct-1"


def test_an_account_of_the_sellers_is_an_identity() -> None:
    first = ADA.changed({"account_id": "acct-1"}, LATER)
    assert first.identity_ids == (of_account("acct-1").identity_id,)
    second = first.changed({"account_id": "acct-2"}, LATER)
    assert second.identity_ids == (of_account("acct-2").identity_id,)
    assert second.changed({"account_id": None}, LATER).identity_ids == ()
    signed_in = replace(first, identity_ids=("sign-in", *first.identity_ids))
    assert signed_in.changed({"account_id": None}, LATER).identity_ids == ("sign-in",)
    # Theirs already, by an earlier hand-over: once is enough.
    both = replace(second, identity_ids=(*second.identity_ids, *first.identity_ids))
    assert both.changed({"account_id": "acct-1"}, LATER).identity_ids == first.identity_ids


def test_a_tombstone_leads_from_nobodys_sign_in() -> None:
    known = replace(ADA, account_id="acct-1", fields={"purpose": "fun"}, language="de", identity_ids=("i",))
    tombstone = known.erased(LATER)
    assert (tombstone.account_id, tombstone.fields, tombstone.language) == (None, {}, "en")
    assert tombstone.identity_ids == ()
    assert (tombstone.created_at, tombstone.updated_at) == (NOW, LATER)


class Shelf(MemoryTables):
    """One customer; each entry of `happening` befalls one of our writes."""

    def __init__(self, row: Customer | None = ADA, happening: Iterable[str] = ()) -> None:
        super().__init__(customers_by_id={row.customer_id: row} if row else {})
        self.happening = list(happening)

    def replace_customer(self, before: Customer, after: Customer, now: datetime) -> bool:
        happens = self.happening.pop(0) if self.happening else ""
        row = self.customers_by_id[before.customer_id]
        if happens == "another change":
            self.customers_by_id["cus_a"] = row.changed({"company": f"Other {row.version}"}, LATER)
        if happens == "erased":
            self.customers_by_id["cus_a"] = row.erased(LATER)
        written = super().replace_customer(before, after, now)
        # The write was made, its answer was lost, and the client's own repetition was refused.
        return written and happens != "lost answer"


def test_a_change_that_lost_a_race_is_made_on_top_of_the_other() -> None:
    changed = customer_changes.change(
        Shelf(happening=["another change"]), "cus_a", {"name": "C"}, None, LATER
    )
    assert (changed.name, changed.company, changed.version) == ("C", "Other 1", 3)


def test_with_if_match_a_lost_race_is_told() -> None:
    shelf = Shelf(happening=["another change"])
    with pytest.raises(customer_changes.VersionNotMet):
        customer_changes.change(shelf, "cus_a", {"name": "C"}, '"1"', LATER)
    assert shelf.customers_by_id["cus_a"].name == "Ada"


def test_a_lost_answer_is_recognised_as_our_own_success() -> None:
    shelf = Shelf(happening=["lost answer"])
    assert customer_changes.change(shelf, "cus_a", {"name": "C"}, '"1"', LATER).version == 2
    shelf = Shelf(happening=["lost answer"])
    customer_changes.erase(shelf, "cus_a", LATER)
    assert shelf.customers_by_id["cus_a"].status == "deleted"


def test_a_change_to_what_it_is_writes_nothing() -> None:
    shelf = Shelf(happening=["another change"])
    assert customer_changes.change(shelf, "cus_a", {"name": "Ada"}, None, LATER) is ADA
    assert shelf.happening == ["another change"]


def test_a_customer_that_never_rests_is_given_up() -> None:
    shelf = Shelf(happening=["another change"] * 9)
    with pytest.raises(customer_changes.ChangedTooOften):
        customer_changes.change(shelf, "cus_a", {"name": "C"}, None, LATER)
    with pytest.raises(customer_changes.ChangedTooOften):
        customer_changes.erase(shelf, "cus_a", LATER)
    assert len(shelf.happening) == 1


def test_a_customer_who_is_erased_meanwhile_is_not_brought_back() -> None:
    shelf = Shelf(happening=["erased"])
    with pytest.raises(customer_changes.NoSuchCustomer):
        customer_changes.change(shelf, "cus_a", {"name": "C"}, None, LATER)
    assert shelf.customers_by_id["cus_a"] == ADA.erased(LATER)


@pytest.mark.parametrize("row", [None, ADA.erased(NOW)])
def test_what_is_not_there_or_deleted_cannot_be_changed(row: Customer | None) -> None:
    with pytest.raises(customer_changes.NoSuchCustomer):
        customer_changes.change(Shelf(row), "cus_a", {"name": "C"}, None, LATER)
    with pytest.raises(customer_changes.NoSuchCustomer):
        customer_changes.erase(Shelf(row), "cus_a", LATER)


def test_anothers_account_is_not_given_to_a_second() -> None:
    shelf = Shelf()
    shelf.identities_by_id[of_account("acct-1").identity_id] = IdentityRow(of_account("acct-1"), "cus_b", NOW)
    with pytest.raises(customer_changes.AccountTaken):
        customer_changes.change(shelf, "cus_a", {"account_id": "acct-1"}, None, LATER)
    assert shelf.customers_by_id["cus_a"] == ADA


def test_erasing_frees_the_account_for_another() -> None:
    shelf = Shelf()
    customer_changes.change(shelf, "cus_a", {"account_id": "acct-1"}, None, LATER)
    assert shelf.customer_id_of(of_account("acct-1")) == "cus_a"
    customer_changes.erase(shelf, "cus_a", LATER)
    assert shelf.customer_id_of(of_account("acct-1")) is None


@pytest.mark.parametrize(
    ("change", "not_theirs"),
    [
        ({"email", "name", "company"}, None),
        (set(), None),
        ({"account_id"}, ("account_id",)),
        ({"name", "account_id"}, ("account_id",)),
        # What the contract comes to offer later is an operator's until somebody has thought about it.
        ({"name", "subscription_ids", "account_id"}, ("account_id", "subscription_ids")),
    ],
)
def test_what_a_buyer_may_change(change: set[str], not_theirs: tuple[str, ...] | None) -> None:
    if not_theirs is None:
        customer_changes.check_buyers_change(change)
        return
    with pytest.raises(customer_changes.OperatorsOnly) as refused:
        customer_changes.check_buyers_change(change)
    assert refused.value.names == not_theirs
