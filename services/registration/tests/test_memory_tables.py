"""The tables in memory and those on the local engine give the same answers to the same calls, in any order.

So what the rules' tests find on the one is true of the other.
"""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from memory_tables import MemoryTables
from pynamodb.connection import Connection
from samples import LATER, NOW, claim, customer, registration

from registration.bindings import Binding, Written
from registration.claims import Claim
from registration.customer_changes import AccountTaken
from registration.customers import Customer, CustomerDetails
from registration.entitlements import Entitlement
from registration.identities import Identity, of_account
from registration.outbox_items import Kind, OutboxItem, new_item
from registration.subscription_access import PublishedSubscription
from registration.tables import SubscriptionRow, Tables

ADA, EVE = Identity("https://id.example", "ada"), Identity("https://id.example", "eve")
QUESTION = new_item(Kind.HAND_OVER, "q", "sub_a", None, NOW, {"registration_id": "reg_a"}, in_hand=True)
LETTER = new_item(Kind.WELCOME_LETTER, "sub_a", "sub_a", "cus_a", NOW)

EitherTables = Any


@pytest.fixture(params=["memory", "engine"])
def tables(request: pytest.FixtureRequest) -> EitherTables:
    if request.param == "memory":
        return MemoryTables()
    request.getfixturevalue("house")
    return Tables(Connection(region="us-east-1"))


def binding(
    bound: Claim | None = None,
    to: Customer | None = None,
    before: Customer | None = None,
    identities: Iterable[Identity] = (),
    outbox: Iterable[OutboxItem] = (LETTER,),
    done: OutboxItem | None = None,
) -> Binding:
    identities = tuple(identities)
    to = to or customer()
    if identities:
        to = replace(to, identity_ids=(*to.identity_ids, *(one.identity_id for one in identities)))
    return Binding(
        bound or claim(customer_id=to.customer_id),
        done is not None,
        to,
        before,
        identities,
        tuple(outbox),
        done,
    )


def everything(tables: EitherTables) -> dict[str, Any]:
    """What there is, by the lists."""
    return {
        name: sorted(_walk(getattr(tables, name)), key=str) for name in ("customers", "claims", "outbox")
    } | {"identities": {one: tables.customer_id_of(one) for one in (ADA, EVE, *map(of_account, ACCOUNTS))}}


def _walk(page: Callable[[int, str | None], tuple[list[Any], str | None]]) -> list[Any]:
    found, cursor = page(100, None)
    while cursor:
        more, cursor = page(100, cursor)
        found += more
    return found


ACCOUNTS = ("acct-1", "acct-2")


# -- claims ------------------------------------------------------------------------------------------------


def test_both_take_the_same_calls() -> None:
    def calls(tables: type) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(call).parameters)
            for name, call in vars(tables).items()
            if inspect.isfunction(call) and not name.startswith("_")
        }

    ours = calls(MemoryTables)
    assert {name: ours[name] for name in ours.keys() - {"before", "after"}} == calls(Tables)


def test_a_binding_writes_all_of_it(tables: EitherTables) -> None:
    written = binding(identities=[ADA, of_account("acct-1")])
    assert tables.bind(written, LATER) is Written.YES
    assert tables.claim_of("sub_a") == claim()
    assert tables.customer("cus_a") == written.customer
    assert tables.customer_id_of(ADA) == "cus_a"
    assert tables.outbox_item(LETTER.outbox_id) == LETTER
    assert sorted(tables.identities_of(written.customer), key=str) == sorted(
        [(ADA, LATER), (of_account("acct-1"), LATER)], key=str
    )


def test_a_claimed_subscription_is_not_bound_again(tables: EitherTables) -> None:
    tables.bind(binding(), NOW)
    before = everything(tables)
    second = binding(claim(customer_id="cus_b", registration_id="reg_b"), customer("cus_b"), identities=[EVE])
    assert tables.bind(second, LATER) is Written.CLAIMED
    assert everything(tables) == before


def test_a_customer_that_is_there_is_not_made_again(tables: EitherTables) -> None:
    tables.bind(binding(), NOW)
    assert tables.bind(binding(claim("sub_b"), customer("cus_a", "sub_b")), NOW) is Written.MOVED
    assert tables.claim_of("sub_b") is None


def test_a_customer_who_has_changed_is_not_written_over(tables: EitherTables) -> None:
    read = customer()
    tables.bind(binding(to=read), NOW)
    assert tables.replace_customer(read, read.changed({"name": "Countess"}, LATER), LATER)
    joined = binding(claim("sub_b"), read.holding("sub_b", None, {}, LATER), read)
    assert tables.bind(joined, LATER) is Written.MOVED
    now = tables.customer("cus_a")
    assert (now.name, now.subscription_ids) == ("Countess", ("sub_a",))
    assert (
        tables.bind(replace(joined, customer=now.holding("sub_b", None, {}, LATER), before=now), LATER)
        is Written.YES
    )


