"""A person's decisions about held usage, in DynamoDB: each in one transaction with what it does to the
ledger."""

from typing import Any

from pynamodb.connection import Connection

from chassis.tables import read_page
from metering.held_decisions import DECIDED, DecidedUsage, HeldDecision
from metering.ledger import LedgerRow
from metering.tables.ledger_store import becoming, row_key, rows_of, transaction, unchanged
from metering.tables.models import HeldDecisionRow, LedgerRowModel


class DecisionStore:
    """Reads and writes them.

    Args:
        connection: a pynamodb connection, for transactions.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def write(self, row: LedgerRow, decided: DecidedUsage) -> None:
        """Keep a decision, and do to the ledger what it says.

        Args:
            row: the usage, as it was read.

        Raises:
            Overtaken: the usage has changed; nothing is written.
        """
        changes = [(row, row.writing_off(row.unbilled, DECIDED))]
        if decided.to is not None:
            target = rows_of(decided.to, row.dimension, [row.hour])[row.hour]
            changes = [(row, row.moving(decided.to)), (target, target.receiving(row))]
        with transaction(self._connection) as act:
            act.save(_decision_row(row, decided), condition=HeldDecisionRow.decision_key.does_not_exist())
            for before, after in changes:
                act.update(
                    LedgerRowModel(before.holder, row_key(before)),
                    becoming(before, after),
                    condition=unchanged(before),
                )

    def page(
        self, holder: str | None, limit: int, key: dict[str, Any] | None
    ) -> tuple[list[DecidedUsage], dict[str, Any] | None]:
        """One page of them, of one holder or of all, and where to go on."""
        model: Any = HeldDecisionRow
        if holder:
            found = model.query(holder, page_size=limit, last_evaluated_key=key)
        else:
            found = model.scan(page_size=limit, last_evaluated_key=key)
        rows, last = read_page(found)
        return [_decided(row) for row in rows], last


def _decision_row(row: LedgerRow, decided: DecidedUsage) -> HeldDecisionRow:
    return HeldDecisionRow(
        decided.holder,
        f"{row_key(row)}#{row.changes:010}",
        quantity=decided.quantity,
        held_because=decided.held_because,
        decision=decided.decision.value,
        to=decided.to,
        reason=decided.reason,
        by=decided.by,
        at=decided.at,
    )


def _decided(row: HeldDecisionRow) -> DecidedUsage:
    dimension, hour, _ = row.decision_key.rsplit("#", 2)
    return DecidedUsage(
        row.holder,
        dimension,
        hour,
        int(row.quantity),
        row.held_because,
        HeldDecision(row.decision),
        row.to,
        row.reason,
        row.by,
        row.at,
    )
