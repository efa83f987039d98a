"""The hours of the usage log: which may still get events, and where in the log theirs lie."""

from datetime import timedelta
from typing import Any

from pynamodb.exceptions import UpdateError

from metering.tables.models import HourRow, is_lost_race

LATE = timedelta(hours=1)
"""A writer announces an hour once, and again with each write that comes so long after the hour's end."""


def announce(hour: str, writer: str, shards: int) -> None:
    """Open an hour for folding, also where a writer put something, over at least so many shards; another may
    use more."""
    HourRow(hour).update(
        [HourRow.open.set("yes"), HourRow.announcements.add(1), HourRow.writers.add({writer})]
    )
    _unless_overtaken(
        hour,
        [HourRow.writers_shards.set(shards)],
        HourRow.writers_shards.does_not_exist() | (HourRow.writers_shards < shards),
    )


def open_hours() -> list[str]:
    """The hours that may still get events, oldest first."""
    return sorted(row.hour for row in HourRow.open_hours.query("yes"))


def hour_row(hour: str) -> HourRow:
    """
    Raises:
        DoesNotExist: nothing was ever reported for the hour.
    """
    return HourRow.get(hour, consistent_read=True)


def take_number(hour: str, number: int) -> bool:
    """Give a fold its number, unless it is not the next one any more.

    Returns:
        whether it has it.
    """
    before = HourRow.folds == number - 1
    if number == 1:
        before |= HourRow.folds.does_not_exist()
    return _unless_overtaken(hour, [HourRow.folds.set(number)], before)


def mark_folded(hour: str, number: int, segments: int, fingerprint: str, quiet_since: int) -> None:
    """Note that every ledger row of a fold is written; unless a later one has said so.

    Args:
        hour: the hour.
        number: the fold's.
        segments, fingerprint: how many segments the fold had read, and which.
        quiet_since: see `HourOfLog`.
    """
    _unless_overtaken(
        hour,
        [
            HourRow.folded.set(number),
            HourRow.folded_segments.set(segments),
            HourRow.folded_fingerprint.set(fingerprint),
            HourRow.quiet_since.set(quiet_since),
        ],
        HourRow.folded.does_not_exist() | (HourRow.folded < number),
    )


def retire(hour: str, announcements: int) -> None:
    """Fold an hour no more.

    Args:
        hour: the hour.
        announcements: as the fold read them. Who announced it later may have written what the fold did not
            see.
    """
    _unless_overtaken(hour, [HourRow.open.remove()], HourRow.announcements == announcements)


def _unless_overtaken(hour: str, actions: list[Any], condition: Any) -> bool:
    """Update an hour's row, unless what another process wrote forbids it. Returns whether it was."""
    try:
        HourRow(hour).update(actions, condition=condition)
    except UpdateError as error:
        if not is_lost_race(error):
            raise
        return False
    return True
