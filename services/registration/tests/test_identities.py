"""Identities: one text for issuer and subject, which shows neither."""

import re
from itertools import combinations

from registration.identities import SELLER, Identity, of_account

ADA = Identity("https://id.example", "ada")


def test_an_identity_id_is_the_same_each_time_and_keeps_its_value() -> None:
    # Rows of deployed tables are found by it: it must never change.
    assert ADA.identity_id == "qghc33gvcxdo4dqss4hkql7rwqrt2dy57mzea42dkta52icjczsa"
    assert Identity("https://id.example", "ada").identity_id == ADA.identity_id


def test_an_identity_id_has_a_fixed_length_and_shows_nothing() -> None:
    for subject in ("", "a", "ada@example.com", "ä" * 300):
        assert re.fullmatch("[a-z2-7]{52}", Identity("https://id.example", subject).identity_id)


def test_different_identities_have_different_ids() -> None:
    # Among them pairs that are alike when issuer and subject are merely put together.
    different = [
        ADA,
        Identity("https://id.example", "Ada"),
        Identity("https://id.example ", "ada"),
        Identity("https://id.example", " ada"),
        Identity("https://id.example a", "da"),
        Identity("https://other.example", "ada"),
        Identity("", "https://id.example ada"),
        of_account("ada"),
        of_account("ada "),
    ]
    for one, other in combinations(different, 2):
        assert one.identity_id != other.identity_id, (one, other)


def test_a_sellers_account_is_an_identity_of_its_own_issuer() -> None:
    assert of_account("acct-1") == Identity(SELLER, "acct-1")
    # No provider can be that issuer: theirs are addresses.
    assert not SELLER.startswith("http")
