"""All state, in SQLite: a file that survives `kill -9`, or memory.

Used by the one event loop only, so it needs no locks. A door wraps each request in one `transaction()` and
answers after it: an answer given is a fact kept.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, cast

from marketplace_simulator.agreements import Agreement
from marketplace_simulator.clock import ClockState
from marketplace_simulator.hour_slots import HourSlot
from marketplace_simulator.metering import BilledRecord
from marketplace_simulator.news import News
from marketplace_simulator.products import Dimension, Product
from marketplace_simulator.times import parse_rfc3339, rfc3339
from marketplace_simulator.tokens import Token

# Raise it when a table changes: a file of another version is refused at start.
SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE clock (
    only INTEGER PRIMARY KEY CHECK (only = 1), anchor_simulated TEXT NOT NULL, anchor_real TEXT NOT NULL,
    speed REAL NOT NULL
);
CREATE TABLE products (
    product_code TEXT PRIMARY KEY, product_id TEXT NOT NULL UNIQUE, title TEXT NOT NULL,
    generation TEXT NOT NULL, pricing_model TEXT NOT NULL, dimensions TEXT NOT NULL, registration_url TEXT
);
CREATE TABLE agreements (
    sequence INTEGER PRIMARY KEY, agreement_id TEXT NOT NULL UNIQUE, product_code TEXT NOT NULL,
    generation TEXT NOT NULL, customer_aws_account_id TEXT NOT NULL, customer_identifier TEXT,
    license_arn TEXT NOT NULL UNIQUE, offer_id TEXT NOT NULL, free_trial INTEGER NOT NULL,
    accepted_at TEXT NOT NULL, activates_at TEXT NOT NULL, end_time TEXT NOT NULL, ended_at TEXT,
    meter_until TEXT, entitlements TEXT NOT NULL
);
CREATE INDEX agreements_by_account ON agreements (product_code, customer_aws_account_id);
CREATE INDEX agreements_by_customer ON agreements (product_code, customer_identifier);
CREATE TABLE tokens (fingerprint TEXT PRIMARY KEY, agreement_id TEXT NOT NULL, expires_at TEXT NOT NULL);
CREATE TABLE news (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, message_id TEXT NOT NULL UNIQUE, agreement_id TEXT NOT NULL,
    channel TEXT NOT NULL, topic TEXT, name TEXT NOT NULL, due_at TEXT NOT NULL, body TEXT NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, last_error TEXT
);
CREATE INDEX news_undelivered ON news (due_at, sequence) WHERE delivered = 0;
CREATE TABLE billed (
    region TEXT NOT NULL, meter TEXT NOT NULL, dimension TEXT NOT NULL, hour TEXT NOT NULL,
    metering_record_id TEXT NOT NULL, product_code TEXT NOT NULL, customer_identifier TEXT, license_arn TEXT,
    customer_aws_account_id TEXT NOT NULL, quantity INTEGER NOT NULL, accepted_at TEXT NOT NULL,
    PRIMARY KEY (region, meter, dimension, hour)
) WITHOUT ROWID;
CREATE TABLE calls (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, request_id TEXT NOT NULL, at TEXT NOT NULL, operation TEXT,
    region TEXT, request TEXT, status INTEGER NOT NULL, answer TEXT NOT NULL
);
CREATE TABLE subscribed_queues (name TEXT PRIMARY KEY);
"""
_EMPTIED_BY_RESET = ("products", "agreements", "tokens", "news", "billed", "calls", "subscribed_queues")


@dataclass(frozen=True)
class KeptNews:
    """News with what became of it."""

    sequence: int
    news: News
    delivered: bool
    attempts: int
    last_error: str | None

    def state(self, now: datetime) -> Literal["scheduled", "due", "delivered"]:
        """`due` is news whose moment has come and whose delivery has not succeeded yet."""
        if self.delivered:
            return "delivered"
        return "due" if self.news.due_at <= now else "scheduled"


