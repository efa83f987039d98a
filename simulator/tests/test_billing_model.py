"""Whatever a seller does, the bill is that of a small model of the rules, written apart from the simulator.

Some hundred steps on every run; `SIMULATOR_DEEP=1` makes it ten thousand.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from marketplace_simulator.app import build_app
from marketplace_simulator.settings import Settings

# Close before the end of a month, so that its closing at 06:00 is met often.
START = datetime(2026, 11, 30, 20, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DIMENSIONS = ("gpu_hours", "requests")
ACCOUNTS = ("444455556666", "555566667777")
REGIONS = ("us-east-1", "eu-west-1")
DEEP = os.environ.get("SIMULATOR_DEEP") == "1"


class Nowhere:
    """News is not what this is about."""

    def deliver(self, news: Any, subscribed_queues: list[str]) -> None: ...
    def prepare(self, topic: str, subscribed_queues: list[str]) -> None: ...
    def subscribe(self, topics: list[str], queue: str) -> list[str]:
        return []


class InProcess:
    """The simulator as one function: no server, no socket, no thread but its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.app = build_app(Settings(start=START), post=Nowhere())

    def call(
        self, method: str, path: str, body: Any, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        sent: list[dict[str, Any]] = []
        raw = b"" if body is None else json.dumps(body).encode()
        given = {"host": "localhost", "content-type": "application/json", **(headers or {})}
        given["content-length"] = str(len(raw))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }

        unread = [raw]

        async def receive() -> dict[str, Any]:
            if not unread:
                # A caller who stays on the line says nothing more.
                await asyncio.Event().wait()
            return {"type": "http.request", "body": unread.pop(), "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        self.loop.run_until_complete(self.app(scope, receive, send))
        answer = b"".join(message.get("body", b"") for message in sent[1:])
        return sent[0]["status"], json.loads(answer)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = self.call(method, f"/_simulator/{path}", body)
        assert status < 300, answer
        return answer

    def aws(self, region: str, members: dict[str, Any]) -> tuple[int, Any]:
        credential = f"111122223333/20261130/{region}/aws-marketplace/aws4_request"
        return self.call(
            "POST",
            "/",
            members,
            {
                "content-type": "application/x-amz-json-1.1",
                "x-amz-target": "AWSMPMeteringService.BatchMeterUsage",
                "x-amz-date": "20261130T200000Z",
                "authorization": (
                    f"AWS4-HMAC-SHA256 Credential={credential},"
                    f" SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
                ),
            },
        )


@dataclass
class Purchase:
    """The model's agreement."""

    agreement_id: str
    license_arn: str
    account: str
    product: str
    active_from: datetime
    takes_until: datetime | None = None

    def borders(self) -> list[datetime]:
        return [self.active_from, *([self.takes_until] if self.takes_until else [])]


@dataclass
class Model:
    """The rules of billing in thirty lines, from AWS's documents and not from the simulator's code."""

    now: datetime = START
    suspended: set[str] = field(default_factory=set)
    bill: dict[tuple[str, str, str, datetime], Decimal] = field(default_factory=dict)

    def refusal(self, records: list[tuple[Purchase, str, datetime, Decimal]]) -> str | None:
        """Why a whole batch is refused: first its licences, then record by record dimension and time."""
        if len({purchase.product for purchase, *_ in records}) > 1:
            return "InvalidLicenseException"
        month = self.now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        for _, dimension, timestamp, _ in records:
            if dimension not in DIMENSIONS:
                return "InvalidUsageDimensionException"
            closed = timestamp < month and self.now >= month + 6 * HOUR
            if timestamp > self.now or self.now - timestamp >= 24 * HOUR or closed:
                return "TimestampOutOfBoundsException"
        return None

    def meter(self, region: str, purchase: Purchase, dimension: str, at: datetime, quantity: Decimal) -> str:
        hour = at.replace(minute=0, second=0, microsecond=0)
        takes = purchase.active_from <= self.now and hour + HOUR > purchase.active_from
        ended = purchase.takes_until is not None and self.now > purchase.takes_until
        if not takes or ended or purchase.account in self.suspended:
            return "CustomerNotSubscribed"
        first = self.bill.setdefault((region, purchase.license_arn, dimension, hour), quantity)
        return "Success" if first == quantity else "DuplicateRecord"


class Billing(RuleBasedStateMachine):
    """A seller at random; the simulator and the model are asked the same and must say the same."""

    # Of all runs together; the comparison after `begin` is no step.
    steps = 0

    @initialize()
    def begin(self) -> None:
        Billing.steps -= 1
        self.simulator = InProcess()
        self.model = Model()
        self.purchases: list[Purchase] = []
        self.simulator.control("PUT", "switches", {"calls_per_second": 0})
        for code in ("one", "two"):
            product = {
                "product_code": code,
                "title": code,
                "generation": "concurrent_agreements",
                "dimensions": [{"key": dimension} for dimension in DIMENSIONS],
            }
            self.simulator.control("POST", "products", product)

    def teardown(self) -> None:
        if hasattr(self, "simulator"):
            self.simulator.loop.close()

    @rule(account=st.sampled_from(ACCOUNTS), product=st.sampled_from(["one", "one", "two"]))
    def buy(self, account: str, product: str) -> None:
        if account in self.model.suspended or len(self.purchases) > 5:
            return
        body = {"product_code": product, "customer_aws_account_id": account}
        bought = self.simulator.control("POST", "agreements", body)
        active_from = self.model.now + timedelta(seconds=71)
        self.purchases.append(
            Purchase(bought["agreement_id"], bought["license_arn"], account, product, active_from)
        )

    @rule(
        seconds=st.sampled_from([1, 31, 71, 600, 3600, 3601, 4 * 3600]),
        often=st.integers(min_value=1, max_value=3),
    )
    def wait(self, seconds: int, often: int) -> None:
        self.model.now += timedelta(seconds=seconds * often)
        self.simulator.control("PUT", "clock", {"advance_seconds": seconds * often})

    @precondition(lambda self: self.purchases)
    @rule(data=st.data(), beside=st.sampled_from([-1, 0, 1]))
    def meter_at_a_border(self, data: st.DataObject, beside: int) -> None:
        """Where rules begin and end is where they go wrong: a second before, at it, a second after."""
        borders = [moment for purchase in self.purchases for moment in purchase.borders()]
        borders.append(START.replace(month=12, day=1, hour=6))
        ahead = sorted({moment + timedelta(seconds=beside) for moment in borders})
        ahead = [moment for moment in ahead if moment > self.model.now]
        if ahead:
            self.model.now = data.draw(st.sampled_from(ahead))
            self.simulator.control("PUT", "clock", {"now": self.model.now.isoformat()})
        self._meter(data)

    @precondition(lambda self: self.purchases)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        purchase = data.draw(st.sampled_from(self.purchases))
        if purchase.takes_until is None and self.model.now >= purchase.active_from:
            self.simulator.control("POST", f"agreements/{purchase.agreement_id}/cancel")
            purchase.takes_until = self.model.now + timedelta(seconds=31) + HOUR

    @precondition(lambda self: self.purchases)
    @rule(data=st.data())
    def suspend_or_resume(self, data: st.DataObject) -> None:
        purchase = data.draw(st.sampled_from(self.purchases))
        resume = purchase.account in self.model.suspended
        action = "resume" if resume else "suspend"
        self.simulator.control("POST", f"agreements/{purchase.agreement_id}/{action}")
        (self.model.suspended.remove if resume else self.model.suspended.add)(purchase.account)

    # Metering is what it is about: it is drawn three times as often.
    @precondition(lambda self: self.purchases)
    @rule(data=st.data())
    def meter(self, data: st.DataObject) -> None:
        self._meter(data)

    @precondition(lambda self: self.purchases)
    @rule(data=st.data())
    def meter_more(self, data: st.DataObject) -> None:
        self._meter(data)

    @precondition(lambda self: self.purchases)
    @rule(data=st.data())
    def meter_still_more(self, data: st.DataObject) -> None:
        self._meter(data)

    def _meter(self, data: st.DataObject) -> None:
        record = st.tuples(
            st.sampled_from(self.purchases),
            st.sampled_from([*DIMENSIONS] * 6 + ["GPU_hours"]),
            st.sampled_from([0, 0, 1, 1, 2, 5, 12, 23, 24]),
            st.sampled_from([0, 0, 59, 1799]),
            st.sampled_from(["0", "1", "1.0", "2.5", "2.500000", "0.000001", "9999999999.999999"]),
        )
        drawn = data.draw(st.lists(record, min_size=1, max_size=4))
        region = data.draw(st.sampled_from(REGIONS))
        wanted = [
            (purchase, dimension, self.model.now - hours * HOUR - timedelta(seconds=seconds), Decimal(text))
            for purchase, dimension, hours, seconds, text in drawn
        ]
        status, answer = self.simulator.aws(
            region,
            {
                "UsageRecords": [
                    {
                        "Timestamp": timestamp.timestamp(),
                        "Dimension": dimension,
                        "CustomerAWSAccountId": purchase.account,
                        "LicenseArn": purchase.license_arn,
                        "QuantityAsDecimal": text,
                    }
                    for (purchase, dimension, timestamp, _), (*_, text) in zip(wanted, drawn, strict=True)
                ]
            },
        )
        refusal = self.model.refusal(wanted)
        if refusal is not None:
            assert (status, answer["__type"]) == (400, refusal)
            return
        assert status == 200, answer
        expected = [self.model.meter(region, *one) for one in wanted]
        assert [result["Status"] for result in answer["Results"]] == expected
        assert answer["UnprocessedRecords"] == []

    @invariant()
    def the_bills_are_the_same(self) -> None:
        if not hasattr(self, "simulator"):
            return
        Billing.steps += 1
        billed = {
            (
                item["region"],
                item["license_arn"],
                item["dimension"],
                datetime.fromisoformat(item["hour"]),
            ): Decimal(item["quantity"])
            for item in self.simulator.control("GET", "bill")["records"]
        }
        assert billed == self.model.bill


def test_the_bill_is_the_models_after_every_step():
    deep = settings(
        # New examples where they are looked for; the same ones where a run must be repeatable.
        derandomize=not DEEP,
        database=None,
        max_examples=300 if DEEP else 16,
        stateful_step_count=50 if DEEP else 40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Billing, settings=deep)
    assert Billing.steps >= (10_000 if DEEP else 400)
