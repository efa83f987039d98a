"""Lists, page by page: how far one request reads, and which cursors it takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pynamodb.expressions.condition import Condition
from pynamodb.pagination import ResultIterator

from chassis.tables import foreign_cursor, read_page

Key = dict[str, Any]
Read = Callable[[int, Key | None], ResultIterator[Any]]
"""A query or a scan, by the size of a page and the key to go on from."""

MOST_PAGES = 20
"""A filter that few rows pass must not read a whole table in one request: after so many pages of DynamoDB the
answer goes out as it is, and its cursor goes on from there."""

DAYS_AT_ONCE = 31
"""As above, for days on which nothing came."""


@dataclass(frozen=True)
class Page:
    rows: list[Any]
    next_key: Key | None


def read_rows(
    read: Read, limit: int, key: Key | None, follow: Callable[[list[Any]], list[Any]] = lambda rows: rows
) -> Page:
    """Up to `limit` rows. Each page asks for no more rows than are still wanted, so none is read and thrown
    away.

    Args:
        follow: what is shown of the rows of a page, where they come from an index that has keys only.
    """
    rows: list[Any] = []
    for _ in range(MOST_PAGES):
        more, key = read_page(read(limit - len(rows), key))
        rows += follow(more)
        if key is None or len(rows) == limit:
            break
    return Page(rows, key)


def read_days(
    name: str, read: Callable[[str], Read], day: date, oldest: date, limit: int, start: Key | None
) -> Page:
    """Up to `limit` rows of an index in which each day has its own key, the newest day first.

    Args:
        name: of that key.
        read: the query of a day, such as `2026-08-20`.
        day: where to begin.
        oldest: the last day to look at.
        start: the cursor; only the day in it counts where it names nothing else.
    """
    rows: list[Any] = []
    key = start if start is not None and len(start) > 1 else None
    for _ in range(DAYS_AT_ONCE):
        if day < oldest:
            return Page(rows, None)
        page = read_rows(read(day.isoformat()), limit - len(rows), key)
        rows += page.rows
        if page.next_key is not None:
            return Page(rows, page.next_key)
        key, day = None, day - timedelta(days=1)
        if len(rows) == limit:
            break
    return Page(rows, {name: {"S": day.isoformat()}} if day >= oldest else None)


def day_of(start: Key, name: str) -> date:
    """The day that a cursor of `read_days` names."""
    try:
        return date.fromisoformat(start[name]["S"])
    except ValueError:
        raise foreign_cursor() from None


def check_key(key: Key | None, shape: Mapping[str, str | None]) -> None:
    """Refuse a cursor that this list, with these filters, did not give: DynamoDB would refuse its key, or
    worse, go on somewhere else."""
    if key is None:
        return
    if key.keys() != shape.keys() or any(
        value.keys() != {"S"} or (wanted is not None and value["S"] != wanted) or len(value["S"]) > 1024
        for value, wanted in ((key[name], wanted) for name, wanted in shape.items())
    ):
        raise foreign_cursor()


def all_of(model: Any, values: Mapping[str, str]) -> Condition | None:
    """That the row has all these values; None where none is asked for."""
    condition: Condition | None = None
    for name, value in values.items():
        equals = getattr(model, name) == value
        condition = equals if condition is None else condition & equals
    return condition
