"""With a collector named, one trace goes from a request over two queues, a log and three processes."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.journeys.collector import Collector, Span, collecting
from tests.journeys.house import NEWS_QUEUE, SIGNALS_QUEUE, UNTIL_ACTIVE, until, wire
from tools.stack import LOCAL_SECRET, Stack
from tools.story import LICENSED_PRODUCT, START

TRACE, ABOVE = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PROCESSES = ["simulator", "notifications-web", "notifications-worker", "metering-worker"]


def simulate(stack: Stack, method: str, path: str, body: Any = None) -> Any:
    answer = httpx.request(method, f"{stack.urls['simulator']}/_simulator{path}", json=body, timeout=60)
    assert answer.status_code < 400, answer.text
    return answer.json()


def news_of_a_purchase(stack: Stack) -> list[dict[str, Any]]:
    """AWS's news of a new purchase, which AWS itself never sends."""
    bought: dict[str, Any] = simulate(stack, "POST", "/agreements", {"product_code": LICENSED_PRODUCT})
    agreement_id = bought["agreement_id"]
    simulate(stack, "PUT", "/news-delivery", {"agreement_id": agreement_id, "drop": 1000})
    now = datetime.fromisoformat(simulate(stack, "GET", "/clock")["now"])
    simulate(stack, "PUT", "/clock", {"now": wire(now + UNTIL_ACTIVE)})
    found = simulate(stack, "GET", "/news")["news"]
    return [one for one in found if one["agreement_id"] == agreement_id]


def signalled(collector: Collector) -> Span | None:
    """What metering's worker did about a signal."""
    return next((span for span in collector.spans if span.name == f"process {SIGNALS_QUEUE}"), None)


@pytest.fixture(scope="module")
def collector() -> Any:
    with collecting() as one:
        yield one


def test_one_trace_from_awss_request_to_another_services_worker(tmp_path: Path, collector: Collector) -> None:
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
    with Stack(
        tmp_path,
        PROCESSES,
        environment=variables,
        process_environment={"simulator": {"SIMULATOR_START": START}},
    ) as stack:
        news = news_of_a_purchase(stack)
        assert news
        for event in news:
            answer = httpx.post(
                stack.urls["notifications-web"] + "/v1/eventbridge",
                content=event["body"],
                headers={
                    "Content-Type": "application/json",
                    "X-EventBridge-Secret": LOCAL_SECRET,
                    "traceparent": f"00-{TRACE}-{ABOVE}-01",
                },
                timeout=60,
            )
            assert answer.status_code == 200, answer.text
        last = until(lambda: signalled(collector), "a signal's span")
        way = until(
            lambda: found if (found := collector.way_to(last))[0].parent_id == ABOVE else None,
            "its whole way",
        )
        assert [(span.process, span.name) for span in way] == [
            ("notifications-web", "notifications.doors.receive_event"),
            ("notifications-web", f"send {NEWS_QUEUE}"),
            ("notifications-worker", f"process {NEWS_QUEUE}"),
            ("notifications-worker", f"send {SIGNALS_QUEUE}"),
            ("metering-worker", f"process {SIGNALS_QUEUE}"),
        ]
        assert {span.trace_id for span in way} == {TRACE}
        for process in ("notifications-web", "notifications-worker", "metering-worker"):
            lines = [json.loads(line) for line in stack.logs(process).splitlines() if line.startswith("{")]
            assert any(line.get("trace_id") == TRACE for line in lines), process
        for secret in (LOCAL_SECRET, *(event["agreement_id"] for event in news)):
            assert secret.encode() not in b"".join(collector.raw)
