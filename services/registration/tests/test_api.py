"""The JSON API over real HTTP semantics and the real local engine."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from bearer_tokens import ISSUER, token_of
from conftest import (
    CONCURRENT,
    CONTRACT,
    HANDING_OVER,
    LEGACY,
    LICENSE_ARN,
    OTHER_LICENSE_ARN,
    SIGN_IN,
    START,
    House,
    a_license,
    legacy_answer,
    news,
)

from chassis.tables import encode_cursor
from registration import subscription_ids
from registration.claims import Claim
from registration.customer_search import Search, search
from registration.customers import Customer, CustomerDetails, new_customer
from registration.resolve_refusals import Refusal, TokenNotResolved
from registration.tables import CustomerRow, IdentityRow, RegistrationRow

Problem = Callable[[Any], tuple[int, str]]

SUBSCRIPTION_ID = subscription_ids.of_license(LICENSE_ARN)


def test_a_token_becomes_a_registration(house: House) -> None:
    created = house.arrive("token-1")

    assert created["status"] == "open"
    assert created["customer_id"] is None
    assert created["subscription_id"] == SUBSCRIPTION_ID
    assert created["product"] == {"product_code": "74azconcurrentexample", "title": "Endpoints"}
    assert created["expires_at"] == "2026-11-22T11:00:00.000000Z"
    assert (created["offer_type"], created["free_trial"]) == (None, False)
    assert created["entitlements"] is created["hand_over"] is None

    read = house.client.get(
        f"/v1/registrations/{created['registration_id']}",
        headers={"X-Registration-Session": created["session_secret"]},
    )
    assert read.status_code == 200
    assert read.json() == {name: value for name, value in created.items() if name != "session_secret"}


def test_a_legacy_token_becomes_one_too(house: House) -> None:
    house.marketplace.answers["legacy"] = legacy_answer()
    created = house.arrive("legacy")
    assert created["subscription_id"] == subscription_ids.of_legacy_customer(
        "n0123legacyexample", "X01EXAMPLEX"
    )
    assert house.register(created).status_code == 201


def test_the_kept_registration_expires_by_itself_and_holds_no_secret(house: House) -> None:
    created = house.arrive("token-1")
    row = RegistrationRow.get(created["registration_id"])
    assert row.delete_after > row.expires_at
    assert created["session_secret"] not in str(row.attribute_values)
    assert row.agreement_id == "agmt-example"


@pytest.mark.parametrize(
    ("refused", "status", "slug"),
    [
        (TokenNotResolved(Refusal.INVALID_TOKEN, "InvalidTokenException"), 400, "invalid-token"),
        (TokenNotResolved(Refusal.EXPIRED_TOKEN, "ExpiredTokenException"), 400, "expired-token"),
        (TokenNotResolved(Refusal.OUR_FAULT, "AccessDeniedException"), 502, "aws-marketplace-refused"),
        (TokenNotResolved(Refusal.AWAY, "ThrottlingException"), 503, "unavailable"),
        ({"ProductCode": "another", "CustomerAWSAccountId": "4"}, 400, "unknown-product"),
        (legacy_answer(customer_identifier=""), 502, "aws-marketplace-answer-incomplete"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_token_that_is_not_taken(
    house: House, problem: Problem, refused: Any, status: int, slug: str
) -> None:
    house.marketplace.answers["bad-token"] = refused
    answer = house.client.post("/v1/registrations", json={"registration_token": "bad-token"})
    assert problem(answer) == (status, slug)
    assert ("retry-after" in answer.headers) is (status == 503)
    assert "bad-token" not in answer.text
    assert list(RegistrationRow.scan()) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b"{}", 400),
        (b'{"registration_token": ""}', 400),
        (b'{"registration_token": 7}', 400),
        (b'{"registration_token": "t", "buyer": "someone"}', 400),
        (b'{"registration_token": "t", "offer_type": "<b>"}', 400),
        (b'{"registration_token": "' + b"t" * 1_100_000 + b'"}', 413),
    ],
)
def test_bodies_that_do_not_fit(house: House, problem: Problem, body: bytes, status: int) -> None:
    answer = house.client.post(
        "/v1/registrations", content=body, headers={"Content-Type": "application/json"}
    )
    assert problem(answer) == (status, "too-large" if status == 413 else "invalid-request")


def test_another_content_type_is_refused(house: House, problem: Problem) -> None:
    answer = house.client.post("/v1/registrations", content=b"a=b", headers={"Content-Type": "text/plain"})
    assert problem(answer) == (415, "unsupported-media-type")


def test_registering_makes_a_customer_and_again_changes_nothing(house: House) -> None:
    created = house.arrive("token-1")

    first = house.register(created, name="Ada", company="Engines")
    again = house.register(created, name="Countess")

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.json()["status"] == "registered"
    assert first.headers["location"] == f"/v1/customers/{first.json()['customer_id']}"
    customer = house.client.get(first.headers["location"], headers=house.reader)
    assert customer.status_code == 200
    assert customer.headers["etag"] == '"1"'
    assert customer.json() == {
        "customer_id": first.json()["customer_id"],
        "status": "active",
        "email": "ada@example.com",
        "name": "Ada",
        "company": "Engines",
        "account_id": None,
        "fields": {},
        "access": "denied",
        "subscriptions": [
            {
                "subscription_id": SUBSCRIPTION_ID,
                "product": {"product_code": "74azconcurrentexample", "title": "Endpoints"},
                "status": "pending",
                "access": "denied",
                "previous_subscription_id": None,
                "next_subscription_id": None,
            }
        ],
        "created_at": "2026-11-22T10:00:00.000000Z",
        "updated_at": "2026-11-22T10:00:00.000000Z",
        "version": 1,
    }


@pytest.mark.parametrize("when", ["before", "during", "after"])
def test_news_before_during_or_after_registration_ends_the_same(house: House, when: str) -> None:
    if when == "before":
        news(SUBSCRIPTION_ID, "active", "granted")
    created = house.arrive("token-1")
    if when == "during":
        news(SUBSCRIPTION_ID, "active", "granted")
    customer_id = house.register(created).json()["customer_id"]
    if when == "after":
        news(SUBSCRIPTION_ID, "active", "granted")

    customer = house.client.get(f"/v1/customers/{customer_id}", headers=house.operator).json()
    assert customer["access"] == "granted"
    assert [(one["status"], one["access"]) for one in customer["subscriptions"]] == [("active", "granted")]


def test_landing_again_tells_no_more_than_the_id(house: House) -> None:
    customer_id = house.customer_of("token-1")
    again = house.arrive("token-2")
    assert (again["status"], again["customer_id"]) == ("registered", customer_id)
    assert "ada@" not in str(again)


@pytest.mark.parametrize("email", ["ada@example.com", "ADA@example.com", "eve@example.com"])
def test_an_address_proves_nothing(house: House, problem: Problem, email: str) -> None:
    """The right one gets what a wrong one gets, byte for byte but for the ids."""
    house.customer_of("token-1", "ada@example.com")
    other = house.arrive("token-2")

    refused = house.register(other, email)

    assert problem(refused) == (409, "subscription-already-claimed")
    document = refused.json()
    assert document.pop("instance")
    assert document == {
        "type": "https://marketplane.dev/problems/subscription-already-claimed",
        "title": "This subscription already belongs to another customer.",
        "status": 409,
        "detail": "Write to support@seller.example or https://seller.example/help and quote both ids.",
        "registration_id": other["registration_id"],
        "subscription_id": SUBSCRIPTION_ID,
        "product_code": CONCURRENT,
    }
    assert [row.email for row in CustomerRow.scan()] == ["ada@example.com"]


def test_a_known_address_and_a_new_one_are_answered_alike(house: House) -> None:
    house.customer_of("token-1", "known@example.com")
    answers = []
    for number, email in enumerate(("known@example.com", "newly@example.com")):
        answer = house.register(house.arrive(f"token-{email}", license_arn=a_license(number)), email)
        ids = (
            answer.json()["registration_id"],
            answer.json()["customer_id"],
            answer.json()["subscription_id"],
        )
        told = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
        text = str((answer.status_code, told, answer.text))
        for one in ids:
            text = text.replace(one, "id")
        answers.append(text)
    assert answers[0] == answers[1]


def test_two_agreements_of_one_account_are_two_subscriptions(house: House) -> None:
    first = house.register(house.arrive("token-1")).json()
    second = house.register(house.arrive("token-2", license_arn=OTHER_LICENSE_ARN)).json()
    assert first["subscription_id"] != second["subscription_id"]
    assert first["customer_id"] != second["customer_id"]


def test_an_expired_registration_says_so(house: House, problem: Problem) -> None:
    created = house.arrive("token-1")
    house.clock.advance(minutes=60)
    session = {"X-Registration-Session": created["session_secret"]}

    assert problem(house.register(created)) == (410, "registration-expired")
    path = f"/v1/registrations/{created['registration_id']}"
    assert problem(house.client.get(path, headers=session)) == (410, "registration-expired")
    assert house.client.get(path, headers=house.operator).json()["status"] == "open"


def test_a_session_opens_its_own_registration_only(house: House, problem: Problem) -> None:
    mine, other = house.arrive("token-1"), house.arrive("token-2", license_arn=OTHER_LICENSE_ARN)
    path = f"/v1/registrations/{other['registration_id']}"
    unknown = "/v1/registrations/reg_" + "a" * 26

    def read(path: str, **headers: str) -> Any:
        return house.client.get(path, headers=headers)

    session = {"X-Registration-Session": mine["session_secret"]}
    assert problem(read(path, **session)) == (404, "not-found")
    assert problem(read(unknown, **session)) == (404, "not-found")
    assert problem(read(unknown, **house.operator)) == (404, "not-found")
    assert problem(read(path)) == (401, "unauthorized")
    assert problem(read(path, **{"X-Registration-Session": "forged"})) == (401, "unauthorized")
    forged = mine["session_secret"].replace(mine["registration_id"], other["registration_id"])
    assert problem(read(path, **{"X-Registration-Session": forged})) == (401, "unauthorized")
    assert problem(read(path, **house.reader)) == (403, "forbidden")
    assert read(path, **house.operator).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/customers"),
        ("GET", "/v1/customers/cus_aaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ("PATCH", "/v1/customers/cus_aaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ("DELETE", "/v1/customers/cus_aaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ("GET", "/v1/customers/cus_aaaaaaaaaaaaaaaaaaaaaaaaaa/access"),
        ("GET", "/v1/customers/cus_aaaaaaaaaaaaaaaaaaaaaaaaaa/export"),
        ("GET", "/v1/outbox-items"),
        ("POST", "/v1/outbox-items/welcome_letter-sub_a/retry"),
    ],
)
def test_what_is_kept_is_guarded(house: House, problem: Problem, method: str, path: str) -> None:
    body = {"json": {"name": "x"}} if method == "PATCH" else {}
    session = {"X-Registration-Session": house.arrive("token-1")["session_secret"]}
    assert problem(house.client.request(method, path, **body)) == (401, "unauthorized")
    assert problem(house.client.request(method, path, headers=session, **body)) == (401, "unauthorized")
    if (
        method != "GET"
        or not path.removesuffix("/access").startswith("/v1/customers/cus_")
        or "export" in path
    ):
        assert problem(house.client.request(method, path, headers=house.reader, **body)) == (403, "forbidden")
    else:
        assert problem(house.client.request(method, path, headers=house.reader)) == (404, "not-found")


def listed(house: House, **filters: Any) -> list[str]:
    """All pages of a list, by id; none may come twice."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        query = filters | ({"cursor": cursor} if cursor else {})
        answer = house.client.get("/v1/customers", params=query, headers=house.operator)
        assert answer.status_code == 200, answer.text
        found += [item["customer_id"] for item in answer.json()["items"]]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            assert len(found) == len(set(found)), filters
            return sorted(found)


