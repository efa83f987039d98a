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
        ({"buyer", "operator"}, True, Asker(ADA, None, True)),
        ({"operator"}, True, Asker(None, None, True)),
        ({"usage:write"}, True, Asker(None, "token:ada")),
        ({"usage:read"}, False, Asker(None, "key:ada")),
        ({"usage:write", "operator"}, False, Asker(None, "key:ada", True)),
        # A key proves no person.
        ({"buyer"}, False, Asker()),
        ({"buyer", "usage:write"}, False, Asker(None, "key:ada")),
        (set(), True, Asker()),
    ],
)
def test_who_asks(scopes: set[str], by_token: bool, found: Asker) -> None:
    proof = (ISSUER, "ada") if by_token else (None, None)
    assert asker("ada", scopes, *proof) == found


@pytest.mark.parametrize(
    ("who", "found"),
    [
        (Asker(ADA), Sight("cus_ada", False, Customer("cus_ada", ("sub_a",)))),
        (Asker(ADA, None, True), Sight("cus_ada", True, Customer("cus_ada", ("sub_a",)))),
        (Asker("nobody"), Sight(None)),
        (Asker("erased"), Sight(None)),
        (Asker(None, "key:a"), Sight("key:a")),
        (Asker(None, None, True), Sight(None, True)),
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
