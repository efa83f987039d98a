"""A buyer at `/v1/customers`: they see, change, export and delete themself; everybody else never was."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bearer_tokens import ISSUER, token_of
from conftest import CONCURRENT, House, a_license, news

from registration import subscription_ids
from registration.app import key_ring
from registration.settings import Settings
from registration.tables import CustomerRow, IdentityRow

Problem = Callable[[Any], tuple[int, str]]
NOBODY = "cus_2fzk5j3w7v6c4b2a5d7e3f6g4h"
CHANGE = {"company": "Analytical Engines Ltd"}
ON_ONE = [("GET", ""), ("GET", "/access"), ("GET", "/export"), ("PATCH", ""), ("DELETE", "")]


@pytest.fixture
def house(signing_house: House) -> House:
    return signing_house


def bearer(subject: str, **changes: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token_of(subject, **changes)}"}


def registered(house: House, subject: str, number: int = 1, **details: Any) -> str:
    """Somebody who signed in at the seller's frontend buys; the customer's id."""
    registration = house.arrive(f"token-{subject}-{number}", LicenseArn=a_license(number))
    answer = house.client.put(
        f"/v1/registrations/{registration['registration_id']}/signed-in-customer",
        json={"email": f"{subject}@example.com"} | details,
        headers=bearer(subject) | {"X-Registration-Session": registration["session_secret"]},
    )
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json()["customer_id"])


def ask(house: House, method: str, path: str, headers: dict[str, str], **more: Any) -> Any:
    body = {"json": CHANGE} if method == "PATCH" and "json" not in more else {}
    return house.client.request(method, f"/v1/customers{path}", headers=headers, **body, **more)


def document(answer: Any) -> Any:
    """A problem without what names the request."""
    return {name: value for name, value in answer.json().items() if name != "instance"}


def test_a_buyer_sees_themself_as_an_operator_does(house: House) -> None:
    mine = registered(house, "ada", 1, name="Ada")
    assert registered(house, "ada", 2) == mine
    registered(house, "eve", 3)
    news(subscription_ids.of_license(a_license(2)), "active", "granted")

    listed = ask(house, "GET", "", bearer("ada")).json()
    assert [one["customer_id"] for one in listed["items"]] == [mine]
    assert listed["next_cursor"] is None
    for path in (f"/{mine}", f"/{mine}/access"):
        by_buyer, by_operator = (ask(house, "GET", path, who) for who in (bearer("ada"), house.operator))
        assert by_buyer.status_code == 200
        assert by_buyer.json() == by_operator.json()
        assert by_buyer.headers["etag"] == by_operator.headers["etag"]
    assert listed["items"][0] == ask(house, "GET", f"/{mine}", bearer("ada")).json()
    assert len(listed["items"][0]["subscriptions"]) == 2
    assert listed["items"][0]["access"] == "granted"
    etag = ask(house, "GET", f"/{mine}/access", bearer("ada")).headers["etag"]
    again = ask(house, "GET", f"/{mine}/access", bearer("ada") | {"If-None-Match": etag})
    assert again.status_code == 304

    exported = ask(house, "GET", f"/{mine}/export", bearer("ada"))
    assert exported.json() == ask(house, "GET", f"/{mine}/export", house.operator).json()
    assert [(one["issuer"], one["subject"]) for one in exported.json()["identities"]] == [(ISSUER, "ada")]
    assert len(exported.json()["subscriptions"]) == 2


@pytest.mark.parametrize(
    ("subject", "scope"),
    [
        ("eve", "buyer"),
        ("never-registered", "buyer"),
        ("eve", "buyer usage:read"),
        ("ADA", "buyer"),
        ("ada ", "buyer"),
    ],
    ids=["another buyer", "nobody", "another with more scopes", "another case", "a blank"],
)
@pytest.mark.parametrize(("method", "path"), ON_ONE)
def test_somebody_elses_customer_is_as_one_that_never_was(
    house: House, problem: Problem, method: str, path: str, subject: str, scope: str
) -> None:
    who = bearer(subject, scope=scope)
    theirs = registered(house, "ada", 1)
    registered(house, "eve", 2)
    before = house.client.get(f"/v1/customers/{theirs}", headers=house.operator).json()

    answer = ask(house, method, f"/{theirs}{path}", who)
    never = ask(house, method, f"/{NOBODY}{path}", who)
    operators = ask(house, method, f"/{NOBODY}{path}", house.operator)
    assert problem(answer) == (404, "not-found")
    assert document(answer) == document(never) == document(operators)
    assert answer.headers.keys() == never.headers.keys()
    if method == "PATCH":  # nor by what a buyer may not change, or a version
        for more in ({"json": {"account_id": "mine"}}, {"headers": who | {"If-Match": '"9"'}}):
            said = {"json": CHANGE, "headers": who} | more
            for customer_id in (theirs, NOBODY):
                again = house.client.patch(f"/v1/customers/{customer_id}", **said)
                assert document(again) == document(never)
    assert house.client.get(f"/v1/customers/{theirs}", headers=house.operator).json() == before


def test_who_has_not_registered_finds_nobody(house: House) -> None:
    registered(house, "ada")
    for who in (bearer("never-registered"), bearer("ada2"), bearer("")):
        listed = ask(house, "GET", "", who)
        assert (listed.status_code, listed.json()) == (200, {"items": [], "next_cursor": None})


@pytest.mark.parametrize(("method", "path"), ON_ONE)
def test_a_key_proves_no_person(
    house: House, problem: Problem, settings: Settings, method: str, path: str
) -> None:
    mine = registered(house, "ada")
    key = {"X-API-Key": key_ring(settings).add("ada", {"buyer"})}
    assert problem(ask(house, method, f"/{mine}{path}", key)) == (404, "not-found")
    assert ask(house, "GET", "", key).json() == {"items": [], "next_cursor": None}


def test_a_service_goes_on_reading_every_customer_and_no_more(house: House, problem: Problem) -> None:
    mine = registered(house, "ada")
    for who in (house.reader, bearer("a-service", scope="usage:read")):
        assert ask(house, "GET", f"/{mine}", who).status_code == 200
        assert ask(house, "GET", f"/{mine}/access", who).status_code == 200
        for method, path in (("GET", "/export"), ("PATCH", ""), ("DELETE", "")):
            assert problem(ask(house, method, f"/{mine}{path}", who)) == (403, "forbidden")
        assert problem(ask(house, "GET", "", who)) == (403, "forbidden")


def test_a_buyers_further_scope_of_services_opens_nobody_else(house: House, settings: Settings) -> None:
    """Where only `buyer` lets them in, `usage:read` beside it must not count for everybody's."""
    registered(house, "ada", 1)
    other = registered(house, "eve", 2)
    both = bearer("ada", scope="buyer usage:read usage:write")
    for method, path in ON_ONE:
        assert ask(house, method, f"/{other}{path}", both).status_code == 404
    key = {"X-API-Key": key_ring(settings).add("both", {"buyer", "usage:read"})}
    assert ask(house, "GET", f"/{other}", key).status_code == 200
    for method, path in (("GET", "/export"), ("PATCH", ""), ("DELETE", "")):
        assert ask(house, method, f"/{other}{path}", key).status_code == 404


