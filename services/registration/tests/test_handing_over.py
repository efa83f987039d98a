"""The seller's back end: what it is asked, what its answers mean, and what is done about them."""

from dataclasses import replace
from typing import Any

import pytest
import yaml
from conftest import OPENAPI
from memory_tables import MemoryTables
from samples import ADAS_DETAILS, HOSTED, LATER, LAUNCHED, NOW, registration

from registration.claims import Claim
from registration.customers import Customer
from registration.handing_over import Account, NotAnswered, Refused, conclude, question, understand
from registration.identities import Identity, of_account
from registration.outbox_items import OutboxItem
from registration.registering import register

ADA = Identity("https://id.example", "ada")


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (200, {"account_id": "acct-1"}, Account("acct-1")),
        (201, {"account_id": "acct-1", "more": 1}, Account("acct-1")),
        (200, {"account_id": "ä" * 200}, Account("ä" * 200)),
        (200, {"account_id": "a", "deployment_secret": "s" * 15_000}, Account("a", "s" * 15_000)),
        (200, {"account_id": "a", "deployment_secret": None}, Account("a")),
        (409, {"detail": "You have an account."}, Refused("You have an account.")),
        (422, {"detail": "  Two\nlines\x00 "}, Refused("Twolines")),
        (422, {"detail": "x" * 501}, Refused("x" * 500)),
        (422, {"detail": 7}, Refused("")),
        (422, {"account_id": "acct-1"}, Refused("")),
        (422, None, Refused("")),
        (409, ["no"], Refused("")),
    ],
)
def test_an_answer_is_a_yes_or_a_no(status: int, body: Any, answer: Account | Refused) -> None:
    assert understand(status, body) == answer


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        *[
            (status, {"account_id": "acct-1"}, f"the seller's back end answered {status}")
            for status in (100, 202, 204, 302, 400, 401, 403, 404, 408, 410, 429, 500, 502, 503, 504)
        ],
        *[
            (200, body, "the seller's back end answered without a usable account_id")
            for body in (
                None,
                [],
                "acct-1",
                {},
                {"account_id": None},
                {"account_id": 7},
                {"account_id": " acct-1"},
                {"account_id": "acct-1\n"},
                {"account_id": "acct\x001"},
                {"account_id": "a" * 201},
            )
        ],
        *[
            (
                200,
                {"account_id": "a", "deployment_secret": secret},
                "the seller's back end answered with an unusable deployment_secret",
            )
            for secret in ("", 7, ["s"], "s" * 15_001)
        ],
    ],
)
def test_anything_else_is_no_answer(status: int, body: Any, reason: str) -> None:
    with pytest.raises(NotAnswered) as refused:
        understand(status, body)
    assert refused.value.reason == str(refused.value) == reason


def test_an_account_without_a_name_is_none() -> None:
    with pytest.raises(NotAnswered, match="without a usable account_id"):
        understand(200, {"account_id": ""})


def test_the_question_is_what_the_contract_says() -> None:
    tables = MemoryTables()
    item, claim = asked(tables, identity=ADA)
    body = question(item, claim, HOSTED, free_trial=True)
    assert body == {
        "type": "registration.hand_over",
        "registration_id": "reg_a",
        "subscription_id": "sub_a",
        "product_code": "hosted",
        "product_id": "prod-hosted",
        "customer_aws_account_id": "444455556666",
        "agreement_id": "agmt-a",
        "free_trial": True,
        "email": "ada@example.com",
        "name": "Ada",
        "company": "Engines",
        "fields": {"purpose": "fun"},
        "language": "de",
        "identity": {"issuer": "https://id.example", "subject": "ada"},
    }
    contract = yaml.safe_load((OPENAPI / "registration.yaml").read_text(encoding="utf-8"))
    promised = contract["components"]["schemas"]["HandOverRequest"]
    assert set(body) == set(promised["properties"])
    assert set(promised["required"]) <= set(body)
    assert not question(item, claim, HOSTED, free_trial=False)["free_trial"]
    assert question(asked(MemoryTables())[0], claim, HOSTED, free_trial=False)["identity"] is None


def test_a_yes_binds_to_the_account_that_was_named() -> None:
    tables = MemoryTables()
    bound, customer = yes(tables, "acct-1")
    assert bound[1]
    assert (customer.account_id, customer.email, customer.fields) == (
        "acct-1",
        "ada@example.com",
        {"purpose": "fun"},
    )
    assert (customer.name, customer.company, customer.language) == ("Ada", "Engines", "de")
    assert tables.claims_by_id["sub_a"] == bound[0]
    assert list(tables.outbox_by_id) == ["welcome-letter-sub_a"]


