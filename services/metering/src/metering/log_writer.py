"""Writes to the usage log. Each writer has parts of every hour to itself, and numbers what it writes there.

So a reader that knows a writer's last number finds what came after it with one query, whatever the clocks of
the two say. What a writer had to give up it writes again before its next number, because it may still be
made, after that number was read; where DynamoDB refuses it by then, the writer takes another name, and there
is no next number. And the writer alone decides how fast a part is written (DynamoDB takes
1,000 write units a second for one partition key): one write at a time.
"""

import os
import random
import secrets
import threading
import time
from typing import Any

import structlog
from botocore.exceptions import ClientError, ParamValidationError

from chassis.aws import is_outage
from chassis.clock import Clock
from chassis.problems import Unavailable
from metering.hours import end_of
from metering.segments import FORMAT, Segment, pack
from metering.tables.log_hours import LATE, announce
from metering.tables.models import SegmentRow
from metering.usage_columns import UsageColumns

log = structlog.get_logger()

SEGMENTS_PER_WRITE = 25
"""What BatchWriteItem takes; and 16 MB, which so many full segments do not reach."""

ATTEMPTS_AT_UNPROCESSED = 6


class LogWriter:
    """Appends events to the log; from any number of threads, one after the other.

    Args:
        dynamodb: a boto3 `dynamodb` client or `QuickWrites`; pynamodb would check each value again.
        clock: the one clock.
        shards: into how many shards this process spreads an hour.
    """

    def __init__(self, dynamodb: Any, clock: Clock, shards: int) -> None:
        self._dynamodb = dynamodb
        self._clock = clock
        self._shards = shards
        self._lock = threading.Lock()
        self._process = 0
        self._begin()

    def append(self, columns: UsageColumns) -> None:
        """Make events durable. When this returns they will be counted, each once.

        1. Write what was given up before.
        2. Announce their hours, so that the fold looks there. A crash after this leaves an empty hour:
           harmless.
        3. Write the segments. A crash between two leaves some of the events in the log; the caller was not
           answered, sends all again, and the fold counts each id once.
        4. Announce hours that ended long ago again: they may have been retired meanwhile, by a worker whose
           clock is ahead of ours or whose age limit is shorter, or while this process stood still.

        Raises:
            Unavailable: not everything could be written; nothing may be acknowledged.
        """
        with self._lock:
            if self._process != os.getpid():  # a child that was forked: its parent goes on under the old name
                self._begin()
            self._make_up_for_the_last()
            segments = pack(columns, self._shards, self._clock.now(), time.time_ns())
            hours = {segment.hour for segment in segments}
            for hour in hours - self._announced:
                self._announce(hour)
            for batch in _one_for_each_part(segments):
                self._write(batch)
            now = self._clock.now()
            for hour in hours:
                if now >= end_of(hour) + LATE:
                    self._announce(hour)

    def _begin(self) -> None:
        self._name = secrets.token_hex(8)
        self._written = 0
        self._unsettled: list[dict[str, Any]] = []
        self._announced: set[str] = set()
        self._process = os.getpid()

    def _announce(self, hour: str) -> None:
        announce(hour, self._name, self._shards)
        self._announced.add(hour)

    def _make_up_for_the_last(self) -> None:
        """Write what was given up, though nobody was told that it is durable: it may be on its way yet, and
        who had read the next number by then would never look for it."""
        try:
            self._settle()
        except Exception as error:
            if is_outage(error) or isinstance(error, Unavailable):
                raise
            log.warning(
                "DynamoDB refuses what it has perhaps written; the writer begins anew.", error=str(error)
            )
            self._begin()

    def _write(self, segments: list[Segment]) -> None:
        """Write segments, each of another part."""
        self._written += 1
        self._unsettled = [_put(segment, self._name, self._written) for segment in segments]
        try:
            self._settle()
        except Exception as error:
            if _is_certainly_not_made(error):  # and would be refused again
                self._unsettled = []
            raise

    def _settle(self) -> None:
        table = SegmentRow.Meta.table_name
        for attempt in range(ATTEMPTS_AT_UNPROCESSED):
            if not self._unsettled:
                return
            if attempt:
                log.warning("DynamoDB left segments unwritten.", segments=len(self._unsettled))
                # Chance spreads writers; it keeps no secret.
                time.sleep(random.uniform(0, 0.05 * 2**attempt))  # nosec B311
            answer = self._dynamodb.batch_write_item(RequestItems={table: self._unsettled})
            self._unsettled = answer.get("UnprocessedItems", {}).get(table, [])
        if self._unsettled:
            raise Unavailable("The usage log takes no more writes at the moment.", retry_after=2)


def _is_certainly_not_made(error: Exception) -> bool:
    """True where a call was refused when it was made for the first time. (botocore makes it again by itself;
    of that the last answer says nothing about the first.)"""
    if isinstance(error, ClientError):
        made_again = error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)
        return not (made_again or is_outage(error))
    return isinstance(error, ParamValidationError)


def part_of(hour: str, shard: int, writer: str) -> str:
    """The partition of the log that one writer has to itself."""
    return f"{hour}#{shard:03d}#{writer}"


def _one_for_each_part(segments: list[Segment]) -> list[list[Segment]]:
    """Segments in batches of which each has one of a part at most: of two that are written at once, a reader
    might see the second first, and never look for the first."""
    batches: list[list[Segment]] = []
    for segment in segments:
        part = (segment.hour, segment.shard)
        for batch in batches:
            if len(batch) < SEGMENTS_PER_WRITE and all(part != (one.hour, one.shard) for one in batch):
                batch.append(segment)
                break
        else:
            batches.append([segment])
    return batches


def _put(segment: Segment, writer: str, number: int) -> dict[str, Any]:
    return {
        "PutRequest": {
            "Item": {
                "partition": {"S": part_of(segment.hour, segment.shard, writer)},
                "segment_id": {"S": f"{number:010x}"},
                "format": {"N": str(FORMAT)},
                "events": {"N": str(segment.events)},
                "data": {"B": segment.data},
            }
        }
    }
