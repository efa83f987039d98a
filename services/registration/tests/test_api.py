"""The JSON API over real HTTP semantics and the real local engine."""

from collections.abc import Callable
from typing import Any

import pytest
from conftest import LICENSE_ARN, OTHER_LICENSE_ARN, House, legacy_answer

from chassis.tables import encode_cursor
from registration import subscription_ids
from registration.resolve_refusals import Refusal, TokenNotResolved
from registration.tables import RegistrationRow, SubscriptionRow

Problem = Callable[[Any], tuple[int, str]]

SUBSCRIPTION_ID = subscription_ids.of_license(LICENSE_ARN)


def news(subscription_id: str, status: str, access: str) -> None:
    """Write what notifications would publish."""
    SubscriptionRow(subscription_id, product_code="74az", status=status, access=access).save()


def test_a_token_becomes_a_registration(house: House) -> None:
    created = house.arrive("token-1")

    assert created["status"] == "open"
    assert created["customer_id"] is None
    assert created["subscription_id"] == SUBSCRIPTION_ID
    assert created["product"] == {"product_code": "74azconcurrentexample", "title": "Endpoints"}
    assert created["expires_at"] == "2026-11-22T11:00:00.000000Z"

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
        "access": "denied",
        "subscriptions": [
            {
                "subscription_id": SUBSCRIPTION_ID,
                "product": {"product_code": "74azconcurrentexample", "title": "Endpoints"},
                "status": "pending",
                "access": "denied",
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


def test_landing_again_is_welcome_and_tells_no_more_than_the_id(house: House) -> None:
    customer_id = house.register(house.arrive("token-1")).json()["customer_id"]

    again = house.arrive("token-2")
    assert (again["status"], again["customer_id"]) == ("registered", customer_id)
    same_person = house.register(again, email="ADA@example.com")
    assert same_person.status_code == 200
    assert same_person.json()["customer_id"] == customer_id
    assert "ada@" not in same_person.text.lower()


def test_somebody_else_is_refused_with_what_support_needs(house: House, problem: Problem) -> None:
    house.register(house.arrive("token-1"))
    other = house.arrive("token-2")

    refused = house.register(other, email="eve@example.com")

    assert problem(refused) == (409, "subscription-already-claimed")
    document = refused.json()
    assert document["registration_id"] == other["registration_id"]
    assert document["subscription_id"] == SUBSCRIPTION_ID
    assert "support@seller.example" in document["detail"]
    assert "ada@example.com" not in refused.text


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
    ],
)
def test_customers_are_guarded(house: House, problem: Problem, method: str, path: str) -> None:
    body = {"json": {"name": "x"}} if method == "PATCH" else {}
    session = {"X-Registration-Session": house.arrive("token-1")["session_secret"]}
    assert problem(house.client.request(method, path, **body)) == (401, "unauthorized")
    assert problem(house.client.request(method, path, headers=session, **body)) == (401, "unauthorized")
    if path == "/v1/customers" or method != "GET":
        assert problem(house.client.request(method, path, headers=house.reader, **body)) == (403, "forbidden")
    else:
        assert problem(house.client.request(method, path, headers=house.reader)) == (404, "not-found")


def test_customers_are_listed_by_page_email_and_subscription(house: House) -> None:
    made = {}
    for number in range(5):
        arn = f"arn:aws:license-manager::294406891311:license:l-{number:032d}"
        registered = house.register(
            house.arrive(f"token-{number}", license_arn=arn), email=f"B{number}@Example.com"
        )
        made[registered.json()["customer_id"]] = registered.json()["subscription_id"]

    def listed(**filters: Any) -> tuple[list[str], str | None]:
        answer = house.client.get("/v1/customers", params=filters, headers=house.operator)
        assert answer.status_code == 200, answer.text
        return [item["customer_id"] for item in answer.json()["items"]], answer.json()["next_cursor"]

    found, cursor = listed(limit=2)
    while cursor:
        more, cursor = listed(limit=2, cursor=cursor)
        found += more
    assert sorted(found) == sorted(made)

    customer_id, subscription_id = next(iter(made.items()))
    assert listed(email="b0@example.COM") == ([customer_id], None)
    assert listed(email="nobody@example.com") == ([], None)
    assert listed(subscription_id=subscription_id) == ([customer_id], None)
    assert listed(subscription_id=subscription_id, email="b1@example.com") == ([], None)
    assert listed(subscription_id="sub_" + "a" * 26) == ([], None)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "cursor=no-cursor", "subscription_id=sub_1", "page=2"]
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


def test_a_deleted_customer_is_gone_but_its_claim_stays(house: House, problem: Problem) -> None:
    registered = house.register(house.arrive("token-1"), name="Ada").json()
    path = f"/v1/customers/{registered['customer_id']}"

    assert house.client.delete(path, headers=house.operator).status_code == 204

    for method in ("GET", "DELETE"):
        assert problem(house.client.request(method, path, headers=house.operator)) == (404, "not-found")
    assert problem(house.client.patch(path, json={"name": "x"}, headers=house.operator)) == (404, "not-found")
    assert house.client.get("/v1/customers", headers=house.operator).json()["items"] == []
    by_id = {"subscription_id": registered["subscription_id"]}
    assert house.client.get("/v1/customers", params=by_id, headers=house.operator).json()["items"] == []
    again = house.arrive("token-2")
    assert (again["status"], again["customer_id"]) == ("registered", registered["customer_id"])
    assert problem(house.register(again)) == (409, "subscription-already-claimed")
