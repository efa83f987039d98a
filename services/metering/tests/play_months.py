"""Plays many made-up months, each in a process of its own, and prints one table of what came of them.

    python play_months.py --months 2 --short 200     whole months, and short ones with everything in them
    python play_months.py --seed 7                   one again, with its story

Ends with 0 only where nothing was lost, doubled or out of balance in any of them.
"""

import argparse
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from month_defects import DEFECTS
from month_report import MonthReport, table

PLAYER = Path(__file__).parent / "month_player.py"
MOST_SECONDS = 7200
"""Of one month, on a busy machine; then it hangs."""

WHOLE = 1000
MONTHS_FOR_A_DEFECT = 12


@dataclass(frozen=True)
class Month:
    """One to be played. Up to `WHOLE` the seeds are of whole months, above of short ones."""

    seed: int
    defect: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Hours and subscriptions."""
        if self.seed <= WHOLE:
            return 720, 60
        draw = random.Random(f"{self.seed} size")
        return draw.randint(72, 120), draw.randint(14, 18)

    @property
    def again(self) -> str:
        """How to play it again."""
        return f"make faults SEED={self.seed}"


@dataclass(frozen=True)
class Played:
    """What came of one: a report, or why there is none."""

    month: Month
    report: MonthReport | None
    why: str = ""

    @property
    def is_right(self) -> bool:
        return self.report is not None and self.report.is_right

    def __str__(self) -> str:
        if self.report is None:
            return f"{self.month.again}: it did not end.\n{self.why}"
        said = "\n  ".join(line for one in self.report.problems for line in one.splitlines())
        return f"{self.month.again}: at {self.report.at}\n  {said}"


def play(month: Month, tell: bool = False) -> Played:
    """Play one in a process of its own."""
    hours, subscriptions = month.size
    words = [f"--seed={month.seed}", f"--hours={hours}", f"--subscriptions={subscriptions}"]
    words += ["--story"] * tell + [f"--defect={month.defect}"] * bool(month.defect)
    command = [sys.executable, "-W", "ignore", str(PLAYER), *words]
    try:
        done = subprocess.run(
            command,
            env=os.environ | {"PYTHONHASHSEED": "0"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if tell else subprocess.PIPE,
            timeout=MOST_SECONDS,
            text=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Played(month, None, f"It took more than {MOST_SECONDS} seconds.")
    if done.returncode != 0:
        return Played(month, None, (done.stderr or "")[-3000:])
    return Played(month, MonthReport(**json.loads(done.stdout)))


def play_all(months: Iterable[Month], at_once: int = 2) -> Iterator[Played]:
    """In the order given; so many processes at once."""
    with ThreadPoolExecutor(at_once) as pool:
        yield from pool.map(play, months)


def seeds_until_found(defect: str) -> int | None:
    """How many months it takes until a defect is found; None where a few do not find it."""
    for number in range(1, 1 + MONTHS_FOR_A_DEFECT):
        if not play(Month(WHOLE + number, defect)).is_right:
            return number
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description="Plays made-up months and prints a table.")
    parser.add_argument(
        "--months", type=int, default=0, help="how many whole ones: 720 hours, 60 subscriptions"
    )
    parser.add_argument(
        "--short", type=int, default=0, help="how many of 72 to 120 hours, 14 to 18 subscriptions"
    )
    parser.add_argument("--after", type=int, default=0, help="pass over so many seeds of either")
    parser.add_argument("--seed", type=int, help="one alone, with its story")
    parser.add_argument("--defects", action="store_true", help="put defects in first: each has to be found")
    options = parser.parse_args()
    unseen: list[str] = []
    if options.defects:
        with ThreadPoolExecutor(2) as pool:
            for defect, seeds in zip(DEFECTS, pool.map(seeds_until_found, DEFECTS), strict=True):
                print(f"  {defect}: " + (f"found by month {seeds}" if seeds else "NOT FOUND"), flush=True)
                unseen += [] if seeds else [defect]
    if options.seed is not None:
        played = [play(Month(options.seed), tell=True)]
    else:
        first = 1 + options.after
        seeds = [*range(first, first + options.months)]
        seeds += range(WHOLE + first, WHOLE + first + options.short)
        played = []
        for one in play_all(map(Month, seeds)):
            played.append(one)
            if not one.is_right:
                print(one, flush=True)
    wrong = [one for one in played if not one.is_right]
    print(f"\n=== made-up months ===\n{table([one.report for one in played if one.report], len(wrong))}")
    for one in wrong:
        print(f"\nWRONG: {one}")
    for defect in unseen:
        print(f"\nWRONG: nobody saw the defect {defect}.")
    return 1 if wrong or unseen or not played else 0


if __name__ == "__main__":
    sys.exit(main())