def test_an_operator_who_also_buys_sees_all(house: House) -> None:
    registered(house, "ada", 1)
    other = registered(house, "eve", 2)
    both = bearer("ada", scope="buyer operator")
    assert len(ask(house, "GET", "", both).json()["items"]) == 2
    assert ask(house, "PATCH", f"/{other}", both, json={"account_id": "acct-1"}).status_code == 200
    assert ask(house, "DELETE", f"/{other}", both).status_code == 204


def test_filters_of_a_buyers_list_hold_against_themself(house: House, problem: Problem) -> None:
    mine = registered(house, "ada", 1)
    registered(house, "eve", 2)
    subscription_id = subscription_ids.of_license(a_license(1))
    news(subscription_id, "active", "granted")
    for query, count in (
        ({"email": "ADA@example.com"}, 1),
        ({"email": "eve@example.com"}, 0),
        ({"subscription_id": subscription_id}, 1),
        ({"subscription_id": subscription_ids.of_license(a_license(2))}, 0),
        ({"product_code": CONCURRENT, "status": "active"}, 1),
        ({"product_code": CONCURRENT, "status": "ended"}, 0),
        ({"customer_aws_account_id": "444455556666", "limit": "1"}, 1),
        ({"account_id": "acct-1"}, 0),
    ):
        listed = ask(house, "GET", "", bearer("ada"), params=query).json()
        assert [one["customer_id"] for one in listed["items"]] == [mine] * count, query
        assert listed["next_cursor"] is None
    assert problem(ask(house, "GET", "", bearer("ada"), params={"cursor": "e30"}))[0] == 400


