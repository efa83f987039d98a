"""Parquet: exact columns only. Needs `marketplane-client[parquet]`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from marketplane.importing.errors import FileError
from marketplane.importing.rows import Columns, Row

ROWS_AT_ONCE = 1_000
BUFFER_BYTES = 1 << 20  # of a column that is read; without it a whole row group would be in memory


def columns(path: Path, renamed: Mapping[str, str]) -> Columns:
    """
    Raises:
        FileError: a column that cannot be read exactly, too.
    """
    with _open(path) as file:
        schema = file.schema_arrow
    found = Columns.chosen(list(schema.names), renamed)
    for column, field in found.fields.items():
        _check(column, field, schema.field(column).type)
    return found


def rows(path: Path, wanted: Columns) -> Iterator[Row]:
    with _open(path) as file:
        number = 0
        for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, columns=list(wanted.fields)):
            for cells in _exact_times(batch).to_pylist():
                number += 1
                yield Row(number, cells)


def count(path: Path) -> int:
    with _open(path) as file:
        return int(file.metadata.num_rows)


def _open(path: Path) -> Any:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise FileError("To read Parquet, install marketplane-client[parquet].") from None
    try:
        return ParquetFile(path, buffer_size=BUFFER_BYTES)
    except ArrowException as error:
        raise FileError(f"The file is no Parquet: {error}") from None


def _check(column: str, field: str, kind: Any) -> None:
    from pyarrow import types

    if field == "quantity" and types.is_floating(kind):
        raise FileError(
            f"The column {column} is {kind}, which holds no exact decimals. Write the file anew with a"
            f" decimal, such as CAST({column} AS DECIMAL(16, 6)) in SQL, or .cast(pyarrow.decimal128(16, 6));"
            " only you know which digits were meant."
        )
    if field == "time" and types.is_timestamp(kind) and kind.tz is None:
        raise FileError(
            f"The column {column} is a timestamp without a zone. Write the file anew with"
            " timestamp(unit, tz='UTC'), if it is UTC."
        )


def _exact_times(batch: Any) -> Any:
    """Nanoseconds are cut off to microseconds, as the service does; Python's datetime has none."""
    import pyarrow

    for index, field in enumerate(batch.schema):
        if pyarrow.types.is_timestamp(field.type) and field.type.unit == "ns":
            kind = pyarrow.timestamp("us", tz=field.type.tz)
            batch = batch.set_column(index, field.name, batch.column(index).cast(kind, safe=False))
    return batch
