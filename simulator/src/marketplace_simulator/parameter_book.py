"""The deployment parameters that sellers have put, and which client token stands for which version."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime

import orjson

from marketplace_simulator.deployment_parameters import DeploymentParameter, Version
from marketplace_simulator.times import parse_rfc3339, rfc3339

SCHEMA = """
CREATE TABLE deployment_parameters (
    sequence INTEGER PRIMARY KEY, deployment_parameter_id TEXT NOT NULL UNIQUE, resource_arn TEXT NOT NULL,
    customer_aws_account_id TEXT NOT NULL, product_id TEXT NOT NULL, name TEXT NOT NULL,
    agreement_id TEXT NOT NULL, secret_string TEXT NOT NULL, expires_at TEXT, tags TEXT NOT NULL,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL
);
CREATE INDEX deployment_parameters_of_buyer ON deployment_parameters (customer_aws_account_id, product_id);
CREATE TABLE deployment_parameter_versions (
    sequence INTEGER PRIMARY KEY, client_token TEXT NOT NULL UNIQUE, deployment_parameter_id TEXT NOT NULL,
    request_digest TEXT NOT NULL, updates INTEGER NOT NULL, put_at TEXT NOT NULL
);
CREATE INDEX versions_of_deployment_parameter
    ON deployment_parameter_versions (deployment_parameter_id, put_at);
"""
TABLES = ("deployment_parameters", "deployment_parameter_versions")


class ParameterBook:
    """Keeps parameters, expired ones too: they are what a test wants to look at.

    Args:
        db: the store's connection; the caller holds the transaction.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def all(self, product_id: str | None = None) -> list[DeploymentParameter]:
        """All of them, or a product's, in the order in which they were made."""
        return self._found("? IS NULL OR product_id = ?", product_id, product_id)

    def of_buyer(
        self, customer_aws_account_id: str, product_id: str, now: datetime
    ) -> list[DeploymentParameter]:
        """Those of a buyer for a product that have not expired."""
        found = self._found(
            "customer_aws_account_id = ? AND product_id = ?", customer_aws_account_id, product_id
        )
        return [parameter for parameter in found if not parameter.is_expired(now)]

    def by_id(self, deployment_parameter_id: str) -> DeploymentParameter:
        (found,) = self._found("deployment_parameter_id = ?", deployment_parameter_id)
        return found

    def version(self, client_token: str) -> Version | None:
        """What was put with a client token."""
        row = self._db.execute(
            "SELECT client_token, deployment_parameter_id, request_digest"
            " FROM deployment_parameter_versions WHERE client_token = ?",
            (client_token,),
        ).fetchone()
        return Version(*row) if row else None

    def updates_since(self, deployment_parameter_id: str, moment: datetime) -> int:
        """How often a parameter has been updated after a moment; its making is no update."""
        (count,) = self._db.execute(
            "SELECT COALESCE(SUM(updates), 0) FROM deployment_parameter_versions"
            " WHERE deployment_parameter_id = ? AND put_at > ?",
            (deployment_parameter_id, rfc3339(moment)),
        ).fetchone()
        return int(count)

    def keep(self, parameter: DeploymentParameter, version: Version) -> None:
        """Keep a parameter as it stands, and the version that made it so."""
        kept = self._db.execute(
            "UPDATE deployment_parameters SET agreement_id = ?, secret_string = ?, expires_at = ?,"
            " updated_at = ? WHERE deployment_parameter_id = ?",
            (
                parameter.agreement_id,
                parameter.secret_string,
                _text(parameter.expires_at),
                rfc3339(parameter.updated_at),
                parameter.deployment_parameter_id,
            ),
        )
        if not kept.rowcount:
            self._db.execute(
                "INSERT INTO deployment_parameters VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    parameter.deployment_parameter_id,
                    parameter.resource_arn,
                    parameter.customer_aws_account_id,
                    parameter.product_id,
                    parameter.name,
                    parameter.agreement_id,
                    parameter.secret_string,
                    _text(parameter.expires_at),
                    orjson.dumps(parameter.tags).decode(),
                    rfc3339(parameter.created_at),
                    rfc3339(parameter.updated_at),
                ),
            )
        self._db.execute(
            "INSERT INTO deployment_parameter_versions VALUES (NULL, ?, ?, ?, ?, ?)",
            (*version, kept.rowcount, rfc3339(parameter.updated_at)),
        )

    def _found(self, where: str, *values: object) -> list[DeploymentParameter]:
        # `where` is in words of our own; values are bound.
        select = f"SELECT * FROM deployment_parameters WHERE {where} ORDER BY sequence"  # nosec B608
        rows: Sequence[sqlite3.Row] = self._db.execute(select, values).fetchall()
        return [_parameter(row) for row in rows]


def _parameter(row: sqlite3.Row) -> DeploymentParameter:
    values = dict(row)
    del values["sequence"]
    for name in ("expires_at", "created_at", "updated_at"):
        values[name] = parse_rfc3339(values[name]) if values[name] else None
    values["tags"] = orjson.loads(values["tags"])
    return DeploymentParameter(**values)


def _text(moment: datetime | None) -> str | None:
    return rfc3339(moment) if moment else None
