#!/usr/bin/env python3
"""What a million usage events cost in DynamoDB's units, as metering writes them.

.venv/dev/bin/python bench/metering/write_units.py [--seconds 4]

See README.md.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent.parent), str(HERE)]

import peers  # noqa: E402
from contenders import PEERS_TABLE, PYTHON_OF_LOAD  # noqa: E402
from counted import counted_house  # noqa: E402
from figures import verdict  # noqa: E402
from house import LOG, House  # noqa: E402
from measured import Window, measure  # noqa: E402
from processor_time import load  # noqa: E402
from units import item_bytes, read_units, write_units  # noqa: E402

from tools.stack import call  # noqa: E402

MILLION = 1_000_000
CASES = {
    "100 at a time, 32 connections": (100, 32, 30_000.0),
    "1 at a time, 64 connections": (1, 64, 200_000.0),
}
"""Events in a request, connections, and the most write units of a million events."""
MOST_EVENTS = 300_000
PEERS_ITEMS = 500


@dataclass(frozen=True)
class Cost:
    window: Window
    tables: list[dict[str, Any]]
    reading: float
    """Read units of reading all of it once, consistently."""

    def a_million(self, units: float) -> float:
        return units / self.window.events * MILLION

    @property
    def write_units(self) -> float:
        return self.a_million(sum(row["write_units"] for row in self.tables))


def run(seconds: float) -> bool:
    with counted_house() as (at, counts):
        _post(at, 500, 32, 2.0)  # the server meets every subscription
        at.empty()
        costs = {}
        for name, (events, connections, _) in CASES.items():
            call("DELETE", counts)
            window = _post(at, events, connections, seconds)
            tables = call("GET", counts)[1]["tables"]
            costs[name] = Cost(window, tables, _check_and_read(at, window, tables))
            at.empty()
        beside = _of_peers(at)
        print(f"\nUnits of a million events; {load()}")
        for name, cost in costs.items():
            _show(name, cost)
        print(f"\nBeside it, one PutItem with one index each: {beside:,.0f} write units.\n")
        met = [
            verdict(f"write units, {name}", costs[name].write_units, most, at_least=False)
            for name, (_, _, most) in CASES.items()
        ]
        return all(met)


def _post(at: House, events: int, connections: int, seconds: float) -> Window:
    server = at.metering
    job = {
        "port": server.port,
        "key": at.key,
        "events": events,
        "connections": connections,
        "seconds": seconds,
        "most": min(MOST_EVENTS // events, int(seconds * 4000)),
        "pace": 0,
    }
    return measure("load.py", [job], {"server": server.pid}, PYTHON_OF_LOAD)


def _check_and_read(at: House, window: Window, tables: list[dict[str, Any]]) -> float:
    """Hold what the engine said to what lies in the log. Answers what reading it costs.

    Raises:
        RuntimeError: other events are there than were acknowledged, or they should have cost otherwise.
    """
    sizes: dict[str, int] = {}
    events = units = 0
    for row in at.segments(["partition", "segment_id", "format", "events", "data"]):
        size = item_bytes(row)
        sizes[row["partition"]["S"]] = sizes.get(row["partition"]["S"], 0) + size
        events += int(row["events"]["N"])
        units += write_units(size)
    said = sum(row["write_units"] for row in tables if row["table"] == LOG)
    if events != window.events:
        raise RuntimeError(f"{window.events} events were acknowledged, and {events} are in the log.")
    if units != said:
        raise RuntimeError(f"By its items the log cost {units} write units, and the engine says {said}.")
    return sum(read_units(size, consistent=True) for size in sizes.values())


def _of_peers(at: House) -> float:
    """By the engine's word."""
    peers.create_table(at.tables, PEERS_TABLE)
    units = sum(
        at.tables.put_item(TableName=PEERS_TABLE, Item=item, ReturnConsumedCapacity="TOTAL")[
            "ConsumedCapacity"
        ]["CapacityUnits"]
        for item in peers.items(PEERS_ITEMS)
    )
    return units / PEERS_ITEMS * MILLION


def _show(name: str, cost: Cost) -> None:
    print(f"\n{name}: {cost.window.events:,} events in {cost.window.requests:,} requests\n")
    columns = ("calls", "items", "write units", "read units")
    print(f"  {'table':<28}{'operation':<16}" + "".join(f"{column:>13}" for column in columns))
    for row in cost.tables:
        figures = (cost.a_million(row[column.replace(" ", "_")]) for column in columns)
        print(f"  {row['table']:<28}{row['operation']:<16}" + "".join(f"{one:>13,.0f}" for one in figures))
    print(f"  {'together':<28}{'':<16}{'':>13}{'':>13}{cost.write_units:>13,.0f}")
    print(f"  to read it all once, consistently: {cost.a_million(cost.reading):,.0f} read units")


def main() -> int:
    parser = argparse.ArgumentParser(description="Counts DynamoDB's units of usage events.")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a window")
    return 0 if run(parser.parse_args().seconds) else 1


if __name__ == "__main__":
    sys.exit(main())