def test_a_customer_who_is_gone_is_not_written_again(tables: EitherTables) -> None:
    read = customer()
    assert tables.bind(binding(to=read.holding("sub_b", None, {}, NOW), before=read), NOW) is Written.MOVED
    assert everything(tables) == everything(MemoryTables())


def test_anothers_identity_forbids_the_binding(tables: EitherTables) -> None:
    tables.bind(binding(identities=[ADA]), NOW)
    second = binding(claim("sub_b", "cus_b"), customer("cus_b", "sub_b"), identities=[EVE, ADA])
    assert tables.bind(second, NOW) is Written.MOVED
    assert tables.customer_id_of(EVE) is None


def test_ones_own_identity_does_not(tables: EitherTables) -> None:
    first = binding(identities=[ADA])
    tables.bind(first, NOW)
    again = replace(
        binding(claim("sub_b"), first.customer.holding("sub_b", None, {}, NOW), first.customer),
        identities=(ADA,),
    )
    assert tables.bind(again, NOW) is Written.YES


# -- hand-overs --------------------------------------------------------------------------------------------

WAITING = claim(customer_id=None)


def test_a_claim_for_a_hand_over_comes_with_its_question(tables: EitherTables) -> None:
    assert tables.claim_for_hand_over(WAITING, QUESTION)
    assert (tables.claim_of("sub_a"), tables.outbox_item(QUESTION.outbox_id)) == (WAITING, QUESTION)
    other = replace(QUESTION, outbox_id="hand-over-other")
    assert not tables.claim_for_hand_over(replace(WAITING, registration_id="reg_b"), other)
    assert tables.outbox_item("hand-over-other") is None


def test_the_account_ends_a_hand_over(tables: EitherTables) -> None:
    tables.claim_for_hand_over(WAITING, QUESTION)
    # Whatever the caller says of the claim, only its customer is written.
    bound = claim(offer_type="free-trial")
    assert tables.bind(binding(bound, done=QUESTION), NOW) is Written.YES
    assert tables.claim_of("sub_a") == claim()
    assert tables.outbox_item(QUESTION.outbox_id) is None
    assert tables.bind(binding(bound, customer("cus_b"), done=QUESTION), NOW) is Written.CLAIMED
    assert tables.claim_of("sub_a") == claim()


@pytest.mark.parametrize(
    ("standing", "question"),
    [
        (None, None),
        (None, QUESTION),
        (replace(WAITING, registration_id="reg_b"), QUESTION),
        (WAITING, replace(QUESTION, outbox_id="hand-over-the-next")),
    ],
)
@pytest.mark.parametrize("answer", ["yes", "no"])
def test_a_hand_over_that_is_not_ours_any_more_is_not_ended(
    tables: EitherTables, standing: Claim | None, question: OutboxItem | None, answer: str
) -> None:
    if standing and question:
        tables.claim_for_hand_over(standing, question)
    elif question:
        tables.claim_for_hand_over(WAITING, question)
        tables.bind(binding(done=question), NOW)
        tables.bind(binding(claim("sub_b", "cus_b"), customer("cus_b", "sub_b"), outbox=[QUESTION]), NOW)
    before = everything(tables)
    if answer == "yes":
        assert tables.bind(binding(to=customer("cus_c"), done=QUESTION), NOW) is Written.CLAIMED
    else:
        tables.give_up_claim(WAITING, QUESTION, "Not you.")
        before["outbox"] = [one for one in before["outbox"] if one.outbox_id != QUESTION.outbox_id]
    after = everything(tables)
    if answer == "no" and standing and question is QUESTION:
        # The item that is left without its claim goes; the other's claim stays.
        assert after["outbox"] == []
    assert after == before


def test_a_refusal_gives_the_claim_up_and_leaves_its_words(tables: EitherTables) -> None:
    tables.keep_registration(registration())
    tables.claim_for_hand_over(WAITING, QUESTION)
    tables.give_up_claim(WAITING, QUESTION, "Not you.")
    assert tables.claim_of("sub_a") is None
    assert tables.outbox_item(QUESTION.outbox_id) is None
    assert tables.registration("reg_a").refusal == "Not you."


# -- registrations -----------------------------------------------------------------------------------------