A, B = "444455556666", "777788889999"


def test_customers_are_listed_by_any_filters_that_hold_together(house: House) -> None:
    ada = house.buys("ada", 1, "Ada@Example.com", CustomerAWSAccountId=A)
    house.clock.advance(seconds=1)
    bob = house.buys("bob", 4, "bob@example.com", CustomerAWSAccountId=A)
    house.clock.advance(seconds=1)
    assert house.buys("ada", 2, CustomerAWSAccountId=A) == ada
    house.clock.advance(seconds=1)
    assert house.buys("ada", 3, CustomerAWSAccountId=B, ProductCode=CONTRACT) == ada
    house.marketplace.answers["legacy"] = legacy_answer()
    old = house.customer_of("legacy", "old@example.com")
    gone = house.buys("gone", 5, "gone@example.com", CustomerAWSAccountId=A)
    assert house.client.delete(f"/v1/customers/{gone}", headers=house.operator).status_code == 204
    named = {"account_id": "user-17"}
    assert house.client.patch(f"/v1/customers/{bob}", json=named, headers=house.operator).status_code == 200
    first, second, third = (subscription_ids.of_license(a_license(number)) for number in (1, 2, 3))
    news(first, "active", "granted")
    news(second, "ended", "denied")
    news(third, "active", "granted", product_code=CONTRACT)

    everybody = sorted([ada, bob, old])
    cases: list[tuple[dict[str, str], list[str]]] = [
        ({}, everybody),
        ({"email": "ADA@example.COM"}, [ada]),
        ({"email": "gone@example.com"}, []),
        ({"email": "nobody@example.com"}, []),
        ({"account_id": "user-17"}, [bob]),
        ({"account_id": "user-18"}, []),
        ({"subscription_id": second}, [ada]),
        ({"subscription_id": "sub_" + "a" * 26}, []),
        ({"subscription_id": subscription_ids.of_license(a_license(5))}, []),
        ({"product_code": CONCURRENT}, [ada, bob]),
        ({"product_code": CONTRACT}, [ada]),
        ({"product_code": LEGACY}, [old]),
        ({"product_code": "unknown"}, []),
        ({"customer_aws_account_id": A}, everybody),
        ({"customer_aws_account_id": B}, [ada]),
        ({"status": "active"}, [ada]),
        ({"status": "ended"}, [ada]),
        ({"status": "pending"}, [bob, old]),
        ({"status": "failed"}, []),
        # All of a subscription's filters must hold for one and the same subscription.
        ({"product_code": CONCURRENT, "status": "ended"}, [ada]),
        ({"product_code": CONTRACT, "status": "ended"}, []),
        ({"product_code": CONTRACT, "customer_aws_account_id": A}, []),
        ({"product_code": CONTRACT, "customer_aws_account_id": B, "status": "active"}, [ada]),
        ({"product_code": CONCURRENT, "customer_aws_account_id": A}, [ada, bob]),
        ({"product_code": CONCURRENT, "customer_aws_account_id": B}, []),
        ({"subscription_id": second, "status": "ended"}, [ada]),
        ({"subscription_id": second, "status": "active"}, []),
        ({"subscription_id": second, "product_code": CONTRACT}, []),
        ({"subscription_id": second, "email": "bob@example.com"}, []),
        ({"email": "bob@example.com", "account_id": "user-17"}, [bob]),
        ({"email": "ada@example.com", "account_id": "user-17"}, []),
        ({"email": "ada@example.com", "product_code": CONTRACT}, [ada]),
        ({"email": "bob@example.com", "product_code": CONTRACT}, []),
        ({"account_id": "user-17", "status": "pending", "customer_aws_account_id": A}, [bob]),
        ({"account_id": "user-17", "status": "active"}, []),
    ]
    for filters, expected in cases:
        for limit in (1, 50):
            assert listed(house, limit=limit, **filters) == sorted(expected), (filters, limit)


