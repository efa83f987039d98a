"""Takes a file of AWS's, compares it with the books, settles what it makes certain, and keeps the rest.

1. The file is read, and then the records that it is about; all records where a time is named of which it is
   complete. *Killed:* nothing has happened.
2. The reconciliation is written down. *Killed from here on:* it stays without `finished_at`; the file is sent
   again.
3. What is certain is settled, record by record, by the way that a person's decision goes. *Killed between
   two:* those before are settled, and say by which reconciliation; the file, sent again, settles the others.
4. The differences are kept, and then the reconciliation with its numbers.

A decision that stands is never changed: a file sent twice settles once, and two files at once harm nothing.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import structlog

from chassis.clock import Clock
from metering.cloudtrail import read_calls
from metering.differences import Difference, unreadable_parts
from metering.evidence import Source
from metering.hours import AwsWindow, start_of
from metering.reconciliation import Counts, Reconciliation, new_id
from metering.reconciling_calls import (
    LATENESS,
    Complete,
    counted_beside_ours,
    key_of,
    not_counted_beside_ours,
    slots_of,
    two_identities,
)
from metering.reconciling_days import day_by_day, our_days
from metering.record_desk import ChangedTooOften, RecordDesk
from metering.records import Decision
from metering.resolutions import DecidedOtherwise, NothingToDecide
from metering.schemas import DifferenceSchema
from metering.subscriptions import Subscription
from metering.tables.published import Published
from metering.tables.reconciliation_store import ReconciliationStore
from metering.tables.record_store import RecordStore
from metering.usage_report import read_report

log = structlog.get_logger()


@dataclass(frozen=True)
class Span:
    """The time of which a file has everything that AWS has, by a person's word."""

    since: datetime
    until: datetime

    def has_day(self, day: date) -> bool:
        """Whether a day, in UTC, lies in it from beginning to end."""
        begin = datetime.combine(day, time(), UTC)
        return self.since <= begin and begin + timedelta(days=1) <= self.until


@dataclass(frozen=True)
class Comparison:
    """What a file and our books say of each other. `compared` and `agreed` count hours, or a report's
    days."""

    differences: list[Difference]
    read: int
    passed_over: int
    compared: int
    agreed: int


