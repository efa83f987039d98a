"""Who sees what: a buyer their own, a service its own, an operator everything; nobody else anything."""

import pytest

from metering.callers import Asker, Sight, asker, sight_of
from metering.choosing import Customer
from metering.identity_ids import identity_id

ISSUER = "https://id.seller.example"
ADA = identity_id(ISSUER, "ada")


@pytest.mark.parametrize(
    ("scopes", "by_token", "found"),
    [
        ({"buyer"}, True, Asker(ADA)),
        ({"buyer", "usage:write"}, True, Asker(ADA)),
        ({"buyer", "usage:read"}, True, Asker(ADA)),
        ({"buyer", "operator"}, True, Asker(ADA, None, True)),
        ({"operator"}, True, Asker(None, None, True)),
        ({"usage:write"}, True, Asker(None, "token:ada")),
        ({"usage:read"}, False, Asker(None, "key:ada", False, True)),
        ({"usage:write", "operator"}, False, Asker(None, "key:ada", True)),
        # A key proves no person.
        ({"buyer"}, False, Asker()),
        ({"buyer", "usage:write"}, False, Asker(None, "key:ada")),
        (set(), True, Asker()),
    ],
)
def test_who_asks(scopes: set[str], by_token: bool, found: Asker) -> None:
    person = (ISSUER, "ada") if by_token and "buyer" in scopes else None
    assert asker("ada", scopes, "ada" if by_token else None, person) == found


@pytest.mark.parametrize(
    ("who", "found"),
    [
        (Asker(ADA), Sight("cus_ada", False, Customer("cus_ada", ("sub_a",)))),
        (Asker(ADA, None, True), Sight("cus_ada", True, Customer("cus_ada", ("sub_a",)), True)),
        (Asker("nobody"), Sight(None)),
        (Asker("erased"), Sight(None)),
        (Asker("erased", None, True), Sight(None, True, None, True)),
        (Asker(None, "key:a"), Sight("key:a")),
        (Asker(None, "key:a", False, True), Sight("key:a", False, None, True)),
        (Asker(None, None, True), Sight(None, True, None, True)),
        (Asker(), Sight(None)),
    ],
)
def test_what_they_see(who: Asker, found: Sight) -> None:
    customers = {ADA: Customer("cus_ada", ("sub_a",)), "erased": Customer("cus_erased", (), is_deleted=True)}
    assert sight_of(who, customers.get) == found


def test_what_is_somebody_elses_is_not_there() -> None:
    assert Sight("cus_a").shows("cus_a")
    assert not Sight("cus_a").shows("cus_b")
    assert not Sight(None).shows("cus_b")
    assert Sight(None, all=True).shows("cus_b")


def test_usage_is_there_for_its_customer_and_for_who_reads_all() -> None:
    ada = Sight("cus_a", customer=Customer("cus_a", ("sub_a", "sub_renewed")))
    assert [ada.shows_usage_of(one) for one in ("sub_a", "sub_renewed", "sub_b")] == [True, True, False]
    assert [ada.shows_usage_by(one) for one in ("cus_a", "cus_b")] == [True, False]
    # To write usage, and to own things, is to read none.
    for nobody in (Sight(None), Sight("key:a"), Sight("cus_a")):
        assert not nobody.shows_usage_of("sub_a")
        assert not nobody.shows_usage_by("cus_a")
    everybodys = Sight(None, all_usage=True)
    assert everybodys.shows_usage_of("sub_b")
    assert everybodys.shows_usage_by("cus_b")