def test_a_customer_of_several_purchases_of_one_moment_is_found_once(house: House) -> None:
    """Nothing says in which order an index has those, so each page must find them in any."""
    ids = {house.buys(subject, number) for number in range(8) for subject in [f"user-{number % 2}"]}
    for limit in (1, 3, 50):
        assert listed(house, product_code=CONCURRENT, limit=limit) == sorted(ids)
        assert listed(house, customer_aws_account_id=A, limit=limit) == sorted(ids)


class OneCustomersIndex:
    """An index with these claims of one customer, in this order."""

    def __init__(self, claims: list[Claim]) -> None:
        self._claims = claims

    def claims_by_product(
        self, product_code: str, limit: int, cursor: str | None
    ) -> tuple[list[Claim], str | None]:
        start, end = int(cursor or 0), int(cursor or 0) + limit
        return self._claims[start:end], str(end) if end < len(self._claims) else None

    def claims_of(self, subscription_ids: Iterable[str]) -> dict[str, Claim]:
        return {claim.subscription_id: claim for claim in self._claims}

    def customers_of(self, customer_ids: Iterable[str]) -> dict[str, Customer]:
        customer = new_customer("cus_1", CustomerDetails("ada@example.com"), "sub_0", START)
        ids = tuple(claim.subscription_id for claim in self._claims)
        return {"cus_1": replace(customer, subscription_ids=ids)}


