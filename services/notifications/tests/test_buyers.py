"""What buyers are shown: their own subscriptions, without what is between AWS and the seller; all else is
answered as what never was."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import samples
from conftest import World
from samples import action, advisory, after, cancelled_life, renewed_life
from test_api import Asking, buy

from chassis.tables import encode_cursor
from chassis.testing import TOKENS_ISSUER
from notifications.identity_ids import identity_id
from notifications.tables.customers import CustomerRow, IdentityRow
from notifications.tables.models import SubscriptionRow

NEVER_WAS = "sub_" + "n" * 26
LIST = "/v1/subscriptions"

Headers = Callable[..., dict[str, str]]


@pytest.fixture
def buyer(world: World, token_of: Headers) -> Callable[..., Asking]:
    """Makes somebody who has registered with these subscriptions and signs in."""

    def register(
        subject: str, *subs: str, status: str = "active", scopes: tuple[str, ...] = ("buyer",)
    ) -> Asking:
        customer_id = f"cus_{subject}"
        CustomerRow(customer_id, status=status, subscription_ids=list(subs)).save()
        IdentityRow(identity_id(TOKENS_ISSUER, subject), customer_id=customer_id).save()
        return Asking(world, **token_of(subject, *scopes))

    return register


def everything_about(who: Asking, world: World, sub: str) -> Any:
    """All that can be asked about a subscription, as text; problems without what differs each time."""
    answers = []
    for path in (LIST, f"{LIST}?agreement_id=agmt-EXAMPLE", f"{LIST}/{sub}", f"{LIST}/{sub}/history"):
        answer = world.client.get(path, headers=who._headers)
        answers.append((answer.status_code, answer.json() | {"instance": None}))
    return answers


def test_a_buyer_is_shown_their_own_without_the_messages(world: World, buyer: Callable[..., Asking]) -> None:
    asking = Asking(world)
    world.apply(*cancelled_life(), advisory(after(300), "n1"), action("subscribe-success", after(0), "m1"))
    ada = buyer("ada", samples.CONCURRENT_ID)
    whole = asking.get(f"{LIST}/{samples.CONCURRENT_ID}")
    del whole["changed_by"]
    assert ada.get(f"{LIST}/{samples.CONCURRENT_ID}") == whole
    assert ada.get(LIST) == {"items": [whole], "next_cursor": None}

    history = [one for page in ada.pages(f"{LIST}/{samples.CONCURRENT_ID}/history", limit=1) for one in page]
    of_operators = asking.get(f"{LIST}/{samples.CONCURRENT_ID}/history")["items"]
    versions = [one for one in of_operators if one["notice"] is None]
    assert len(versions) == len(of_operators) - 1 == 3
    for one in versions:
        del one["notification_id"], one["name"], one["notice"]
        one["changes"] = [change for change in one["changes"] if change["attribute"] != "changed_by"]
    assert history == versions
    for message in ("e1", "e2", "e3", "e4", "n1"):
        assert f'"{message}"' not in json.dumps([history, whole])


def test_a_buyer_sees_what_was_before_a_renewal_too(world: World, buyer: Callable[..., Asking]) -> None:
    world.apply(*renewed_life())
    subs = sorted(row.subscription_id for row in SubscriptionRow.scan())
    assert len(subs) == 2
    shown = buyer("ada", *subs).get(LIST)["items"]
    assert [one["subscription_id"] for one in shown] == subs
    assert {one["next_subscription_id"] for one in shown} & set(subs)


def test_what_is_another_s_is_answered_as_what_never_was(
    world: World, buyer: Callable[..., Asking], token_of: Headers
) -> None:
    world.apply(*cancelled_life())
    buyer("bob", samples.CONCURRENT_ID)
    buyer("erased", samples.CONCURRENT_ID, status="deleted")
    # Who has claimed what AWS has sent no news of.
    ada = buyer("ada", samples.LEGACY_ID)
    nobodies = [Asking(world, **token_of(who, "buyer")) for who in ("nobody", "erased")]
    # A key proves no person; that it reads usage opens no list, though another scope has let it in.
    nobodies.append(Asking(world, **world.key("buyer")))
    for who in (ada, *nobodies):
        nothing = everything_about(who, world, NEVER_WAS)
        assert everything_about(who, world, samples.CONCURRENT_ID) == nothing
        assert [status for status, _ in nothing] == [200, 200, 404, 404]
        assert nothing[0][1]["items"] == nothing[1][1]["items"] == []
    assert ada.get(f"{LIST}/{samples.LEGACY_ID}", 404)["title"] == "There is no such thing."


@pytest.mark.parametrize(
    ("scopes", "by_token", "lists_all", "reads_all"),
    [
        (("buyer", "operator"), True, True, True),
        (("operator",), True, True, True),
        (("buyer", "usage:read"), False, False, True),
        # A person is a buyer, whatever else the issuer lets them do.
        (("buyer", "usage:read"), True, False, False),
    ],
)
def test_who_sees_all_of_everybody(
    world: World,
    buyer: Callable[..., Asking],
    scopes: tuple[str, ...],
    by_token: bool,
    lists_all: bool,
    reads_all: bool,
) -> None:
    world.apply(*cancelled_life())
    who = buyer("ada", scopes=scopes) if by_token else Asking(world, **world.key(*scopes))
    assert [one["changed_by"] for one in who.get(LIST)["items"]] == ["e4"] * lists_all
    shown = who.get(f"{LIST}/{samples.CONCURRENT_ID}", 200 if reads_all else 404)
    assert ("changed_by" in shown) == reads_all
    who.get(f"{LIST}/{samples.CONCURRENT_ID}/history", 200 if lists_all else 404)


def test_filters_and_pages_of_one_s_own(world: World, buyer: Callable[..., Asking]) -> None:
    buy(world, 7)
    world.apply(action("subscribe-success", after(0), "m1"))
    everybodys = sorted(row.subscription_id for row in SubscriptionRow.scan())
    own = [one for one in everybodys if one not in everybodys[::3]]
    ada = buyer("ada", *own, NEVER_WAS)
    for filters in ({}, {"status": "active"}):
        pages = ada.pages(LIST, limit=2, **filters)
        assert [one["subscription_id"] for page in pages for one in page] == own
        assert all(len(page) <= 2 for page in pages)
    concurrent = [one for one in own if one != samples.LEGACY_ID]
    for filters, expected in [
        ({"customer_aws_account_id": "444455556666"}, concurrent),
        ({"customer_aws_account_id": "another"}, []),
        ({"product_code": samples.CONCURRENT_CODE, "status": "active"}, concurrent),
        ({"status": "ended"}, []),
    ]:
        assert [one["subscription_id"] for one in ada.get(LIST, **filters)["items"]] == expected
    agreements = {row.subscription_id: row.agreement_id for row in SubscriptionRow.scan()}
    mine, anothers = concurrent[0], next(one for one in everybodys[::3] if agreements[one])
    found = ada.get(LIST, agreement_id=agreements[mine])["items"]
    assert [one["subscription_id"] for one in found] == [mine]
    assert ada.get(LIST, agreement_id=agreements[anothers])["items"] == []


def test_a_cursor_of_another_list_is_refused(world: World, buyer: Callable[..., Asking]) -> None:
    world.apply(*cancelled_life())
    ada = buyer("ada", samples.CONCURRENT_ID)
    for key in ({"subscription_id": {"N": "1"}}, {"entry_id": {"S": "x"}}):
        assert ada.get(LIST, 400, cursor=encode_cursor(key))["errors"][0]["path"] == "cursor"
