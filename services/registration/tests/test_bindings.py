"""A purchase is bound to a customer: to whom, what is written with it, and what happens when things move."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest
from memory_tables import MemoryTables
from samples import ADAS_DETAILS, HOSTED, LATER, LAUNCHED, NOW, PLAIN, claim, customer

from registration import bindings
from registration.bindings import Binding, BoundTooOften, Written
from registration.catalogue import Product
from registration.claims import Claim
from registration.customers import CustomerDetails
from registration.identities import Identity, of_account
from registration.outbox_items import Kind, new_item

ADA, EVE = Identity("https://id.example", "ada"), Identity("https://id.example", "eve")
ACCOUNT = of_account("acct-1")


def bind(
    tables: MemoryTables,
    subscription_id: str = "sub_a",
    identities: tuple[Identity, ...] = (),
    product: Product | None = PLAIN,
    details: CustomerDetails = ADAS_DETAILS,
    now: datetime = NOW,
    agreement_id: str | None = "agmt-a",
    **more: str,
) -> tuple[Claim, bool] | None:
    unbound = claim(subscription_id, None)
    return bindings.bind(
        tables,
        unbound,
        details,
        identities,
        product,
        now,
        agreement_id=agreement_id,
        **more,  # type: ignore[arg-type]
    )


def bound(tables: MemoryTables, *args: object, **more: object) -> str:
    found = bind(tables, *args, **more)  # type: ignore[arg-type]
    assert found is not None
    assert found[0] == tables.claims_by_id[found[0].subscription_id]
    return found[0].customer_id or ""


def test_without_an_identity_there_is_a_new_customer_each_time() -> None:
    tables = MemoryTables()
    first, second = bound(tables), bound(tables, "sub_b")
    assert first != second
    made = tables.customers_by_id[first]
    assert (made.email, made.name, made.company) == ("ada@example.com", "Ada", "Engines")
    assert (made.fields, made.language, made.version) == ({"purpose": "fun"}, "de", 1)
    assert (made.subscription_ids, made.created_at, made.identity_ids) == (("sub_a",), NOW, ())
    assert tables.identities_by_id == {}


def test_the_answer_tells_whether_a_customer_was_made() -> None:
    tables = MemoryTables()
    first, second = bind(tables, identities=(ADA,)), bind(tables, "sub_b", (ADA,))
    assert first is not None
    assert second is not None
    assert (first[1], second[1]) == (True, False)


def test_an_identity_leads_to_its_customer_who_keeps_what_they_told() -> None:
    tables = MemoryTables()
    first = bound(tables, identities=(ADA,))
    other = CustomerDetails("other@example.com", "Other", language="en")
    assert bound(tables, "sub_b", (ADA,), details=other, now=LATER) == first
    (made,) = tables.customers_by_id.values()
    assert made == replace(
        customer(first, "sub_a").holding("sub_b", None, {}, LATER), identity_ids=(ADA.identity_id,)
    )


def test_the_first_identity_decides_and_the_others_follow() -> None:
    tables = MemoryTables()
    first = bound(tables, identities=(ACCOUNT,), account_id="acct-1")
    assert bound(tables, "sub_b", (ACCOUNT, ADA), account_id="acct-1") == first
    assert bound(tables, "sub_c", (ADA,)) == first
    assert tables.customers_by_id[first].identity_ids == (ACCOUNT.identity_id, ADA.identity_id)


def test_what_is_somebody_elses_stays_theirs() -> None:
    tables = MemoryTables()
    eve = bound(tables, identities=(EVE,))
    other = bound(tables, "sub_b", (ACCOUNT, EVE), account_id="acct-1")
    assert other != eve
    assert tables.customer_id_of(EVE) == eve
    assert tables.customers_by_id[other].identity_ids == (ACCOUNT.identity_id,)


def test_an_identity_named_twice_is_one() -> None:
    tables = MemoryTables()
    first = bound(tables, identities=(ADA, ADA))
    assert tables.customers_by_id[first].identity_ids == (ADA.identity_id,)


def test_the_sellers_own_name_of_the_account_is_kept() -> None:
    tables = MemoryTables()
    first = bound(tables, identities=(ACCOUNT,), account_id="acct-1")
    assert tables.customers_by_id[first].account_id == "acct-1"
    bound(tables, "sub_b", (ACCOUNT,))
    assert tables.customers_by_id[first].account_id == "acct-1"


def test_a_claimed_subscription_is_left_alone() -> None:
    tables = MemoryTables()
    bound(tables)
    before = (dict(tables.claims_by_id), dict(tables.customers_by_id), dict(tables.outbox_by_id))
    assert bind(tables, identities=(ADA,)) is None
    assert (tables.claims_by_id, tables.customers_by_id, tables.outbox_by_id) == before
    assert tables.identities_by_id == {}


@pytest.mark.parametrize(
    ("product", "agreement_id", "secret", "set_going"),
    [
        (PLAIN, "agmt-a", None, {"welcome-letter-sub_a": {}}),
        (None, "agmt-a", None, {"welcome-letter-sub_a": {}}),
        (HOSTED, "agmt-a", "sealed", {"welcome-letter-sub_a": {}}),
        (LAUNCHED, None, "sealed", {"welcome-letter-sub_a": {}}),
        (
            LAUNCHED,
            "agmt-a",
            None,
            {"welcome-letter-sub_a": {}, "deployment-parameter-sub_a": {"agreement_id": "agmt-a"}},
        ),
        (
            LAUNCHED,
            "agmt-a",
            "sealed",
            {
                "welcome-letter-sub_a": {},
                "deployment-parameter-sub_a": {"agreement_id": "agmt-a", "deployment_secret": "sealed"},
            },
        ),
    ],
)
def test_what_a_binding_sets_going(
    product: Product | None,
    agreement_id: str | None,
    secret: str | None,
    set_going: dict[str, dict[str, str]],
) -> None:
    tables = MemoryTables()
    made = bindings.bind(
        tables,
        claim(customer_id=None),
        ADAS_DETAILS,
        [],
        product,
        NOW,
        agreement_id=agreement_id,
        deployment_secret=secret,
    )
    assert made is not None
    assert {one: item.payload for one, item in tables.outbox_by_id.items()} == set_going
    for item in tables.outbox_by_id.values():
        assert (item.customer_id, item.subscription_id, item.due_at) == (made[0].customer_id, "sub_a", NOW)


def test_a_hand_over_ends_with_the_binding() -> None:
    waiting = claim(customer_id=None)
    item = new_item(Kind.HAND_OVER, "q", "sub_a", None, NOW)
    tables = MemoryTables()
    tables.claim_for_hand_over(waiting, item)

    def end() -> tuple[Claim, bool] | None:
        return bindings.bind(
            tables,
            waiting,
            ADAS_DETAILS,
            [ACCOUNT],
            PLAIN,
            LATER,
            agreement_id=None,
            account_id="acct-1",
            done=item,
        )

    made = end()
    assert made is not None
    assert made[0] == replace(waiting, customer_id=made[0].customer_id) == tables.claims_by_id["sub_a"]
    assert list(tables.outbox_by_id) == ["welcome-letter-sub_a"]
    # A second try's answer comes late.
    assert end() is None
    assert len(tables.customers_by_id) == 1


def test_a_hand_over_needs_its_claim() -> None:
    tables = MemoryTables()
    item = new_item(Kind.HAND_OVER, "q", "sub_a", None, NOW)
    made = bindings.bind(
        tables, claim(customer_id=None), ADAS_DETAILS, [], PLAIN, NOW, agreement_id=None, done=item
    )
    assert made is None
    assert tables == MemoryTables()


# -- things that move between reading and writing ----------------------------------------------------------


class Moving(MemoryTables):
    """Before each write, something happens."""

    happening: list[Callable[[], object]]
    written: list[Binding]

    def bind(self, binding: Binding, now: datetime) -> Written:
        self.written = [*getattr(self, "written", []), binding]
        if getattr(self, "happening", []):
            self.happening.pop(0)()
        return super().bind(binding, now)


def test_another_purchase_of_the_same_person_meanwhile_is_joined() -> None:
    tables = Moving()
    tables.happening = [lambda: bindings_of(tables, "sub_b")]
    assert bound(tables, identities=(ADA,)) == tables.claims_by_id["sub_b"].customer_id
    (made,) = tables.customers_by_id.values()
    assert (made.subscription_ids, made.version) == (("sub_b", "sub_a"), 2)


def bindings_of(tables: MemoryTables, subscription_id: str) -> str:
    return bound(tables, subscription_id, (ADA,))


def test_a_change_meanwhile_is_not_written_over() -> None:
    tables = Moving()
    first = bound(tables, identities=(ADA,))

    def change() -> None:
        tables.customers_by_id[first] = tables.customers_by_id[first].changed({"name": "Countess"}, LATER)

    tables.happening = [change]
    assert bound(tables, "sub_b", (ADA,)) == first
    made = tables.customers_by_id[first]
    assert (made.name, made.subscription_ids, made.version) == ("Countess", ("sub_a", "sub_b"), 3)


def test_who_is_erased_meanwhile_is_not_revived() -> None:
    tables = Moving()
    first = bound(tables, identities=(ADA,))

    def erase() -> None:
        made = tables.customers_by_id[first]
        tables.replace_customer(made, made.erased(LATER), LATER)

    tables.happening = [erase]
    second = bound(tables, "sub_b", (ADA,))
    assert second != first
    assert tables.customers_by_id[first].subscription_ids == ("sub_a",)
    assert tables.customers_by_id[first].status == "deleted"
    assert tables.customer_id_of(ADA) == second


def test_an_identity_that_leads_to_somebody_gone_is_read_again() -> None:
    tables = MemoryTables()
    first = bound(tables, identities=(ADA,))
    reads = []

    def before(act: str) -> None:
        reads.append(act)
        if reads == ["customer_id_of", "customer"]:
            tables.before = lambda _: None
            made = tables.customers_by_id[first]
            tables.replace_customer(made, made.erased(LATER), LATER)

    tables.before = before
    second = bound(tables, "sub_b", (ADA,))
    assert second != first
    assert tables.customer_id_of(ADA) == second


def test_what_never_rests_is_given_up() -> None:
    tables = Moving()
    first = bound(tables, identities=(ADA,))

    def change() -> None:
        made = tables.customers_by_id[first]
        tables.customers_by_id[first] = made.changed({"name": f"Name {made.version}"}, LATER)

    tables.written, tables.happening = [], [change] * 99
    with pytest.raises(BoundTooOften):
        bind(tables, "sub_b", (ADA,))
    assert len(tables.written) == 6
    assert "sub_b" not in tables.claims_by_id


def test_each_try_makes_a_customer_of_its_own() -> None:
    # So that a row of a try whose answer was lost is never taken for the next one's.
    tables = Moving()
    tables.happening = [lambda: bindings_of(tables, "sub_b")]
    bound(tables, identities=(ADA,))
    first, _, last = tables.written
    assert first.before is None
    assert first.customer.customer_id != last.customer.customer_id
