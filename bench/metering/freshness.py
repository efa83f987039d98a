#!/usr/bin/env python3
"""How soon usage that was accepted is there to be read, while more comes in all the time.

.venv/dev/bin/python bench/metering/freshness.py [--probes 20]

See README.md.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import httpx

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent.parent), str(HERE)]

from figures import verdict  # noqa: E402
from house import WEB, house  # noqa: E402
from processor_time import load  # noqa: E402
from usage import LEGACY, Event, Subscription, events  # noqa: E402

WORKER = "metering-worker"
GOAL_SECONDS = 10.0
PATIENCE_SECONDS = 60.0
EVENTS_A_REQUEST = 100
SECONDS_BETWEEN_REQUESTS = 0.05
PROBED = Subscription(LEGACY, "bench-freshness", "219999999999")


class Probe(NamedTuple):
    """How long it was until usage was seen, and how many other events were reported meanwhile."""

    seconds: float
    others: int


def run(probes: int) -> bool:
    with house(also=[WORKER]) as at:
        at.publish([PROBED])
        key = at.stack.api_key("metering", ["usage:write", "usage:read"])
        others = events()
        with httpx.Client(
            base_url=at.stack.urls[WEB], headers={"X-API-Key": key}, trust_env=False, timeout=PATIENCE_SECONDS
        ) as metering:
            took = [_probe(metering, others, number) for number in range(1, probes + 1)]
    beside = sum(probe.others for probe in took) / sum(probe.seconds for probe in took)
    print(f"\n{probes} probes, one after the other, beside {beside:,.0f} other events a second; {load()}\n")
    print("Seconds from the answer 202 to the first GET /v1/usage that has it")
    print(f"  {'middle':<58}{statistics.median(probe.seconds for probe in took):>12,.2f}")
    return verdict("longest", max(probe.seconds for probe in took), GOAL_SECONDS, at_least=False)


def _probe(metering: httpx.Client, others: Iterator[Event], number: int) -> Probe:
    """Reports one unit more, and asks until all units so far are there.

    Raises:
        RuntimeError: they never were.
    """
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    _report(metering, [Event(PROBED.subscription_id, "gpu_hours", f"probe-{number}", "1", now)])
    accepted = time.monotonic()
    requests = 0
    while _used(metering) != number:
        if time.monotonic() - accepted > PATIENCE_SECONDS:
            raise RuntimeError(f"Usage was not there after {PATIENCE_SECONDS:g} s.")
        _report(metering, list(itertools.islice(others, EVENTS_A_REQUEST)))
        requests += 1
        time.sleep(SECONDS_BETWEEN_REQUESTS)
    return Probe(time.monotonic() - accepted, requests * EVENTS_A_REQUEST)


def _report(metering: httpx.Client, reported: list[Event]) -> None:
    content = b'{"events":[' + b",".join(event.as_json() for event in reported) + b"]}"
    headers = {"Content-Type": "application/json"}
    metering.post("/v1/usage-events", content=content, headers=headers).raise_for_status()


def _used(metering: httpx.Client) -> int:
    answer = metering.get("/v1/usage", params={"subscription_id": PROBED.subscription_id})
    return sum(int(item["quantity"]) for item in answer.raise_for_status().json()["items"])


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures how soon accepted usage can be read.")
    parser.add_argument("--probes", type=int, default=20)
    options = parser.parse_args()
    return 0 if run(options.probes) else 1


if __name__ == "__main__":
    sys.exit(main())