@pytest.mark.parametrize("limit", [1, 2, 3])
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_whatever_the_order_of_one_moment_is(order: tuple[int, ...], limit: int) -> None:
    claims = [Claim(f"sub_{number}", "cus_1", f"reg_{number}", "code", START) for number in order]
    found, cursor = 0, None
    while True:
        tables: Any = OneCustomersIndex(claims)
        page, cursor = search(tables, Search(product_code="code"), limit, cursor)
        found += len(page)
        if cursor is None:
            break
    assert found == 1


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=x",
        "cursor=no-cursor",
        "subscription_id=sub_1",
        "page=2",
        "status=granted",
        "product_code=",
        "customer_aws_account_id=arn",
        "email=a",
        "account_id=",
    ],
)
def test_queries_that_do_not_fit(house: House, problem: Problem, query: str) -> None:
    answer = house.client.get(f"/v1/customers?{query}", headers=house.operator)
    assert problem(answer) == (400, "invalid-request")


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("", {"subscription_id": {"S": "sub_1"}}),
        ("", {"customer_id": {"N": "1"}}),
        ("", {"customer_id": {"S": "cus_1"}, "private_email_key": {"S": "a@example.com"}}),
        ("email=a@example.com&", {"customer_id": {"S": "cus_1"}}),
        (
            "email=a@example.com&",
            {"customer_id": {"S": "cus_1"}, "private_email_key": {"S": "b@example.com"}},
        ),
        ("account_id=a&", {"customer_id": {"S": "cus_1"}, "account_id": {"S": "b"}}),
        ("product_code=a&", {"customer_id": {"S": "cus_1"}}),
        (
            "product_code=a&",
            {"subscription_id": {"S": "s"}, "product_code": {"S": "b"}, "claimed_at": {"S": "t"}},
        ),
        (
            "customer_aws_account_id=1&",
            {"subscription_id": {"S": "s"}, "customer_aws_account_id": {"S": "2"}, "claimed_at": {"S": "t"}},
        ),
    ],
)
def test_the_cursor_of_another_list_is_refused(
    house: House, problem: Problem, query: str, key: dict[str, Any]
) -> None:
    answer = house.client.get(f"/v1/customers?{query}cursor={encode_cursor(key)}", headers=house.operator)
    assert problem(answer) == (400, "invalid-request")


