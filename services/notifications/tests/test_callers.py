"""Who sees which subscriptions: a buyer their own, an operator all; nobody else anything."""

from typing import Any

import pytest

from notifications.callers import OPERATORS, OPERATORS_AND_SERVICES, Sight, sight_of
from notifications.identity_ids import identity_id

ISSUER = "https://id.seller.example"
ADA, BOB = (ISSUER, "ada"), (ISSUER, "bob")
CUSTOMERS = {identity_id(*ADA): ["sub_old", "sub_renewed"]}


@pytest.mark.parametrize(
    ("scopes", "person", "seeing_all", "found"),
    [
        ({"operator"}, None, OPERATORS, Sight(all=True)),
        ({"operator", "buyer"}, ADA, OPERATORS, Sight(all=True)),
        ({"buyer"}, ADA, OPERATORS, Sight(own=frozenset({"sub_old", "sub_renewed"}))),
        (
            {"buyer", "usage:read"},
            ADA,
            OPERATORS_AND_SERVICES,
            Sight(own=frozenset(CUSTOMERS[identity_id(*ADA)])),
        ),
        ({"buyer"}, BOB, OPERATORS, Sight()),
        ({"usage:read"}, None, OPERATORS_AND_SERVICES, Sight(all=True)),
        ({"usage:read"}, None, OPERATORS, Sight()),
        # A key proves no person.
        ({"buyer"}, None, OPERATORS, Sight()),
        ({"buyer", "usage:read"}, None, OPERATORS, Sight()),
        (set(), None, OPERATORS_AND_SERVICES, Sight()),
    ],
)
def test_who_sees_what(scopes: set[str], person: Any, seeing_all: frozenset[str], found: Sight) -> None:
    assert sight_of(scopes, person, lambda one: CUSTOMERS.get(one, []), seeing_all) == found


def test_whose_it_is_is_looked_up_for_buyers_alone() -> None:
    def away(identity: str) -> list[str]:
        raise ConnectionError

    assert sight_of({"operator", "buyer"}, ADA, away).all
    assert not sight_of({"buyer"}, None, away).all
    with pytest.raises(ConnectionError):
        sight_of({"buyer"}, ADA, away)


def test_what_is_somebody_elses_is_not_there() -> None:
    assert Sight(own=frozenset({"sub_a"})).shows("sub_a")
    assert not Sight(own=frozenset({"sub_a"})).shows("sub_b")
    assert not Sight().shows("sub_a")
    assert Sight(all=True).shows("sub_a")
