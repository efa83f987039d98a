"""Where AWS's sources disagree or are silent: one named switch each, with both behaviours."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args, get_type_hints

SCHEMA = "CREATE TABLE switches (name TEXT PRIMARY KEY, value TEXT NOT NULL);"

HIGHEST_RATE = 1_000_000


class SwitchRefused(Exception):
    """No such switch, or no such position; `name` says which switch, the message why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name


@dataclass(frozen=True)
class Switches:
    """The positions; the defaults are what AWS's newest source says, or what loses a careless seller more."""

    # The enum text says Success, one place of AWS's own skill says DuplicateRecord.
    identical_resend: Literal["success", "duplicate_record"] = "success"
    # Undocumented: whether DuplicateRecord names the record that stands.
    duplicate_record_id: Literal["absent", "first"] = "absent"
    # botocore warns of double billing, a seller reports a refusal.
    product_code_with_license: Literal["refused", "second_meter"] = "refused"
    # The set-up page says 4 h and, further down, about 1 h; the buyer's API says 30 min.
    token_life: Literal["4_hours", "1_hour", "30_minutes"] = "4_hours"
    # In botocore only since late 2026.
    month_end: Literal["closes_at_06_00", "window_only"] = "closes_at_06_00"
    # Documents of before 2026 say 6 hours.
    metering_window: Literal["24_hours", "6_hours"] = "24_hours"
    # Undocumented.
    same_slot_in_one_batch: Literal["one_after_other", "refused"] = "one_after_other"
    # Undocumented; rejection is expected.
    future_timestamps: Literal["refused", "accepted"] = "refused"
    # botocore's text for InvalidLicenseException could mean hours before the activation too.
    usage_before_activation: Literal["not_subscribed", "invalid_license"] = "not_subscribed"
    # Whether the old generation gets the licence as well.
    legacy_resolve_license: Literal["answered", "absent"] = "answered"
    # "Not populated": absent or an empty text.
    empty_customer_identifier: Literal["absent", "empty"] = "absent"
    # Undocumented.
    entitlements_of_unknown_product: Literal["refused", "empty"] = "refused"
    # The published quota per account and Region; 0 turns throttling off.
    calls_per_second: int = 10


def choices() -> dict[str, tuple[str, ...]]:
    """Positions of each switch, the default first; none for a number."""
    hints = get_type_hints(Switches)
    return {field.name: get_args(hints[field.name]) for field in fields(Switches)}


class Switchboard:
    """The positions in force, kept in the database.

    Args:
        db: the store's connection; the caller holds the transaction.
        defaults: where the switches stand after a reset.
    """

    def __init__(self, db: sqlite3.Connection, defaults: Switches) -> None:
        self._db = db
        self._defaults = defaults
        self._current: Switches | None = None

    @property
    def current(self) -> Switches:
        if self._current is None:
            kept: dict[str, Any] = {
                name: int(value) if name == "calls_per_second" else value
                for name, value in self._db.execute("SELECT name, value FROM switches")
            }
            self._current = replace(self._defaults, **kept)
        return self._current

    def turn(self, wanted: Mapping[str, Any]) -> None:
        """Put switches into other positions, all of them or none.

        Raises:
            SwitchRefused: the first that cannot be.
        """
        known = choices()
        for name, value in wanted.items():
            if name not in known:
                raise SwitchRefused(name, "is not known here")
            if known[name]:
                if value not in known[name]:
                    raise SwitchRefused(name, f"is not one of {', '.join(known[name])}")
            elif type(value) is not int or not 0 <= value <= HIGHEST_RATE:
                raise SwitchRefused(name, f"is not a whole number from 0 to {HIGHEST_RATE}")
        self._db.executemany(
            "INSERT OR REPLACE INTO switches VALUES (?, ?)",
            [(name, str(value)) for name, value in wanted.items()],
        )
        self._current = None

    def positions(self) -> dict[str, Any]:
        return asdict(self.current)

    def forget(self) -> None:
        """What is kept has changed under us: read it again."""
        self._current = None