@dataclass(frozen=True)
class Call:
    """One AWS call and its answer; registration tokens are blanked before they come here."""

    request_id: str
    at: datetime
    operation: str | None
    region: str | None
    request: Any
    status: int
    answer: Any


class Store:
    """Keeps and finds; decides nothing.

    Args:
        path: a file, or `:memory:`.
        keep_calls: how many of the latest calls are kept.

    Raises:
        RuntimeError: the file was written by another version of the simulator.
    """

    def __init__(self, path: str, keep_calls: int) -> None:
        self._keep_calls = keep_calls
        # Made in one thread, used in the event loop's: never in two at once.
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        elif version != SCHEMA_VERSION:
            self._db.close()
            raise RuntimeError(
                f"SIMULATOR_DATABASE {path} has layout {version}, this simulator needs {SCHEMA_VERSION};"
                " name another file or delete it."
            )

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block, or nothing. Must not be held over an `await`."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def empty(self) -> None:
        for table in _EMPTIED_BY_RESET:
            self._db.execute(f"DELETE FROM {table}")

    # Clock

    def clock_state(self) -> ClockState | None:
        row = self._db.execute("SELECT * FROM clock").fetchone()
        if row is None:
            return None
        return ClockState(
            parse_rfc3339(row["anchor_simulated"]), parse_rfc3339(row["anchor_real"]), row["speed"]
        )

    def keep_clock_state(self, state: ClockState) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO clock VALUES (1, ?, ?, ?)",
            (rfc3339(state.anchor_simulated), rfc3339(state.anchor_real), state.speed),
        )

    # Products

    def keep_product(self, product: Product) -> None:
        self._insert(
            "INSERT OR REPLACE INTO products",
            {
                "product_code": product.product_code,
                "product_id": product.product_id,
                "title": product.title,
                "generation": product.generation,
                "pricing_model": product.pricing_model,
                "dimensions": json.dumps([asdict(dimension) for dimension in product.dimensions]),
                "registration_url": product.registration_url,
            },
        )

    def product(self, product_code: str) -> Product | None:
        row = self._db.execute("SELECT * FROM products WHERE product_code = ?", (product_code,)).fetchone()
        return _product(row) if row else None

    def product_by_id(self, product_id: str) -> Product | None:
        row = self._db.execute("SELECT * FROM products WHERE product_id = ?", (product_id,)).fetchone()
        return _product(row) if row else None

    def products(self) -> list[Product]:
        return [
            _product(row) for row in self._db.execute("SELECT * FROM products ORDER BY title, product_code")
        ]

    # Agreements

    def add_agreement(self, agreement: Agreement) -> None:
        self._insert("INSERT INTO agreements", _agreement_row(agreement))

    def keep_agreement(self, agreement: Agreement) -> None:
        """Write the end of an agreement; the rest of it never changes."""
        row = _agreement_row(agreement)
        self._db.execute(
            "UPDATE agreements SET ended_at = :ended_at, meter_until = :meter_until"
            " WHERE agreement_id = :agreement_id",
            row,
        )

    def agreement(self, agreement_id: str) -> Agreement | None:
        return _first(self._agreements("agreement_id = ?", agreement_id))

    def agreement_by_license(self, license_arn: str) -> Agreement | None:
        return _first(self._agreements("license_arn = ?", license_arn))

    def agreements_of_customer(
        self, product_code: str, customer_identifier: str | None, customer_aws_account_id: str | None
    ) -> list[Agreement]:
        """A customer's agreements for a product, by whichever of the two names is given; the newest first."""
        if customer_identifier is not None:
            found = self._agreements(
                "product_code = ? AND customer_identifier = ?", product_code, customer_identifier
            )
        else:
            found = self._agreements(
                "product_code = ? AND customer_aws_account_id = ?", product_code, customer_aws_account_id
            )
        return found[::-1]

    def agreements(self, product_code: str | None = None) -> list[Agreement]:
        """All agreements, or a product's, in the order in which they were bought."""
        return self._agreements("product_code = ?", product_code) if product_code else self._agreements("1")

    def _agreements(self, where: str, *values: object) -> list[Agreement]:
        rows = self._db.execute(f"SELECT * FROM agreements WHERE {where} ORDER BY sequence", values)
        return [_agreement(row) for row in rows]

    # Tokens

    def add_token(self, token: Token) -> None:
        self._insert(
            "INSERT INTO tokens",
            {
                "fingerprint": token.fingerprint,
                "agreement_id": token.agreement_id,
                "expires_at": rfc3339(token.expires_at),
            },
        )

    def token(self, fingerprint: str) -> Token | None:
        row = self._db.execute("SELECT * FROM tokens WHERE fingerprint = ?", (fingerprint,)).fetchone()
        if row is None:
            return None
        return Token(row["fingerprint"], row["agreement_id"], parse_rfc3339(row["expires_at"]))

    # News

    def add_news(self, items: Sequence[News]) -> None:
        for item in items:
            self._insert("INSERT INTO news", {**asdict(item), "due_at": rfc3339(item.due_at)})

    def news(self) -> list[KeptNews]:
        return [_kept_news(row) for row in self._db.execute("SELECT * FROM news ORDER BY due_at, sequence")]

    def next_due(self, channel: str, now: datetime) -> KeptNews | None:
        """The earliest news of a channel that is due and has not been delivered."""
        row = self._db.execute(
            "SELECT * FROM news WHERE delivered = 0 AND due_at <= ? AND channel = ?"
            " ORDER BY due_at, sequence LIMIT 1",
            (rfc3339(now), channel),
        ).fetchone()
        return _kept_news(row) if row else None

    def waiting_news(self, now: datetime) -> int:
        """How much news is due and has not been delivered."""
        query = "SELECT COUNT(*) FROM news WHERE delivered = 0 AND due_at <= ?"
        return cast(int, self._db.execute(query, (rfc3339(now),)).fetchone()[0])

    def withdraw_news(self, agreement_id: str, name: str, after: datetime) -> None:
        """Forget news that is not due yet."""
        self._db.execute(
            "DELETE FROM news WHERE agreement_id = ? AND name = ? AND due_at > ? AND delivered = 0",
            (agreement_id, name, rfc3339(after)),
        )

    def mark_delivered(self, sequence: int) -> None:
        self._db.execute(
            "UPDATE news SET delivered = 1, attempts = attempts + 1, last_error = NULL WHERE sequence = ?",
            (sequence,),
        )

    def mark_failed(self, sequence: int, error: str) -> None:
        self._db.execute(
            "UPDATE news SET attempts = attempts + 1, last_error = ? WHERE sequence = ?", (error, sequence)
        )

    def add_subscribed_queue(self, name: str) -> None:
        self._db.execute("INSERT OR IGNORE INTO subscribed_queues VALUES (?)", (name,))

    def subscribed_queues(self) -> list[str]:
        return [row["name"] for row in self._db.execute("SELECT name FROM subscribed_queues ORDER BY name")]

    # The bill

    def billed(self, slot: HourSlot) -> BilledRecord | None:
        row = self._db.execute(
            "SELECT * FROM billed WHERE region = ? AND meter = ? AND dimension = ? AND hour = ?",
            (slot.region, slot.meter, slot.dimension, rfc3339(slot.hour)),
        ).fetchone()
        return _billed(row) if row else None

    def bill(self, record: BilledRecord) -> None:
        """Fill a slot; a second write into it is a fault of the caller and fails."""
        self._insert(
            "INSERT INTO billed",
            {
                "region": record.slot.region,
                "meter": record.slot.meter,
                "dimension": record.slot.dimension,
                "hour": rfc3339(record.slot.hour),
                "metering_record_id": record.metering_record_id,
                "product_code": record.product_code,
                "customer_identifier": record.customer_identifier,
                "license_arn": record.license_arn,
                "customer_aws_account_id": record.customer_aws_account_id,
                "quantity": record.quantity,
                "accepted_at": rfc3339(record.accepted_at),
            },
        )

    def all_billed(self, product_code: str | None = None) -> list[BilledRecord]:
        """Every billed record, or a product's, by hour."""
        where, values = ("product_code = ?", (product_code,)) if product_code else ("1", ())
        rows = self._db.execute(
            f"SELECT * FROM billed WHERE {where} ORDER BY hour, product_code, meter, dimension, region",
            values,
        )
        return [_billed(row) for row in rows]

    # Calls

    def add_call(self, call: Call) -> None:
        """Keep a call, and let the oldest go when there are too many."""
        added = self._insert(
            "INSERT INTO calls",
            {
                "request_id": call.request_id,
                "at": rfc3339(call.at),
                "operation": call.operation,
                "region": call.region,
                "request": json.dumps(call.request),
                "status": call.status,
                "answer": json.dumps(call.answer),
            },
        )
        self._db.execute("DELETE FROM calls WHERE sequence <= ?", (added - self._keep_calls,))

    def calls(self) -> list[Call]:
        return [
            Call(
                request_id=row["request_id"],
                at=parse_rfc3339(row["at"]),
                operation=row["operation"],
                region=row["region"],
                request=json.loads(row["request"]),
                status=row["status"],
                answer=json.loads(row["answer"]),
            )
            for row in self._db.execute("SELECT * FROM calls ORDER BY sequence")
        ]

    def _insert(self, insert: str, row: dict[str, Any]) -> int:
        columns, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
        return self._db.execute(f"{insert} ({columns}) VALUES ({marks})", row).lastrowid or 0


