"""Faults on demand: what goes wrong between a seller and AWS, told beforehand and the same on every run.

A fault is drawn by rate from a seed and a running number, so neither a restart nor other faults change what
it does; or by count; and it may be for one operation, for one customer, or for one dimension only.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import orjson

from marketplace_simulator.aws_errors import AwsError
from marketplace_simulator.usage_records import UsageRecord

SCHEMA = "CREATE TABLE faults (fault_id TEXT PRIMARY KEY, sequence INTEGER NOT NULL, body BLOB NOT NULL);"

Kind = Literal[
    "throttling",
    "server_error",
    "slow",
    "connection_reset",
    "unprocessed",
    "disabled_api",
    "access_denied",
    "expired_credentials",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
Point = Literal["before_commit", "after_commit"]
POINTS: tuple[Point, ...] = get_args(Point)
# These can lose the answer of a call that has counted; all others keep the call from counting.
_EITHER_POINT = ("server_error", "slow", "connection_reset")
LONGEST_DELAY = 600.0

# Members by which a request names its customer, and GetEntitlements' filter keys.
_CUSTOMER_MEMBERS = ("CustomerIdentifier", "CustomerAWSAccountId", "LicenseArn")
_AGREEMENT_MEMBER = "agreementId"
_CUSTOMER_FILTERS = ("CUSTOMER_IDENTIFIER", "CUSTOMER_AWS_ACCOUNT_ID", "LICENSE_ARN")


class FaultRefused(Exception):
    """There can be no such fault; `name` says which member is wrong, the message why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name


class ConnectionCut(Exception):
    """The caller gets no answer: its connection is reset."""


@dataclass(frozen=True)
class Fault:
    """One fault as it was told, and how far it has gone.

    Args:
        operation: only this operation's calls; None: all.
        customers: only calls or records that name one of these: customer identifiers, accounts, licence
            ARNs or agreement ids.
        dimensions: only calls or records that name one of these.
        rate: share of the calls (of the records for `unprocessed`) that it hits.
        count: so many hits and then no more; None: without end.
        point: whether the call counts before its answer is lost.
        seen: calls (records) that it could have hit; its draws are numbered by it.
    """

    fault_id: str
    kind: Kind
    operation: str | None = None
    customers: tuple[str, ...] = ()
    dimensions: tuple[str, ...] = ()
    rate: float = 1.0
    seed: int = 0
    count: int | None = None
    point: Point = "before_commit"
    delay_seconds: float = 0.0
    seen: int = 0
    hits: int = 0

    @property
    def is_spent(self) -> bool:
        return self.count is not None and self.hits >= self.count

    @property
    def label(self) -> str:
        return f"{self.kind}_{self.point}" if self.kind in _EITHER_POINT else self.kind

    def draw(self) -> tuple[bool, Fault]:
        """Whether it hits this time, and the fault after it."""
        hit = not self.is_spent and _share(self.seed, self.seen) < self.rate
        return hit, replace(self, seen=self.seen + 1, hits=self.hits + hit)

    def is_for(self, operation: str, customers: Sequence[str], dimensions: Sequence[str]) -> bool:
        return (
            self.operation in (None, operation)
            and (not self.customers or not set(self.customers).isdisjoint(customers))
            and (not self.dimensions or not set(self.dimensions).isdisjoint(dimensions))
        )


def require_possible(fault: Fault, operations: Sequence[str]) -> None:
    """Hold a fault against what there is.

    Raises:
        FaultRefused: the first member that cannot be.
    """
    if fault.operation is not None and fault.operation not in operations:
        raise FaultRefused("operation", f"is not one of {', '.join(operations)}")
    if not 0 < fault.rate <= 1:
        raise FaultRefused("rate", "is not above 0 and up to 1")
    if fault.count is not None and fault.count < 1:
        raise FaultRefused("count", "is not 1 or more")
    if fault.point == "after_commit" and fault.kind not in _EITHER_POINT:
        raise FaultRefused("point", f"is for {', '.join(_EITHER_POINT)} only")
    if not 0 <= fault.delay_seconds <= LONGEST_DELAY:
        raise FaultRefused("delay_seconds", f"is not from 0 to {LONGEST_DELAY:.0f}")
    if (fault.kind == "slow") != (fault.delay_seconds > 0):
        raise FaultRefused("delay_seconds", "belongs to slow, and slow needs it")
    if fault.kind == "unprocessed" and fault.operation not in (None, "BatchMeterUsage"):
        raise FaultRefused("operation", "must be BatchMeterUsage for unprocessed")


