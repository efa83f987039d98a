"""A row of a file becomes an event, or is refused with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marketplane.errors import InvalidEvent
from marketplane.events import UsageEvent, content_of, usage_event
from marketplane.importing.errors import FileError
from marketplane.importing.row_ids import RowIds

TAG = "tags."
HOLDERS = frozenset({"subscription_id", "license_arn", "customer_id", "product_code"})
FIELDS = HOLDERS | {"id", "source", "dimension", "quantity", "time", "tags"}
NEEDED = ("dimension", "quantity", "time")


@dataclass(frozen=True)
class Row:
    """As the file has it.

    Attributes:
        line: where it begins in the file, from 1; in Parquet the row's number.
        cells: by column.
        mistake: why it cannot even be read, if so.
    """

    line: int
    cells: Mapping[str, Any]
    mistake: str | None = None


@dataclass(frozen=True)
class Columns:
    """Which column is which field of an event.

    Attributes:
        fields: by column; `tags.KEY` is one tag.
    """

    fields: Mapping[str, str]

    @classmethod
    def chosen(cls, names: list[str] | None, renamed: Mapping[str, str]) -> Columns:
        """
        Args:
            names: the file's columns; None where each row has its own.
            renamed: field by column; a column that is named like a field needs no word.

        Raises:
            FileError: a field that does not exist, a column that is not there, one field from two columns, or
                one that every event needs is missing.
        """
        for field in renamed.values():
            if field not in FIELDS and not (field.startswith(TAG) and len(field) > len(TAG)):
                raise FileError(
                    f"There is no field {field!r}; there are {', '.join(sorted(FIELDS))} and tags.KEY."
                )
        by_itself = FIELDS - set(renamed.values())
        if names is None:
            fields = {name: name for name in by_itself} | dict(renamed)
        else:
            if absent := [name for name in renamed if name not in names]:
                raise FileError(f"The file has no column {', '.join(absent)}; it has {', '.join(names)}.")
            if len(set(names)) != len(names):
                raise FileError("Two columns of the file have the same name.")
            fields = {name: name for name in names if name in by_itself}
            fields |= {name: name for name in names if name.startswith(TAG) and name not in renamed}
            fields |= renamed
        if len(set(fields.values())) != len(fields):
            raise FileError("Two columns are mapped to the same field.")
        if missing := [field for field in NEEDED if field not in fields.values()]:
            raise FileError(
                f"No column gives {', '.join(missing)}. Name it with --map COLUMN={missing[0]}."
                + (
                    " Without its time a row could not be told from its repetition."
                    if "time" in missing
                    else ""
                )
            )
        return cls(fields)

    def has(self, field: str) -> bool:
        return field in self.fields.values()


class Reader:
    """Makes events of rows.

    Args:
        columns: of the file.
        source: where a row names none.
        row_ids: gives ids to rows without.
    """

    def __init__(self, columns: Columns, source: str, row_ids: RowIds) -> None:
        self._columns = columns
        self._source = source
        self._row_ids = row_ids

    def event(self, row: Row) -> UsageEvent:
        """
        Raises:
            InvalidEvent: why the row is none.
        """
        if row.mistake is not None:
            raise InvalidEvent(row.mistake)
        given: dict[str, Any] = {"source": self._source}
        tags: dict[str, str] = {}
        for column, field in self._columns.fields.items():
            value = row.cells.get(column)
            if value is None or value == "":
                continue
            if field.startswith(TAG):
                tags[field.removeprefix(TAG)] = value
            elif field == "tags":
                tags |= _tags(value)
            else:
                given[field] = value
        for field in NEEDED:
            if field not in given:
                raise InvalidEvent(f"The row has no {field}.")
        given["time"] = _moment(given["time"])
        event_id = given.pop("id", None)
        content = content_of(**given, tags=tags)
        return usage_event(content, self._row_ids.id_of(content) if event_id is None else event_id)


def _moment(value: Any) -> datetime:
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value.strip())
        except ValueError:
            raise InvalidEvent("The time is not of the form 2026-11-22T10:15:00Z.") from None
    if isinstance(value, datetime):
        return value
    raise InvalidEvent("The time is text of the form 2026-11-22T10:15:00Z, or a timestamp.")


def _tags(value: Any) -> dict[str, str]:
    """A JSON object; a map or struct of Parquet."""
    if isinstance(value, list) and all(isinstance(pair, tuple) for pair in value):
        value = dict(value)
    if not isinstance(value, dict):
        raise InvalidEvent("Tags are keys with values; one tag of a text column is mapped to tags.KEY.")
    return {key: text for key, text in value.items() if text is not None}