def test_a_registration_keeps_what_came_later(tables: EitherTables) -> None:
    tables.keep_registration(registration(offer_type="free-trial"))
    tables.keep_signed_in("reg_a", "sealed")
    tables.keep_entitlements("reg_a", (Entitlement("seats", "integer", "20", LATER),))
    kept = registration(offer_type="free-trial")
    assert tables.registration("reg_a") == replace(
        kept, signed_in="sealed", entitlements=(Entitlement("seats", "integer", "20", LATER),)
    )
    tables.keep_signed_in("reg_a", None)
    tables.keep_entitlements("reg_a", ())
    assert tables.registration("reg_a") == replace(kept, entitlements=())


def test_nothing_is_kept_of_a_registration_that_is_gone(tables: EitherTables) -> None:
    tables.keep_signed_in("reg_a", "sealed")
    tables.keep_entitlements("reg_a", ())
    assert tables.registration("reg_a") is None


# -- customers ---------------------------------------------------------------------------------------------


def test_a_change_needs_the_version_that_was_read(tables: EitherTables) -> None:
    read = customer()
    tables.bind(binding(to=read), NOW)
    assert tables.replace_customer(read, read.changed({"name": "Countess"}, LATER), LATER)
    assert not tables.replace_customer(read, read.changed({"company": None}, LATER), LATER)
    assert tables.customer("cus_a") == read.changed({"name": "Countess"}, LATER)
    assert not tables.replace_customer(customer("cus_b"), customer("cus_b").erased(NOW), NOW)


def test_erasing_takes_the_identities_along(tables: EitherTables) -> None:
    made = binding(identities=[ADA, EVE])
    tables.bind(made, NOW)
    assert tables.replace_customer(made.customer, made.customer.erased(LATER), LATER)
    assert (tables.customer_id_of(ADA), tables.customer_id_of(EVE)) == (None, None)
    assert tables.customer("cus_a") == made.customer.erased(LATER)
    assert tables.identities_of(made.customer) == []


def test_an_account_of_the_sellers_moves_with_a_change(tables: EitherTables) -> None:
    made = customer()
    tables.bind(binding(to=made), NOW)
    first = made.changed({"account_id": "acct-1"}, LATER)
    assert tables.replace_customer(made, first, LATER)
    second = first.changed({"account_id": "acct-2"}, LATER)
    assert tables.replace_customer(first, second, LATER)
    assert [tables.customer_id_of(of_account(one)) for one in ACCOUNTS] == [None, "cus_a"]
    assert tables.identities_of(second) == [(of_account("acct-2"), LATER)]


def test_anothers_account_is_taken(tables: EitherTables) -> None:
    tables.bind(binding(identities=[of_account("acct-1")]), NOW)
    other = customer("cus_b", "sub_b")
    tables.bind(binding(claim("sub_b", "cus_b"), other), NOW)
    with pytest.raises(AccountTaken):
        tables.replace_customer(other, other.changed({"account_id": "acct-1"}, LATER), LATER)
    assert tables.customer("cus_b") == other
    # The version comes first: who read an old one must read again before they hear of accounts.
    assert not tables.replace_customer(
        replace(other, version=7), other.changed({"account_id": "acct-1"}, LATER), LATER
    )


def test_an_account_that_is_theirs_already_is_not_taken(tables: EitherTables) -> None:
    made = binding(
        to=replace(customer(), account_id="acct-2"), identities=[of_account(one) for one in ACCOUNTS]
    )
    tables.bind(made, NOW)
    after = made.customer.changed({"account_id": "acct-1"}, LATER)
    assert tables.replace_customer(made.customer, after, LATER)
    assert [tables.customer_id_of(of_account(one)) for one in ACCOUNTS] == ["cus_a", None]
    assert tables.customer("cus_a").identity_ids == (of_account("acct-1").identity_id,)


# -- what follows ------------------------------------------------------------------------------------------


def test_access_is_told_once(tables: EitherTables) -> None:
    tables.bind(binding(outbox=()), NOW)
    letter = new_item(Kind.ACCESS_LETTER, "sub_a", "sub_a", "cus_a", NOW)
    assert tables.tell_access(claim(), letter, LATER)
    assert tables.claim_of("sub_a").access_told_at == LATER
    assert not tables.tell_access(claim(), replace(letter, outbox_id="other"), LATER + timedelta(1))
    assert not tables.tell_access(claim(), None, LATER + timedelta(1))
    assert tables.claim_of("sub_a").access_told_at == LATER
    assert tables.outbox_item(letter.outbox_id) == letter
    assert tables.outbox_item("other") is None