def test_the_same_account_is_the_same_customer() -> None:
    tables = MemoryTables()
    _, first = yes(tables, "acct-1")
    bound, again = yes(tables, "acct-1", "sub_b")
    assert not bound[1]
    assert again.customer_id == first.customer_id
    assert again.subscription_ids == ("sub_a", "sub_b")
    _, other = yes(tables, "acct-2", "sub_c")
    assert other.customer_id != first.customer_id


def test_who_signed_in_leads_to_the_account_from_now_on() -> None:
    tables = MemoryTables()
    _, customer = yes(tables, "acct-1", identity=ADA)
    assert tables.customer_id_of(ADA) == tables.customer_id_of(of_account("acct-1")) == customer.customer_id


def test_the_account_and_not_the_sign_in_decides() -> None:
    tables = MemoryTables()
    _, first = yes(tables, "acct-1", identity=ADA)
    _, second = yes(tables, "acct-2", "sub_b", ADA)
    assert second.customer_id != first.customer_id
    assert tables.customer_id_of(ADA) == first.customer_id


def test_the_secret_goes_on_sealed() -> None:
    tables = MemoryTables()
    yes(tables, "acct-1", product=replace(HOSTED, quick_launch=LAUNCHED.quick_launch), sealed_secret="sealed")
    item = tables.outbox_by_id["deployment-parameter-sub_a"]
    assert item.payload == {"agreement_id": "agmt-a", "deployment_secret": "sealed"}


def test_a_no_gives_the_claim_up_with_its_words() -> None:
    tables = MemoryTables()
    tables.keep_registration(registration(product=HOSTED))
    item, claim = asked(tables)
    assert conclude(tables, item, claim, Refused("Not you."), HOSTED, NOW, sealed_secret=None) is None
    assert (tables.claims_by_id, tables.outbox_by_id, tables.customers_by_id) == ({}, {}, {})
    assert tables.registrations["reg_a"].refusal == "Not you."


@pytest.mark.parametrize("late", [Account("acct-2"), Refused("Not you.")])
def test_an_answer_that_comes_late_changes_nothing(late: Account | Refused) -> None:
    tables = MemoryTables()
    item, claim = asked(tables)
    conclude(tables, item, claim, Account("acct-1"), HOSTED, NOW, sealed_secret=None)
    before = (dict(tables.claims_by_id), dict(tables.customers_by_id), dict(tables.outbox_by_id))
    assert conclude(tables, item, claim, late, HOSTED, LATER, sealed_secret=None) is None
    assert (tables.claims_by_id, tables.customers_by_id, tables.outbox_by_id) == before


@pytest.mark.parametrize("late", [Account("acct-2"), Refused("Not you.")])
def test_an_old_questions_answer_does_not_end_the_next_one(late: Account | Refused) -> None:
    tables = MemoryTables()
    item, claim = asked(tables)
    conclude(tables, item, claim, Refused("Not you."), HOSTED, NOW, sealed_secret=None)
    second, claimed_again = asked(tables)
    assert conclude(tables, item, claim, late, HOSTED, NOW, sealed_secret=None) is None
    assert tables.claims_by_id == {"sub_a": claimed_again}
    assert tables.outbox_by_id == {second.outbox_id: second}


def asked(
    tables: MemoryTables, subscription_id: str = "sub_a", identity: Identity | None = None
) -> tuple[OutboxItem, Claim]:
    arrived = registration("reg_a", subscription_id, HOSTED, "free-trial")
    item = register(tables, arrived, ADAS_DETAILS, identity, HOSTED, NOW).to_ask
    assert item is not None
    return item, tables.claims_by_id[subscription_id]


def yes(
    tables: MemoryTables,
    account_id: str,
    subscription_id: str = "sub_a",
    identity: Identity | None = None,
    product=HOSTED,  # type: ignore[no-untyped-def]
    sealed_secret: str | None = None,
) -> tuple[tuple[Claim, bool], Customer]:
    item, claim = asked(tables, subscription_id, identity)
    bound = conclude(tables, item, claim, Account(account_id), product, NOW, sealed_secret=sealed_secret)
    assert bound is not None
    return bound, tables.customers_by_id[bound[0].customer_id or ""]
