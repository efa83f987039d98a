"""What is written and read of reconciliations. A step forward is conditional: of two workers that take the
same one, the second stops."""

import secrets
from base64 import b32encode
from datetime import datetime, timedelta
from typing import Any

from pynamodb.exceptions import DoesNotExist, UpdateError
from pynamodb.expressions.condition import Condition

from chassis.aws import cause_code
from notifications.reconciliations import Action, Difference, State, Step
from notifications.tables.models import DifferenceRow, ReconciliationRow, SubscriptionRow
from notifications.tables.paging import Key, Page, check_key, read_rows
from notifications.tables.store import Overtaken

ROWS_AT_ONCE = 25


class ReconciliationStore:
    """The tables of reconciliations.

    Args:
        retention: how long one is kept.
    """

    def __init__(self, retention: timedelta) -> None:
        self._retention = retention

    def start(self, requested_by: str, now: datetime) -> ReconciliationRow:
        """A new one, or the one that is still at work."""
        at_work = self.unfinished()
        if at_work is not None:
            return at_work
        row = ReconciliationRow(
            reconciliation_id="rec_" + b32encode(secrets.token_bytes(20)).decode().lower()[:26],
            state=State.WAITING.value,
            step=Step.AGREEMENTS.value,
            requested_at=now,
            requested_by=requested_by,
            forget_at=now + self._retention,
        )
        row.save(ReconciliationRow.reconciliation_id.does_not_exist())
        return row

    def unfinished(self) -> ReconciliationRow | None:
        """The oldest that is not finished. The table is small: one row for each that was ever asked for."""
        rows = ReconciliationRow.scan(ReconciliationRow.state != State.FINISHED.value, consistent_read=True)
        return min(rows, key=lambda row: row.requested_at, default=None)

    def get(self, reconciliation_id: str) -> ReconciliationRow | None:
        try:
            return ReconciliationRow.get(reconciliation_id, consistent_read=True)
        except DoesNotExist:
            return None

    def note(self, row: ReconciliationRow, difference: Difference, now: datetime) -> None:
        """Keep a difference; again, if it is found again."""
        DifferenceRow(
            reconciliation_id=row.reconciliation_id,
            difference_id=difference.difference_id,
            kind=difference.kind.value,
            agreement_id=difference.agreement_id,
            subscription_id=difference.subscription_id,
            product_code=difference.product_code,
            ours=difference.ours,
            theirs=difference.theirs,
            action=difference.action.value,
            notification_ids=difference.notification_ids,
            found_at=now,
            forget_at=now + self._retention,
        ).save()

    def move_on(self, row: ReconciliationRow, **changes: Any) -> ReconciliationRow:
        """Write how far it has come; the numbers of differences are counted, so that a step that is repeated
        counts none twice.

        Raises:
            Overtaken: another worker has moved it on.
        """
        found = [one.action for one in DifferenceRow.query(row.reconciliation_id, consistent_read=True)]
        changes |= {
            "differences": len(found),
            "healed": sum(action != Action.REPORTED for action in found),
            "revision": row.revision + 1,
        }
        actions = [
            getattr(ReconciliationRow, name).remove()
            if value is None
            else getattr(ReconciliationRow, name).set(value)
            for name, value in changes.items()
        ]
        condition: Condition = ReconciliationRow.revision == row.revision
        try:
            row.update(actions, condition=condition)
        except UpdateError as error:
            if cause_code(error) == "ConditionalCheckFailedException":
                raise Overtaken from error
            raise
        return row

    def differences(self, reconciliation_id: str, limit: int, start: Key | None) -> Page:
        check_key(start, {"reconciliation_id": reconciliation_id, "difference_id": None})
        return read_rows(
            lambda size, key: DifferenceRow.query(reconciliation_id, page_size=size, last_evaluated_key=key),
            limit,
            start,
        )

    def subscription_ids(self, after: str | None) -> tuple[list[str], str | None]:
        """The ids of some of our subscriptions, and where to go on; None at the end."""
        key = {"subscription_id": {"S": after}} if after else None
        page = read_rows(
            lambda size, key: SubscriptionRow.scan(
                attributes_to_get=["subscription_id"], page_size=size, last_evaluated_key=key
            ),
            ROWS_AT_ONCE,
            key,
        )
        following = page.next_key["subscription_id"]["S"] if page.next_key else None
        return [row.subscription_id for row in page.rows], following
