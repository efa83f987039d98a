"""What is still to be told, and the notes of who was."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import structlog
from pynamodb.exceptions import UpdateError

from chassis.aws import cause_code
from notifications.subject_log import LogEntry
from notifications.tables.log_rows import log_entry
from notifications.tables.models import LogRow

log = structlog.get_logger()

WEBHOOKS = "webhooks"
"""The seller's systems, among the names of queues."""


@dataclass(frozen=True, order=True)
class Mark:
    """Says that something of an entry is still to be told."""

    since: datetime
    subject: str
    number: int


@dataclass(frozen=True)
class Untold:
    """An entry that bears a mark.

    Attributes:
        told_to: who was told of it before, as somebody else could not be.
        traceparent: what was traced as it was written.
    """

    mark: Mark
    entry: LogEntry
    told_to: frozenset[str]
    traceparent: str | None = None


class TellingStore:
    """The marks of the log."""

    def marks(self) -> list[Mark]:
        """All of them, the oldest first, as of a moment ago. They are few, because each is removed once all
        is told, so the scan stays small."""
        rows = LogRow.untold.scan()
        return sorted(Mark(row.untold_since, row.subject, int(row.number)) for row in rows)

    def read(self, marks: Iterable[Mark]) -> list[Untold]:
        """The entries that still bear their marks, and that can be read."""
        found = []
        by_key = {(mark.subject, mark.number): mark for mark in marks}
        for row in LogRow.batch_get(list(by_key), consistent_read=True):
            mark = by_key[row.subject, int(row.number)]
            if row.untold_since is None:
                continue
            try:
                entry = log_entry(row)
            except Exception:
                log.exception(
                    "An entry cannot be read; nobody is told.", subject=mark.subject, number=mark.number
                )
                continue
            found.append(Untold(mark, entry, frozenset(row.told_to or ()), row.traceparent))
        return sorted(found, key=lambda one: one.mark)

    def has_events_untold(self, since: datetime, until: datetime) -> bool:
        """Whether something of these times, `until` among them, is still to become an event of webhooks."""
        within = [mark for mark in self.marks() if since <= mark.since <= until]
        return any(one.entry.events and WEBHOOKS not in one.told_to for one in self.read(within))

    def all_told(self, mark: Mark) -> None:
        """Remove a mark."""
        _update(mark, [LogRow.untold_since.remove(), LogRow.told_to.remove(), LogRow.traceparent.remove()])

    def told_to(self, mark: Mark, listeners: Iterable[str]) -> None:
        """Note who was told, where somebody else could not be. What another process notes is added."""
        _update(mark, [LogRow.told_to.add(set(listeners))])


def _update(mark: Mark, actions: list) -> None:  # type: ignore[type-arg]
    try:
        LogRow(mark.subject, mark.number).update(actions, condition=LogRow.untold_since.exists())
    except UpdateError as error:
        if cause_code(error) != "ConditionalCheckFailedException":
            raise
        # Another process was quicker: all is told.
