"""A buyer submits: what is claimed, what is answered to a repeat, and who is refused."""

from datetime import timedelta

import pytest
from memory_tables import MemoryTables
from samples import ADAS_DETAILS, HOSTED, LATER, NOW, PLAIN, registration

from registration.catalogue import Product
from registration.claims import SubscriptionClaimed
from registration.customer_changes import erase
from registration.customers import CustomerDetails
from registration.identities import Identity
from registration.outbox_items import LEASE, Kind
from registration.registering import Registered, register
from registration.registrations import RegistrationExpired

ADA, EVE = Identity("https://id.example", "ada"), Identity("https://id.example", "eve")


def submit(
    tables: MemoryTables,
    registration_id: str = "reg_a",
    identity: Identity | None = None,
    product: Product | None = PLAIN,
    subscription_id: str = "sub_a",
    details: CustomerDetails = ADAS_DETAILS,
    now=NOW,  # type: ignore[no-untyped-def]
) -> Registered:
    arrived = registration(registration_id, subscription_id, product or PLAIN, "free-trial")
    return register(tables, arrived, details, identity, product, now)


def test_the_first_submit_makes_a_customer_and_says_so() -> None:
    tables = MemoryTables()
    first = submit(tables)
    assert (first.created, first.joined, first.to_ask) == (True, True, None)
    seen = first.registration
    assert (seen.status, seen.made_the_customer, seen.handing_over) == ("registered", True, False)
    assert seen.customer_id in tables.customers_by_id
    claim = tables.claims_by_id["sub_a"]
    assert (claim.customer_id, claim.registration_id, claim.product_code) == (
        seen.customer_id,
        "reg_a",
        "plain",
    )
    assert (claim.claimed_at, claim.customer_aws_account_id, claim.offer_type) == (
        NOW,
        "444455556666",
        "free-trial",
    )


def test_a_doubled_submit_hears_of_what_the_first_made() -> None:
    tables = MemoryTables()
    first = submit(tables)
    again = submit(tables, details=CustomerDetails("other@example.com", "Other"))
    assert (again.created, again.joined) == (False, False)
    assert again.registration == first.registration
    (made,) = tables.customers_by_id.values()
    assert (made.name, made.version) == ("Ada", 1)
    assert list(tables.outbox_by_id) == ["welcome-letter-sub_a"]


def test_the_same_person_by_sign_in_hears_of_their_own() -> None:
    tables = MemoryTables()
    first = submit(tables, identity=ADA)
    later = submit(tables, "reg_b", ADA)
    assert later.registration.customer_id == first.registration.customer_id
    assert (later.created, later.joined, later.registration.made_the_customer) == (False, False, False)


def test_the_same_persons_second_purchase_joins() -> None:
    tables = MemoryTables()
    first = submit(tables, identity=ADA)
    second = submit(tables, "reg_b", ADA, subscription_id="sub_b")
    assert (second.created, second.joined) == (False, True)
    assert second.registration.customer_id == first.registration.customer_id


@pytest.mark.parametrize("first", [None, ADA])
@pytest.mark.parametrize("identity", [None, EVE])
@pytest.mark.parametrize("product", [PLAIN, HOSTED])
def test_somebody_else_is_refused_with_what_support_needs(
    first: Identity | None, identity: Identity | None, product: Product
) -> None:
    tables = MemoryTables()
    submit(tables, identity=first, product=product)
    before = (dict(tables.claims_by_id), dict(tables.customers_by_id), dict(tables.outbox_by_id))
    # The same e-mail address proves nothing: whoever likes enters it.
    with pytest.raises(SubscriptionClaimed) as refused:
        submit(tables, "reg_b", identity, product)
    assert refused.value.registration_id == "reg_b"
    assert (refused.value.subscription_id, refused.value.product_code) == ("sub_a", product.product_code)
    assert (tables.claims_by_id, tables.customers_by_id, tables.outbox_by_id) == before
    assert EVE.identity_id not in tables.identities_by_id


def test_after_an_erasure_everybody_is_refused() -> None:
    tables = MemoryTables()
    first = submit(tables, identity=ADA)
    erase(tables, first.registration.customer_id or "", LATER)
    for registration_id in ("reg_a", "reg_b"):
        with pytest.raises(SubscriptionClaimed):
            submit(tables, registration_id, ADA)


