"""What people ask of a metering record, and what they decide about it."""

import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import structlog

from chassis.tables import foreign_cursor
from metering.callers import Sight
from metering.explaining import LoggedEvent, explain
from metering.records import Decision, MeteringRecord, Resolution
from metering.resolutions import is_new
from metering.tables.ledger_store import rows_of
from metering.tables.record_store import RecordStore
from metering.usage_log import UsageLog

log = structlog.get_logger()

ATTEMPTS = 5
"""How often a decision is tried while others write about the same usage."""

MOST_SUBSCRIPTIONS_A_PAGE = 10
"""So many of a buyer's are gone through for one page: each is a read, also where a filter passes nothing."""


class NoSuchRecord(Exception):
    """There is no metering record of this id."""


class ChangedTooOften(Exception):
    """Others kept writing about the same usage: it is to be tried again."""


class RecordDesk:
    """Lists and explains metering records, and takes decisions about them.

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

    def shown(self, sight: Sight, metering_record_id: str) -> MeteringRecord:
        """
        Raises:
            NoSuchRecord: also where it is of a subscription that they do not see.
        """
        if not sight.shows_usage_of(metering_record_id.partition(".")[0]):
            raise NoSuchRecord(metering_record_id)
        return self.record(metering_record_id)

    def page(
        self,
        sight: Sight,
        subscription_id: str | None,
        outcome: str | None,
        limit: int,
        key: dict[str, Any] | None,
    ) -> tuple[list[MeteringRecord], dict[str, Any] | None]:
        """One page of the records that somebody sees, of one subscription or of all, and where to go on."""
        if subscription_id is None and not sight.all_usage:
            return self._page_of_own(sorted(sight.subscription_ids), outcome, limit, key)
        if subscription_id is not None and not sight.shows_usage_of(subscription_id):
            return [], None
        return self._records.page(subscription_id, outcome, limit, key)

    def _page_of_own(
        self,
        subscription_ids: Sequence[str],
        outcome: str | None,
        limit: int,
        key: dict[str, Any] | None,
    ) -> tuple[list[MeteringRecord], dict[str, Any] | None]:
        """Subscription by subscription. The key to go on from is a record's, or names the subscription that
        the next page begins with."""
        begin = _first_of(key)
        left = [one for one in subscription_ids if one >= begin]
        # That subscription is not theirs any more: the next one has no record to go on from.
        after = key if key and "slot" in key and left[:1] == [begin] else None
        found: list[MeteringRecord] = []
        for number, subscription_id in enumerate(left):
            if len(found) == limit or number == MOST_SUBSCRIPTIONS_A_PAGE:
                return found, {"subscription_id": {"S": subscription_id}}
            of_it, last = self._records.page(subscription_id, outcome, limit - len(found), after)
            found += of_it
            if last is not None:
                return found, last
            after = None
        return found, None

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


def _first_of(key: dict[str, Any] | None) -> str:
    """The subscription that a key of `_page_of_own` goes on with; empty where it begins.

    Raises:
        Problem: 400, this list gave no such key.
    """
    if key is None:
        return ""
    if not key.keys() <= {"subscription_id", "slot"} or "S" not in key.get("subscription_id", {}):
        raise foreign_cursor()
    return str(key["subscription_id"]["S"])