def _first(found: list[Agreement]) -> Agreement | None:
    return found[0] if found else None


def _moment(text: str | None) -> datetime | None:
    return parse_rfc3339(text) if text else None


def _product(row: sqlite3.Row) -> Product:
    return Product(
        **{**dict(row), "dimensions": tuple(Dimension(**d) for d in json.loads(row["dimensions"]))}
    )


def _agreement_row(agreement: Agreement) -> dict[str, Any]:
    row = {name: getattr(agreement, name) for name in agreement.__dataclass_fields__}
    row["entitlements"] = json.dumps(agreement.entitlements)
    return {name: rfc3339(value) if isinstance(value, datetime) else value for name, value in row.items()}


def _agreement(row: sqlite3.Row) -> Agreement:
    values = dict(row)
    del values["sequence"]
    for name in ("accepted_at", "activates_at", "end_time", "ended_at", "meter_until"):
        values[name] = _moment(values[name])
    return Agreement(
        **{
            **values,
            "free_trial": bool(values["free_trial"]),
            "entitlements": json.loads(values["entitlements"]),
        }
    )


def _kept_news(row: sqlite3.Row) -> KeptNews:
    news = News(
        message_id=row["message_id"],
        agreement_id=row["agreement_id"],
        channel=row["channel"],
        topic=row["topic"],
        name=row["name"],
        due_at=parse_rfc3339(row["due_at"]),
        body=row["body"],
    )
    return KeptNews(row["sequence"], news, bool(row["delivered"]), row["attempts"], row["last_error"])


def _billed(row: sqlite3.Row) -> BilledRecord:
    return BilledRecord(
        slot=HourSlot(row["region"], row["meter"], row["dimension"], parse_rfc3339(row["hour"])),
        metering_record_id=row["metering_record_id"],
        product_code=row["product_code"],
        customer_identifier=row["customer_identifier"],
        license_arn=row["license_arn"],
        customer_aws_account_id=row["customer_aws_account_id"],
        quantity=row["quantity"],
        accepted_at=parse_rfc3339(row["accepted_at"]),
    )
