"""The deployment parameter of Quick Launch arrives at AWS once, whatever AWS answers at first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.journeys.catalogue import LAUNCHED, PARAMETER, PRODUCT_IDS
from tests.journeys.house import DONE, DOORS, NEXT_TRY, UNTIL_TAKEN_OVER, Buyer, House

Land = Callable[..., Any]
OPERATION = "PutDeploymentParameter"
FAILURES: dict[str, dict[str, Any]] = {
    "an error": {"kind": "server_error"},
    "an error after it was done": {"kind": "server_error", "point": "after_commit"},
    "no answer": {"kind": "connection_reset"},
    "no answer after it was done": {"kind": "connection_reset", "point": "after_commit"},
    "throttling": {"kind": "throttling"},
    "no permission": {"kind": "access_denied"},
    "expired credentials": {"kind": "expired_credentials"},
}


@pytest.fixture
def aws(house: House) -> Any:
    """AWS, which is well again after the test."""
    yield house
    house.aws_is_well()


def calls_for(house: House, buyer: Buyer) -> list[dict[str, Any]]:
    calls = house.calls(OPERATION)
    # A call that was cut off in the middle has no request.
    return [call for call in calls if (call["request"] or {}).get("agreementId") == buyer.agreement_id]


def assert_launched_once(house: House, buyer: Buyer) -> None:
    house.until_written(buyer, "welcome")
    (customer,) = house.customers_of(buyer)
    (parameter,) = house.parameters(buyer, PRODUCT_IDS[LAUNCHED])
    assert parameter["name"] == PARAMETER
    assert parameter["customer_aws_account_id"] == buyer.customer_aws_account_id
    assert parameter["secret_string"] == f"{customer['customer_id']}/{buyer.subscription_id}"
    assert parameter["created_at"] == parameter["updated_at"]
    assert len({call["request"]["clientToken"] for call in calls_for(house, buyer)}) == 1


@pytest.mark.parametrize("door", DOORS)
def test_the_parameter_is_put_once(house: House, land: Land, door: str) -> None:
    buyer = house.buy_product(LAUNCHED)
    landing = land(door, buyer)
    assert landing.submit(buyer.email).status_code in DONE
    assert_launched_once(house, buyer)
    assert [call["status"] for call in calls_for(house, buyer)] == [200]
    # Landing again, submitting again: nothing is launched again.
    assert landing.submit(buyer.email).status_code in DONE
    land(door, buyer, house.new_token(buyer))
    house.advance(NEXT_TRY)
    assert_launched_once(house, buyer)
    assert len(calls_for(house, buyer)) == 1


@pytest.mark.parametrize("failure", FAILURES)
def test_aws_does_not_take_it_at_first(aws: House, land: Land, failure: str) -> None:
    buyer = aws.buy_product(LAUNCHED)
    landing = land("json", buyer)
    aws.aws_fails(**FAILURES[failure], operation=OPERATION)
    assert landing.submit(buyer.email).status_code in DONE
    (item,) = aws.until(lambda: [one for one in aws.waiting(buyer) if one["last_error"]], "the first try")
    assert (item["kind"], item["state"]) == ("deployment_parameter", "waiting")
    # Nobody waits for it: the account is there, and so is the letter.
    assert landing.is_registered()
    aws.until(lambda: "welcome" in aws.letters(buyer), "the letter")
    aws.advance(NEXT_TRY)
    aws.until_tried(buyer, 2)
    aws.aws_is_well()
    aws.advance(NEXT_TRY)
    assert_launched_once(aws, buyer)


def test_the_worker_is_killed_with_it_in_hand(aws: House, land: Land) -> None:
    buyer = aws.buy_product(LAUNCHED)
    landing = land("html", buyer)
    aws.aws_fails("slow", OPERATION, delay_seconds=20, point="after_commit")
    assert landing.submit(buyer.email).status_code in DONE
    aws.until(lambda: aws.parameters(buyer, PRODUCT_IDS[LAUNCHED]), "the call")
    aws.stack.kill("registration-worker")
    aws.aws_is_well()
    aws.start("registration-worker")
    aws.advance(UNTIL_TAKEN_OVER)
    assert_launched_once(aws, buyer)