def test_a_customer_is_changed_against_its_version(house: House, problem: Problem) -> None:
    customer_id = house.register(house.arrive("token-1"), name="Ada").json()["customer_id"]
    path = f"/v1/customers/{customer_id}"
    house.clock.advance(minutes=5)

    changed = house.client.patch(
        path,
        json={"email": "a.lovelace@example.com", "name": None},
        headers=house.operator | {"If-Match": '"1"'},
    )
    assert changed.status_code == 200
    assert changed.headers["etag"] == '"2"'
    assert (changed.json()["email"], changed.json()["name"]) == ("a.lovelace@example.com", None)
    assert changed.json()["updated_at"] == "2026-11-22T10:05:00.000000Z"

    late = house.client.patch(path, json={"name": "x"}, headers=house.operator | {"If-Match": '"1"'})
    assert problem(late) == (412, "precondition-failed")
    assert house.client.patch(path, json={"name": "x"}, headers=house.operator).json()["version"] == 3
    by_email = house.client.get("/v1/customers", params={"email": "ada@example.com"}, headers=house.operator)
    assert by_email.json()["items"] == []


@pytest.mark.parametrize(
    "body",
    [{}, {"email": None}, {"email": "nowhere"}, {"name": ""}, {"name": "a\nb"}, {"customer_id": "cus_x"}],
)
def test_changes_that_do_not_fit(house: House, problem: Problem, body: dict[str, Any]) -> None:
    customer_id = house.register(house.arrive("token-1")).json()["customer_id"]
    answer = house.client.patch(f"/v1/customers/{customer_id}", json=body, headers=house.operator)
    assert problem(answer) == (400, "invalid-request")


def test_an_account_id_names_one_customer_only(house: House, problem: Problem) -> None:
    first = house.customer_of("token-1")
    second = house.customer_of("token-2", license_arn=OTHER_LICENSE_ARN)

    def name(customer_id: str, account_id: str | None) -> Any:
        path = f"/v1/customers/{customer_id}"
        return house.client.patch(path, json={"account_id": account_id}, headers=house.operator)

    assert name(first, "user-17").json()["account_id"] == "user-17"
    assert problem(name(second, "user-17")) == (409, "account-taken")
    assert name(first, None).json()["account_id"] is None
    assert name(second, "user-17").json()["account_id"] == "user-17"


