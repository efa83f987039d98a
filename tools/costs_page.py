"""Writes docs/costs.md, what AWS charges a seller a month at three sizes, from what tools/costs.py reckons.

python -m tools.costs_page                          write the page
python -m tools.costs_page --check                  exit 1 if the page is not what would be written
python -m tools.costs_page --size 300 20000000 100  print a size of your own: subscriptions, usage events a
                                                    month, events in a request
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tools import costs
from tools.aws_prices import MILLION, PRICES
from tools.costs import SIZES, Size, items, running

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "costs.md"

HEAD = """# What AWS charges for running it

A month's bill at list prices of us-east-1, in US dollars, in the twelfth month: what is kept grows. It is
reckoned by `tools/costs.py`, from measured figures where there are any; `make costs` writes this page. Put
your own prices into `tools/aws_prices.py`, or ask for your own size:

    .venv/dev/bin/python -m tools.costs_page --size 300 20000000 100

It is no promise: below $10 no item is more than a guess of its order, and a bill of yours has free tiers,
discounts, taxes and a Region of its own.
"""

WORDS = """## What it says

- **Small sellers pay for what stands ready**: {tasks} Fargate tasks with {vcpus:g} vCPUs, two NAT gateways,
  a load balancer. `WebTasksLeast: 1`, smaller tasks and `ARM64` (a fifth less) make it less.
- **Beyond some hundred subscriptions the hourly audit is the dearest.** It reads all of the ledger and of
  the records each time, so what it costs grows with history. `AUDIT_EVERY_MINUTES=1440` makes it a 24th;
  [its alarm](runbooks/no-audit.md) then has to wait longer, too. At the largest size the figure is what an
  audit an hour would read; whether one ends within its hour nobody has measured.
- **Then come the ledger's rows while their hour is open**: a write for each row that changed in each fold.
  `FOLD_SECONDS=60` makes it less, and usage is seen up to a minute later. The figure is of usage that is
  spread evenly, the dearest there is.
- The usage log itself is cheap: {log:,} write units for a million events that come by the hundred.

## Where the figures are from

| figure | value | from |
|---|---|---|
| write units of a million events, by the hundred | {log:,} | [bench/metering](../bench/metering/README.md) |
| the same, each alone, while little comes | {log_single:,} | [docs/performance.md](performance.md) |
| read units of a million events, by the hundred | {read:,} | [bench/metering](../bench/metering/README.md) |
| writes of a fold | one unit for each changed row, two for the hour | [docs/performance.md](performance.md) |
| read units of an audit of a million ledger rows and as many records | {audit:,} \
| [metering](../services/metering/README.md) |
| write units of a message of AWS, applied and told | {news:.1f} \
| [bench/notifications](../bench/notifications/README.md) |
| write units of a metering record, from plan to outcome | {record} \
| counted from `services/metering/src/metering/tables/record_store.py`, not measured |
| tasks, alarms, dashboards, secrets | as the templates have them \
| [infrastructure](../infrastructure/README.md) |

Assumed, for nobody has measured it: each subscription uses {dimensions} dimensions in every hour; {event}
bytes an event on its way in; {record_bytes:,} bytes for a record with its ledger row; {logged} bytes in the
log for a request, and {quiet} GB a month of all tasks while nothing comes; {metrics} metrics of ECS's
Container Insights; {months} months of usage log and books are kept; DynamoDB is reached by a gateway
endpoint, not through NAT.

Not in it: what AWS Marketplace takes of the sale, traffic to the Internet, WAF, KMS requests, the portal's
own image, calls of the APIs that read, backups beyond recovery to any second, support.

## Prices

| price | $ | for one | read in |
|---|---|---|---|
"""


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Writes docs/costs.md.")
    parser.add_argument("--check", action="store_true", help="exit 1 if the page is out of date")
    parser.add_argument(
        "--size",
        nargs=3,
        type=positive,
        metavar=("SUBSCRIPTIONS", "EVENTS", "IN_A_REQUEST"),
        help="print this size instead of writing the page",
    )
    options = parser.parse_args(words)
    if options.size:
        print(table([Size(*options.size)]))
        return 0
    page = written()
    if options.check:
        if not PAGE.exists() or PAGE.read_text() != page:
            print("docs/costs.md is out of date: run `make costs`.")
            return 1
        return 0
    PAGE.write_text(page)
    print(f"{PAGE.relative_to(ROOT)} is written.")
    return 0


def positive(word: str) -> int:
    """A whole number above 0, for argparse."""
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{word} is less than 1")
    return number


def written() -> str:
    """The page as it should be."""
    tasks = running()
    words = WORDS.format(
        tasks=tasks.count,
        vcpus=tasks.vcpus,
        log=costs.WRITE_UNITS_OF_MILLION_IN_HUNDREDS,
        log_single=costs.WRITE_UNITS_OF_MILLION_SINGLE,
        read=costs.READ_UNITS_OF_MILLION_IN_HUNDREDS,
        audit=costs.READ_UNITS_OF_AUDIT,
        news=costs.WRITE_UNITS_OF_NEWS,
        record=costs.WRITE_UNITS_OF_RECORD,
        dimensions=costs.DIMENSIONS,
        event=costs.BYTES_OF_EVENT,
        record_bytes=costs.BYTES_OF_RECORD,
        logged=costs.BYTES_OF_REQUEST_LOGGED,
        quiet=costs.QUIET_LOG_GB,
        metrics=costs.METRICS_OF_CONTAINER_INSIGHTS,
        months=costs.MONTHS_KEPT,
    )
    prices = "\n".join(price.row(name) for name, price in PRICES.items())
    return f"{HEAD}\n{table(SIZES)}\n{words}{prices}\n"


def table(sizes: Sequence[Size]) -> str:
    """Items as rows, sizes as columns."""
    columns = [items(size) for size in sizes]
    rows = [[name, *(shown(column[name]) for column in columns)] for name in columns[0]]
    total = ["**all**", *(f"**{shown(sum(column.values()))}**" for column in columns)]
    each = [
        "for a subscription",
        *(f"{sum(of.values()) / size.subscriptions:.2f}" for of, size in zip(columns, sizes, strict=True)),
    ]
    head = ["$ a month", *(named(size) for size in sizes)]
    lines = [head, ["---", *("---:" for _ in sizes)], *rows, total, each]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def named(size: Size) -> str:
    events = f"{size.events / MILLION:,g} million events"
    return f"{size.subscriptions:,} subscriptions, {events}, {size.events_in_request} in a request"


def shown(amount: float) -> str:
    """Two digits that count: nobody knows more."""
    if amount < 1:
        return "under 1"
    digits = len(str(int(amount)))
    return f"{round(amount, 2 - digits):,.0f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
