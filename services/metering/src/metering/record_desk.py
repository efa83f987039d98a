"""What people ask of a metering record, and what they decide about it."""

import itertools
from collections.abc import Iterator
from datetime import datetime

import structlog

from metering.explaining import LoggedEvent, explain
from metering.records import Decision, MeteringRecord, Resolution
from metering.resolutions import is_new
from metering.tables.ledger_store import rows_of
from metering.tables.record_store import RecordStore
from metering.usage_log import UsageLog

log = structlog.get_logger()

ATTEMPTS = 5
"""How often a decision is tried while others write about the same usage."""


class NoSuchRecord(Exception):
    """There is no metering record of this id."""


class ChangedTooOften(Exception):
    """Others kept writing about the same usage: it is to be tried again."""


class RecordDesk:
    """Explains metering records and takes decisions about them.

    Args:
        records: where they are.
        usage_log: the events that they come from.
    """

    def __init__(self, records: RecordStore, usage_log: UsageLog) -> None:
        self._records = records
        self._usage_log = usage_log

    def record(self, metering_record_id: str) -> MeteringRecord:
        """
        Raises:
            NoSuchRecord: see there.
        """
        subscription_id, _, rest = metering_record_id.partition(".")
        dimension, _, hour = rest.rpartition(".")
        found = self._records.record(subscription_id, dimension, hour)
        if found is None:
            raise NoSuchRecord(metering_record_id)
        return found

    def events(self, metering_record_id: str, start: int, limit: int) -> tuple[list[LoggedEvent], bool]:
        """The events that a record comes from.

        Args:
            start: how many to pass over.

        Returns:
            up to `limit` events, and whether there are more.

        Raises:
            NoSuchRecord: see there.
        """
        record = self.record(metering_record_id)
        found = list(itertools.islice(self._events_of(record), start, start + limit + 1))
        return found[:limit], len(found) > limit

    def _events_of(self, record: MeteringRecord) -> Iterator[LoggedEvent]:
        hours = [source.hour for source in record.sources]
        rows = rows_of(record.subscription_id, record.dimension, hours)
        for hour in hours:
            # A customer's usage lies in the log under the customer.
            holders = {record.subscription_id, *rows[hour].received}
            yield from explain(self._usage_log.events(hour), holders, record.dimension)

    def resolve(
        self, metering_record_id: str, decision: Decision, reason: str, by: str, now: datetime
    ) -> MeteringRecord:
        """Write down a decision; the record as it is then.

        Raises:
            NoSuchRecord, ChangedTooOften: see there.
            NothingToDecide, DecidedOtherwise: see `resolutions`.
        """
        resolution = Resolution(decision, reason, by, now)
        for _ in range(ATTEMPTS):
            record = self.record(metering_record_id)
            if not is_new(record, resolution):
                return record
            if self._records.resolve(record, resolution):
                log.warning(
                    "It is decided about a metering record that AWS's answer left open.",
                    metering_record_id=metering_record_id,
                    subscription_id=record.subscription_id,
                    outcome=record.outcome.value,
                    decision=decision.value,
                    by=by,
                    micro_units=record.quantity,
                )
                return self.record(metering_record_id)
        raise ChangedTooOften(metering_record_id)
