"""For whom which customers are there: a buyer's own, for an operator all; for nobody else any."""

from collections.abc import Mapping
from typing import Any

import pytest

from chassis.auth import Caller
from registration.callers import Asker, Sight, asker, sight_of
from registration.identities import Identity, of_account

ISSUER = "https://id.seller.example"
ADA = Identity(ISSUER, "ada")


@pytest.mark.parametrize(
    ("scopes", "by_token", "found"),
    [
        ({"buyer"}, True, Asker(ADA)),
        ({"buyer", "operator"}, True, Asker(ADA, False, True)),
        # A person does not become a service by what their token allows besides.
        ({"buyer", "usage:read"}, True, Asker(ADA)),
        ({"operator"}, True, Asker(None, False, True)),
        ({"usage:read"}, True, Asker(None, True)),
        ({"usage:read"}, False, Asker(None, True)),
        ({"operator"}, False, Asker(None, False, True)),
        # A key proves no person.
        ({"buyer"}, False, Asker()),
        ({"buyer", "usage:read"}, False, Asker(None, True)),
        ({"buyer", "operator"}, False, Asker(None, False, True)),
        ({"usage:write"}, True, Asker()),
        (set(), True, Asker()),
    ],
)
def test_who_asks(scopes: set[str], by_token: bool, found: Asker) -> None:
    proof: dict[str, Any] = {"subject": "ada", "facts": {"iss": ISSUER}} if by_token else {}
    assert asker(scopes, Caller("ada", frozenset(scopes), **proof).person) == found


@pytest.mark.parametrize(
    ("who", "of_services", "of_persons"),
    [
        (Asker(ADA), Sight("cus_ada"), Sight("cus_ada")),
        (Asker(ADA, False, True), Sight(all=True), Sight(all=True)),
        (Asker(None, True), Sight(all=True), Sight()),
        (Asker(None, False, True), Sight(all=True), Sight(all=True)),
        # Neither the subject nor the issuer alone is anybody.
        (Asker(Identity("https://id.other.example", "ada")), Sight(), Sight()),
        (Asker(Identity(ISSUER, "eve")), Sight(), Sight()),
        (Asker(), Sight(), Sight()),
    ],
)
def test_what_is_there_for_them(who: Asker, of_services: Sight, of_persons: Sight) -> None:
    leads: Mapping[Identity, str] = {ADA: "cus_ada", of_account("ada"): "cus_other"}
    assert sight_of(who, leads.get, services_see=True) == of_services
    assert sight_of(who, leads.get) == of_persons


def test_operators_need_no_look_at_the_identities() -> None:
    def away(identity: Identity) -> str | None:
        raise ConnectionError

    assert sight_of(Asker(ADA, False, True), away).all
    assert sight_of(Asker(None, True), away, services_see=True).all
    assert sight_of(Asker(), away) == Sight()


def test_what_is_somebody_elses_is_not_there() -> None:
    assert Sight("cus_a").shows("cus_a")
    assert not Sight("cus_a").shows("cus_b")
    assert not Sight().shows("cus_b")
    assert Sight(all=True).shows("cus_b")
