"""The file that is imported: its format, its rows, and what it is known by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from marketplane.importing import csv_rows, jsonl_rows, parquet_rows
from marketplane.importing.errors import FileError
from marketplane.importing.rows import Columns, Row

FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class UsageFile:
    """
    Attributes:
        path: of the file.
        format: `csv`, `jsonl` or `parquet`.
        columns: which column is which field.
        digest: of the whole content; a state belongs to it.
        about: how many rows it has; of text files the number of lines, which may be a little more.
    """

    path: Path
    format: str
    columns: Columns
    digest: str
    about: int

    @classmethod
    def opened(cls, path: Path, format: str | None, renamed: Mapping[str, str]) -> UsageFile:
        """
        Raises:
            FileError, OSError: it cannot be used.
        """
        format = format or FORMATS.get(path.suffix.lower())
        if format is None:
            raise FileError(f"What is in {path.name}? Say --format csv, jsonl or parquet.")
        match format:
            case "csv":
                columns = csv_rows.columns(path, renamed)
            case "jsonl":
                columns = jsonl_rows.columns(path, renamed)
            case _:
                columns = parquet_rows.columns(path, renamed)
        digest, lines = _read_through(path)
        about = parquet_rows.count(path) if format == "parquet" else lines - (format == "csv")
        return cls(path, format, columns, digest, about)

    def rows(self) -> Iterator[Row]:
        """
        Raises:
            FileError: from here on it cannot be read.
        """
        match self.format:
            case "csv":
                return csv_rows.rows(self.path)
            case "jsonl":
                return jsonl_rows.rows(self.path)
            case _:
                return parquet_rows.rows(self.path, self.columns)


def _read_through(path: Path) -> tuple[str, int]:
    """The digest, and the number of line breaks; a last line without one counts."""
    digest, lines, last = hashlib.sha256(), 0, b"\n"
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            lines += chunk.count(b"\n")
            last = chunk[-1:]
    return digest.hexdigest(), lines + (last != b"\n")