@pytest.mark.parametrize(("minutes", "expired"), [(59, False), (60, True), (61, True)])
@pytest.mark.parametrize("product", [PLAIN, HOSTED])
def test_an_expired_registration_claims_nothing(minutes: int, expired: bool, product: Product) -> None:
    tables = MemoryTables()
    now = NOW + timedelta(minutes=minutes)
    if expired:
        with pytest.raises(RegistrationExpired):
            submit(tables, product=product, now=now)
    else:
        submit(tables, product=product, now=now)
    assert (not tables.claims_by_id) is expired


def test_a_product_that_has_left_the_catalogue_is_bound_all_the_same() -> None:
    tables = MemoryTables()
    assert submit(tables, product=None).created


# -- hand-overs --------------------------------------------------------------------------------------------


def test_a_hand_over_is_claimed_and_its_question_kept_in_the_same_act() -> None:
    tables = MemoryTables()
    asking = submit(tables, identity=ADA, product=HOSTED)
    assert (asking.created, asking.joined) == (False, False)
    seen = asking.registration
    assert (seen.status, seen.customer_id, seen.handing_over) == ("open", None, True)
    assert tables.claims_by_id["sub_a"].customer_id is None
    assert tables.customers_by_id == {}
    (item,) = tables.outbox_by_id.values()
    assert asking.to_ask == item
    # It is in the caller's hands; should they crash, the worker takes it after the lease.
    assert (item.kind, item.attempts, item.due_at) == (Kind.HAND_OVER, 1, NOW + LEASE)
    assert item.payload == {
        "registration_id": "reg_a",
        "agreement_id": "agmt-a",
        "email": "ada@example.com",
        "name": "Ada",
        "company": "Engines",
        "fields": {"purpose": "fun"},
        "language": "de",
        "identity": {"issuer": "https://id.example", "subject": "ada"},
    }


def test_without_a_sign_in_the_question_names_none() -> None:
    tables = MemoryTables()
    asking = submit(tables, product=HOSTED)
    assert asking.to_ask is not None
    assert asking.to_ask.payload["identity"] is None


def test_a_doubled_submit_does_not_ask_twice() -> None:
    tables = MemoryTables()
    submit(tables, product=HOSTED)
    again = submit(tables, product=HOSTED)
    assert (again.to_ask, again.registration.handing_over) == (None, True)
    assert len(tables.outbox_by_id) == 1


def test_each_claim_asks_under_an_id_of_its_own() -> None:
    # It is the back end's idempotency key: under the old one it would repeat its old no.
    tables = MemoryTables()
    first = submit(tables, product=HOSTED).to_ask
    assert first is not None
    tables.give_up_claim(tables.claims_by_id["sub_a"], first, "Not you.")
    second = submit(tables, product=HOSTED).to_ask
    assert second is not None
    assert second.outbox_id != first.outbox_id
    assert second.outbox_id.startswith("hand-over-sub_a-")


# -- somebody is quicker -----------------------------------------------------------------------------------


@pytest.mark.parametrize("product", [PLAIN, HOSTED])
def test_who_was_quicker_decides_the_answer(product: Product) -> None:
    def racing(other: str) -> MemoryTables:
        tables = MemoryTables()

        def before(act: str) -> None:
            if act in ("bind", "claim_for_hand_over"):
                tables.before = lambda _: None
                submit(tables, other, product=product)

        tables.before = before
        return tables

    own = racing("reg_a")
    seen = submit(own, product=product)
    assert (seen.created, seen.joined, seen.to_ask) == (False, False, None)
    assert seen.registration.customer_id == own.claims_by_id["sub_a"].customer_id
    with pytest.raises(SubscriptionClaimed):
        submit(racing("reg_b"), product=product)


def test_a_claim_that_is_gone_again_is_no_reason_to_refuse() -> None:
    tables = MemoryTables()

    def refused_at_once(act: str) -> None:
        if act != "claim_for_hand_over":
            return
        tables.before = lambda _: None
        item = submit(tables, product=HOSTED).to_ask
        assert item is not None

        def give_up(act: str) -> None:
            tables.before = lambda _: None
            tables.give_up_claim(tables.claims_by_id["sub_a"], item, "Not you.")

        tables.before = lambda act: give_up(act) if act == "claim_of" else None

    tables.before = refused_at_once
    asking = submit(tables, product=HOSTED)
    assert asking.to_ask is not None
    assert list(tables.outbox_by_id) == [asking.to_ask.outbox_id]
