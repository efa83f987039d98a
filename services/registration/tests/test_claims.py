"""Whose a subscription is, seen from one submitted form."""

import pytest
from samples import NOW, claim, customer

from registration.claims import Claim, SubscriptionClaimed, Verdict, judge
from registration.customers import Customer

ADA = customer()
WAITING = claim(customer_id=None)


@pytest.mark.parametrize(
    ("standing", "holder", "registration_id", "known_as", "verdict"),
    [
        (None, None, "reg_a", None, Verdict.FREE),
        (None, None, "reg_a", "cus_a", Verdict.FREE),
        # The registration that made the claim: a doubled submit.
        (claim(), ADA, "reg_a", None, Verdict.OWN),
        (claim(), ADA, "reg_a", "cus_b", Verdict.OWN),
        # Another registration: only whoever signed in as the holder.
        (claim(), ADA, "reg_b", None, Verdict.OTHER),
        (claim(), ADA, "reg_b", "cus_a", Verdict.OWN),
        (claim(), ADA, "reg_b", "cus_b", Verdict.OTHER),
        # The seller's back end has not named the account yet.
        (WAITING, None, "reg_a", None, Verdict.OWN),
        (WAITING, None, "reg_b", None, Verdict.OTHER),
        (WAITING, None, "reg_b", "cus_a", Verdict.OTHER),
        # Erased, or buried in this moment.
        (claim(), ADA.erased(NOW), "reg_a", "cus_a", Verdict.OTHER),
        (claim(), None, "reg_a", "cus_a", Verdict.OTHER),
    ],
)
def test_whose_a_subscription_is(
    standing: Claim | None,
    holder: Customer | None,
    registration_id: str,
    known_as: str | None,
    verdict: Verdict,
) -> None:
    assert judge(standing, holder, registration_id, known_as) is verdict


def test_the_refusal_holds_what_support_needs() -> None:
    refused = SubscriptionClaimed("reg_b", "sub_a", "plain")
    assert (refused.registration_id, refused.subscription_id, refused.product_code) == (
        "reg_b",
        "sub_a",
        "plain",
    )
    assert str(refused) == "sub_a"
