#!/usr/bin/env python3
"""How many usage events a second become durable over HTTP, beside what others do and beside doing nothing.

.venv/dev/bin/python bench/metering/usage_in.py [--seconds 2] [--rounds 3] [--connections 32]

See README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
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

BATCHES = (100, 500)
OVER_PEERS = {100: 120.0, 500: 350.0}
"""At least so many times their events a second."""
OF_NO_OP = {100: 0.6, 500: 0.75}
"""At least this share of its events a second."""
PACED_BATCH = 100
SHARE_OF_HIGHEST = 0.5
SECONDS_PACED = 5.0
P99_OVER_P50 = 8.0


def run(seconds: float, rounds: int, connections: int) -> bool:
    found: dict[tuple[str, int], list[Window]] = defaultdict(list)
    paced: list[Window] = []
    with contextlib.ExitStack() as until_the_end:
        at = until_the_end.enter_context(house())
        all_of_them = Contenders(at, connections, until_the_end)
        for size in (
            max(BATCHES),
            *BATCHES,
        ):  # the largest first: it makes the server meet every subscription
            for name in all_of_them.servers:
                all_of_them.post(name, size, min(seconds, 1.0))
        for _ in range(rounds):
            for name in all_of_them.peers:
                found[name, 1].append(all_of_them.put(name, seconds))
            for size in BATCHES:
                for name in all_of_them.servers:
                    found[name, size].append(all_of_them.post(name, size, seconds))
            highest = middle(found["metering", PACED_BATCH], lambda window: window.requests_per_second)
            paced.append(
                all_of_them.post("metering", PACED_BATCH, SECONDS_PACED, pace=highest * SHARE_OF_HIGHEST)
            )
        print(f"\nTwo server processes, {connections} connections; middle of {rounds} rounds ", end="")
        print(f"of {seconds:g} s; {load()}\n")
        print(heading())
        for (name, size), windows in sorted(found.items(), key=lambda one: one[0][1]):
            print(line(f"{size:>3} at a time: {name}", windows))
        print(line(f"{PACED_BATCH:>3} at half the highest rate", paced))
        print(f"\n{all_of_them.checked}")
    return _verdicts(found, paced)


def _verdicts(found: dict[tuple[str, int], list[Window]], paced: list[Window]) -> bool:
    def rate(name: str, size: int) -> float:
        return middle(found[name, size], lambda window: window.events_per_second)

    peers = max(rate(name, size) for name, size in found if size == 1)
    print("\nMetering's events a second")
    met = []
    for size in BATCHES:
        ours = rate("metering", size)
        met.append(verdict(f"over the better peer's, {size} at a time", ours / peers, OVER_PEERS[size]))
        met.append(verdict(f"over the no-op's, {size} at a time", ours / rate("no-op", size), OF_NO_OP[size]))
        print(
            f"  {'over those of the no-op that looks at no row':<58}{ours / rate('blind no-op', size):>12.2f}"
        )
    print("The no-op's processor time of a request over metering's")
    for size in BATCHES:
        share = middle(found["no-op", size], _server_ms) / middle(found["metering", size], _server_ms)
        print(f"  {f'{size} at a time':<58}{share:>12.2f}")
    print(f"A request of {PACED_BATCH} at half the highest rate")
    spread = statistics.median(window.percentile(0.99) / window.percentile(0.50) for window in paced)
    met.append(verdict("p99 over p50", spread, P99_OVER_P50, at_least=False))
    return all(met)


def _server_ms(window: Window) -> float:
    return window.ms_a_request("server")


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures metering's door beside peers and a no-op.")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a window")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    return 0 if run(options.seconds, options.rounds, options.connections) else 1


if __name__ == "__main__":
    sys.exit(main())
