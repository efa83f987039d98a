"""Ids of rows that have none: the content, and its number among rows of the same content.

So the events of a file depend on nothing but what it says: not on the order of its rows, on columns that are
not mapped, or on the format. Two rows that say the same are two events; the same file again is the same
events.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from typing import Any

from marketplane.events import encoded

MOST_MEMORY_KIB = 64 * 1024


class RowIds:
    """Counts in a database without a name: SQLite keeps it in memory as long as it is small, on disk beyond
    that, and it vanishes with the process however that ends."""

    def __init__(self) -> None:
        self._counts = sqlite3.connect("", isolation_level=None)
        self._counts.execute(f"PRAGMA cache_size = -{MOST_MEMORY_KIB}")
        self._counts.execute("PRAGMA journal_mode = OFF")
        self._counts.execute(
            "CREATE TABLE counts (content BLOB PRIMARY KEY, rows INTEGER NOT NULL) WITHOUT ROWID"
        )
        self._counts.execute("BEGIN")

    def id_of(self, content: Mapping[str, Any]) -> str:
        """The id of the next row with this content (`events.content_of`)."""
        digest = hashlib.sha256(encoded(content)).digest()[:20]
        ((number,),) = self._counts.execute(
            "INSERT INTO counts VALUES (?, 1) ON CONFLICT DO UPDATE SET rows = rows + 1 RETURNING rows",
            (digest,),
        )
        return f"{digest.hex()}-{number}"

    def close(self) -> None:
        self._counts.close()
