"""How often an account may call: the published quotas, per operation, account and Region."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from marketplace_simulator.aws_errors import AwsError

# Share of the switch `calls_per_second` (10) that each operation has: with it so, AWS's published quotas
# (Marketplace API reference, "Service quotas" of each API). ResolveCustomer has none there and is never
# throttled but by a fault.
QUOTA_SHARES = {
    "BatchMeterUsage": 1.0,
    "MeterUsage": 1.0,
    "RegisterUsage": 0.5,
    "GetEntitlements": 2.0,
    "DescribeAgreement": 0.5,
    "GetAgreementTerms": 0.5,
    "SearchAgreements": 0.5,
    "PutDeploymentParameter": 0.1,
}
# Buckets that are full again say nothing; a stranger who invents Regions must not fill the memory.
_MOST_BUCKETS = 1000


@dataclass
class _Bucket:
    calls: float
    real: float
    simulated: datetime


class Throttle:
    """A bucket of one second's calls, refilled by whichever clock moved further.

    By real time, because a frozen simulated clock would never refill it; by simulated time too, because a
    month that is played in minutes has a month's quota.

    Args:
        monotonic: real seconds; tests give their own.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}

    def take(self, operation: str, account: str, region: str, now: datetime, calls_per_second: int) -> None:
        """Count one call.

        Args:
            calls_per_second: the quota; 0 turns throttling off.

        Raises:
            AwsError: ThrottlingException; the call has not been counted.
        """
        quota = calls_per_second * QUOTA_SHARES.get(operation, 0.0)
        if not quota:
            return
        real = self._monotonic()
        # A quota below one call a second must still hold one.
        size = max(quota, 1.0)
        bucket = self._buckets.get((operation, account, region))
        if bucket is None:
            if len(self._buckets) >= _MOST_BUCKETS:
                self._buckets.clear()
            bucket = self._buckets[operation, account, region] = _Bucket(size, real, now)
        elapsed = max(real - bucket.real, (now - bucket.simulated).total_seconds(), 0.0)
        bucket.calls = min(size, bucket.calls + elapsed * quota)
        bucket.real, bucket.simulated = real, now
        if bucket.calls < 1:
            raise AwsError("ThrottlingException", "The calls to the API are throttled.")
        bucket.calls -= 1