def test_a_deleted_customer_is_gone_but_its_claim_stays(house: House, problem: Problem) -> None:
    registered = house.register(house.arrive("token-1"), name="Ada").json()
    path = f"/v1/customers/{registered['customer_id']}"

    assert house.client.delete(path, headers=house.operator).status_code == 204

    for method in ("GET", "DELETE"):
        assert problem(house.client.request(method, path, headers=house.operator)) == (404, "not-found")
    for more in ("/access", "/export"):
        assert problem(house.client.get(path + more, headers=house.operator)) == (404, "not-found")
    assert problem(house.client.patch(path, json={"name": "x"}, headers=house.operator)) == (404, "not-found")
    assert listed(house) == listed(house, subscription_id=registered["subscription_id"]) == []
    again = house.arrive("token-2")
    assert (again["status"], again["customer_id"]) == ("registered", registered["customer_id"])
    assert problem(house.register(again)) == (409, "subscription-already-claimed")


# -- access --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "access", "can_pay"),
    [
        ("pending", "denied", False),
        ("active", "granted", True),
        # The last hour of an agreement that was renewed: AWS bills it, and the buyer notices nothing.
        ("ending", "granted", True),
        ("ending", "denied", False),
        ("ended", "denied", False),
        ("failed", "denied", False),
    ],
)
def test_access_is_what_is_published_now(house: House, status: str, access: str, can_pay: bool) -> None:
    customer_id = house.customer_of("token-1")
    news(
        SUBSCRIPTION_ID,
        status,
        access,
        free_trial=True,
        trial_ends_at=datetime(2026, 12, 22, 10, tzinfo=UTC),
        entitlements=[{"dimension": "seats", "type": "integer", "value": "20"}],
        entitlements_as_of=datetime(2026, 11, 22, 9, tzinfo=UTC),
    )
    answer = house.client.get(f"/v1/customers/{customer_id}/access", headers=house.reader)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.json() == {
        "customer_id": customer_id,
        "account_id": None,
        "access": access,
        "can_pay": can_pay,
        "subscriptions": [
            {
                "subscription_id": SUBSCRIPTION_ID,
                "product": {"product_code": CONCURRENT, "title": "Endpoints"},
                "status": status,
                "access": access,
                "previous_subscription_id": None,
                "next_subscription_id": None,
                "can_pay": can_pay,
                "free_trial": True,
                "trial_ends_at": "2026-12-22T10:00:00.000000Z",
                "agreement_ends_at": None,
                "entitlements": [
                    {"dimension": "seats", "type": "integer", "value": "20", "expires_at": None}
                ],
                "entitlements_as_of": "2026-11-22T09:00:00.000000Z",
            }
        ],
    }


def test_an_answer_that_still_holds_costs_no_body(house: House) -> None:
    customer_id = house.customer_of("token-1")
    path = f"/v1/customers/{customer_id}/access"
    first = house.client.get(path, headers=house.reader)
    etag = first.headers["etag"]
    assert [one["status"] for one in first.json()["subscriptions"]] == ["pending"]

    for tag in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        held = house.client.get(path, headers=house.reader | {"If-None-Match": tag})
        assert (held.status_code, held.content, held.headers["etag"]) == (304, b"", etag)
    for tag in ('"other"', etag.strip('"')):
        assert house.client.get(path, headers=house.reader | {"If-None-Match": tag}).status_code == 200

    seen = {etag}
    for status, access in (("active", "granted"), ("ending", "granted"), ("ended", "denied")):
        news(SUBSCRIPTION_ID, status, access)
        moved = house.client.get(path, headers=house.reader | {"If-None-Match": ", ".join(sorted(seen))})
        assert (moved.status_code, moved.json()["access"]) == (200, access)
        assert moved.headers["etag"] not in seen
        seen.add(moved.headers["etag"])
    assert house.client.patch(
        f"/v1/customers/{customer_id}", json={"account_id": "user-17"}, headers=house.operator
    ).json()
    moved = house.client.get(path, headers=house.reader)
    assert moved.json()["account_id"] == "user-17"
    assert moved.headers["etag"] not in seen