def test_no_letter_tells_access_while_the_welcome_letter_waits(tables: EitherTables) -> None:
    tables.bind(binding(), NOW)
    letter = new_item(Kind.ACCESS_LETTER, "sub_a", "sub_a", "cus_a", NOW)
    assert not tables.tell_access(claim(), letter, LATER)
    assert tables.claim_of("sub_a").access_told_at is None
    # That letter itself may; and once it is gone, another.
    tables.remove_outbox_item(LETTER)
    assert tables.tell_access(claim(), letter, LATER)
    assert tables.outbox_item(letter.outbox_id) == letter


def test_the_welcome_letter_tells_access_itself(tables: EitherTables) -> None:
    tables.bind(binding(), NOW)
    assert tables.tell_access(claim(), None, LATER)
    assert tables.claim_of("sub_a").access_told_at == LATER


def test_what_follows_from_an_item_takes_its_place(tables: EitherTables) -> None:
    notice = new_item(Kind.RENEWAL_NOTICE, "sub_a", "sub_a", "cus_a", NOW, {"agreement_id": "agmt-a"})
    tables.bind(binding(outbox=[notice]), NOW)
    following = new_item(Kind.DEPLOYMENT_PARAMETER, "sub_a", "sub_a", "cus_a", LATER)
    # An item of the same id that was written since is another.
    assert not tables.follow_outbox_item(replace(notice, created_at=LATER), following)
    assert tables.outbox_item(following.outbox_id) is None
    assert tables.follow_outbox_item(notice, following)
    assert tables.outbox_item(notice.outbox_id) is None
    assert not tables.follow_outbox_item(notice, replace(following, attempts=7))
    assert tables.outbox_item(following.outbox_id) == following


def test_a_claim_says_what_it_follows(tables: EitherTables) -> None:
    tables.bind(binding(outbox=()), NOW)
    ada = tables.customer("cus_a")
    renewal = claim("sub_b", access_told_at=LATER, follows="sub_a")
    bound = Binding(renewal, False, ada.holding("sub_b", None, {}, LATER), ada, (), (), None)
    assert tables.bind(bound, LATER) is Written.YES
    assert tables.claim_of("sub_b") == renewal
    assert tables.bind(bound, LATER) is Written.CLAIMED


@pytest.mark.parametrize("standing", [None, "cus_b"])
def test_access_is_not_told_of_anothers_claim(tables: EitherTables, standing: str | None) -> None:
    if standing:
        tables.bind(binding(to=customer(standing)), NOW)
    letter = new_item(Kind.ACCESS_LETTER, "sub_a", "sub_a", "cus_a", NOW)
    assert not tables.tell_access(claim(), letter if not standing else None, LATER)
    assert standing is None or tables.claim_of("sub_a").access_told_at is None


def test_a_tombstone_is_buried_with_its_claims(tables: EitherTables) -> None:
    dead = _buriable(tables, ["sub_a", "sub_b"])
    assert tables.bury(dead, tables.claims_of(["sub_a", "sub_b"]).values())
    assert (tables.customer("cus_a"), tables.claims_of(["sub_a", "sub_b"])) == (None, {})
    assert not tables.bury(dead, [])


def test_more_claims_than_one_act_holds_are_buried_all_the_same(tables: EitherTables) -> None:
    numbers = [f"sub_{number:03}" for number in range(120)]
    dead = _buriable(tables, numbers)
    assert tables.bury(dead, tables.claims_of(numbers).values())
    assert (tables.customer("cus_a"), tables.claims_of(numbers)) == (None, {})


def test_a_customer_who_has_changed_is_not_buried(tables: EitherTables) -> None:
    dead = _buriable(tables, ["sub_a"])
    assert not tables.bury(replace(dead, version=dead.version + 1), [claim()])
    assert not tables.bury(dead, [claim(), claim("sub_b")])
    assert (tables.customer("cus_a"), tables.claim_of("sub_a")) == (dead, claim())


def test_anothers_claim_is_not_buried(tables: EitherTables) -> None:
    dead = _buriable(tables, ["sub_a"])
    tables.bind(binding(claim("sub_b", "cus_b"), customer("cus_b", "sub_b")), NOW)
    assert not tables.bury(dead, [claim(), claim("sub_b")])
    assert (tables.customer("cus_a"), tables.claim_of("sub_a")) == (dead, claim())


def _buriable(tables: EitherTables, subscription_ids: list[str]) -> Customer:
    held = customer("cus_a", subscription_ids[0])
    tables.bind(binding(claim(subscription_ids[0]), held), NOW)
    for one in subscription_ids[1:]:
        before, held = held, held.holding(one, None, {}, NOW)
        assert tables.bind(binding(claim(one), held, before), NOW) is Written.YES
    assert tables.replace_customer(held, held.erased(LATER), LATER)
    return held.erased(LATER)


