#!/usr/bin/env python3
"""How many calls of BatchMeterUsage metering makes, and how near it comes to the pace that AWS allows.

.venv/dev/bin/python bench/metering/calls.py [--subscriptions 207] [--hours 3] [--pace 10]

See README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import resource
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent.parent), str(HERE)]

from counted import counting_proxy  # noqa: E402
from figures import verdict  # noqa: E402
from house import WEB, House, house  # noqa: E402
from processor_time import load  # noqa: E402
from usage import DIMENSIONS, LEGACY, LICENSED, Subscription  # noqa: E402

from tools.ports import free_port  # noqa: E402
from tools.stack import ROOT, call  # noqa: E402

RECORDS_A_CALL = 25
OF_PACE = 0.95
"""At least this share of the records a second that the pace allows."""
EVENTS_A_REQUEST = 500
PATIENCE_SECONDS = 600.0


@dataclass(frozen=True)
class Slot:
    """What becomes one metering record."""

    subscription: Subscription
    dimension: str
    hour: datetime


def run(per_product: int, hours: int, pace: int) -> bool:
    this_hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    # The hour before this one may not be sealed yet.
    used = [this_hour - timedelta(hours=number + 2) for number in reversed(range(hours))]
    engine = free_port()
    simulator = free_port(avoid=[engine])
    port = free_port(avoid=[engine, simulator])
    with (
        counting_proxy(port, engine, simulator) as counts,
        house(
            {
                "AWS_ENDPOINT_URL_MARKETPLACE_METERING": f"http://127.0.0.1:{port}",
                "AWS_CALLS_PER_SECOND": str(pace),
                # Production's clock is the machine's own; to ask the simulator's would be calls that no one
                # makes there.
                "CLOCK_URL": "",
            },
            {"engine": engine, "simulator": simulator},
            {"SIMULATOR_START": _wire(used[0] - timedelta(hours=1))},
        ) as at,
    ):
        bought = _buy(at, per_product)
        at.publish(bought)
        slots = [
            Slot(one, dimension, hour)
            for one in bought
            for dimension in DIMENSIONS[one.product_code]
            for hour in used
        ]
        _report(at, slots)
        started = time.monotonic()
        cpu = _submit(at)
        took = time.monotonic() - started
        metered = call("GET", counts)[1]["metered"]
        _check(at, slots)
    return _show(slots, metered, pace, took, cpu)


def _buy(at: House, per_product: int) -> list[Subscription]:
    """So many buyers of each product; when this returns AWS's clock is the machine's, and takes their
    usage."""
    simulator = at.stack.urls["simulator"] + "/_simulator"

    def buy(product_code: str) -> Subscription:
        made = call("POST", f"{simulator}/agreements", {"product_code": product_code})[1]
        identity = made["customer_identifier" if product_code == LEGACY else "license_arn"]
        return Subscription(product_code, identity, made["customer_aws_account_id"])

    with ThreadPoolExecutor(4) as pool:
        bought = list(pool.map(buy, [LEGACY, LICENSED] * per_product))
    call("PUT", f"{simulator}/clock", {"now": _wire(datetime.now(UTC))})
    call("PUT", f"{simulator}/clock", {"speed": 1})
    return bought


def _report(at: House, slots: list[Slot]) -> None:
    """One unit of use for each."""
    rows = [
        {
            "source": "bench",
            "id": str(number),
            "subscription_id": slot.subscription.subscription_id,
            "dimension": slot.dimension,
            "quantity": "1",
            "time": _wire(slot.hour + timedelta(minutes=number % 60)),
        }
        for number, slot in enumerate(slots)
    ]
    for start in range(0, len(rows), EVENTS_A_REQUEST):
        body = json.dumps({"events": rows[start : start + EVENTS_A_REQUEST]}).encode()
        headers = {"Content-Type": "application/json", "X-API-Key": at.key}
        request = urllib.request.Request(f"{at.stack.urls[WEB]}/v1/usage-events", body, headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            if answer.status != 202:
                raise RuntimeError(answer.read().decode())


def _submit(at: House) -> float:
    """One cycle: fold, plan, send. Answers the processor time that it took.

    Raises:
        RuntimeError: something is left to do.
    """
    with _children_cpu() as cpu:
        done = subprocess.run(
            [str(ROOT / ".venv" / "metering" / "bin" / "python"), "-m", "metering", "submit", "--once"],
            cwd=ROOT,
            env=at.stack.environment_of(WEB) | {"PORT": "1", "LOG_LEVEL": "WARNING"},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    if done.returncode != 0:
        raise RuntimeError((done.stdout + done.stderr)[-3000:])
    return cpu[0]


@contextlib.contextmanager
def _children_cpu() -> Iterator[list[float]]:
    """Seconds of the processes that end within."""

    def used() -> float:
        of_children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return of_children.ru_utime + of_children.ru_stime

    found: list[float] = []
    before = used()
    yield found
    found.append(used() - before)


def _check(at: House, slots: list[Slot]) -> None:
    """Hold AWS's bill to what was reported.

    Raises:
        RuntimeError: they differ.
    """
    url = at.stack.urls["simulator"] + "/_simulator/bill?totals_only=true"
    totals = call("GET", url)[1]["totals"]
    records = sum(one["records"] for one in totals)
    quantity = sum(float(one["quantity"]) for one in totals)
    if (records, quantity) != (len(slots), float(len(slots))):
        raise RuntimeError(f"{len(slots)} records were due; billed are {records}, of {quantity} units.")


def _show(slots: list[Slot], metered: list[dict[str, Any]], pace: int, took: float, cpu: float) -> bool:
    due = Counter(slot.subscription.product_code for slot in slots)
    least = {product: math.ceil(count / RECORDS_A_CALL) for product, count in due.items()}
    calls = Counter(LEGACY if one["product"] == LEGACY else LICENSED for one in metered)
    answered = Counter(one["status"] for one in metered)
    print(f"\n{len(slots):,} metering records of {len(due)} products, all due at once; ", end="")
    print(f"`metering submit --once` took {took:.0f} s, {cpu:.0f} s of the processor; {load()}")
    print(f"Answers: {dict(answered)}. AWS's bill has every record, each once.\n")
    print(f"{'product':<30}{'records':>10}{'calls':>8}{'least':>8}")
    for product, count in due.items():
        print(f"{product:<30}{count:>10,}{calls[product]:>8}{least[product]:>8}")
    first, last = metered[0], metered[-1]
    apart = last["at"] - first["at"]
    rate = sum(one["records"] for one in metered[:-1]) / apart
    allowed = pace * RECORDS_A_CALL
    waiting = sum(one["answered"] - one["at"] for one in metered) / len(metered)
    print(
        f"\n{rate:.0f} records a second from the first call to the last, of {allowed} that {pace} calls ",
        end="",
    )
    print(f"a second allow; AWS answered in {waiting * 1000:.1f} ms\n")
    exact = verdict("calls over the least possible", calls.total() / sum(least.values()), 1.0, at_least=False)
    return verdict("records a second, share of what the pace allows", rate / allowed, OF_PACE) and exact


def _wire(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def main() -> int:
    parser = argparse.ArgumentParser(description="Counts calls of BatchMeterUsage.")
    parser.add_argument("--subscriptions", type=int, default=207, help="of each of two products")
    parser.add_argument("--hours", type=int, default=3, help="each makes two records of every subscription")
    parser.add_argument("--pace", type=int, default=10, help="AWS_CALLS_PER_SECOND; AWS allows 10")
    options = parser.parse_args()
    return 0 if run(options.subscriptions, options.hours, options.pace) else 1


if __name__ == "__main__":
    sys.exit(main())
