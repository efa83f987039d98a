"""CSV, with a header: RFC 4180, in UTF-8."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from marketplane.importing.errors import FileError
from marketplane.importing.lines import lines
from marketplane.importing.rows import Columns, Row


def columns(path: Path, renamed: Mapping[str, str]) -> Columns:
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = next(csv.reader(lines(file), strict=True), None)
    if not header:
        raise FileError("The file has no header: its first line names the columns.")
    return Columns.chosen(header, renamed)


def rows(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(lines(file), strict=True)
        header = next(reader)
        line = reader.line_num + 1
        try:
            for cells in reader:
                if cells:  # an empty line is no row
                    yield _row(line, header, cells)
                line = reader.line_num + 1
        except csv.Error as error:
            raise FileError(f"The row that begins in line {line} is no CSV: {error}.") from None


def _row(line: int, header: list[str], cells: list[str]) -> Row:
    mistake = None
    if len(cells) != len(header):
        mistake = f"The row has {len(cells)} cells, and the header {len(header)}."
    return Row(line, dict(zip(header, cells, strict=False)), mistake)
