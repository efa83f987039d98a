"""A cycle that did something is one trace, with its calls of AWS in it; no span says whose usage it is."""

import json
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from house import CONCURRENT, LEGACY, House
from opentelemetry.trace import SpanKind, StatusCode
from shelf_marketplace import URL, Fault

from chassis.queues import Message
from chassis.testing import Traced, ids
from metering.worker import fold_loop, loops


@pytest.mark.parametrize("product_code", [LEGACY, CONCURRENT])
def test_a_cycle_and_its_call(house: House, traced: Traced, product_code: str) -> None:
    sub = house.buy(product_code)
    house.use(sub, "3")
    house.clock.advance(hours=1, minutes=5)
    house.run()
    call, cycle = traced.named("BatchMeterUsage"), traced.named("cycle")
    assert ids(call)[2] == ids(cycle)[1]
    assert call.kind is SpanKind.CLIENT
    assert dict(call.attributes or {}) == {"marketplane.records": 1}
    (record,) = house.records(sub)
    identity = record.identity
    said = "".join(span.to_json() for span in traced.all)
    for private in (
        sub,
        record.metering_record_id,
        identity.customer_identifier,
        identity.license_arn,
        identity.customer_aws_account_id,
    ):
        assert not private or private not in said


def test_a_call_that_got_no_answer_is_a_failed_span(house: House, traced: Traced) -> None:
    house.use(house.buy(CONCURRENT), "3")
    house.clock.advance(hours=1, minutes=5)
    house.aws.next_calls(Fault(before=EndpointConnectionError(endpoint_url=URL)))
    house.run()
    call = traced.all[0]
    assert (call.name, call.status.status_code) == ("BatchMeterUsage", StatusCode.ERROR)
    assert dict(call.attributes or {})["error.type"] == "EndpointConnectionError"
    assert URL not in call.to_json()


def test_rounds_that_found_nothing_to_do_are_not_told(house: House, traced: Traced) -> None:
    house.clock.advance(hours=1)
    house.run(2)

    class Once(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            self.set()
            return True

    fold_loop(house.cycle, timedelta(seconds=1).total_seconds())["fold"](Once())
    assert traced.all == []


class TwoSignals:
    """A queue that has two, and then stops its loop."""

    name = "signals"

    def __init__(self, stop: threading.Event) -> None:
        said = {"id": "1", "type": "subscription.ending", "time": "2026-11-22T10:00:00Z"}
        self._messages = [
            Message(str(n), json.dumps(said | {"subscription_id": "sub_a"}), "r") for n in (1, 2)
        ]
        self._stop = stop

    def receive(self, wait_seconds: int) -> list[Message]:
        if not self._messages:
            self._stop.set()
            return []
        return [self._messages.pop()]

    def delete(self, messages: list[Message]) -> None: ...


def test_a_cycle_is_linked_to_the_signals_that_woke_it(house: House, traced: Traced) -> None:
    house.use(house.buy(CONCURRENT), "3")
    house.clock.advance(hours=1, minutes=5)
    stop, no_more = threading.Event(), threading.Event()

    class Once:
        def run(self, told_to_stop: Callable[[], bool], woken_by: Iterable[str]) -> None:
            house.cycle.run(told_to_stop, woken_by)
            house.use(house.buy(CONCURRENT), "3")
            house.clock.advance(hours=2)
            house.cycle.run(told_to_stop)
            stop.set()

    class NobodyAsks:
        def take_all(self, _stop: object) -> None: ...

    parts: Any = Once(), NobodyAsks(), TwoSignals(no_more)
    both = loops(*parts, pause_seconds=1)
    both["signals"](no_more)
    both["cycle"](stop)
    signals = [ids(span)[:2] for span in traced.all if span.name == "process signals"]
    woken, other = [span for span in traced.all if span.name == "cycle"]
    linked = [(f"{one.context.trace_id:032x}", f"{one.context.span_id:016x}") for one in woken.links]
    assert len(signals) == 2
    assert linked == signals
    assert other.links == ()
