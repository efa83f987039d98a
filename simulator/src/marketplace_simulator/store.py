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
from typing import Any, Literal

from marketplace_simulator import bill_book, call_log, faults, parameter_book, switches
from marketplace_simulator.agreements import Agreement
from marketplace_simulator.cancellation_requests import CancellationRequest
from marketplace_simulator.clock import ClockState
from marketplace_simulator.news import News
from marketplace_simulator.news_rules import NewsRule
from marketplace_simulator.products import Dimension, Product
from marketplace_simulator.sns import SnsSettings
from marketplace_simulator.times import parse_rfc3339, rfc3339
from marketplace_simulator.tokens import Token

# Raise it when a table changes: a file of another version is refused at start.
SCHEMA_VERSION = 4

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
    accepted_at TEXT NOT NULL, starts_at TEXT NOT NULL, activates_at TEXT NOT NULL, end_time TEXT NOT NULL,
    proposer_account_id TEXT NOT NULL, ended_at TEXT, end_reason TEXT, meter_until TEXT,
    entitlements TEXT NOT NULL, offer_kind TEXT NOT NULL, resale_authorization_id TEXT, intent TEXT NOT NULL,
    initial_agreement_id TEXT, previous_agreement_id TEXT, next_agreement_id TEXT,
    auto_renew INTEGER NOT NULL, renewal_disabled_by TEXT, renewal_price_range INTEGER NOT NULL,
    trial_ends_at TEXT, payment_failed INTEGER NOT NULL, suspended_at TEXT, advisory_issued_at TEXT,
    cancellation_request TEXT
);
CREATE INDEX agreements_running ON agreements (end_time) WHERE ended_at IS NULL;
CREATE INDEX agreements_asked_for ON agreements (agreement_id)
    WHERE ended_at IS NULL AND cancellation_request IS NOT NULL;
