"""The latest AWS calls with what was answered, for whoever looks for the reason of a refusal."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from marketplace_simulator.times import parse_rfc3339, rfc3339

SCHEMA = """
CREATE TABLE calls (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, request_id TEXT NOT NULL, at TEXT NOT NULL, operation TEXT,
    protocol TEXT NOT NULL, account TEXT, region TEXT, request BLOB NOT NULL, status INTEGER NOT NULL,
    answer BLOB NOT NULL, fault TEXT
);
"""
# The oldest go by so many at a time: a deletion with every call would cost as much as the call.
_CLEARED_AT_ONCE = 50


@dataclass(frozen=True)
class Call:
    """One AWS call as its sender saw it.

    Registration tokens and deployment parameters' secrets are blanked before they come here. `status` 0 is a
    connection that was cut; `fault` the injected fault, if one decided the answer.
    """

    request_id: str
    at: datetime
    operation: str | None
    protocol: str
    account: str | None
    region: str | None
    request: Any
    status: int
    answer: dict[str, Any]
    fault: str | None = None


class CallLog:
    """Keeps the latest calls, `keep` of them or a few more.

    Args:
        db: the store's connection; the caller holds the transaction.
    """

    def __init__(self, db: sqlite3.Connection, keep: int) -> None:
        self._db = db
        self._keep = keep

    def add(self, call: Call, answer: bytes | None = None) -> None:
        """Keep a call, and let the oldest go when there are too many.

        Args:
            answer: the answer as JSON, if it has been written already.
        """
        sequence = self._db.execute(
            "INSERT INTO calls (request_id, at, operation, protocol, account, region, request, status,"
            " answer, fault) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                call.request_id,
                rfc3339(call.at),
                call.operation,
                call.protocol,
                call.account,
                call.region,
                orjson.dumps(call.request),
                call.status,
                answer or orjson.dumps(call.answer),
                call.fault,
            ),
        ).lastrowid
        assert sequence is not None
        if sequence % _CLEARED_AT_ONCE == 0:
            self._db.execute("DELETE FROM calls WHERE sequence <= ?", (sequence - self._keep,))

    def latest(self, limit: int | None = None, operation: str | None = None) -> list[Call]:
        """The kept calls, the oldest first.

        Args:
            limit: only so many of the newest.
            operation: only this operation's.
        """
        rows = self._db.execute(
            "SELECT * FROM calls WHERE ? IS NULL OR operation = ? ORDER BY sequence DESC LIMIT ?",
            (operation, operation, min(self._keep, limit or self._keep)),
        ).fetchall()
        return [
            Call(
                request_id=row["request_id"],
                at=parse_rfc3339(row["at"]),
                operation=row["operation"],
                protocol=row["protocol"],
                account=row["account"],
                region=row["region"],
                request=orjson.loads(row["request"]),
                status=row["status"],
                answer=orjson.loads(row["answer"]),
                fault=row["fault"],
            )
            for row in reversed(rows)
        ]