def test_a_buyer_changes_what_tells_of_them(house: House, problem: Problem) -> None:
    mine = registered(house, "ada", name="Ada")
    read = ask(house, "GET", f"/{mine}", bearer("ada"))
    change = {"email": "new@example.com", "name": None, "company": "Engines"}
    changed = ask(house, "PATCH", f"/{mine}", bearer("ada") | {"If-Match": read.headers["etag"]}, json=change)
    assert changed.status_code == 200
    assert {name: changed.json()[name] for name in change} == change
    assert changed.json()["version"] == 2
    late = ask(house, "PATCH", f"/{mine}", bearer("ada") | {"If-Match": read.headers["etag"]}, json=change)
    assert problem(late) == (412, "precondition-failed")
    assert problem(ask(house, "PATCH", f"/{mine}", bearer("ada"), json={"email": "no"}))[0] == 400
    # They are found as before: the address was no identity.
    assert ask(house, "GET", "", bearer("ada")).json()["items"] == [changed.json()]


@pytest.mark.parametrize("account_id", ["acct-of-eve", "new", None])
def test_what_gives_access_is_not_theirs_to_change(
    house: House, problem: Problem, account_id: str | None
) -> None:
    mine, other = registered(house, "ada", 1), registered(house, "eve", 2)
    ask(house, "PATCH", f"/{other}", house.operator, json={"account_id": "acct-of-eve"})
    before = ask(house, "GET", f"/{mine}", house.operator).json()
    body = {"name": "Countess", "account_id": account_id}
    answer = ask(house, "PATCH", f"/{mine}", bearer("ada"), json=body)
    assert problem(answer) == (403, "operators-only")
    assert [(one["in"], one["path"]) for one in answer.json()["errors"]] == [("body", "/account_id")]
    assert ask(house, "GET", f"/{mine}", house.operator).json() == before


def test_a_buyer_who_is_deleted_is_unknown(house: House, problem: Problem) -> None:
    mine = registered(house, "ada", 1)
    other = registered(house, "eve", 2)
    assert ask(house, "DELETE", f"/{mine}", bearer("ada")).status_code == 204
    # A tombstone as an operator leaves one; what runs goes on being billed to it.
    row = CustomerRow.get(mine, consistent_read=True)
    assert (row.status, row.email, row.name) == ("deleted", None, None)
    assert row.subscription_ids == [subscription_ids.of_license(a_license(1))]
    assert [one.subject for one in IdentityRow.scan()] == ["eve"]
    for method, path in ON_ONE:
        assert problem(ask(house, method, f"/{mine}{path}", bearer("ada"))) == (404, "not-found")
    assert ask(house, "GET", "", bearer("ada")).json()["items"] == []
    assert ask(house, "GET", f"/{other}", bearer("eve")).status_code == 200
    # What they buy next is another customer's, theirs.
    again = registered(house, "ada", 3)
    assert again != mine
    assert [one["customer_id"] for one in ask(house, "GET", "", bearer("ada")).json()["items"]] == [again]


def test_a_tombstone_to_which_an_identity_still_leads_is_nobodys(house: House) -> None:
    """No write of ours leaves one; a row that did would show nothing."""
    mine = registered(house, "ada")
    kept = IdentityRow.get(next(IdentityRow.scan()).identity_id, consistent_read=True)
    assert ask(house, "DELETE", f"/{mine}", house.operator).status_code == 204
    kept.save()
    assert ask(house, "GET", "", bearer("ada")).json()["items"] == []
    for method, path in ON_ONE:
        assert ask(house, method, f"/{mine}{path}", bearer("ada")).status_code == 404


def test_who_signed_in_on_the_landing_page_is_known_by_that_provider_too(house: House) -> None:
    """The same person at the same issuer, by whichever door."""
    house.oidc.issuer = ISSUER
    try:
        mine = house.buys("ada", 1)
    finally:
        house.oidc.issuer = "https://id.example"
    assert [one["customer_id"] for one in ask(house, "GET", "", bearer("ada")).json()["items"]] == [mine]


def test_tokens_that_are_not_good_open_nothing(house: House, problem: Problem) -> None:
    mine = registered(house, "ada")
    expired = bearer("ada", exp=datetime.now(UTC) - timedelta(minutes=1))
    for who in (expired, bearer("ada", iss="https://id.other.example"), bearer("ada", aud="other")):
        assert problem(ask(house, "GET", f"/{mine}", who)) == (401, "unauthorized")
    for scope in ("", "openid profile email", "usage:write"):
        assert problem(ask(house, "GET", f"/{mine}", bearer("ada", scope=scope))) == (403, "forbidden")


def test_the_log_does_not_say_what_a_buyer_is_called(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = registered(house, "ada-lovelace")
    capsys.readouterr()
    ask(house, "PATCH", f"/{mine}", bearer("ada-lovelace"))
    ask(house, "GET", f"/{mine}/export", bearer("ada-lovelace"))
    ask(house, "DELETE", f"/{mine}", bearer("ada-lovelace"))
    said = capsys.readouterr().out
    assert said.count("the buyer") == 3, said
    assert "lovelace" not in said
