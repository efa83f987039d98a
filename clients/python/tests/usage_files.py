"""Files of usage in each format, with the same rows."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
from made_up import AT, SUBSCRIPTION

from marketplane.events import UsageEvent
from marketplane.importing.row_ids import RowIds
from marketplane.importing.rows import Reader
from marketplane.importing.usage_file import UsageFile

HEADER = ("subscription_id", "dimension", "quantity", "time")


def row(quantity: str = "1", **said: str) -> dict[str, str]:
    return {
        "subscription_id": SUBSCRIPTION,
        "dimension": "tokens",
        "quantity": quantity,
        "time": "2026-11-22T10:15:00Z",
    } | said


def numbered(count: int) -> list[dict[str, str]]:
    return [row(str(number)) for number in range(1, count + 1)]


def write_csv(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else HEADER)
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_jsonl(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    return path


def write_parquet(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    """Quantities as decimals, times as timestamps, all of AT."""
    table = pyarrow.table(
        {
            "subscription_id": [one["subscription_id"] for one in rows],
            "dimension": [one["dimension"] for one in rows],
            "quantity": pyarrow.array([Decimal(one["quantity"]) for one in rows], pyarrow.decimal128(16, 6)),
            "time": pyarrow.array([AT for _ in rows], pyarrow.timestamp("ns", tz="UTC")),
        }
    )
    pyarrow.parquet.write_table(table, path)
    return path


def events_of(path: Path, renamed: Mapping[str, str] | None = None, source: str = "file") -> list[UsageEvent]:
    """All events; raises what the first bad row raises."""
    file = UsageFile.opened(path, None, renamed or {})
    with closing(RowIds()) as row_ids:
        reader = Reader(file.columns, source, row_ids)
        return [reader.event(one) for one in file.rows()]
