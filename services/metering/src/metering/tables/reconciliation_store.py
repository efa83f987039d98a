"""Reconciliations in DynamoDB: each a row, and a row for each of its differences."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from pynamodb.exceptions import DoesNotExist

from chassis.tables import read_page
from metering.evidence import Source
from metering.reconciliation import Counts, Reconciliation
from metering.tables.models import ReconciliationRow

_ITSELF, _DIFFERENCE, _LISTED = "reconciliation", "difference#", "all"


class ReconciliationStore:
    """Reads and writes reconciliations. Differences are kept as the API shows them."""

    def save(self, one: Reconciliation) -> None:
        ReconciliationRow(
            one.reconciliation_id,
            _ITSELF,
            source=one.source.value,
            by=one.by,
            at=one.at,
            finished_at=one.finished_at,
            complete_from=one.complete_from,
            complete_until=one.complete_until,
            counts=asdict(one.counts),
            listed=_LISTED,
        ).save()

    def add_differences(self, reconciliation_id: str, differences: Iterable[dict[str, Any]]) -> None:
        """Keep the differences of a reconciliation, in their order."""
        with ReconciliationRow.batch_write() as batch:
            for number, difference in enumerate(differences, start=1):
                batch.save(
                    ReconciliationRow(reconciliation_id, f"{_DIFFERENCE}{number:07d}", difference=difference)
                )

    def find(self, reconciliation_id: str) -> Reconciliation | None:
        try:
            return _reconciliation(ReconciliationRow.get(reconciliation_id, _ITSELF, consistent_read=True))
        except DoesNotExist:
            return None

    def page(
        self, limit: int, key: dict[str, Any] | None
    ) -> tuple[list[Reconciliation], dict[str, Any] | None]:
        """One page, the newest first, and where to go on."""
        rows, last = read_page(
            ReconciliationRow.by_time.query(
                _LISTED, scan_index_forward=False, page_size=limit, last_evaluated_key=key
            )
        )
        return [_reconciliation(row) for row in rows], last

    def differences(
        self, reconciliation_id: str, limit: int, key: dict[str, Any] | None
    ) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        """One page of a reconciliation's differences, in their order, and where to go on."""
        rows, last = read_page(
            ReconciliationRow.query(
                reconciliation_id,
                ReconciliationRow.item.startswith(_DIFFERENCE),
                page_size=limit,
                last_evaluated_key=key,
            )
        )
        return [row.difference for row in rows], last


def _reconciliation(row: Any) -> Reconciliation:
    return Reconciliation(
        reconciliation_id=row.reconciliation_id,
        source=Source(row.source),
        by=row.by,
        at=row.at,
        complete_from=row.complete_from,
        complete_until=row.complete_until,
        finished_at=row.finished_at,
        counts=Counts(**row.counts),
    )
