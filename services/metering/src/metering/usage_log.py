"""The usage log in DynamoDB: append-only, and the only truth of what was used."""

import random
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import structlog
from pynamodb.exceptions import DoesNotExist, UpdateError

from chassis.clock import Clock
from chassis.problems import Unavailable
from metering.hours import end_of
from metering.segments import Segment, pack, partition_of, unpack
from metering.tables.models import HourRow, SegmentRow, is_lost_race
from metering.usage_events import AgeLimits, UsageEvent

log = structlog.get_logger()

# BatchWriteItem takes 25 items and 16 MB; a full segment has some 350 KB.
SEGMENTS_PER_WRITE = 25
ATTEMPTS_AT_UNPROCESSED = 6

# Only of hours that ended so recently does a writer remember that it has announced them.
LATE = timedelta(hours=1)

# An hour is folded this much longer than any event of it is accepted, for requests that are still under way.
RETIREMENT_MARGIN = timedelta(hours=1)


class HourOfLog(NamedTuple):
    """An hour as one reading found it.

    `segments` is how many there were, `events` are theirs in the order they were accepted, `folded_segments`
    is how many the newest complete fold had read, `announcements` how often writers had announced the hour.
    """

    segments: int
    events: Iterator[UsageEvent]
    folded_segments: int
    announcements: int


class UsageLog:
    """Appends events and reads an hour.

    Args:
        dynamodb: a boto3 `dynamodb` client, for batches; pynamodb would check each value again.
        clock: the one clock.
        shards: into how many shards this process spreads an hour.
        limits: of the events' age: how long an hour can still get events.
    """

    def __init__(self, dynamodb: Any, clock: Clock, shards: int, limits: AgeLimits) -> None:
        self._dynamodb = dynamodb
        self._clock = clock
        self._shards = shards
        self._limits = limits
        self._announced: set[str] = set()

    def append(self, events: list[UsageEvent]) -> None:
        """Make events durable. When this returns they will be counted, each once.

        1. Announce their hours, so that the fold looks there. A crash after this leaves an empty hour:
           harmless.
        2. Write the segments. A crash between two leaves some of the events in the log; the caller was not
           answered, sends all again, and the fold counts each id once.
        3. Announce hours that ended long ago again: they may have been retired meanwhile, by a worker whose
           clock is ahead of ours or whose age limit is shorter, or while this process stood still.

        Raises:
            Unavailable: not everything could be written; nothing may be acknowledged.
        """
        segments = pack(events, self._shards, self._clock.now(), time.time_ns())
        hours = {segment.hour for segment in segments}
        for hour in hours - self._announced:
            self._announce(hour)
        self._write(segments)
        now = self._clock.now()
        for hour in hours:
            if now >= end_of(hour) + LATE:
                self._announce(hour)

    def open_hours(self) -> list[str]:
        """The hours that may still get events, oldest first."""
        return sorted(row.hour for row in HourRow.open_hours.query("yes"))

    def read(self, hour: str) -> HourOfLog:
        """An hour as it is now."""
        row = HourRow.get(hour, consistent_read=True)
        segments = _segments(row)
        events = (event for segment in segments for event in unpack(int(segment.format), segment.data))
        return HourOfLog(len(segments), events, int(row.folded_segments), int(row.announcements))

    def events(self, hour: str) -> Iterator[tuple[str, UsageEvent]]:
        """The events of an hour as it is now, in the order they were accepted, each with its segment's id;
        none where nothing was ever reported for the hour."""
        try:
            row = HourRow.get(hour, consistent_read=True)
        except DoesNotExist:
            return
        for segment in _segments(row):
            for event in unpack(int(segment.format), segment.data):
                yield segment.segment_id, event

    def mark_folded(self, hour: str, segments: int) -> None:
        """Note that every ledger row of a fold with so many segments is written."""
        _unless_overtaken(
            hour,
            [HourRow.folded_segments.set(segments)],
            HourRow.folded_segments.does_not_exist() | (HourRow.folded_segments < segments),
        )

    def gets_no_more(self, hour: str) -> bool:
        """True where no event of an hour can be accepted any more, nor be still under way."""
        return self._clock.now() >= end_of(hour) + self._limits.oldest + RETIREMENT_MARGIN

    def retire(self, hour: str, announcements: int) -> None:
        """Fold an hour no more. Only after a fold that began when `gets_no_more` was true.

        Args:
            hour: the hour.
            announcements: as the fold read them. Who announced it later may have written what the fold did
                not see.
        """
        _unless_overtaken(hour, [HourRow.open.remove()], HourRow.announcements == announcements)

    def _announce(self, hour: str) -> None:
        """Open an hour for folding, over at least this process's shards; another may have used more."""
        HourRow(hour).update([HourRow.open.set("yes"), HourRow.announcements.add(1)])
        _unless_overtaken(
            hour,
            [HourRow.shards.set(self._shards)],
            HourRow.shards.does_not_exist() | (HourRow.shards < self._shards),
        )
        self._announced.add(hour)

    def _write(self, segments: list[Segment]) -> None:
        requests = [
            {
                "PutRequest": {
                    "Item": {
                        "partition": {"S": segment.partition},
                        "segment_id": {"S": segment.segment_id},
                        "format": {"N": str(segment.format)},
                        "events": {"N": str(segment.events)},
                        "data": {"B": segment.data},
                    }
                }
            }
            for segment in segments
        ]
        table = SegmentRow.Meta.table_name
        for start in range(0, len(requests), SEGMENTS_PER_WRITE):
            pending = requests[start : start + SEGMENTS_PER_WRITE]
            for attempt in range(ATTEMPTS_AT_UNPROCESSED):
                answer = self._dynamodb.batch_write_item(RequestItems={table: pending})
                pending = answer.get("UnprocessedItems", {}).get(table, [])
                if not pending:
                    break
                log.warning(
                    "DynamoDB left segments unwritten; they are written again.", segments=len(pending)
                )
                time.sleep(random.uniform(0, 0.05 * 2**attempt))
            if pending:
                raise Unavailable("The usage log takes no more writes at the moment.", retry_after=2)


def _segments(row: HourRow) -> list[SegmentRow]:
    """All segments of an hour, in the order they were accepted."""
    found = [
        segment
        for shard in range(int(row.shards))
        for segment in SegmentRow.query(partition_of(row.hour, shard), consistent_read=True)
    ]
    return sorted(found, key=lambda segment: segment.segment_id)


def _unless_overtaken(hour: str, actions: list[Any], condition: Any) -> None:
    """Update an hour's row, unless what another process wrote forbids it."""
    try:
        HourRow(hour).update(actions, condition=condition)
    except UpdateError as error:
        if not is_lost_race(error):
            raise
