"""Customers: addresses, changes, tombstones, and changing them against a version."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from registration import customer_changes
from registration.customers import Customer, CustomerDetails, new_customer, valid_email

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


@dataclass
class Shelf:
    """One customer in memory; each entry of `before_write` happens before one write of ours."""

    row: Customer | None = ADA
    before_write: list[str] = field(default_factory=list)

    def customer(self, customer_id: str) -> Customer | None:
        return self.row

    def replace_customer(self, before: Customer, after: Customer) -> bool:
        happening = self.before_write.pop(0) if self.before_write else ""
        if happening == "another change":
            assert self.row is not None
            self.row = self.row.changed({"company": f"Other {self.row.version}"}, LATER)
        if self.row is None or self.row.version != before.version:
            return False
        self.row = after
        # The write was made, its answer was lost, and the client's own repetition was refused.
        return happening != "lost answer"


def test_a_change_that_lost_a_race_is_made_on_top_of_the_other() -> None:
    shelf = Shelf(before_write=["another change"])
    changed = customer_changes.change(shelf, "cus_a", {"name": "Countess"}, None, LATER)
    assert (changed.name, changed.company, changed.version) == ("Countess", "Other 1", 3)


def test_with_if_match_a_lost_race_is_told() -> None:
    with pytest.raises(customer_changes.VersionNotMet):
        customer_changes.change(Shelf(before_write=["another change"]), "cus_a", {"name": "C"}, '"1"', LATER)


def test_a_lost_answer_is_recognised_as_our_own_success() -> None:
    shelf = Shelf(before_write=["lost answer"])
    assert customer_changes.change(shelf, "cus_a", {"name": "C"}, '"1"', LATER).version == 2
    shelf = Shelf(before_write=["lost answer"])
    customer_changes.erase(shelf, "cus_a", LATER)
    assert shelf.row is not None
    assert shelf.row.status == "deleted"


def test_a_customer_that_never_rests_is_given_up() -> None:
    with pytest.raises(customer_changes.ChangedTooOften):
        customer_changes.change(
            Shelf(before_write=["another change"] * 9), "cus_a", {"name": "C"}, None, LATER
        )


@pytest.mark.parametrize("row", [None, ADA.erased(NOW)])
def test_what_is_not_there_or_deleted_cannot_be_changed(row: Customer | None) -> None:
    with pytest.raises(customer_changes.NoSuchCustomer):
        customer_changes.change(Shelf(row=row), "cus_a", {"name": "C"}, None, LATER)
    with pytest.raises(customer_changes.NoSuchCustomer):
        customer_changes.erase(Shelf(row=row), "cus_a", LATER)