def test_one_open_door_of_several_is_access(house: House) -> None:
    customer_id = house.buys("ada", 1)
    assert house.buys("ada", 2, ProductCode=CONTRACT) == customer_id
    path = f"/v1/customers/{customer_id}/access"
    assert house.client.get(path, headers=house.reader).json()["access"] == "denied"
    news(subscription_ids.of_license(a_license(1)), "ended", "denied")
    news(subscription_ids.of_license(a_license(2)), "active", "granted", product_code=CONTRACT)
    answer = house.client.get(path, headers=house.reader).json()
    assert (answer["access"], answer["can_pay"]) == ("granted", True)
    assert [one["access"] for one in answer["subscriptions"]] == ["denied", "granted"]
    # A purchase of which this process has not read yet is in the next answer.
    assert house.buys("ada", 3) == customer_id
    after = house.client.get(path, headers=house.reader).json()
    assert [one["status"] for one in after["subscriptions"]] == ["ended", "active", "pending"]


# -- export --------------------------------------------------------------------------------------------------


def test_an_export_holds_all_that_is_kept(house: House) -> None:
    browser = house.land()
    browser.sign_in(house.oidc, "user-1", name="Ada")
    browser.get("/register?lang=de")
    browser.submit("ada@example.com", name="Ada", company="Engines")
    (row,) = CustomerRow.scan()
    (registration,) = RegistrationRow.scan()
    house.clock.advance(minutes=5)

    answer = house.client.get(f"/v1/customers/{row.customer_id}/export", headers=house.operator)

    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="{row.customer_id}.json"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "exported_at": "2026-11-22T10:05:00.000000Z",
        "customer": {
            "customer_id": row.customer_id,
            "email": "ada@example.com",
            "name": "Ada",
            "company": "Engines",
            "account_id": None,
            "fields": {},
            "language": "de",
            "created_at": "2026-11-22T10:00:00.000000Z",
            "updated_at": "2026-11-22T10:00:00.000000Z",
            "version": 1,
        },
        "identities": [
            {
                "issuer": "https://id.example",
                "subject": "user-1",
                "connected_at": "2026-11-22T10:00:00.000000Z",
            }
        ],
        "subscriptions": [
            {
                "subscription_id": SUBSCRIPTION_ID,
                "product_code": CONCURRENT,
                "customer_aws_account_id": A,
                "registration_id": registration.registration_id,
                "claimed_at": "2026-11-22T10:00:00.000000Z",
            }
        ],
    }


def test_an_export_of_who_never_signed_in(house: House) -> None:
    customer_id = house.customer_of("token-1")
    answer = house.client.get(f"/v1/customers/{customer_id}/export", headers=house.operator)
    assert answer.json()["identities"] == []
    assert len(answer.json()["subscriptions"]) == 1


# -- the product's own fields --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "path", "reason"),
    [
        ({}, "/fields/purpose", "Please answer this."),
        ({"fields": {"purpose": "  "}}, "/fields/purpose", "Please answer this."),
        ({"fields": {"purpose": "x" * 201}}, "/fields/purpose", "This is too long; shorten it, please."),
        (
            {"fields": {"purpose": "x", "colour": "red"}},
            "/fields/colour",
            "This product does not ask this.",
        ),
    ],
)
def test_fields_that_do_not_fit_the_product(
    house: House, problem: Problem, body: dict[str, Any], path: str, reason: str
) -> None:
    answer = house.register(house.arrive("token-1", ProductCode=HANDING_OVER), **body)
    assert problem(answer) == (400, "invalid-request")
    assert answer.json()["errors"] == [{"in": "body", "path": path, "reason": reason}]
    assert house.sellers_system.asked == []


def test_fields_are_kept_and_shown(house: House) -> None:
    created = house.arrive("token-1", ProductCode=HANDING_OVER)
    customer_id = house.register(created, fields={"purpose": " Weather "}).json()["customer_id"]
    customer = house.client.get(f"/v1/customers/{customer_id}", headers=house.operator).json()
    assert customer["fields"] == {"purpose": "Weather"}


# -- signed in by bearer token -------------------------------------------------------------------------------


def connect(
    house: House,
    registration: dict[str, Any],
    *,
    bearer: str | None,
    session: str | None = "own",
    **body: Any,
) -> Any:
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    if session:
        own = registration["session_secret"] if session == "own" else session
        headers["X-Registration-Session"] = own
    path = f"/v1/registrations/{registration['registration_id']}/signed-in-customer"
    return house.client.put(path, json={"email": "ada@example.com"} | body, headers=headers)


