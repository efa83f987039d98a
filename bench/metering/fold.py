#!/usr/bin/env python3
"""How many usage events a second one core folds, and how much memory an hour of them takes.

.venv/metering/bin/python bench/metering/fold.py [--events 10000000]

See README.md.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import itertools
import os
import random
import resource
import statistics
import struct
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE)]

import orjson  # noqa: E402
from figures import verdict  # noqa: E402
from processor_time import load  # noqa: E402
from usage import DIMENSIONS, Event, events  # noqa: E402

from metering.hour_fold import HourFold  # noqa: E402
from metering.hours import hour_of, start_of  # noqa: E402
from metering.quantities import to_micro  # noqa: E402
from metering.segments import FORMAT, LoggedSegment, pack  # noqa: E402
from metering.usage_columns import UsageColumns  # noqa: E402

FEW, MANY = 1_000_000, 10_000_000
SIZES = (100, 500, 2000)
"""Events in a segment: requests of so many that shared their writes with nobody; and of four who did."""
SENT_TWICE = 1000
"""One segment in so many is written again, as after an answer that was lost."""
TEMPLATES = 100
READ_UNIT = 4096
ROUNDS = 3


class LogFile:
    """Segments in a file, as DynamoDB's pages bring them; none stays in memory."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._places = array("Q")

    def all(self) -> Iterator[LoggedSegment]:
        while head := self._file.read(4):
            self._places.append(self._file.tell() - 4)
            data = self._file.read(*struct.unpack("<I", head))
            yield LoggedSegment("part", f"{len(self._places):010x}", FORMAT, data)

    def segment(self, part: str, segment_id: str) -> LoggedSegment:
        with open(self._file.name, "rb") as file:
            file.seek(self._places[int(segment_id, 16) - 1])
            data = file.read(*struct.unpack("<I", file.read(4)))
        return LoggedSegment(part, segment_id, FORMAT, data)


def write_log(path: Path, count: int, size: int) -> None:
    """An hour of so many events, in segments of one size. Ids are random; the rest repeats after a while,
    which no fold can tell."""
    templates = [_segment(itertools.islice(events(), size)) for _ in range(TEMPLATES)]
    written: list[bytes] = []
    with path.open("wb") as file:
        for number in range(count // size):
            if number % SENT_TWICE == SENT_TWICE - 1:
                data = random.choice(written)
            else:
                data = templates[number % TEMPLATES][: -16 * size] + os.urandom(16 * size)
                if len(written) < TEMPLATES:
                    written.append(data)
            file.write(struct.pack("<I", len(data)) + data)


def write_json(path: Path, count: int, size: int) -> None:
    """The same, as events are posted: a line for each request."""
    stream = events()
    with path.open("wb") as file:
        for _ in range(count // size):
            file.write(b"[" + b",".join(event.as_json() for event in itertools.islice(stream, size)) + b"]\n")


def fold(path: Path) -> tuple[int, float]:
    """What metering does. Answers events, and seconds of processor time."""
    log = LogFile(path)
    folded = HourFold(log.segment)
    started = time.process_time()
    for segment in log.all():
        folded.add(segment)
    folded.settle()
    seconds = time.process_time() - started
    assert len({dimension for _, dimension in folded.rows()}) == len(set().union(*DIMENSIONS.values()))
    return folded.events, seconds


def fold_plainly(path: Path) -> tuple[int, float, float]:
    """A dict of the ids, a dict of the sums. Answers events, and seconds with and without decoding."""
    seen: set[tuple[str, str]] = set()
    sums: dict[tuple[str, str], Decimal] = {}
    decoding = looping = 0.0
    with path.open("rb") as file:
        for line in file:
            started = time.process_time()
            rows = orjson.loads(line)
            decoded = time.process_time()
            for row in rows:
                event_id = row["source"], row["id"]
                if event_id not in seen:
                    seen.add(event_id)
                    booked = row["subscription_id"], row["dimension"]
                    sums[booked] = sums.get(booked, 0) + Decimal(row["quantity"])
            looped = time.process_time()
            decoding += decoded - started
            looping += looped - decoded
    return len(seen), decoding + looping, looping


def child(path: Path) -> None:
    """One reading, in a process of its own: its peak of memory is nobody else's. All that a worker imports is
    there."""
    importlib.import_module("metering.app")
    gc.freeze()
    figures = fold_plainly(path) if path.suffix == ".json" else fold(path)
    print(*figures, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def measure(path: Path) -> list[float]:
    command = [sys.executable, __file__, "--child", str(path)]
    return [float(word) for word in subprocess.run(command, check=True, capture_output=True).stdout.split()]


def run(many: int) -> bool:
    speeds, memory, met = {}, {}, []
    with TemporaryDirectory() as folder:
        for size in SIZES:
            few, plain = Path(folder, f"few-{size}"), Path(folder, f"plain-{size}.json")
            write_log(few, FEW, size)
            write_json(plain, FEW, size)
            rounds = [(measure(few), measure(plain)) for _ in range(ROUNDS)]
            ours, beside = zip(*rounds, strict=True)
            speeds[size] = (
                statistics.median(events / seconds for events, seconds, _ in ours),
                statistics.median(events / seconds for events, seconds, _, _ in beside),
                statistics.median(events / seconds for events, _, seconds, _ in beside),
                few.stat().st_size / FEW,
            )
            memory[size] = (ours[0][-1], beside[0][-1])
            few.unlink()
            plain.unlink()
        largest = Path(folder, "many")
        write_log(largest, many, SIZES[-1])
        _, seconds, peak = measure(largest)
    print(f"\nA second of one core; {load()}")
    print(f"{'events in a segment':<24}{'fold':>12}{'plain':>12}{'plain, decoded':>16}{'bytes an event':>16}")
    for size, (ours_speed, with_decoding, alone, width) in speeds.items():
        print(f"{size:<24}{ours_speed:>12,.0f}{with_decoding:>12,.0f}{alone:>16,.0f}{width:>16.1f}")
    print(f"\nRead units of a million events, once: {speeds[SIZES[-1]][-1] * FEW / READ_UNIT:,.0f}")
    print(f"{many:,} events: {many / seconds:,.0f} a second")
    for name, bytes_ in {
        f"{FEW:,} events": memory[SIZES[-1]][0],
        f"{many:,} events": peak,
        f"{FEW:,} events, plainly": memory[SIZES[-1]][1],
    }.items():
        print(f"peak of memory, {name:<32}{bytes_ / 1e6:>8,.0f} MB")
    print()
    for size, (ours_speed, with_decoding, _, _) in speeds.items():
        met.append(
            verdict(f"events/s over the plain loop's, {size} in a segment", ours_speed / with_decoding, 5)
        )
    met.append(verdict("memory of ten times the events", peak / memory[SIZES[-1]][0], 1.5, at_least=False))
    return all(met)


def _segment(these: Iterator[Event]) -> bytes:
    """Of one hour, whenever this runs."""
    hour = hour_of(datetime.now(UTC))
    columns = UsageColumns()
    for number, event in enumerate(these):
        columns.sources.append("inference-gateway")
        columns.ids.append(event.id)
        columns.holders.append(event.subscription_id)
        columns.dimensions.append(event.dimension)
        columns.quantities.append(to_micro(event.quantity))
        columns.hours.append(hour)
        columns.offsets.append(number * 7_001)
        columns.tags.append(())
    (segment,) = pack(columns, 1, start_of(hour), time.time_ns())
    return segment.data


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measures the fold of an hour of usage.")
    parser.add_argument("--events", type=int, default=MANY, help="of the large hour")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child)
    else:
        sys.exit(0 if run(options.events) else 1)
