"""What nobody could know any more AWS's own records settle: billed if counted, else it goes out again."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.journeys.cloudtrail import log_file
from tests.journeys.house import Buyer, House, wire

AWS_WINDOW = timedelta(hours=24)
CLOUDTRAIL_S_LATENESS = timedelta(hours=1, minutes=15)


def test_prior_art_11_what_is_unknown_is_settled_by_cloudtrail(house: House) -> None:
    begun = house.begin_hour()
    counted, lost = house.buy_active("legacy"), house.buy_active("concurrent_agreements")
    for buyer in (counted, lost):
        house.report(buyer)
    for buyer, point in ((counted, "after_commit"), (lost, "before_commit")):
        house.aws_fails(
            "connection_reset", "BatchMeterUsage", point=point, customers=list(buyer.identity.values())
        )
    house.seal_hour()
    for buyer in (counted, lost):
        house.until(lambda buyer=buyer: outcome(house, buyer, attempts=1), "a sending into nowhere", buyer)
    house.advance(AWS_WINDOW)
    for buyer in (counted, lost):
        house.until(
            lambda buyer=buyer: outcome(house, buyer) == "unknown", "AWS to take the hour no more", buyer
        )
    house.aws_is_well()
    assert (house.billed(counted), house.billed(lost)) == (counted.total, 0)

    house.advance(CLOUDTRAIL_S_LATENESS)
    settled = {buyer.subscription_id: None for buyer in (counted, lost)} | reconcile(house, begun)
    assert settled == {counted.subscription_id: "billed", lost.subscription_id: "bill_again"}
    house.assert_billed_exactly(counted, lost)
    assert reconcile(house, begun) == {}
    house.assert_billed_exactly(counted, lost)


def outcome(house: House, buyer: Buyer, attempts: int = 0) -> str:
    """Of the buyer's one record, once it was sent so often; empty before."""
    records = house.records(buyer)
    return str(records[0]["outcome"]) if records and records[0]["attempts"] >= attempts else ""


def reconcile(house: House, begun: datetime) -> dict[str, str]:
    """What a file with all of AWS's calls since then settles, by subscription."""
    answer = house.http.post(
        house.stack.urls["metering-web"] + "/v1/reconciliations",
        params={"complete_from": wire(begun - timedelta(hours=1)), "complete_until": wire(house.now())},
        content=log_file(house),
        headers=house.keys["metering"] | {"Content-Type": "application/json"},
    )
    assert answer.status_code == 201, answer.text
    return {one["subscription_id"]: one["settled"] for one in answer.json()["differences"]}
