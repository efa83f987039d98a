"""The usage log in DynamoDB: append-only, and the only truth of what was used. This reads it; what is written
comes from `log_writer.py`."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

from pynamodb.exceptions import DoesNotExist

from chassis.clock import Clock
from metering.hour_fold import Reading
from metering.hours import end_of
from metering.log_writer import part_of
from metering.segments import LoggedSegment
from metering.tables import log_hours
from metering.tables.log_hours import LATE
from metering.tables.models import SegmentRow
from metering.usage_events import AgeLimits, UsageEvent

MARGIN = timedelta(hours=1)
"""For requests that are under way, and for clocks that differ."""


class HourOfLog(NamedTuple):
    """Where an hour's segments lie, and how far it is folded.

    Attributes:
        hour: which.
        parts: the partitions that one writer each has to itself, and numbers what it puts there.
        shared_parts: of older releases; what comes later may stand anywhere among the rest.
        announcements: how often writers had announced the hour.
        folds: how many folds have taken a number.
        folded: the number of the newest complete fold; 0 where there is none.
        folded_reading: what that one had read.
        quiet_since: the number of announcements when a fold had read all there was, late enough that nothing
            more comes without a new one.
    """

    hour: str
    parts: list[str]
    shared_parts: list[str]
    announcements: int
    folds: int
    folded: int
    folded_reading: Reading
    quiet_since: int


class UsageLog:
    """Reads hours.

    Args:
        dynamodb: a boto3 `dynamodb` client; pynamodb would take longer over each segment than its fold.
        clock: the one clock.
        limits: of the events' age: how long an hour can still get events.
    """

    def __init__(self, dynamodb: Any, clock: Clock, limits: AgeLimits) -> None:
        self._dynamodb = dynamodb
        self._clock = clock
        self._limits = limits

    def open_hours(self) -> list[str]:
        """The hours that may still get events, oldest first."""
        return log_hours.open_hours()

    def hour(self, hour: str) -> HourOfLog:
        """
        Raises:
            DoesNotExist: nothing was ever reported for the hour.
        """
        row = log_hours.hour_row(hour)
        shards = range(int(row.writers_shards))
        return HourOfLog(
            hour,
            [part_of(hour, shard, writer) for writer in sorted(row.writers or ()) for shard in shards],
            [f"{hour}#{shard:03d}" for shard in range(int(row.shards))],
            int(row.announcements),
            int(row.folds),
            int(row.folded),
            Reading(int(row.folded_segments), row.folded_fingerprint or ""),
            int(row.quiet_since),
        )

    def segments(self, part: str, after: str = "") -> Iterator[LoggedSegment]:
        """The segments of a part as it is now, in the order of their ids.

        Args:
            part: see `HourOfLog`.
            after: only those with a greater id.
        """
        condition, values = "#p = :part", {":part": {"S": part}}
        if after:
            condition, values = f"{condition} AND segment_id > :after", {**values, ":after": {"S": after}}
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=SegmentRow.Meta.table_name,
            ConsistentRead=True,
            KeyConditionExpression=condition,
            ExpressionAttributeNames={"#p": "partition"},
            ExpressionAttributeValues=values,
        )
        for page in pages:
            for item in page["Items"]:
                yield _segment(item)

    def segment(self, part: str, segment_id: str) -> LoggedSegment:
        """One segment, which is there."""
        key = {"partition": {"S": part}, "segment_id": {"S": segment_id}}
        answer = self._dynamodb.get_item(TableName=SegmentRow.Meta.table_name, Key=key, ConsistentRead=True)
        return _segment(answer["Item"])

    def all_segments(self, found: HourOfLog) -> Iterator[LoggedSegment]:
        """All segments of an hour as it is now, part by part."""
        for part in found.shared_parts + found.parts:
            yield from self.segments(part)

    def events(self, hour: str) -> Iterator[tuple[LoggedSegment, UsageEvent]]:
        """The events of an hour as it is now, in the order they were accepted, each with its segment; none
        where nothing was ever reported for the hour."""
        try:
            found = self.hour(hour)
        except DoesNotExist:
            return
        for segment in sorted(self.all_segments(found), key=lambda segment: segment.order):
            for event in segment.columns.events():
                yield segment, event

    def take_number(self, found: HourOfLog) -> int | None:
        """A number for a fold that has read an hour; None where another has got one since this one began.

        Args:
            found: the hour as it was before the fold read it.
        """
        number = found.folds + 1
        return number if log_hours.take_number(found.hour, number) else None

    def mark_folded(self, found: HourOfLog, number: int, reading: Reading, late: bool) -> None:
        """Note that every ledger row of a fold is written.

        Args:
            found: the hour as it was before the fold read it.
            number: the fold's.
            reading: what the fold had read.
            late: whether `is_late_enough` was true then.
        """
        quiet_since = found.announcements if late else found.quiet_since
        log_hours.mark_folded(found.hour, number, *reading, quiet_since)

    def is_late_enough(self, hour: str) -> bool:
        """True where whoever writes into an hour now announces it again."""
        return self._clock.now() >= end_of(hour) + LATE + MARGIN

    def gets_no_more(self, hour: str) -> bool:
        """True where no event of an hour can be accepted any more, nor be still under way."""
        return self._clock.now() >= end_of(hour) + self._limits.oldest + MARGIN

    def retire(self, found: HourOfLog) -> None:
        """Fold an hour no more, unless someone has announced it meanwhile.

        Args:
            found: the hour as it was before its last fold, which began when `gets_no_more` was true.
        """
        log_hours.retire(found.hour, found.announcements)


def _segment(item: dict[str, Any]) -> LoggedSegment:
    return LoggedSegment(
        item["partition"]["S"], item["segment_id"]["S"], int(item["format"]["N"]), item["data"]["B"]
    )