# -- lists -------------------------------------------------------------------------------------------------


def test_lists_go_on_where_they_stopped(tables: EitherTables) -> None:
    for number in range(5):
        account, email = ("acct-1", "ADA@example.com") if number % 2 else (None, "eve@example.com")
        made = replace(
            customer(f"cus_{number}", f"sub_{number}", details=CustomerDetails(email)), account_id=account
        )
        bound = replace(
            claim(f"sub_{number}", f"cus_{number}"),
            claimed_at=NOW + timedelta(seconds=9 - number),
            customer_aws_account_id="111122223333" if number else None,
            product_code="other" if number == 2 else "plain",
        )
        tables.bind(binding(bound, made), NOW)
    erased = tables.customer("cus_4")
    tables.replace_customer(erased, erased.erased(LATER), LATER)

    def ids(page: Callable[..., tuple[list[Any], str | None]], *args: str) -> list[str]:
        found: list[Any] = []
        cursor: str | None = None
        for _ in range(9):
            part, cursor = page(*args, 2, cursor)
            assert len(part) <= 2
            found += part
            if cursor is None:
                return [getattr(one, "subscription_ids", None) or one.subscription_id for one in found]
        raise AssertionError("a list without end")

    assert sorted(ids(tables.customers)) == [(f"sub_{n}",) for n in range(4)]
    assert sorted(ids(tables.customers_with_email, "ada@EXAMPLE.com")) == [("sub_1",), ("sub_3",)]
    assert sorted(ids(tables.customers_with_account, "acct-1")) == [("sub_1",), ("sub_3",)]
    assert ids(tables.claims_by_product, "plain") == ["sub_4", "sub_3", "sub_1", "sub_0"]
    assert ids(tables.claims_by_aws_account, "111122223333") == ["sub_4", "sub_3", "sub_2", "sub_1"]
    assert sorted(ids(tables.claims)) == [f"sub_{n}" for n in range(5)]


def test_readings_by_many_ids_leave_out_what_is_not_there(tables: EitherTables) -> None:
    tables.bind(binding(), NOW)
    assert tables.claims_of(["sub_a", "sub_b"]) == {"sub_a": claim()}
    assert tables.customers_of(["cus_a", "cus_b"]) == {"cus_a": customer()}
    assert tables.published_subscriptions(["sub_a"]) == {}
    assert tables.customer_with_news("cus_a") == (customer(), {})
    assert tables.customer_with_news("cus_b") == (None, {})
    assert tables.news_of("sub_a") is None


def test_the_siblings_rows_are_read_alike(tables: EitherTables) -> None:
    if isinstance(tables, MemoryTables):
        tables.published["sub_a"] = PublishedSubscription("sub_a", "plain", "active", "granted")
    else:
        SubscriptionRow("sub_a", product_code="plain", status="active", access="granted").save()
    tables.bind(binding(), NOW)
    row = PublishedSubscription("sub_a", "plain", "active", "granted")
    assert tables.published_subscriptions(["sub_a", "sub_b"]) == {"sub_a": row}
    assert tables.customer_with_news("cus_a") == (customer(), {"sub_a": row})
    assert (tables.news_of("sub_a"), tables.news_of("sub_b")) == (row, None)


# -- the outbox --------------------------------------------------------------------------------------------


def test_one_of_two_takes_an_item(tables: EitherTables) -> None:
    tables.bind(binding(), NOW)
    mine, theirs = LETTER.taken(LATER), LETTER.taken(LATER + timedelta(seconds=1))
    assert tables.replace_outbox_item(LETTER, mine)
    assert not tables.replace_outbox_item(LETTER, theirs)
    assert tables.outbox_item(LETTER.outbox_id) == mine
    # The same time, another try: the number of tries tells them apart.
    assert not tables.replace_outbox_item(replace(mine, attempts=7), theirs)
    tables.remove_outbox_item(mine)
    assert not tables.replace_outbox_item(mine, mine.failed("away", LATER))
    assert tables.outbox_item(LETTER.outbox_id) is None


def test_an_item_written_anew_is_not_removed_by_who_held_the_old_one(tables: EitherTables) -> None:
    tables.bind(binding(), NOW)
    tables.remove_outbox_item(replace(LETTER, created_at=NOW - timedelta(days=1)))
    assert tables.outbox_item(LETTER.outbox_id) == LETTER
    tables.remove_outbox_item(LETTER.taken(LATER))
    tables.remove_outbox_item(LETTER)
    assert tables.outbox_item(LETTER.outbox_id) is None
