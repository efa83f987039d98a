"""What may this customer use, now? Read by one call, and never other than by two."""

from collections.abc import Callable
from typing import Any

import pytest
from conftest import House, a_license, news

from chassis.tables import bind
from registration.settings import Settings
from registration.tables import ALL_MODELS, CustomerRow, QuickCalls, SubscriptionRow
from registration.tables.joint_read import LastHeld

Problem = Callable[[Any], tuple[int, str]]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The quick calls that are made."""
    made: list[dict[str, Any]] = []
    ask = QuickCalls.ask

    def recorded(self: QuickCalls, operation: str, request: dict[str, Any]) -> dict[str, Any] | None:
        made.append({operation: request})
        return ask(self, operation, request)

    monkeypatch.setattr(QuickCalls, "ask", recorded)
    return made


@pytest.fixture
def only_quickly(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From the call on, the ordinary reads fail the test."""

    def forbid() -> None:
        def fail(*_: Any, **__: Any) -> None:
            raise AssertionError("read the ordinary way")

        monkeypatch.setattr(CustomerRow, "get", fail)
        monkeypatch.setattr(SubscriptionRow, "batch_get", fail)

    return forbid


def access(house: House, customer_id: str) -> dict[str, Any]:
    answer = house.client.get(f"/v1/customers/{customer_id}/access", headers=house.reader)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def holder(house: House) -> tuple[str, str]:
    """A customer whose one subscription is published and granted."""
    registered = house.register(house.arrive("token-1")).json()
    news(registered["subscription_id"], "active", "granted", free_trial=False)
    return registered["customer_id"], registered["subscription_id"]


def test_the_second_time_it_is_one_call_and_the_same_answer(
    house: House, quick: list[Any], only_quickly: Callable[[], None]
) -> None:
    customer_id, subscription_id = holder(house)
    first = access(house, customer_id)
    quick.clear()
    only_quickly()

    assert access(house, customer_id) == first
    assert first["access"] == "granted"
    assert quick == [
        {
            "BatchGetItem": {
                "RequestItems": {
                    "marketplane-customers": {
                        "Keys": [{"customer_id": {"S": customer_id}}],
                        "ConsistentRead": True,
                    },
                    "marketplane-subscriptions": {
                        "Keys": [{"subscription_id": {"S": subscription_id}}],
                        "ConsistentRead": True,
                    },
                }
            }
        }
    ]


def test_news_that_came_since_is_in_the_answer(house: House) -> None:
    customer_id, subscription_id = holder(house)
    assert access(house, customer_id)["access"] == "granted"
    news(subscription_id, "ended", "denied", free_trial=False)
    assert access(house, customer_id)["access"] == "denied"


def test_news_that_had_not_come_is_looked_for_again(house: House) -> None:
    registered = house.register(house.arrive("token-1")).json()
    for _ in range(2):
        (held,) = access(house, registered["customer_id"])["subscriptions"]
        assert (held["status"], held["access"]) == ("pending", "denied")
    news(registered["subscription_id"], "active", "granted")
    assert access(house, registered["customer_id"])["access"] == "granted"


def test_a_purchase_since_the_last_look_is_in_the_answer(house: House) -> None:
    customer_id = house.buys("ada", 1)
    assert len(access(house, customer_id)["subscriptions"]) == 1
    assert house.buys("ada", 2) == customer_id
    ids = CustomerRow.get(customer_id).subscription_ids
    news(ids[1], "active", "granted", free_trial=False)

    for _ in range(2):
        found = access(house, customer_id)
        assert [one["subscription_id"] for one in found["subscriptions"]] == list(ids)
        assert found["access"] == "granted"


def test_what_the_row_has_no_more_is_in_no_answer(house: House) -> None:
    customer_id, subscription_id = holder(house)
    access(house, customer_id)
    news("sub_" + "b" * 26, "active", "granted", free_trial=False)
    house.parts.tables._last_held.remember(customer_id, (subscription_id, "sub_" + "b" * 26))

    (held,) = access(house, customer_id)["subscriptions"]
    assert held["subscription_id"] == subscription_id


def test_an_erased_customer_is_gone_at_once(house: House, problem: Problem) -> None:
    customer_id, _ = holder(house)
    access(house, customer_id)
    assert house.client.delete(f"/v1/customers/{customer_id}", headers=house.operator).status_code == 204
    answer = house.client.get(f"/v1/customers/{customer_id}/access", headers=house.reader)
    assert problem(answer) == (404, "not-found")
    CustomerRow(customer_id).delete()
    answer = house.client.get(f"/v1/customers/{customer_id}/access", headers=house.reader)
    assert problem(answer) == (404, "not-found")


@pytest.mark.parametrize(
    "answer",
    [None, {"Responses": {}, "UnprocessedKeys": {"marketplane-customers": {}}}],
    ids=["no answer", "not all of it"],
)
def test_what_the_one_call_does_not_give_the_ordinary_ones_do(
    house: House, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    customer_id, _ = holder(house)
    first = access(house, customer_id)
    monkeypatch.setattr(QuickCalls, "ask", lambda *_: answer)
    assert access(house, customer_id) == first


def test_without_the_siblings_table_access_is_not_guessed(
    house: House, settings: Settings, problem: Problem
) -> None:
    customer_id, _ = holder(house)
    access(house, customer_id)
    SubscriptionRow.Meta.table_name = "a-table-that-is-not-there"
    SubscriptionRow._connection = None
    try:
        answer = house.client.get(f"/v1/customers/{customer_id}/access", headers=house.reader)
        assert problem(answer) == (503, "unavailable")
    finally:
        bind(ALL_MODELS, settings)


def test_more_than_one_call_can_read_is_read_all_the_same(house: House, quick: list[Any]) -> None:
    customer_id = house.customer_of("token-1", LicenseArn=a_license(1))
    row = CustomerRow.get(customer_id)
    row.subscription_ids = [f"sub_{number:026d}" for number in range(120)]
    row.save()
    for one in row.subscription_ids:
        news(one, "active", "granted", free_trial=False)
    first = access(house, customer_id)
    assert access(house, customer_id) == first
    assert [one["subscription_id"] for one in first["subscriptions"]] == row.subscription_ids
    keys = quick[-1]["BatchGetItem"]["RequestItems"]["marketplane-subscriptions"]["Keys"]
    assert len(keys) == 99


def test_what_is_remembered_is_bounded() -> None:
    held = LastHeld(most=2)
    for number in range(3):
        held.remember(f"cus_{number}", (f"sub_{number}",))
    held.remember("cus_2", ("sub_2", "sub_3"))
    assert [held.of(f"cus_{number}") for number in range(3)] == [(), ("sub_1",), ("sub_2", "sub_3")]
