"""Endpoints in DynamoDB. Each write but the first is conditional on the row being as it was read."""

from typing import Any

from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist, UpdateError

from chassis.tables import read_page
from metering.endpoint_life import EndedBecause, Endpoint
from metering.tables.ledger_store import Overtaken, transaction
from metering.tables.models import EndpointRow, is_lost_race
from metering.tables.published import only_while_granted

_CHANGING = (
    "name",
    "repository",
    "subscription_id",
    "metered_until",
    "metering_until",
    "moves_to",
    "deleted_at",
)


class EndpointStore:
    """Reads and writes endpoints.

    Args:
        connection: a pynamodb connection, for transactions.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, endpoint: Endpoint) -> bool:
        """Write a new endpoint, if its subscription gives access at this very moment; False where it does
        not, or is just being written."""
        try:
            with transaction(self._connection) as act:
                only_while_granted(act, endpoint.subscription_id)
                act.save(_row(endpoint), condition=EndpointRow.endpoint_id.does_not_exist())
        except Overtaken:
            return False
        return True

    def find(self, owner: str, endpoint_id: str) -> Endpoint | None:
        """One of an owner's, as it is now."""
        try:
            return _endpoint(EndpointRow.get(owner, endpoint_id, consistent_read=True))
        except DoesNotExist:
            return None

    def find_anybodys(self, endpoint_id: str) -> Endpoint | None:
        """The same of any owner; one that was just created may not be found yet."""
        row = next(iter(EndpointRow.by_id.query(endpoint_id)), None)
        return row and self.find(row.owner, endpoint_id)

    def page(
        self, owner: str | None, state: str | None, limit: int, key: dict[str, Any] | None
    ) -> tuple[list[Endpoint], dict[str, Any] | None]:
        """One page of an owner's, the newest first, or of all in no order; and where to go on."""
        how: dict[str, Any] = {"page_size": limit, "last_evaluated_key": key}
        if state:
            deleted = EndpointRow.deleted_at
            how["filter_condition"] = deleted.exists() if state == "deleted" else deleted.does_not_exist()
        if owner is None:
            found: Any = EndpointRow.scan(**how)
        else:
            found = EndpointRow.query(owner, scan_index_forward=False, consistent_read=True, **how)
        rows, last = read_page(found)
        return [_endpoint(row) for row in rows], last

    def unsettled(self) -> list[Endpoint]:
        """All with something left to meter, as the index has them: it may lag."""
        return [_endpoint(row) for row in EndpointRow.running_endpoints.scan()]

    def unsettled_of(self, subscription_id: str) -> list[Endpoint]:
        """Those of one subscription, as they are now; one that was just created may not be found yet."""
        keys = [(row.owner, row.endpoint_id) for row in EndpointRow.running_endpoints.query(subscription_id)]
        rows = EndpointRow.batch_get(keys, consistent_read=True) if keys else ()
        return [one for one in map(_endpoint, rows) if not one.is_settled]

    def again(self, endpoint: Endpoint) -> Endpoint:
        """The same, as it is now."""
        return _endpoint(EndpointRow.get(endpoint.owner, endpoint.endpoint_id, consistent_read=True))

    def replace(self, before: Endpoint, after: Endpoint) -> Endpoint | None:
        """Write what an endpoint becomes, in the place of what was read; None where somebody was quicker."""
        was, becomes = _changing(before), _changing(after)
        actions = [
            getattr(EndpointRow, name).remove() if value is None else getattr(EndpointRow, name).set(value)
            for name, value in becomes.items()
            if value != was[name]
        ]
        running = EndpointRow.running
        actions.append(running.remove() if after.is_settled else running.set(after.subscription_id))
        actions.append(EndpointRow.version.set(before.version + 1))
        row = EndpointRow(before.owner, before.endpoint_id)
        try:
            row.update(actions, condition=EndpointRow.version == before.version)
        except UpdateError as error:
            if not is_lost_race(error):
                raise
            return None
        return _endpoint(row)


def _row(endpoint: Endpoint) -> EndpointRow:
    return EndpointRow(
        endpoint.owner,
        endpoint.endpoint_id,
        accelerator=endpoint.accelerator,
        product_code=endpoint.product_code,
        dimension=endpoint.dimension,
        created_at=endpoint.created_at,
        version=endpoint.version,
        running=endpoint.subscription_id,
        **_changing(endpoint),
    )


def _changing(endpoint: Endpoint) -> dict[str, Any]:
    return {name: getattr(endpoint, name) for name in _CHANGING} | {
        "ended_because": endpoint.ended_because and endpoint.ended_because.value
    }


def _endpoint(row: Any) -> Endpoint:
    return Endpoint(
        owner=row.owner,
        endpoint_id=row.endpoint_id,
        accelerator=row.accelerator,
        product_code=row.product_code,
        dimension=row.dimension,
        created_at=row.created_at,
        version=int(row.version),
        **{name: getattr(row, name) for name in _CHANGING},
        ended_because=EndedBecause(row.ended_because) if row.ended_because else None,
    )
