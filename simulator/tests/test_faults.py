"""Faults on demand, as real boto3 meets them: what the caller sees, and whether the call has counted."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from test_behaviours import refusal

from marketplace_simulator.faults import KINDS, Fault
from marketplace_simulator.settings import Settings


def arrange(seller: Any, kind: str, **more: Any) -> dict[str, Any]:
    return seller.do("POST", "faults", {"kind": kind, **more})


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("throttling", "ThrottlingException", 400),
        ("server_error", "InternalServiceErrorException", 500),
        ("disabled_api", "DisabledApiException", 400),
        ("access_denied", "AccessDeniedException", 400),
        ("expired_credentials", "ExpiredTokenException", 400),
    ],
)
def test_a_fault_by_count_refuses_and_nothing_counts(seller, kind, code, status):
    bought = seller.buy(seller.product())
    arrange(seller, kind, count=2)
    record = seller.record(bought)
    batch = seller.metering().batch_meter_usage
    for _ in range(2):
        assert refusal(batch, UsageRecords=[record]) == (code, status)
    assert seller.bill() == []
    assert seller.status(record) == ["Success"]
    assert [call["fault"] for call in seller.do("GET", "calls")["calls"]] == [
        *[f"{kind}_before_commit" if kind == "server_error" else kind] * 2,
        None,
    ]


def test_expired_credentials_are_told_from_an_expired_token_by_their_words(seller):
    bought = seller.buy(seller.product())
    arrange(seller, "expired_credentials", operation="ResolveCustomer", count=1)
    with pytest.raises(ClientError, match="security token included in the request is expired"):
        seller.metering().resolve_customer(RegistrationToken=bought["registration_token"])


@pytest.mark.parametrize(
    ("kind", "status"), [("throttling", 429), ("access_denied", 403), ("server_error", 500)]
)
def test_each_service_has_its_own_statuses(seller, kind, status):
    bought = seller.buy(seller.product())
    arrange(seller, kind)
    describe = seller.client("marketplace-agreement").describe_agreement
    code, got = refusal(describe, agreementId=bought["agreement_id"])
    assert got == status
    assert code == {"server_error": "InternalServerException"}.get(kind, code)


def test_an_error_after_the_commit_loses_the_answer_of_a_call_that_counts(seller):
    bought = seller.buy(seller.product())
    arrange(seller, "server_error", point="after_commit", count=1)
    record = seller.record(bought, 5)
    code, status = refusal(seller.metering().batch_meter_usage, UsageRecords=[record])
    assert (code, status) == ("InternalServiceErrorException", 500)
    assert seller.quantities() == ["5"]
    assert seller.status(record) == ["Success"]
    assert seller.quantities() == ["5"]


@pytest.mark.parametrize(("point", "counted"), [("before_commit", []), ("after_commit", ["5"])])
def test_a_connection_is_reset_before_or_after_the_commit(seller, point, counted):
    bought = seller.buy(seller.product())
    arrange(seller, "connection_reset", point=point, count=1)
    with pytest.raises(ConnectionClosedError):
        seller.meter(seller.record(bought, 5))
    assert seller.quantities() == counted
    (call,) = seller.do("GET", "calls")["calls"]
    assert (call["status"], call["fault"]) == (0, f"connection_reset_{point}")
    assert seller.status(seller.record(bought, 5)) == ["Success"]
    assert seller.quantities() == ["5"]


def test_boto3s_own_retry_heals_a_reset_after_the_commit_and_bills_once(seller):
    bought = seller.buy(seller.product())
    arrange(seller, "connection_reset", point="after_commit", count=2)
    client = seller.client("meteringmarketplace", retries={"mode": "standard", "total_max_attempts": 3})
    answer = client.batch_meter_usage(UsageRecords=[seller.record(bought, 5)])
    assert answer["Results"][0]["Status"] == "Success"
    assert answer["ResponseMetadata"]["RetryAttempts"] == 2
    assert seller.quantities() == ["5"]


@pytest.mark.parametrize(("point", "counted"), [("before_commit", []), ("after_commit", ["5"])])
def test_a_slow_answer_outlasts_the_callers_patience(seller, point, counted):
    bought = seller.buy(seller.product())
    arrange(seller, "slow", delay_seconds=3.0, point=point, count=1)
    hasty = seller.client("meteringmarketplace", read_timeout=0.3)
    with pytest.raises(ReadTimeoutError):
        hasty.batch_meter_usage(UsageRecords=[seller.record(bought, 5)])
    assert seller.quantities() == counted
    started = time.monotonic()
    assert seller.status(seller.record(bought, 5)) == ["Success"]
    assert time.monotonic() - started < 3


def test_behaviour_17_a_part_comes_back_unprocessed_and_is_sent_later_once(seller):
    bought = seller.buy(seller.product())
    arrange(seller, "unprocessed", count=1, dimensions=["requests"])
    one, two = seller.record(bought, 1), seller.record(bought, 2, Dimension="requests")
    answer = seller.metering().batch_meter_usage(UsageRecords=[one, two])
    assert [result["UsageRecord"]["Dimension"] for result in answer["Results"]] == ["gpu_hours"]
    left = answer["UnprocessedRecords"]
    assert [(record["Dimension"], record["Quantity"]) for record in left] == [("requests", 2)]
    assert seller.quantities() == ["1"]
    assert seller.status(*left) == ["Success"]
    assert seller.status(*left) == ["Success"]
    assert sorted(seller.quantities()) == ["1", "2"]


def test_behaviour_17_a_whole_batch_can_stay_unprocessed_and_checks_come_first(seller):
    bought = seller.buy(seller.product())
    arrange(seller, "unprocessed")
    record = seller.record(bought)
    answer = seller.metering().batch_meter_usage(UsageRecords=[record, record | {"Dimension": "requests"}])
    assert (answer["Results"], len(answer["UnprocessedRecords"])) == ([], 2)
    code, _ = refusal(seller.metering().batch_meter_usage, UsageRecords=[record | {"Dimension": "nothing"}])
    assert code == "InvalidUsageDimensionException"
    assert seller.bill() == []


def test_a_rate_is_drawn_from_its_seed_the_same_each_time(serve):
    def outcomes(seed: int) -> list[bool]:
        seller = serve()
        bought = seller.buy(seller.product())
        arrange(seller, "throttling", rate=0.4, seed=seed)
        hits = []
        for _ in range(30):
            try:
                seller.meter(seller.record(bought))
            except ClientError:
                hits.append(True)
            else:
                hits.append(False)
        return hits

    first = outcomes(7)
    assert first == outcomes(7)
    assert first != outcomes(8)
    assert 5 <= sum(first) <= 20


def test_a_fault_is_for_its_operation_and_its_customers_only(seller):
    product = seller.product(pricing_model="contract")
    one, two = seller.buy(product), seller.buy(product)
    arrange(seller, "server_error", operation="GetEntitlements", customers=[one["license_arn"]])
    get = seller.client("marketplace-entitlement").get_entitlements

    def wanted(agreement: dict[str, Any]) -> dict[str, Any]:
        return {"ProductCode": product["product_code"], "Filter": {"LICENSE_ARN": [agreement["license_arn"]]}}

    assert refusal(get, **wanted(one))[1] == 500
    assert get(**wanted(two))["Entitlements"]
    assert seller.status(seller.record(one)) == ["Success"]
    arrange(seller, "throttling", customers=[two["customer_aws_account_id"]])
    assert refusal(seller.metering().batch_meter_usage, UsageRecords=[seller.record(two)])[1] == 400
    assert seller.status(seller.record(one)) == ["Success"]


def test_faults_are_listed_with_their_counters_and_taken_back(seller):
    bought = seller.buy(seller.product())
    told = arrange(seller, "throttling", count=1, operation="BatchMeterUsage")
    other = arrange(seller, "access_denied", operation="ResolveCustomer")
    refusal(seller.metering().batch_meter_usage, UsageRecords=[seller.record(bought)])
    assert seller.do("GET", "faults")["faults"] == [told | {"seen": 1, "hits": 1}, other]
    assert seller.do("DELETE", f"faults/{told['fault_id']}") == {"removed": 1}
    assert seller.control("DELETE", f"faults/{told['fault_id']}").status == 404
    assert seller.do("DELETE", "faults") == {"removed": 1}
    assert seller.do("GET", "faults") == {"faults": []}
    arrange(seller, "throttling")
    seller.do("POST", "reset")
    assert seller.do("GET", "faults") == {"faults": []}


def test_a_restart_changes_nothing_of_what_was_drawn(serve, tmp_path):
    settings = Settings(database=str(tmp_path / "state.sqlite3"), calls_per_second=0)
    seller = serve(settings)
    bought = seller.buy(seller.product())
    arrange(seller, "throttling", count=2)
    refusal(seller.metering().batch_meter_usage, UsageRecords=[seller.record(bought)])
    seller = serve(settings)
    (kept,) = seller.do("GET", "faults")["faults"]
    assert (kept["seen"], kept["hits"], kept["count"]) == (1, 1, 2)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "/kind"),
        ({"kind": "flood"}, "/kind"),
        ({"kind": "throttling", "rate": 0}, "/rate"),
        ({"kind": "throttling", "rate": 1.1}, "/rate"),
        ({"kind": "throttling", "count": 0}, "/count"),
        ({"kind": "throttling", "seed": "x"}, "/seed"),
        ({"kind": "throttling", "point": "after_commit"}, "/point"),
        ({"kind": "throttling", "delay_seconds": 1}, "/delay_seconds"),
        ({"kind": "slow"}, "/delay_seconds"),
        ({"kind": "slow", "delay_seconds": 601}, "/delay_seconds"),
        ({"kind": "throttling", "operation": "Nothing"}, "/operation"),
        ({"kind": "unprocessed", "operation": "ResolveCustomer"}, "/operation"),
        ({"kind": "throttling", "customers": "x"}, "/customers"),
        ({"kind": "throttling", "dimensions": [1]}, "/dimensions"),
        ({"kind": "throttling", "colour": "red"}, "/colour"),
    ],
)
def test_a_fault_that_cannot_be_is_a_problem(seller, body, place):
    answer = seller.control("POST", "faults", body)
    assert answer.status == 400
    assert place in [error["path"] for error in answer.json["errors"]]
    assert seller.do("GET", "faults") == {"faults": []}


def test_a_draw_depends_on_seed_and_number_only():
    fault = Fault("fault-1", "throttling", rate=0.5, seed=3)
    hits = []
    for _ in range(1000):
        hit, fault = fault.draw()
        hits.append(hit)
    assert (fault.seen, fault.hits) == (1000, sum(hits))
    assert 440 < sum(hits) < 560
    assert set(KINDS) >= {"throttling", "unprocessed"}
