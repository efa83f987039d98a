"""The calls of AWS that all workers together make, second by second."""

from pynamodb.exceptions import UpdateError

from metering.tables.models import CallRateRow, is_lost_race

KEPT_SECONDS = 3600
"""Then DynamoDB may remove the row."""


def take(region: str, most: int, second: int) -> bool:
    """Take one of a second's calls; False where none is left.

    An answer that is lost after the commit costs a call that nobody makes.

    Args:
        region: AWS counts by Region.
        most: calls in one second.
        second: since 1970.
    """
    row = CallRateRow(f"{region}#{second}")
    try:
        row.update(
            [CallRateRow.calls.add(1), CallRateRow.delete_after.set(second + KEPT_SECONDS)],
            condition=CallRateRow.calls.does_not_exist() | (CallRateRow.calls < most),
        )
    except UpdateError as error:
        if not is_lost_race(error):
            raise
        return False
    return True
