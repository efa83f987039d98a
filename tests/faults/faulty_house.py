"""The whole house with the fault proxy between every service and the engine."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx

from tests.journeys.back_end import SellersBackEnd
from tests.journeys.house import (
    ENVIRONMENT,
    NEWS_QUEUE,
    PROCESS_ENVIRONMENT,
    REGISTRATION_SIGNALS_QUEUE,
    SIGNALS_QUEUE,
    Buyer,
    House,
)
from tools.stack import Stack

DEEP = os.environ.get("FAULTS_DEEP") == "1"
"""Whether all combinations are played (`make faults`). `make test` plays each step and each way of failing
that our own code sees."""

USAGE_QUEUE = "marketplane-usage-events"

ATTEMPTS = 2
READ_TIMEOUT_SECONDS = 2.0
SLOW_SECONDS = READ_TIMEOUT_SECONDS + 1

# A fault that comes ATTEMPTS times gets through to our own code.
FAULTY_ENVIRONMENT = {**ENVIRONMENT, "AWS_ATTEMPTS": str(ATTEMPTS)}
# Where tests wait for the time-out.
IMPATIENT = {"AWS_READ_TIMEOUT_SECONDS": str(READ_TIMEOUT_SECONDS)}
PATIENT = {"AWS_READ_TIMEOUT_SECONDS": "120"}
# An audit, or a fold beside the cycle's own, reads the tables that the cycle reads, and would draw its faults
# upon itself. Each worker begins with one of either.
ONLY_THE_CYCLE = {"AUDIT_EVERY_MINUTES": "525600", "FOLD_SECONDS": "86400"}
FAULTY_PROCESS_ENVIRONMENT = {
    **PROCESS_ENVIRONMENT,
    "registration-web": IMPATIENT,
    "registration-worker": {"SWEEP_SECONDS": "1"},
    # Two threads would share the faults of one call between them, and then each try again by itself.
    "notifications-worker": {"WORKER_THREADS": "1"},
    "metering-web": IMPATIENT,
    "metering-worker": {**ONLY_THE_CYCLE, **IMPATIENT},
    # More of them, which bear to be held for as long as a test likes; the web with two server processes, as
    # it has by default.
    "metering-web-2": {"WEB_WORKERS": "2", **PATIENT},
    "metering-worker-2": {**ONLY_THE_CYCLE, **PATIENT},
    "metering-worker-3": {**ONLY_THE_CYCLE, **PATIENT},
}
SPARES = {
    "metering-web-2": "metering-web",
    "metering-worker-2": "metering-worker",
    "metering-worker-3": "metering-worker",
}

# A loop that failed so often since its start pauses for seconds before it begins again.
LOOP_FAILURES_BORNE = 2


def by_turns(cases: Iterable[str], ways: Sequence[str]) -> list[tuple[str, str]]:
    """Each case by one of the ways, by turns; where all combinations are played, by each."""
    if DEEP:
        return list(itertools.product(cases, ways))
    return list(zip(cases, itertools.cycle(ways), strict=False))


class FaultyHouse(House):
    """Faults are set past the services, and what they do is observed past the proxy."""

    def __init__(self, stack: Stack, back_end: SellersBackEnd) -> None:
        super().__init__(stack, back_end)
        self._read: dict[str, int] = {}
        self.relieved: set[str] = set()
        """Processes in whose place others are at work."""
        self.engine.show_again_after(3, USAGE_QUEUE)

    def fail(self, kind: str, operation: str = "", resource: str = "", **more: Any) -> int:
        """Adds a fault and answers its id; see fault_proxy.py."""
        wish = {"kind": kind, "operation": operation, "resource": resource, **more}
        answer = self.http.post(
            self._proxy, json={name: value for name, value in wish.items() if value != ""}
        )
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def faults(self) -> list[dict[str, Any]]:
        return list(self.http.get(self._proxy).json()["faults"])

    def fault(self, id: int) -> dict[str, Any]:
        return next(fault for fault in self.faults() if fault["id"] == id)

    def forget(self, id: int) -> None:
        """Forgets one fault."""
        self.http.delete(f"{self._proxy}{id}").raise_for_status()

    def until_fired(self, *ids: int) -> None:
        """Waits until each of these faults has come to pass."""
        self.until(lambda: all(self.fault(id)["fired"] for id in ids), f"faults {ids}: {self.faults()}")

    def until_dropped(self, id: int) -> None:
        """Waits until a fault knows that whoever waited for an answer is gone."""

        def dropped() -> bool:
            fault = self.fault(id)
            return bool(fault["dropped"] == fault["fired"])

        self.until(dropped, "the call to be dropped")

    def until_gone_round(self, worker: str) -> None:
        """Waits until a metering worker has begun a cycle and ended it."""
        # One of three may be of the fold with which a worker begins.
        first_call = self.fail("slow", "Query", "marketplane-usage-hours", caller=worker, seconds=0, count=3)
        self.until(lambda: self.fault(first_call)["fired"] == 3, f"a cycle of {worker}")
        self.forget(first_call)

    def calls_made(self) -> list[dict[str, Any]]:
        """Every kind of call that anybody has made of the engine so far, and metering's worker of AWS."""
        return list(self.http.get(f"{self._proxy}calls").json()["calls"])

    def fired(self) -> bool:
        """Whether every fault came to pass as often as it was to."""
        return all(fault["fired"] >= (fault["count"] or 1) for fault in self.faults())

    def mend(self) -> None:
        """Forgets all faults."""
        self.http.delete(self._proxy).raise_for_status()

    def all_up(self) -> None:
        """Starts what a test before left killed."""
        down = [name for name in self.stack.names if not self.stack.is_running(name)]
        down = [name for name in down if name not in self.relieved]
        if down:
            self.start(*down)

    def until_quiet(self) -> None:
        """Waits until nobody has anything to do before the clock moves. Else what the test before has set
        going would draw the next fault upon itself."""
        news = self.engine.queue(NEWS_QUEUE)
        signals = [self.engine.queue(name) for name in (SIGNALS_QUEUE, REGISTRATION_SIGNALS_QUEUE)]

        def quiet() -> bool:
            # In the order in which one sets the next going.
            if news.depth():
                return False
            questions = self.engine.rows("marketplane-subscriptions", having="private_ask_at")
            asked_at = [datetime.fromisoformat(row["private_ask_at"]) for row in questions]
            return (
                all(moment > self.now() for moment in asked_at)
                and self.all_told()
                and not any(queue.depth() for queue in signals)
                and self.at_rest(self.engine.rows("marketplane-registration-outbox"))
            )

        self.until(quiet, "a quiet house")

    def rest(self, worker: str) -> None:
        """Starts a worker anew whose loops failed so often that they begin again after long pauses only."""
        if worker in self.relieved:
            return
        text = self.stack.logs(worker)
        failures = text[self._read.get(worker, 0) :].count("A loop failed; it begins again.")
        if failures >= LOOP_FAILURES_BORNE:
            self._read[worker] = len(text)
            self.stack.kill(worker)
            self.stack.start(worker)

    def until_nothing_is_metered(self) -> None:
        """Waits until metering has nothing left to plan or to send."""
        rows = self.engine.rows
        self.until(lambda: not rows("marketplane-metering-ledger", having="unbilled"), "old usage")
        self.until(lambda: not rows("marketplane-metering-records", having="due"), "old records")

    def report_until_taken(self, events: list[dict[str, Any]], web: str = "metering-web") -> None:
        """What a reporter does: whatever was not acknowledged it sends again, unchanged."""
        url = f"{self.stack.urls[web]}/v1/usage-events"

        def taken() -> bool:
            with suppress(httpx.TransportError):
                answer = self.http.post(url, json={"events": events}, headers=self.keys["metering"])
                if answer.status_code == 202:
                    return True
                assert_unavailable(answer)
            return False

        self.until(taken, "the events to be taken")

    def whole_bill(self) -> list[dict[str, Any]]:
        """AWS's records for everybody."""
        return list(self._simulator("GET", "/bill")["records"])

    def decide_until_done(self, record: dict[str, Any], decision: str) -> None:
        """What a person does about a record of metering, again if it failed."""
        url = (
            f"{self.stack.urls['metering-web']}/v1/metering-records/{record['metering_record_id']}/resolution"
        )
        body = {"decision": decision, "reason": "They know."}

        def done() -> bool:
            with suppress(httpx.TransportError):
                return self.http.put(url, json=body, headers=self.keys["metering"]).status_code == 200
            return False

        self.until(done, "the decision to be taken")

    def decide_held_until_done(self, wish: dict[str, str]) -> None:
        """What a person does about held usage, again if it failed."""
        url = f"{self.stack.urls['metering-web']}/v1/held-usage/decisions"
        body = {**wish, "reason": "They know."}

        def done() -> bool:
            with suppress(httpx.TransportError):
                answer = self.http.post(url, json=body, headers=self.keys["metering"])
                return answer.status_code == 200 and not answer.json()["left"]
            return False

        self.until(done, "the decision to be taken")

    def publish(self, buyer: Buyer, **values: str) -> None:
        """Changes the row that notifications publishes of a subscription."""
        self.engine.dynamodb.update_item(
            TableName="marketplane-subscriptions",
            Key={"subscription_id": {"S": buyer.subscription_id}},
            UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in values),
            ExpressionAttributeValues={f":{name}": {"S": value} for name, value in values.items()},
        )

    def assert_adds_up(self, *buyers: Buyer, included: str = "0", **written_off: str) -> None:
        """Each unit of the truth is billed by AWS, once, but for what is named here; and the books say so.

        Args:
            included: paid for by the contract.
            written_off: by its reason.
        """
        not_billed = sum(map(Decimal, written_off.values()), Decimal(included))
        for buyer in buyers:
            due = buyer.total - not_billed
            self.until(
                lambda buyer=buyer, due=due: self.is_settled(buyer) and self.billed(buyer) == due,
                f"a bill of {due} of {buyer.total}",
                buyer,
            )
            row = self.balance(buyer)
            assert row["balanced"], row
            assert Decimal(row["billed"]) == due, row
            assert Decimal(row["included"]) == Decimal(included), row
            named = {one["reason"]: Decimal(one["quantity"]) for one in row["reasons"]}
            assert named == {reason: Decimal(quantity) for reason, quantity in written_off.items()}, row
            slots = [(record["dimension"], record["hour"]) for record in self.bill(buyer)]
            assert len(slots) == len(set(slots)), slots

    @property
    def _proxy(self) -> str:
        return self.stack.urls["fault-proxy"] + "/_faults/"


def assert_unavailable(answer: httpx.Response) -> None:
    """503, in words that a program or a person can go by."""
    assert answer.status_code == 503, (answer.status_code, answer.text)
    assert int(answer.headers["Retry-After"]) > 0
    if answer.headers["content-type"].startswith("text/html"):
        assert "try again in a moment" in answer.text
    else:
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["type"] == "https://marketplane.dev/problems/unavailable"
        assert problem["status"] == 503
        assert problem["instance"] == answer.headers["X-Request-Id"]
