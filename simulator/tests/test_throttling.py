"""Behaviour 18: ten calls a second per account and Region, whichever clock moves."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from conftest import START, Seller, Serve

from marketplace_simulator.aws_errors import AwsError
from marketplace_simulator.settings import Settings
from marketplace_simulator.throttling import Throttle

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)


class Rig:
    """A throttle with a clock of its own."""

    def __init__(self) -> None:
        self.real = 0.0
        self.throttle = Throttle(lambda: self.real)

    def passes(
        self,
        calls: int,
        now: datetime = NOW,
        rate: int = 10,
        *,
        operation: str = "BatchMeterUsage",
        account: str = "1",
        region: str = "us-east-1",
    ) -> int:
        """How many of so many calls at once are let through."""
        passed = 0
        for _ in range(calls):
            with contextlib.suppress(AwsError):
                self.throttle.take(operation, account, region, now, rate)
                passed += 1
        return passed


def test_behaviour_18_a_bucket_of_one_second_refills_by_real_time_under_a_frozen_clock():
    rig = Rig()
    assert rig.passes(25) == 10
    rig.real += 0.5
    assert rig.passes(25) == 5
    rig.real += 60
    assert rig.passes(25) == 10


def test_behaviour_18_what_is_too_much_has_a_name():
    rig = Rig()
    rig.passes(10)
    with pytest.raises(AwsError, match="ThrottlingException"):
        rig.throttle.take("BatchMeterUsage", "1", "us-east-1", NOW, 10)


def test_behaviour_18_simulated_time_refills_it_too():
    rig = Rig()
    assert rig.passes(25) == 10
    assert rig.passes(25, NOW + timedelta(seconds=0.3)) == 3
    assert rig.passes(25, NOW + timedelta(hours=1)) == 10


def test_behaviour_18_accounts_regions_and_operations_have_quotas_of_their_own():
    rig = Rig()
    assert rig.passes(25) == 10
    assert rig.passes(25, account="2") == 10
    assert rig.passes(25, region="eu-west-1") == 10
    assert rig.passes(25, operation="RegisterUsage") == 5
    assert rig.passes(25, operation="GetEntitlements") == 20
    for operation in ("DescribeAgreement", "GetAgreementTerms", "SearchAgreements"):
        assert rig.passes(25, operation=operation) == 5
    assert rig.passes(25, operation="PutDeploymentParameter") == 1
    # No quota is published for this one.
    assert rig.passes(25, operation="ResolveCustomer") == 25


def test_behaviour_18_the_switch_sets_another_quota_or_none():
    rig = Rig()
    assert rig.passes(25, rate=0) == 25
    assert rig.passes(25, rate=1) == 1
    assert rig.passes(25, rate=1, operation="RegisterUsage") == 1


def test_a_stranger_cannot_fill_the_memory():
    rig = Rig()
    for number in range(3000):
        rig.passes(1, account=str(number))
    assert len(rig.throttle._buckets) <= 1000


@pytest.fixture
def throttled(serve: Serve) -> Seller:
    return serve(Settings(start=START))


def test_behaviour_18_above_ten_calls_a_second_the_reply_is_throttling(throttled):
    bought = throttled.buy(throttled.product())
    throttled.do("PUT", "switches", {"calls_per_second": 1})
    record = throttled.record(bought)

    def call_until_refused() -> None:
        # A slow machine may need more than two calls to be too fast.
        for _ in range(50):
            throttled.meter(record)

    with pytest.raises(ClientError) as caught:
        call_until_refused()
    response = caught.value.response
    assert response["Error"]["Code"] == "ThrottlingException"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    # Another Region has calls left, and so has the next hour.
    assert throttled.status(record, region="eu-west-1") == ["Success"]
    throttled.advance(60)
    assert throttled.status(record) == ["Success"]
    assert len(throttled.bill()) == 2


def test_behaviour_18_boto3s_own_retries_get_through(throttled):
    bought = throttled.buy(throttled.product())
    client = throttled.client("meteringmarketplace", retries={"mode": "standard", "total_max_attempts": 8})
    for minute in range(15):
        record = throttled.record(bought, minute, Timestamp=throttled.now())
        answer = client.batch_meter_usage(UsageRecords=[record])
        assert answer["Results"][0]["Status"] in ("Success", "DuplicateRecord")
