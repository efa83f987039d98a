"""`make demo`: two buyers, three hours, one bill, and a worker killed in mid-flight.

Exits 0 only if the bill is exact."""

from __future__ import annotations

import argparse
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.stack import Stack  # noqa: E402
from tools.story import ENVIRONMENT, MOMENT_OF, PROCESSES, START, Line, Story  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--kill",
        default="metering-worker",
        help=f"which processes to kill: all, none, or of {', '.join(MOMENT_OF)} (with commas)",
    )
    parser.add_argument("--events", type=int, default=150, help="events a buyer and quarter of an hour")
    chosen = parser.parse_args()
    kill = {"all": tuple(MOMENT_OF), "none": ()}.get(chosen.kill) or tuple(
        filter(None, chosen.kill.split(","))
    )
    kill = () if chosen.kill == "none" else kill

    print("Marketplane's demo: real HTTP, SQS and DynamoDB here; the simulator plays AWS Marketplace.\n")
    with tempfile.TemporaryDirectory(prefix="marketplane-demo-") as folder:
        stack = Stack(
            folder,
            processes=PROCESSES,
            environment=ENVIRONMENT,
            process_environment={"simulator": {"SIMULATOR_START": START}},
            on_event=lambda sentence: print(f"          {sentence}", flush=True),
        )
        with stack:
            print()
            story = Story(stack, lambda sentence: print(sentence, flush=True), kill, chosen.events)
            lines = story.play()
    print_bill(story, lines)
    exact = all(line.difference == 0 and line.balanced for line in lines)
    print("Everything that was started has been stopped.")
    return 0 if exact else 1


def print_bill(story: Story, lines: list[Line]) -> None:
    """The bill beside the truth."""
    print(
        f"\n{story.reported} usage events were reported, {story.late} of them late; "
        f"{story.repeated} were sent a second time.\n"
    )
    print(
        f"{'buyer':<10}{'dimension':<12}{'used':>16}{'billed by AWS':>16}"
        f"{'written off':>16}{'difference':>12}  books"
    )
    for line in lines:
        print(
            f"{line.buyer:<10}{line.dimension:<12}{line.used:>16f}{line.billed:>16f}{line.written_off:>16f}"
            f"{line.difference:>12f}  {'balanced' if line.balanced else 'NOT BALANCED'}"
        )
    total = sum((line.difference for line in lines), Decimal(0))
    print(f"\nDifference: {total.normalize() if total else 0}\n")


if __name__ == "__main__":
    sys.exit(main())