class Reconciler:
    """Compares AWS's files with the books.

    Args:
        records, published: the books.
        desk: takes decisions about records.
        store: where reconciliations are kept.
        clock: the one clock.
        region: the Region that we bill in.
        window: which hours AWS takes.
    """

    def __init__(
        self,
        records: RecordStore,
        published: Published,
        desk: RecordDesk,
        store: ReconciliationStore,
        clock: Clock,
        region: str,
        window: AwsWindow,
    ) -> None:
        self._records = records
        self._published = published
        self._desk = desk
        self.store = store
        self._clock = clock
        self._region = region
        self._window = window

    def reconcile(
        self, source: Source, text: str, by: str, span: Span | None
    ) -> tuple[Reconciliation, list[dict[str, Any]]]:
        """Compare a file with the books.

        Args:
            source: which of AWS's files it is.
            text: what is in it.
            by: who sent it.
            span: see there.

        Returns:
            the reconciliation, and all its differences as the API shows them.

        Raises:
            NotEvidence: it is no such file.
        """
        now = self._clock.now()
        compare: Callable[[str, Span | None, datetime], Comparison] = (
            self._compare_calls if source is Source.CLOUDTRAIL else self._compare_days
        )
        found = compare(text, span, now)
        reconciliation = Reconciliation(
            new_id(), source, by, now, span.since if span else None, span.until if span else None
        )
        self.store.save(reconciliation)
        settled = [self._settle(one, reconciliation, span) for one in found.differences]
        shown: list[dict[str, Any]] = DifferenceSchema(many=True).dump(settled)
        self.store.add_differences(reconciliation.reconciliation_id, shown)
        decisions = [one.settles for one in settled]
        reconciliation = replace(
            reconciliation,
            finished_at=self._clock.now(),
            counts=Counts(
                read=found.read,
                passed_over=found.passed_over,
                compared=found.compared,
                agreed=found.agreed,
                differences=len(shown),
                settled_as_billed=decisions.count(Decision.BILLED),
                settled_to_bill_again=decisions.count(Decision.BILL_AGAIN),
            ),
        )
        self.store.save(reconciliation)
        log.info(
            "The books are compared with a file of AWS's.",
            reconciliation_id=reconciliation.reconciliation_id,
            source=source.value,
            by=by,
            differences=len(shown),
            settled_as_billed=reconciliation.counts.settled_as_billed,
            settled_to_bill_again=reconciliation.counts.settled_to_bill_again,
        )
        return reconciliation, shown

    def _compare_calls(self, text: str, span: Span | None, now: datetime) -> Comparison:
        calls = read_calls(text)
        slots = slots_of(calls.told)
        ours = {key_of(one): one for one in self._records.at_slots(k for k in slots if _is_ours(k.who))}
        differences = list(unreadable_parts(calls.unreadable))
        agreed = 0
        for key, slot in slots.items():
            found = list(counted_beside_ours(key, slot, ours.get(key), self._region))
            differences += found
            agreed += bool(slot.counted()) and not found
        if span:
            shows_ours = any(
                key in ours and any(one.region == self._region for one in slot.told)
                for key, slot in slots.items()
            )
            complete = Complete(
                span.since,
                min(span.until, now - LATENESS),
                shows_ours,
                tuple(part.at for part in calls.unreadable),
            )
            differences += [
                one
                for record in self._records.every()
                if (one := not_counted_beside_ours(record, slots.get(key_of(record)), complete, self._window))
            ]
        differences += two_identities(slots, self._subscriptions(key.who for key in slots))
        compared = sum(bool(slot.counted()) for slot in slots.values())
        return Comparison(differences, calls.calls, calls.passed_over, compared, agreed)

    def _compare_days(self, text: str, span: Span | None, now: datetime) -> Comparison:
        report = read_report(text)
        days = {line.day for line in report.lines}
        records = [
            one
            for one in self._records.every()
            if (day := start_of(one.hour).date()) in days or (span and span.has_day(day))
        ]
        ours = our_days(records, self._subscriptions(one.subscription_id for one in records))
        struck = list(day_by_day(report.lines, ours, span.has_day if span else lambda _: False))
        differences = [*unreadable_parts(report.unreadable), *(one for _, one in struck if one)]
        agreed = sum(one is None for _, one in struck)
        return Comparison(differences, len(report.lines), 0, len(struck), agreed)

    def _subscriptions(self, ids: Iterable[str]) -> dict[str, Subscription]:
        wanted = {one for one in ids if _is_ours(one)}
        return {one.subscription_id: one for one in self._published.subscriptions(wanted)} if wanted else {}

    def _settle(self, one: Difference, of: Reconciliation, span: Span | None) -> Difference:
        """Let a difference decide what it makes certain. What somebody has decided meanwhile stands."""
        if one.settles is None or one.metering_record_id is None:
            return one
        by = f"reconciliation {of.reconciliation_id}"
        try:
            record = self._desk.resolve(one.metering_record_id, one.settles, _because(one, span), by, of.at)
        except (DecidedOtherwise, NothingToDecide, ChangedTooOften) as error:
            why = type(error).__name__
        else:
            if record.resolution and record.resolution.by == by:
                return one
            why = "somebody has just decided the same"
        return replace(one, settles=None, sentence=f"{one.sentence} It was not settled by this: {why}.")


def _is_ours(who: str) -> bool:
    return who.startswith("sub_")


def _because(one: Difference, span: Span | None) -> str:
    """The reason that stands beside the decision, for whoever audits the books."""
    if one.settles is Decision.BILLED and one.theirs:
        return (
            f"AWS's CloudTrail event {one.theirs.event_id} counts it, as metering record "
            f"{one.theirs.aws_metering_record_id}."
        )
    assert span, "absence settles only what a file is complete of"
    return (
        f"AWS's CloudTrail, complete from {span.since.isoformat()} until {span.until.isoformat()}, does not "
        "count it, and AWS takes its hour no more."
    )
