"""JSON lines: an object a line, with the members of a usage event or what --map makes them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NoReturn

from marketplane.importing.lines import lines
from marketplane.importing.rows import Columns, Row


def columns(path: Path, renamed: Mapping[str, str]) -> Columns:
    return Columns.chosen(None, renamed)


def rows(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(lines(file), start=1):
            if line.strip():
                yield _row(number, line)


def _row(number: int, line: str) -> Row:
    try:
        # A number is taken as it is written, so that no digit of it is rounded.
        cells: Any = json.loads(line, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, InvalidOperation, RecursionError):
        return Row(number, {}, "The line is no JSON.")
    if not isinstance(cells, dict):
        return Row(number, {}, "The line is no JSON object.")
    return Row(number, cells)


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)
