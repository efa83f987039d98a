#!/usr/bin/env python3
"""How many requests of one event a second become durable, beside what others do and beside doing nothing.

.venv/dev/bin/python bench/metering/single_events.py [--seconds 2] [--rounds 3] [--connections 64]

See README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent.parent), str(HERE)]

from contenders import Contenders  # noqa: E402
from figures import heading, line, middle, verdict  # noqa: E402
from house import house  # noqa: E402
from measured import Window  # noqa: E402
from processor_time import load  # noqa: E402

OVER_PEERS = 2.5
"""At least so many times their events a second."""


def run(seconds: float, rounds: int, connections: int) -> bool:
    found: dict[str, list[Window]] = defaultdict(list)
    with contextlib.ExitStack() as until_the_end:
        at = until_the_end.enter_context(house())
        all_of_them = Contenders(at, connections, until_the_end)
        for size in (500, 1):  # the large ones make the server meet every subscription
            for name in all_of_them.servers:
                all_of_them.post(name, size, 1.0)
        for _ in range(rounds):
            for name in all_of_them.peers:
                found[name].append(all_of_them.put(name, seconds))
            for name in all_of_them.servers:
                found[name].append(all_of_them.post(name, 1, seconds))
        print(f"\nTwo server processes, {connections} connections, one event a request; ", end="")
        print(f"middle of {rounds} rounds of {seconds:g} s; {load()}\n")
        print(heading())
        for name, windows in found.items():
            print(line(name, windows))
        print(f"\n{all_of_them.checked}\n\nMetering's events a second")
    rates = {
        name: middle(windows, lambda window: window.events_per_second) for name, windows in found.items()
    }
    peers = max(rates[name] for name in all_of_them.peers)
    met = verdict("over the better peer's", rates["metering"] / peers, OVER_PEERS)
    print(f"  {'over the no-ops':<58}{rates['metering'] / rates['no-op']:>12.2f}")
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures single events beside peers and a no-op.")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a window")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    return 0 if run(options.seconds, options.rounds, options.connections) else 1


if __name__ == "__main__":
    sys.exit(main())