CREATE INDEX agreements_of_account ON agreements (customer_aws_account_id);
CREATE INDEX agreements_by_account ON agreements (product_code, customer_aws_account_id);
CREATE INDEX agreements_by_customer ON agreements (product_code, customer_identifier);
CREATE TABLE tokens (fingerprint TEXT PRIMARY KEY, agreement_id TEXT NOT NULL, expires_at TEXT NOT NULL);
CREATE TABLE news (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, message_id TEXT NOT NULL UNIQUE, agreement_id TEXT NOT NULL,
    channel TEXT NOT NULL, topic TEXT, name TEXT NOT NULL, due_at TEXT NOT NULL, body TEXT NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0, dropped INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0, last_error TEXT
);
CREATE INDEX news_undelivered ON news (due_at, sequence) WHERE delivered = 0 AND dropped = 0;
CREATE INDEX news_of_agreement ON news (agreement_id, name);
CREATE TABLE news_rules (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, agreement_id TEXT, name TEXT, double INTEGER NOT NULL,
    delay_seconds REAL NOT NULL, shuffle_seed INTEGER, drop_next INTEGER NOT NULL
);
CREATE TABLE sns_settings (
    only INTEGER PRIMARY KEY CHECK (only = 1), envelope TEXT NOT NULL, signature_version TEXT NOT NULL
);
CREATE TABLE sns_keys (
    only INTEGER PRIMARY KEY CHECK (only = 1), private_key TEXT NOT NULL, certificate TEXT NOT NULL
);
CREATE TABLE subscribed_queues (name TEXT PRIMARY KEY);
CREATE TABLE https_roads (
    only INTEGER PRIMARY KEY CHECK (only = 1), sns_url TEXT, eventbridge_url TEXT, api_key_name TEXT,
    api_key_value TEXT, queues INTEGER NOT NULL
);
CREATE TABLE https_topics (topic TEXT PRIMARY KEY, token TEXT NOT NULL, confirmed INTEGER NOT NULL DEFAULT 0);
"""
_SCHEMA += bill_book.SCHEMA + call_log.SCHEMA + faults.SCHEMA + switches.SCHEMA + parameter_book.SCHEMA
_EMPTIED_BY_RESET = (
    "products",
    "agreements",
    "tokens",
    "news",
    "calls",
    "faults",
    "switches",
    *bill_book.TABLES,
    *parameter_book.TABLES,
    "subscribed_queues",
    "https_roads",
    "https_topics",
    "news_rules",
    "sns_settings",
)


@dataclass(frozen=True)
class KeptNews:
    """News with what became of it."""

    sequence: int
    news: News
    delivered: bool
    dropped: bool
    attempts: int
    last_error: str | None

    def state(self, now: datetime) -> Literal["scheduled", "due", "delivered", "dropped"]:
        """`due` is news whose moment has come and whose delivery has not succeeded yet."""
        if self.dropped:
            return "dropped"
        if self.delivered:
            return "delivered"
        return "due" if self.news.due_at <= now else "scheduled"


class Store:
    """Keeps and finds; decides nothing.

    Args:
        path: a file, or `:memory:`.
        keep_calls: how many of the latest calls are kept.
        defaults: where the switches stand after a reset.

    Raises:
        RuntimeError: the file was written by another version of the simulator.
    """

    def __init__(self, path: str, keep_calls: int, defaults: switches.Switches | None = None) -> None:
        # Made in one thread, used in the event loop's: never in two at once.
        # "" is SQLite's private database: memory that spills into an unnamed temporary file as it grows, so
        # that months of usage cost the process nothing. Gone with the process either way.
        private = path == ":memory:"
        self._db = sqlite3.connect("" if private else path, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute(f"PRAGMA journal_mode = {'MEMORY' if private else 'WAL'}")
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
        self.bill = bill_book.BillBook(self._db)
        self.calls = call_log.CallLog(self._db, keep_calls)
        self.faults = faults.FaultBook(self._db)
        self.parameters = parameter_book.ParameterBook(self._db)
        self.switches = switches.Switchboard(self._db, defaults or switches.Switches())
        # Another number: products or agreements may have changed.
        self.market_version = 0

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self, *, changes_market: bool = True) -> Iterator[None]:
        """All of the block, or nothing. Must not be held over an `await`.

        Args:
            changes_market: whether products or agreements may be written; what metering remembers of them is
                read again afterwards.
        """
        self._db.execute("BEGIN IMMEDIATE")
        if changes_market:
            self.market_version += 1
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            self._forget()
            raise
        self._db.execute("COMMIT")

    def empty(self) -> None:
        for table in _EMPTIED_BY_RESET:
            self._db.execute(f"DELETE FROM {table}")  # nosec B608 # names of our own
        self._forget()

    def _forget(self) -> None:
        for part in (self.bill, self.faults, self.switches):
            part.forget()

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
        row = _agreement_row(agreement)
        changes = ", ".join(f"{name} = :{name}" for name in row if name != "agreement_id")
        # The columns are our own; values are bound.
        update = f"UPDATE agreements SET {changes} WHERE agreement_id = :agreement_id"  # nosec B608
        self._db.execute(update, row)

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

    def agreements_of_account(self, customer_aws_account_id: str) -> list[Agreement]:
        """All agreements of a buyer's account, of whatever product."""
        return self._agreements("customer_aws_account_id = ?", customer_aws_account_id)

    def agreements_with_timed_acts(self, now: datetime) -> list[Agreement]:
        """Those to which something may have to happen by itself by now."""
        return self._agreements(
            "ended_at IS NULL AND (end_time <= ? OR cancellation_request IS NOT NULL)", rfc3339(now)
        )

    def agreements(self, product_code: str | None = None) -> list[Agreement]:
        """All agreements, or a product's, in the order in which they were bought."""
        return self._agreements("product_code = ?", product_code) if product_code else self._agreements("1")

    def _agreements(self, where: str, *values: object) -> list[Agreement]:
        # `where` is in words of our own; values are bound.
        select = f"SELECT * FROM agreements WHERE {where} ORDER BY sequence"  # nosec B608
        rows = self._db.execute(select, values)
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

    def due_news(self, now: datetime) -> list[KeptNews]:
        """What is due and has neither been delivered nor dropped, in due order."""
        rows = self._db.execute(
            "SELECT * FROM news WHERE delivered = 0 AND dropped = 0 AND due_at <= ?"
            " ORDER BY due_at, sequence",
            (rfc3339(now),),
        )
        return [_kept_news(row) for row in rows]

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

    def mark_dropped(self, sequence: int) -> None:
        self._db.execute("UPDATE news SET dropped = 1 WHERE sequence = ?", (sequence,))

    def news_rules(self) -> list[NewsRule]:
        rows = self._db.execute("SELECT * FROM news_rules ORDER BY sequence")
        return [
            NewsRule(
                **{name: value for name, value in dict(row).items() if name != "sequence"}
                | {"double": bool(row["double"])}
            )
            for row in rows
        ]

    def keep_news_rule(self, rule: NewsRule) -> None:
        """Keep a rule in the place of one for the same agreement and name."""
        self._db.execute(
            "DELETE FROM news_rules WHERE agreement_id IS ? AND name IS ?", (rule.agreement_id, rule.name)
        )
        if rule.changes_anything:
            self._insert("INSERT INTO news_rules", asdict(rule))

    def forget_news_rules(self) -> None:
        self._db.execute("DELETE FROM news_rules")

    def sns_settings(self) -> SnsSettings | None:
        row = self._db.execute("SELECT envelope, signature_version FROM sns_settings").fetchone()
        return SnsSettings(**dict(row)) if row else None

    def keep_sns_settings(self, settings: SnsSettings) -> None:
        self._insert("INSERT OR REPLACE INTO sns_settings", {"only": 1, **asdict(settings)})

    def sns_key(self) -> tuple[str, str] | None:
        """Private key and certificate that SNS messages are signed with, as PEM; a reset keeps them."""
        row = self._db.execute("SELECT private_key, certificate FROM sns_keys").fetchone()
        return (row["private_key"], row["certificate"]) if row else None

    def keep_sns_key(self, private_key: str, certificate: str) -> None:
        self._db.execute("INSERT INTO sns_keys VALUES (1, ?, ?)", (private_key, certificate))

    def mark_failed(self, sequence: int, error: str) -> None:
        self._db.execute(
            "UPDATE news SET attempts = attempts + 1, last_error = ? WHERE sequence = ?", (error, sequence)
        )

    def add_subscribed_queue(self, name: str) -> None:
        self._db.execute("INSERT OR IGNORE INTO subscribed_queues VALUES (?)", (name,))

    def subscribed_queues(self) -> list[str]:
        return [row["name"] for row in self._db.execute("SELECT name FROM subscribed_queues ORDER BY name")]

    def https_roads(self) -> dict[str, Any]:
        """Members of HttpsRoads; none where nothing was kept."""
        row = self._db.execute("SELECT * FROM https_roads").fetchone()
        kept = {name: row[name] for name in row.keys() if name != "only"} if row else {}  # noqa: SIM118 (a Row)
        return kept | {"queues": bool(row["queues"])} if row else {}

    def keep_https_roads(self, roads: dict[str, Any]) -> None:
        """Keep them in the place of others. Each topic is to be confirmed anew."""
        self._db.execute("DELETE FROM https_topics")
        self._insert("INSERT OR REPLACE INTO https_roads", {"only": 1, **roads})

    def https_topics(self) -> dict[str, bool]:
        """The topics that the seller was asked about, and whether the answer was yes."""
        rows = self._db.execute("SELECT topic, confirmed FROM https_topics ORDER BY topic")
        return {row["topic"]: bool(row["confirmed"]) for row in rows}

    def keep_https_token(self, topic: str, token: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO https_topics VALUES (?, ?, 0)", (topic, token))

    def confirm_https_topic(self, topic: str, token: str) -> bool:
        """False where this is not the token of the topic."""
        changed = self._db.execute(
            "UPDATE https_topics SET confirmed = 1 WHERE topic = ? AND token = ?", (topic, token)
        )
        return changed.rowcount == 1

    def _insert(self, insert: str, row: dict[str, Any]) -> int:
        columns, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
        return self._db.execute(f"{insert} ({columns}) VALUES ({marks})", row).lastrowid or 0


def _first(found: list[Agreement]) -> Agreement | None:
    return found[0] if found else None


_MOMENTS_OF_AGREEMENT = (
    "accepted_at", "starts_at", "activates_at", "end_time", "ended_at", "meter_until", "trial_ends_at",
    "suspended_at", "advisory_issued_at",
)  # fmt: skip


def _moment(text: str | None) -> datetime | None:
    return parse_rfc3339(text) if text else None


def _product(row: sqlite3.Row) -> Product:
    return Product(
        **{**dict(row), "dimensions": tuple(Dimension(**d) for d in json.loads(row["dimensions"]))}
    )


def _agreement_row(agreement: Agreement) -> dict[str, Any]:
    row = {name: getattr(agreement, name) for name in agreement.__dataclass_fields__}
    row["entitlements"] = json.dumps(agreement.entitlements)
    if agreement.cancellation_request is not None:
        row["cancellation_request"] = json.dumps(asdict(agreement.cancellation_request), default=rfc3339)
    return {name: rfc3339(value) if isinstance(value, datetime) else value for name, value in row.items()}


def _agreement(row: sqlite3.Row) -> Agreement:
    values = dict(row)
    del values["sequence"]
    for name in _MOMENTS_OF_AGREEMENT:
        values[name] = _moment(values[name])
    for name in ("free_trial", "auto_renew", "renewal_price_range", "payment_failed"):
        values[name] = bool(values[name])
    values["entitlements"] = json.loads(values["entitlements"])
    values["cancellation_request"] = _cancellation_request(values["cancellation_request"])
    return Agreement(**values)


def _cancellation_request(text: str | None) -> CancellationRequest | None:
    if text is None:
        return None
    values = json.loads(text)
    moments = {name: parse_rfc3339(values[name]) for name in ("created_at", "updated_at")}
    return CancellationRequest(**{**values, **moments})


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
    return KeptNews(
        row["sequence"],
        news,
        bool(row["delivered"]),
        bool(row["dropped"]),
        row["attempts"],
        row["last_error"],
    )