def test_connecting_needs_both_proofs(signing_house: House, problem: Problem) -> None:
    house = signing_house
    mine, other = house.arrive("token-1"), house.arrive("token-2", license_arn=OTHER_LICENSE_ARN)
    bearer = token_of("user-1")

    assert problem(connect(house, mine, bearer=None, session=None)) == (401, "unauthorized")
    assert problem(connect(house, mine, bearer=None)) == (401, "unauthorized")
    assert problem(connect(house, mine, bearer=bearer, session=None)) == (401, "unauthorized")
    assert problem(connect(house, mine, bearer=bearer, session="forged")) == (401, "unauthorized")
    assert problem(connect(house, mine, bearer="forged")) == (401, "unauthorized")
    expired = token_of("user-1", exp=datetime.now(UTC) - timedelta(minutes=1))
    for bad in (expired, token_of("user-1", iss="https://other.example"), token_of("user-1", aud="other")):
        assert problem(connect(house, mine, bearer=bad)) == (401, "unauthorized")
    for scope in ("", "operator", "usage:read usage:write"):
        assert problem(connect(house, mine, bearer=token_of("user-1", scope=scope))) == (403, "forbidden")
    of_another = connect(house, mine, bearer=bearer, session=other["session_secret"])
    assert problem(of_another) == (404, "not-found")
    operators = house.client.put(
        f"/v1/registrations/{mine['registration_id']}/signed-in-customer",
        json={"email": "ada@example.com"},
        headers=house.operator,
    )
    assert problem(operators) == (401, "unauthorized")
    assert CustomerRow.count() == 0
    assert connect(house, mine, bearer=bearer).status_code == 201


def test_who_signed_in_gets_their_own_customer(signing_house: House, problem: Problem) -> None:
    house = signing_house
    first = connect(house, house.arrive("token-1"), bearer=token_of("user-1"), name="Ada")
    assert first.status_code == 201
    assert first.headers["location"] == f"/v1/customers/{first.json()['customer_id']}"

    second = house.arrive("token-2", license_arn=OTHER_LICENSE_ARN)
    joined = connect(house, second, bearer=token_of("user-1"), email="new@example.com", name="Countess")
    assert joined.status_code == 200
    assert joined.json()["customer_id"] == first.json()["customer_id"]
    (row,) = CustomerRow.scan()
    assert (row.email, row.name) == ("ada@example.com", "Ada")
    assert len(row.subscription_ids) == 2
    assert [(one.issuer, one.subject) for one in IdentityRow.scan()] == [(ISSUER, "user-1")]

    # Landing anew with the same purchase: the person is known, another one is not.
    again = house.arrive("token-3")
    assert connect(house, again, bearer=token_of("user-1")).status_code == 200
    other = connect(house, house.arrive("token-4"), bearer=token_of("user-2"))
    assert problem(other) == (409, "subscription-already-claimed")

    late = house.arrive("token-5", license_arn=a_license(5))
    house.clock.advance(minutes=60)
    assert problem(connect(house, late, bearer=token_of("user-1"))) == (410, "registration-expired")


def test_where_signing_in_is_required_a_form_is_not_enough(signing_house: House, problem: Problem) -> None:
    house = signing_house
    created = house.arrive("token-1", ProductCode=SIGN_IN)
    assert problem(house.register(created)) == (403, "sign-in-needed")
    assert CustomerRow.count() == 0
    # An operator may, for who cannot.
    path = f"/v1/registrations/{created['registration_id']}/customer"
    assert house.client.put(path, json={"email": "a@b.example"}, headers=house.operator).status_code == 201
    second = house.arrive("token-2", ProductCode=SIGN_IN, license_arn=OTHER_LICENSE_ARN)
    assert connect(house, second, bearer=token_of("user-1")).status_code == 201


def test_a_bearer_token_alone_opens_no_registration(signing_house: House, problem: Problem) -> None:
    house = signing_house
    created = house.arrive("token-1")
    bearer = {"Authorization": f"Bearer {token_of('user-1')}"}
    path = f"/v1/registrations/{created['registration_id']}"
    assert problem(house.client.get(path, headers=bearer)) == (403, "forbidden")
    put = house.client.put(path + "/customer", json={"email": "eve@example.com"}, headers=bearer)
    assert problem(put) == (403, "forbidden")