def refusal_of(kind: Kind, internal_error: str) -> AwsError:
    """The error that a fault answers with.

    Args:
        internal_error: what the service calls its own failures.
    """
    match kind:
        case "throttling":
            return AwsError("ThrottlingException", "The calls to the API are throttled.")
        case "disabled_api":
            return AwsError("DisabledApiException", "The API is disabled in the Region.")
        case "access_denied":
            return AwsError(
                "AccessDeniedException",
                "The caller is not authorized to perform this aws-marketplace action.",
            )
        case "expired_credentials":
            return AwsError("ExpiredTokenException", "The security token included in the request is expired")
        case _:
            return AwsError(internal_error, "An internal error has occurred. Retry your request.", 500)


def customers_of(members: Mapping[str, Any]) -> list[str]:
    """Every customer that a request names."""
    named = [
        record[member]
        for record in members.get("UsageRecords", ())
        for member in _CUSTOMER_MEMBERS
        if member in record
    ]
    if _AGREEMENT_MEMBER in members:
        named.append(members[_AGREEMENT_MEMBER])
    wanted = members.get("Filter", {})
    return named + [value for key in _CUSTOMER_FILTERS for value in wanted.get(key, ())]


def dimensions_of(members: Mapping[str, Any]) -> list[str]:
    """Every dimension that a request names."""
    return [
        record["Dimension"] for record in members.get("UsageRecords", ()) if "Dimension" in record
    ] + list(members.get("Filter", {}).get("DIMENSION", ()))


class FaultBook:
    """The faults in force and their counters, kept in the database.

    Args:
        db: the store's connection; the caller holds the transaction.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._faults: dict[str, Fault] | None = None

    def all(self) -> list[Fault]:
        """In the order in which they were told."""
        return list(self._kept().values())

    def add(self, fault: Fault) -> None:
        self._kept()[fault.fault_id] = fault
        self._db.execute(
            "INSERT INTO faults VALUES (?, (SELECT COALESCE(MAX(sequence), 0) + 1 FROM faults), ?)",
            (fault.fault_id, orjson.dumps(fault)),
        )

    def remove(self, fault_id: str | None = None) -> int:
        """Take a fault back, or all; how many there were."""
        found = self._db.execute("DELETE FROM faults WHERE ? IS NULL OR fault_id = ?", (fault_id, fault_id))
        self._faults = None
        return found.rowcount

    def draw(self, operation: str, customers: Sequence[str], dimensions: Sequence[str]) -> list[Fault]:
        """The faults that hit this call; those of kind `unprocessed` are drawn by record instead."""
        hitting = []
        for fault in self.all():
            if fault.kind != "unprocessed" and fault.is_for(operation, customers, dimensions):
                hit, after = fault.draw()
                self._keep(after)
                if hit:
                    hitting.append(fault)
        return hitting

    def leaves_out(self, record: UsageRecord) -> bool:
        """Whether a record stays unprocessed this time."""
        customers = [
            name
            for name in (record.customer_identifier, record.customer_aws_account_id, record.license_arn)
            if name is not None
        ]
        left = False
        for fault in self.all():
            if fault.kind == "unprocessed" and fault.is_for("BatchMeterUsage", customers, [record.dimension]):
                hit, after = fault.draw()
                self._keep(after)
                left = left or hit
        return left

    def forget(self) -> None:
        """A transaction was undone or the table was emptied: trust nothing remembered."""
        self._faults = None

    def __bool__(self) -> bool:
        return bool(self._kept())

    def _kept(self) -> dict[str, Fault]:
        if self._faults is None:
            self._faults = {}
            for (body,) in self._db.execute("SELECT body FROM faults ORDER BY sequence"):
                members = orjson.loads(body)
                fault = Fault(
                    **{
                        **members,
                        "customers": tuple(members["customers"]),
                        "dimensions": tuple(members["dimensions"]),
                    }
                )
                self._faults[fault.fault_id] = fault
        return self._faults

    def _keep(self, fault: Fault) -> None:
        self._kept()[fault.fault_id] = fault
        self._db.execute(
            "UPDATE faults SET body = ? WHERE fault_id = ?", (orjson.dumps(fault), fault.fault_id)
        )


def _share(seed: int, number: int) -> float:
    """A number from 0 to below 1, always the same for a seed and a place in its sequence."""
    digest = hashlib.sha256(f"{seed}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
