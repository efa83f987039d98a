"""What renews or replaces a subscription goes to the same customer, whatever made us look."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml
from conftest import OPENAPI
from memory_tables import MemoryTables
from samples import HOSTED, LATER, LAUNCHED, NOW, PLAIN, claim, customer
from structlog.testing import capture_logs

from registration.catalogue import Catalogue, Product, QuickLaunch
from registration.claims import Claim
from registration.handing_over import NotAnswered, noted
from registration.log_sentences import say_followed
from registration.outbox_items import Kind, OutboxItem, new_item
from registration.renewals import Fate, Followed, deployment_parameter, follow, notice
from registration.settling import Settled, settle, settle_renewal
from registration.subscription_access import PublishedSubscription

CATALOGUE = Catalogue({one.product_code: one for one in (PLAIN, HOSTED, LAUNCHED)})
BACK_ENDS_SECRET = QuickLaunch("ApiKey", "{deployment_secret}")
OUR_SECRET = QuickLaunch("ApiKey", "{subscription_id}")


def published(
    subscription_id: str, status: str = "active", product: Product = PLAIN, **more: Any
) -> PublishedSubscription:
    access = "denied" if status in ("pending", "ended", "failed") else "granted"
    return PublishedSubscription(
        subscription_id, product.product_code, status, access, agreement_id="agmt-b", **more
    )


def world(*chain: str, old: Claim | None = None, product: Product = PLAIN, **statuses: str) -> MemoryTables:
    """The first of a chain is claimed, told and published, and each renews the one before."""
    first = old or claim(chain[0], access_told_at=NOW, registration_id="reg_a")
    tables = MemoryTables(
        claims_by_id={first.subscription_id: replace(first, product_code=product.product_code)},
        customers_by_id={"cus_a": customer("cus_a", chain[0])},
    )
    for before, one, after in zip((None, *chain), chain, (*chain[1:], None), strict=False):
        tables.published[one] = published(
            one,
            statuses.get(one, "active"),
            product,
            customer_aws_account_id="555566667777",
            previous_subscription_id=before,
            next_subscription_id=after,
        )
    return tables


def look(tables: MemoryTables) -> Settled:
    return settle(tables, list(tables.claims_by_id.values()), CATALOGUE, LATER)


def fates(settled: Settled) -> list[tuple[str, Fate]]:
    return [(one.subscription_id, one.fate) for one in settled.followed]


FROM_OLD: Callable[[MemoryTables], Settled] = look


def from_new(tables: MemoryTables) -> Settled:
    return settle_renewal(tables, "sub_b", CATALOGUE, LATER)


@pytest.mark.parametrize("look_at", [FROM_OLD, from_new], ids=["the old", "the new"])
def test_a_renewal_goes_to_the_same_customer(look_at: Callable[[MemoryTables], Settled]) -> None:
    tables = world("sub_a", "sub_b", sub_a="ending")
    assert fates(look_at(tables)) == [("sub_b", Fate.BOUND)]
    assert tables.claims_by_id["sub_b"] == Claim(
        subscription_id="sub_b",
        customer_id="cus_a",
        registration_id="reg_a",
        product_code="plain",
        claimed_at=LATER,
        customer_aws_account_id="555566667777",
        access_told_at=LATER,
        follows="sub_a",
    )
    ada = tables.customers_by_id["cus_a"]
    assert (ada.subscription_ids, ada.version, ada.updated_at) == (("sub_a", "sub_b"), 2, LATER)
    # No letter, no hand-over: they are known, and have had access all along.
    assert tables.outbox_by_id == {}
    acts: list[str] = []
    tables.before = acts.append
    assert look(tables) == Settled()
    assert acts == ["published_subscriptions", "claims_of"]


def test_a_chain_goes_along_in_one_look() -> None:
    for look_at in (look, lambda tables: settle_renewal(tables, "sub_c", CATALOGUE, LATER)):
        tables = world("sub_a", "sub_b", "sub_c", sub_a="ended", sub_b="ending")
        assert fates(look_at(tables)) == [("sub_b", Fate.BOUND), ("sub_c", Fate.BOUND)]
        assert tables.claims_by_id["sub_c"].follows == "sub_b"
        assert tables.customers_by_id["cus_a"].subscription_ids == ("sub_a", "sub_b", "sub_c")


def test_a_circle_ends_somewhere() -> None:
    """AWS names none; a mistaken row must not hang the worker."""
    tables = MemoryTables()
    tables.published |= {
        "sub_a": published("sub_a", previous_subscription_id="sub_b", next_subscription_id="sub_b"),
        "sub_b": published("sub_b", previous_subscription_id="sub_a", next_subscription_id="sub_a"),
    }
    assert from_new(tables) == Settled()
    tables.claims_by_id["sub_a"] = claim(access_told_at=NOW)
    tables.customers_by_id["cus_a"] = customer()
    assert fates(look(tables)) == [("sub_b", Fate.BOUND)]
    assert look(tables) == Settled()


@pytest.mark.parametrize("row", [None, published("sub_b")])
def test_what_renews_nothing_is_left_alone(row: PublishedSubscription | None) -> None:
    tables = MemoryTables(published={"sub_b": row} if row else {})
    assert from_new(tables) == Settled()
    tables.published["sub_b"] = published("sub_b", previous_subscription_id="sub_a")
    assert from_new(tables) == Settled()
    assert tables.claims_by_id == {}


def test_while_the_account_is_being_made_the_renewal_waits() -> None:
    tables = world("sub_a", "sub_b", old=claim("sub_a", customer_id=None))
    assert from_new(tables) == Settled()
    row = tables.published["sub_b"]
    assert follow(tables, claim(customer_id=None), None, row, PLAIN, LATER).fate is Fate.WAITS
    assert set(tables.claims_by_id) == {"sub_a"}


@pytest.mark.parametrize(
    ("standing", "fate"),
    [("cus_a", []), ("cus_b", [("sub_b", Fate.ELSEWHERE)]), (None, [("sub_b", Fate.WAITS)])],
)
def test_what_is_claimed_is_not_moved(standing: str | None, fate: list[tuple[str, Fate]]) -> None:
    tables = world("sub_a", "sub_b")
    theirs = claim("sub_b", standing, "reg_b", access_told_at=NOW)
    tables.claims_by_id["sub_b"] = theirs
    before = dict(tables.customers_by_id)
    assert fates(look(tables)) == fate
    assert (tables.claims_by_id["sub_b"], tables.customers_by_id) == (theirs, before)


@pytest.mark.parametrize(
    ("standing", "fate"), [("cus_a", Fate.OURS), ("cus_b", Fate.ELSEWHERE), (None, Fate.WAITS)]
)
def test_who_was_quicker_keeps_it(standing: str | None, fate: Fate) -> None:
    tables = world("sub_a", "sub_b")
    theirs = claim("sub_b", standing, "reg_b")

    def quicker(act: str) -> None:
        if act == "bind":
            tables.claims_by_id["sub_b"] = theirs

    tables.before = quicker
    old, row = tables.claims_by_id["sub_a"], tables.published["sub_b"]
    followed = follow(tables, old, tables.published["sub_a"], row, PLAIN, LATER)
    assert (followed.fate, followed.claim) == (fate, None)
    assert tables.claims_by_id["sub_b"] == theirs


def test_what_was_claimed_and_given_up_again_is_looked_at_later() -> None:
    tables = world("sub_a", "sub_b")

    def comes_and_goes(act: str) -> None:
        if act == "bind":
            tables.claims_by_id["sub_b"] = claim("sub_b", None)
        elif act == "claim_of":
            del tables.claims_by_id["sub_b"]

    tables.before = comes_and_goes
    assert fates(look(tables)) == [("sub_b", Fate.WAITS)]


def test_who_was_erased_is_linked_to_nothing_new() -> None:
    tables = world("sub_a", "sub_b")
    tables.customers_by_id["cus_a"] = customer().erased(LATER)
    assert fates(look(tables)) == [("sub_b", Fate.ERASED)]
    assert set(tables.claims_by_id) == {"sub_a"}
    # The next who lands with it is a new customer, and took it from nobody.
    tables.claims_by_id["sub_b"] = claim("sub_b", "cus_b", access_told_at=NOW)
    tables.customers_by_id["cus_b"] = customer("cus_b", "sub_b")
    assert fates(look(tables)) == [("sub_b", Fate.ERASED)]


def test_who_is_erased_meanwhile_is_not_revived() -> None:
    tables = world("sub_a", "sub_b")

    def erase(act: str) -> None:
        if act == "bind":
            tables.customers_by_id["cus_a"] = customer().erased(LATER)

    tables.before = erase
    assert fates(look(tables)) == [("sub_b", Fate.ERASED)]
    assert tables.customers_by_id["cus_a"] == customer().erased(LATER)


def test_a_change_meanwhile_is_not_written_over() -> None:
    tables = world("sub_a", "sub_b")

    def change(act: str) -> None:
        if act == "bind":
            tables.before = lambda _: None
            tables.customers_by_id["cus_a"] = customer().changed({"name": "Countess"}, LATER)

    tables.before = change
    assert fates(look(tables)) == [("sub_b", Fate.BOUND)]
    ada = tables.customers_by_id["cus_a"]
    assert (ada.name, ada.subscription_ids, ada.version) == ("Countess", ("sub_a", "sub_b"), 3)


def test_a_customer_who_never_rests_does_not_hold_up_the_others() -> None:
    tables = world("sub_a", "sub_b")
    tables.claims_by_id["sub_x"] = claim("sub_x", "cus_x", access_told_at=NOW)
    tables.customers_by_id["cus_x"] = customer("cus_x", "sub_x")
    tables.published["sub_x"] = published("sub_x", next_subscription_id="sub_y")
    tables.published["sub_y"] = published("sub_y", previous_subscription_id="sub_x")

    def change(act: str) -> None:
        if act == "bind":
            ada = tables.customers_by_id["cus_a"]
            tables.customers_by_id["cus_a"] = ada.changed({"name": f"Name {ada.version}"}, LATER)

    tables.before = change
    assert fates(look(tables)) == [("sub_y", Fate.BOUND)]
    assert "sub_b" not in tables.claims_by_id


def test_a_replacement_of_another_product_is_for_its_buyer_to_register() -> None:
    tables = world("sub_a", "sub_b")
    tables.published["sub_b"] = replace(tables.published["sub_b"], product_code="hosted")
    assert fates(look(tables)) == [("sub_b", Fate.OTHER_PRODUCT)]
    assert set(tables.claims_by_id) == {"sub_a"}
    # Once they have, it is theirs like any other.
    tables.claims_by_id["sub_b"] = claim("sub_b", access_told_at=NOW)
    assert look(tables) == Settled()


def test_a_product_that_has_left_the_catalogue_goes_along_all_the_same() -> None:
    tables = world("sub_a", "sub_b")
    settle(tables, list(tables.claims_by_id.values()), Catalogue({}), LATER)
    assert tables.claims_by_id["sub_b"].customer_id == "cus_a"


# -- letters -------------------------------------------------------------------------------------------------


def test_access_that_went_on_is_no_news() -> None:
    tables = world("sub_a", "sub_b", sub_a="ending", sub_b="pending")
    look(tables)
    assert tables.claims_by_id["sub_b"].access_told_at is None
    tables.published["sub_b"] = replace(tables.published["sub_b"], status="active", access="granted")
    assert look(tables) == Settled()
    assert tables.claims_by_id["sub_b"].access_told_at == LATER
    assert tables.outbox_by_id == {}


@pytest.mark.parametrize("old", ["ended", "failed", "pending", None])
def test_access_that_was_lost_in_between_is(old: str | None) -> None:
    tables = world("sub_a", "sub_b", sub_a=old or "ended")
    if old is None:
        look(tables)
        tables.claims_by_id["sub_b"] = replace(tables.claims_by_id["sub_b"], access_told_at=None)
        tables.outbox_by_id.clear()
        del tables.published["sub_a"]
    assert look(tables).access_told == 1
    assert list(tables.outbox_by_id) == ["access-letter-sub_b"]
    assert look(tables) == Settled()


def test_one_letter_tells_of_both() -> None:
    """The welcome letter of the one before is still waiting, and will say that access is there."""
    old = claim("sub_a")
    tables = world("sub_a", "sub_b", old=old, sub_a="ending")
    waiting = new_item(Kind.WELCOME_LETTER, "sub_a", "sub_a", "cus_a", NOW)
    tables.outbox_by_id[waiting.outbox_id] = waiting
    assert look(tables).access_told == 0
    assert look(tables) == Settled()
    assert list(tables.outbox_by_id) == [waiting.outbox_id]
    # It is about to go out; but should it fail, it may have to say something else later.
    tables.tell_access(old, None, LATER)
    assert look(tables) == Settled()
    assert tables.claims_by_id["sub_b"].access_told_at is None
    tables.remove_outbox_item(waiting)
    assert look(tables) == Settled()
    assert tables.claims_by_id["sub_b"].access_told_at == LATER
    assert tables.outbox_by_id == {}


def test_a_letter_that_waited_too_long_does_not_hide_the_renewal() -> None:
    """It was about to say that access is there, the mail was away, and by now the one before has ended."""
    tables = world("sub_a", "sub_b", sub_a="ending")
    waiting = new_item(Kind.WELCOME_LETTER, "sub_a", "sub_a", "cus_a", NOW)
    tables.outbox_by_id[waiting.outbox_id] = waiting
    look(tables)
    assert tables.claims_by_id["sub_b"].access_told_at is None
    tables.published["sub_a"] = replace(tables.published["sub_a"], status="ended", access="denied")
    assert look(tables).access_told == 1
    assert "access-letter-sub_b" in tables.outbox_by_id


# -- the seller's back end and Quick Launch ------------------------------------------------------------------


def going(tables: MemoryTables) -> list[OutboxItem]:
    look(tables)
    return list(tables.outbox_by_id.values())


def test_a_back_end_that_makes_accounts_is_told_of_it() -> None:
    tables = world("sub_a", "sub_b", product=HOSTED)
    (item,) = going(tables)
    assert (item.kind, item.outbox_id) == (Kind.RENEWAL_NOTICE, "renewal-notice-sub_b")
    assert (item.customer_id, item.due_at) == ("cus_a", LATER)
    ada = replace(tables.customers_by_id["cus_a"], account_id="acct-1")
    body = notice(item, tables.claims_by_id["sub_b"], ada, HOSTED)
    assert body == {
        "type": "registration.renewed",
        "subscription_id": "sub_b",
        "previous_subscription_id": "sub_a",
        "product_code": "hosted",
        "product_id": "prod-hosted",
        "customer_id": "cus_a",
        "account_id": "acct-1",
        "customer_aws_account_id": "555566667777",
        "agreement_id": "agmt-b",
    }
    contract = yaml.safe_load((OPENAPI / "registration.yaml").read_text(encoding="utf-8"))
    promised = contract["components"]["schemas"]["RenewalNotice"]
    assert set(body) == set(promised["properties"]) == set(promised["required"])
    assert body["type"] in promised["properties"]["type"]["enum"]


@pytest.mark.parametrize(
    ("status", "body", "secret"),
    [
        (200, {"deployment_secret": "s"}, "s"),
        (201, {}, None),
        (204, None, None),
        (202, ["?"], None),
        (409, {"deployment_secret": "s"}, None),
        (422, None, None),
    ],
)
def test_what_it_answers_ends_the_notice(status: int, body: Any, secret: str | None) -> None:
    assert noted(status, body) == secret


@pytest.mark.parametrize(
    ("status", "body"),
    [(status, {}) for status in (302, 400, 401, 404, 410, 429, 500, 503)]
    + [(200, {"deployment_secret": secret}) for secret in ("", 7, "s" * 15_001)],
)
def test_anything_else_is_tried_again(status: int, body: Any) -> None:
    with pytest.raises(NotAnswered):
        noted(status, body)


def test_the_new_agreement_has_a_deployment_parameter_of_its_own() -> None:
    launched = replace(PLAIN, quick_launch=OUR_SECRET)
    bound = claim("sub_b", follows="sub_a")
    item = deployment_parameter(bound, "agmt-b", launched, None, LATER)
    assert item
    assert (item.outbox_id, item.payload) == ("deployment-parameter-sub_b", {"agreement_id": "agmt-b"})
    sealed = deployment_parameter(bound, "agmt-b", replace(PLAIN, quick_launch=BACK_ENDS_SECRET), "*", LATER)
    assert sealed
    assert sealed.payload == {"agreement_id": "agmt-b", "deployment_secret": "*"}


@pytest.mark.parametrize(
    ("launch", "agreement_id"), [(None, "agmt-b"), (BACK_ENDS_SECRET, "agmt-b"), (OUR_SECRET, None)]
)
def test_or_none_where_nothing_can_be_put(launch: QuickLaunch | None, agreement_id: str | None) -> None:
    product = replace(PLAIN, quick_launch=launch)
    assert deployment_parameter(claim("sub_b"), agreement_id, product, None, LATER) is None


@pytest.mark.parametrize(
    ("launch", "kinds"), [(OUR_SECRET, [Kind.DEPLOYMENT_PARAMETER]), (BACK_ENDS_SECRET, []), (None, [])]
)
def test_without_a_back_end_it_is_put_at_once(launch: QuickLaunch | None, kinds: list[Kind]) -> None:
    tables = world("sub_a", "sub_b")
    catalogue = Catalogue({"plain": replace(PLAIN, quick_launch=launch)})
    settle(tables, list(tables.claims_by_id.values()), catalogue, LATER)
    assert [item.kind for item in tables.outbox_by_id.values()] == kinds


# -- what operators read -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fate", "level"),
    [
        (Fate.BOUND, "info"),
        (Fate.ELSEWHERE, "warning"),
        (Fate.OTHER_PRODUCT, "warning"),
        (Fate.ERASED, "info"),
        (Fate.WAITS, None),
        (Fate.OURS, None),
    ],
)
def test_the_log_says_what_became_of_it(fate: Fate, level: str | None) -> None:
    with capture_logs() as lines:
        say_followed([Followed(fate, claim(), "sub_b")])
    assert [line["log_level"] for line in lines] == ([level] if level else [])
    for line in lines:
        assert (line["subscription_id"], line["previous_subscription_id"]) == ("sub_b", "sub_a")
