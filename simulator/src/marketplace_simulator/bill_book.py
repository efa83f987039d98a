"""The bill in the database: one row per filled slot, small, because a month may hold half a million."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from uuid import UUID

from marketplace_simulator.metering import BilledRecord, Meter, Series

# Ordered by hour first: a month is written in the order of its hours, so the tree grows at its end.
SCHEMA = """
CREATE TABLE series (
    series_id INTEGER PRIMARY KEY, region TEXT NOT NULL, meter TEXT NOT NULL, dimension TEXT NOT NULL,
    product_code TEXT NOT NULL, customer_identifier TEXT, license_arn TEXT,
    customer_aws_account_id TEXT NOT NULL, UNIQUE (meter, dimension, region)
);
CREATE TABLE billed (
    hour INTEGER NOT NULL, series_id INTEGER NOT NULL REFERENCES series, metering_record_id BLOB NOT NULL,
    quantity INTEGER NOT NULL, accepted_at INTEGER NOT NULL, PRIMARY KEY (hour, series_id)
) WITHOUT ROWID;
"""
TABLES = ("billed", "series")

_ZERO = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PAGE = 2000


@dataclass(frozen=True)
class Total:
    """What a meter was billed for a dimension, all hours and Regions together; micro-units."""

    meter: Meter
    dimension: str
    quantity: int
    records: int


class BillBook:
    """Fills slots and reads them back.

    Args:
        db: the store's connection; the caller holds the transaction.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._series_ids: dict[Series, int] = {}

    def fill(self, records: Sequence[BilledRecord]) -> Sequence[BilledRecord]:
        """Fill the slots that are free.

        Returns:
            For each record the one that stands in its slot now: itself, or an earlier one.
        """
        rows = list(map(self._row, records))
        before = self._db.total_changes
        self._db.executemany("INSERT OR IGNORE INTO billed VALUES (?, ?, ?, ?, ?)", rows)
        # Nearly always all were free, and then nothing has to be read.
        if self._db.total_changes - before == len(rows):
            return records
        return [self._standing(record, row) for record, row in zip(records, rows, strict=True)]

    def records(
        self, product_code: str | None = None, license_arn: str | None = None
    ) -> Iterator[BilledRecord]:
        """Every billed record, or a product's or a licence's, by hour.

        Read page by page, so that a long bill is never in memory and may be interrupted by other work.
        """
        last = (-1, -1)
        while True:
            page = self._db.execute(
                "SELECT * FROM billed JOIN series USING (series_id) WHERE (hour, series_id) > (?, ?)"
                " AND (? IS NULL OR product_code = ?) AND (? IS NULL OR license_arn = ?)"
                " ORDER BY hour, series_id LIMIT ?",
                (*last, product_code, product_code, license_arn, license_arn, _PAGE),
            ).fetchall()
            yield from map(_billed, page)
            if len(page) < _PAGE:
                return
            last = (page[-1]["hour"], page[-1]["series_id"])

    def latest(self, count: int) -> list[BilledRecord]:
        """The records of the latest hours, the newest first."""
        rows = self._db.execute(
            "SELECT * FROM billed JOIN series USING (series_id) ORDER BY hour DESC, series_id DESC LIMIT ?",
            (count,),
        )
        return [_billed(row) for row in rows]

    def totals(self, product_code: str | None = None, license_arn: str | None = None) -> list[Total]:
        """The sums by meter and dimension, in the order in which the meters were first used."""
        # Halves, because a sum of micro-units may not fit SQLite's 64 bits.
        rows = self._db.execute(
            "SELECT series.*, SUM(quantity / 1000000) AS whole, SUM(quantity % 1000000) AS micro,"
            " COUNT(*) AS records FROM billed JOIN series USING (series_id)"
            " WHERE (? IS NULL OR product_code = ?) AND (? IS NULL OR license_arn = ?)"
            " GROUP BY meter, dimension ORDER BY MIN(series_id)",
            (product_code, product_code, license_arn, license_arn),
        )
        return [
            Total(_meter(row), row["dimension"], row["whole"] * 1_000_000 + row["micro"], row["records"])
            for row in rows
        ]

    def forget(self) -> None:
        """A transaction was undone or the tables were emptied: trust nothing remembered."""
        self._series_ids.clear()

    def _row(self, record: BilledRecord) -> tuple[int, int, bytes, int, int]:
        series, hour, record_id, quantity, accepted_at = record
        return (
            int(hour.timestamp()),
            self._series_ids.get(series) or self._series_id(series),
            bytes.fromhex(record_id.replace("-", "")),
            quantity,
            _microseconds(accepted_at),
        )

    def _series_id(self, series: Series) -> int:
        region, meter, dimension = series
        self._db.execute(
            "INSERT OR IGNORE INTO series VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)",
            (region, meter.name, dimension, *meter[1:]),
        )
        row = self._db.execute(
            "SELECT series_id FROM series WHERE meter = ? AND dimension = ? AND region = ?",
            (meter.name, dimension, region),
        ).fetchone()
        self._series_ids[series] = row["series_id"]
        return self._series_ids[series]

    def _standing(self, record: BilledRecord, row: tuple[int, int, bytes, int, int]) -> BilledRecord:
        stands = self._db.execute(
            "SELECT metering_record_id, quantity, accepted_at FROM billed WHERE hour = ? AND series_id = ?",
            row[:2],
        ).fetchone()
        return record._replace(
            metering_record_id=str(UUID(bytes=stands["metering_record_id"])),
            quantity=stands["quantity"],
            accepted_at=_ZERO + stands["accepted_at"] * _MICROSECOND,
        )


@lru_cache(16)
def _microseconds(moment: datetime) -> int:
    return (moment - _ZERO) // _MICROSECOND


def _meter(row: sqlite3.Row) -> Meter:
    return Meter(
        name=row["meter"],
        product_code=row["product_code"],
        customer_identifier=row["customer_identifier"],
        license_arn=row["license_arn"],
        customer_aws_account_id=row["customer_aws_account_id"],
    )


def _billed(row: sqlite3.Row) -> BilledRecord:
    return BilledRecord(
        series=Series(row["region"], _meter(row), row["dimension"]),
        hour=datetime.fromtimestamp(row["hour"], UTC),
        metering_record_id=str(UUID(bytes=row["metering_record_id"])),
        quantity=row["quantity"],
        accepted_at=_ZERO + row["accepted_at"] * _MICROSECOND,
    )
