"""DynamoDB tables: names and time-outs from the settings, times as text, cursors, creation for local use."""

import base64
from datetime import datetime
from typing import Any

import orjson
from botocore.exceptions import ClientError
from pynamodb.attributes import Attribute
from pynamodb.connection import Connection
from pynamodb.constants import STRING
from pynamodb.exceptions import TableError
from pynamodb.models import Model

from chassis.aws import error_code
from chassis.problems import Problem
from chassis.quick_calls import QuickCalls, QuickConnection
from chassis.settings import ChassisSettings
from chassis.times import parse_rfc3339, rfc3339

LEAST_POOL = 50
"""Connections that a client keeps open at most, should so many be needed at once; a worker's loops and
senders have threads of their own."""


class TimeAttribute(Attribute[datetime]):
    """An aware datetime, kept as fixed-width RFC 3339 text: readable by siblings, and text order is time
    order."""

    attr_type = STRING

    def serialize(self, value: datetime) -> str:
        return rfc3339(value)

    def deserialize(self, value: str) -> datetime:
        return parse_rfc3339(value)


def bind(models: list[type[Model]], settings: ChassisSettings, quick: QuickCalls | None = None) -> Connection:
    """Give each model its full table name, and all of them one connection: Region, time-outs, retries.
    (pynamodb would make one for each model, and each holds a client, which takes botocore a tenth of a second
    to make.) `Meta.table_name` is the name without prefix. With `quick`, all calls about items are tried by
    it first.

    Returns:
        The connection, for transactions over these tables.
    """
    how: dict[str, Any] = {
        "region": settings.aws_region,
        "connect_timeout_seconds": settings.aws_connect_timeout_seconds,
        "read_timeout_seconds": settings.aws_read_timeout_seconds,
        # After a quick try the client has one less; but one it has, or nobody would give errors their names.
        "max_retry_attempts": max(settings.aws_attempts - (2 if quick else 1), 0),
        "max_pool_connections": max(settings.web_threads, LEAST_POOL),
    }
    connection = QuickConnection(quick, **how) if quick else Connection(**how)
    for model in models:
        meta: Any = model.Meta
        if not hasattr(meta, "bare_name"):
            meta.bare_name = meta.table_name
        meta.table_name = settings.table_prefix + meta.bare_name
        for name, value in how.items():
            setattr(meta, name, value)
        model._connection = None
        of_model = model._get_connection()
        connection.add_meta_table(of_model.get_meta_table())
        of_model.connection = connection
    return connection


def create_tables(models: list[type[Model]]) -> None:
    """Create what is not there. For local use; elsewhere the deployment's stacks do it.

    No table forgets: a local engine deletes by the machine's clock what a time to live names, and the house
    may live by a played one, which is often behind it.
    """
    for model in models:
        try:
            if not model.exists():
                # Not `model.create_table`, which switches the time to live on.
                model._get_connection().create_table(billing_mode="PAY_PER_REQUEST", **model._get_schema())
        except TableError as error:
            # Another process was quicker.
            if (
                not isinstance(error.cause, ClientError)
                or error_code(error.cause) != "ResourceInUseException"
            ):
                raise


def ask(model: type[Model]) -> None:
    """Raise while the table cannot be reached. For readiness: one try, so that the answer comes soon."""
    model.describe_table()


def encode_cursor(key: dict[str, Any] | None) -> str | None:
    """An opaque cursor of a DynamoDB key; None at the end of a list."""
    return base64.urlsafe_b64encode(orjson.dumps(key)).decode().rstrip("=") if key else None


def decode_cursor(cursor: str | None) -> dict[str, Any] | None:
    """The DynamoDB key of a cursor that `encode_cursor` made.

    Raises:
        Problem: 400, the cursor is not one of ours.
    """
    if cursor is None:
        return None
    try:
        key = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        well_formed = (
            isinstance(key, dict)
            and bool(key)
            and all(
                isinstance(value, dict)
                and len(value) == 1
                and all(kind in ("S", "N") and isinstance(text, str) and text for kind, text in value.items())
                for value in key.values()
            )
        )
    except ValueError:  # binascii's and orjson's errors are kinds of it
        well_formed = False
    if not well_formed:
        raise foreign_cursor()
    return dict(key)


def foreign_cursor() -> Problem:
    """400 for a cursor that no answer of this list gave."""
    return Problem(
        400,
        "invalid-request",
        "The request does not fit the contract.",
        "The cursor is not one that this list gave.",
        errors=[{"in": "query", "path": "cursor", "reason": "not a cursor of this list"}],
    )


def read_page(results: Any) -> tuple[list[Any], dict[str, Any] | None]:
    """The rows of one DynamoDB page of a pynamodb query or scan, and the key to go on from (None at the end).

    Give the query `page_size`, not `limit`: with a filter, pynamodb's `limit` reads on until it has found so
    many.
    A cursor of another list has a key that DynamoDB refuses; that is the caller's mistake, answered 400.
    """
    pages = results.page_iter
    try:
        page = next(pages)
    except Exception as error:
        cause = getattr(error, "cause", error)
        if isinstance(cause, ClientError) and error_code(cause) == "ValidationException":
            raise foreign_cursor() from error
        raise
    return [results._map_fn(item) for item in page["Items"]], pages.last_evaluated_key
