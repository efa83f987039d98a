"""The metering cycle: fold the open hours, plan what is unbilled, send what is due.

Any number of workers may run it at the same time, and any of them may be killed at any instant:

1. Fold. The usage log is read, not changed; a newer fold is never overwritten by an older one.
2. Plan. Each record is frozen with its allocations in one transaction. Killed before: the usage is still
   unbilled. Killed after: the record is due, and whoever comes next sends it.
3. Send. Only ever the frozen record. Killed between AWS's answer and ours in the books: the identical record
   is sent again, which AWS counts once.
"""

import time
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import TypeVar

import structlog

from chassis.clock import Clock
from metering import measures
from metering.batches import batches
from metering.books import Attempt, Books
from metering.catalogue import Catalogue
from metering.fold import fold
from metering.ledger import LedgerRow
from metering.marketplace import BatchFailed, Marketplace
from metering.outcomes import Verdict, of_status, when_refused, when_window_closed
from metering.planning import Limits, plan
from metering.records import MeteringRecord, Outcome
from metering.subscriptions import Subscription
from metering.usage_log import UsageLog

log = structlog.get_logger()

T = TypeVar("T")


class MeteringCycle:
    """One round of metering.

    Args:
        usage_log: what was used.
        books: ledger and metering records.
        marketplace: BatchMeterUsage.
        catalogue: our products.
        clock: the one clock.
        limits: when hours are sealed, and which ones AWS takes.
        pace: waits until the next call of BatchMeterUsage is allowed.
    """

    def __init__(
        self,
        usage_log: UsageLog,
        books: Books,
        marketplace: Marketplace,
        catalogue: Catalogue,
        clock: Clock,
        limits: Limits,
        pace: Callable[[], None],
    ) -> None:
        self._usage_log = usage_log
        self._books = books
        self._marketplace = marketplace
        self._catalogue = catalogue
        self._clock = clock
        self._limits = limits
        self._pace = pace

    def run(self) -> None:
        """Take the three steps. A failure of one hour, subscription or call does not hold up the others.

        Raises:
            ExceptionGroup: the failures, after everything was tried.
        """
        # The moment before the fold: what was accepted until then is in it. So no hour is sealed on half.
        now = self._clock.now()
        failures: list[Exception] = []
        try:
            not_folded = self.fold_open_hours()
            failures += not_folded.values()
            failures += self.plan_unbilled(now, not_folded)
        except Exception as error:
            # Not even the list of what is to do could be read. What was frozen must go out all the same.
            log.exception("The metering cycle cannot fold or plan; what is due is sent.")
            failures.append(error)
        try:
            failures += self.send_due()
        except Exception as error:
            log.exception("The metering cycle cannot list what is due.")
            failures.append(error)
        if failures:
            raise ExceptionGroup("The metering cycle could not do everything.", failures)
        measures.LAST_CYCLE.set(time.time())

    def fold_open_hours(self) -> dict[str, Exception]:
        """Fold each open hour that has new segments, and book what was found. Returns what failed."""
        return {
            hour: failure
            for hour in self._usage_log.open_hours()
            for failure in _try_each([hour], self._fold_hour)
        }

    def plan_unbilled(self, now: datetime | None = None, not_folded: Collection[str] = ()) -> list[Exception]:
        """Freeze a metering record for all that can be billed, and write off what never will be.

        Args:
            now: a moment no later than the start of the last fold; the present one when None.
            not_folded: hours whose fold failed: what the ledger says of them may be old, so they wait.
        """
        moment = now or self._clock.now()
        subscriptions: dict[str, Subscription | None] = {}

        def plan_group(group: tuple[tuple[str, str], list[LedgerRow]]) -> None:
            (subscription_id, dimension), rows = group
            if subscription_id not in subscriptions:
                subscriptions[subscription_id] = self._books.subscription(subscription_id)
            known = [row for row in rows if row.hour not in not_folded]
            if known:
                self._plan_rows(dimension, known, subscriptions[subscription_id], moment, set(not_folded))

        return _try_each(self._books.unbilled().items(), plan_group)

    def send_due(self) -> list[Exception]:
        """Hand every due record to AWS, the most urgent first; write what became of it after each call."""
        now = self._clock.now()
        due = self._books.due()
        measures.DUE.set(len(due))
        open_at_aws: list[MeteringRecord] = []
        too_late: list[MeteringRecord] = []
        for record in due:
            in_time = now < self._limits.window.closes_at(record.timestamp)
            (open_at_aws if in_time else too_late).append(record)
        failures = _try_each(too_late, self._give_up)
        endings: dict[str, datetime | None] = {}

        def deadline(record: MeteringRecord) -> datetime:
            if record.subscription_id not in endings:
                subscription = self._books.subscription(record.subscription_id)
                endings[record.subscription_id] = subscription.meter_until if subscription else None
            closes = self._limits.window.closes_at(record.timestamp)
            return min(closes, endings[record.subscription_id] or closes)

        try:
            for call in batches(open_at_aws, deadline):
                failures += _try_each([call], self._send)
        except SenderStopped as stopped:
            measures.SENDER_STOPPED.set(1)
            log.error(
                "AWS refuses us, not a record: nothing is billed until a person mends it.",
                error=stopped.failed.failure.code,
                message=stopped.failed.failure.message,
            )
            return [*failures, stopped]
        except Paused as paused:
            log.warning("AWS cannot now; the next cycle tries again.", error=str(paused))
            return failures
        measures.SENDER_STOPPED.set(0)
        return failures

    def _fold_hour(self, hour: str) -> None:
        gets_no_more = self._usage_log.gets_no_more(hour)
        found = self._usage_log.read(hour)
        if found.segments > found.folded_segments:
            self._books.book_fold(hour, fold(found.events), found.segments)
            self._usage_log.mark_folded(hour, found.segments)
        if gets_no_more:
            self._usage_log.retire(hour, found.announcements)

    def _plan_rows(
        self,
        dimension: str,
        rows: list[LedgerRow],
        subscription: Subscription | None,
        now: datetime,
        not_folded: set[str],
    ) -> None:
        for row in rows:
            if row.unbilled <= 0:
                self._books.clear_unbilled(row)
        earliest = min(row.hour for row in rows)
        # Nor may late usage be carried into an hour of which we do not know what it holds itself.
        taken = self._books.taken_hours(rows[0].subscription_id, dimension, earliest) | not_folded
        product = self._catalogue.product(subscription.product_code) if subscription else None
        decided = plan(rows, taken, subscription, product, now, self._limits)
        by_hour = {row.hour: row for row in rows}
        for record in decided.records:
            if self._books.freeze(record, by_hour):
                log.info(
                    "A metering record is frozen.",
                    metering_record_id=record.metering_record_id,
                    subscription_id=record.subscription_id,
                    micro_units=record.quantity,
                    hours=[source.hour for source in record.sources],
                )
        for row, reason in decided.write_offs:
            if self._books.write_off(row, reason):
                log.warning(
                    "Usage is written off.",
                    subscription_id=row.subscription_id,
                    dimension=row.dimension,
                    hour=row.hour,
                    micro_units=row.unbilled,
                    reason=reason,
                )

    def _give_up(self, record: MeteringRecord) -> None:
        """AWS takes the record no more."""
        self._settle(record, when_window_closed(record.in_doubt), reason="window_closed")

    def _send(self, call: list[MeteringRecord]) -> None:
        """Make one call and write what became of each record."""
        begun = [(record, attempt) for record in call if (attempt := self._books.begin_attempt(record))]
        if not begun:
            return
        self._pace()
        try:
            answers, unprocessed = self._marketplace.batch_meter_usage([record for record, _ in begun])
        except BatchFailed as failed:
            self._bear(failed, begun)
            return
        measures.CALLS.labels("answered").inc()
        for record, attempt in begun:
            answer = answers.get(record.metering_record_id)
            outcome = of_status(answer.status, attempt.was_in_doubt) if answer else None
            if answer and outcome:
                # Whoever looks at it must know that the first sending may have been counted.
                reason = "sent_before" if attempt.was_in_doubt and outcome is not Outcome.BILLED else None
                self._settle(
                    record, outcome, reason=reason, aws_metering_record_id=answer.aws_metering_record_id
                )
            elif record.metering_record_id in unprocessed:
                self._books.certainly_not_counted(record, attempt)
            else:
                log.warning(
                    "AWS said nothing usable of a record; it is sent again.",
                    metering_record_id=record.metering_record_id,
                    status=answer.status if answer else None,
                )

    def _bear(self, failed: BatchFailed, begun: list[tuple[MeteringRecord, Attempt]]) -> None:
        """Do what the verdict on a failed call asks for."""
        verdict = failed.failure.verdict
        measures.CALLS.labels(verdict.value).inc()
        if verdict is Verdict.TRY_AGAIN_IN_DOUBT:
            log.warning("A call of BatchMeterUsage failed; the records are sent again.", error=str(failed))
            return
        for record, attempt in begun:
            self._books.certainly_not_counted(record, attempt)
        if verdict is Verdict.TRY_AGAIN:
            raise Paused(str(failed))
        if verdict is Verdict.STOP:
            raise SenderStopped(failed)
        if len(begun) > 1:
            middle = len(begun) // 2
            for half in (begun[:middle], begun[middle:]):
                self._send([record for record, _ in half])
            return
        record, attempt = begun[0]
        if verdict is Verdict.OUTSIDE_WINDOW:
            if self._clock.now() < record.timestamp + self._limits.window.margin:
                # So young a timestamp is only out of bounds where AWS's clock is behind ours; it soon is not.
                log.warning(
                    "AWS's clock is behind ours; the record is sent again.",
                    metering_record_id=record.metering_record_id,
                )
                return
            self._settle(record, when_window_closed(attempt.was_in_doubt), reason=failed.failure.code)
        else:
            self._settle(record, when_refused(attempt.was_in_doubt), reason=failed.failure.code)

    def _settle(
        self,
        record: MeteringRecord,
        outcome: Outcome,
        *,
        reason: str | None = None,
        aws_metering_record_id: str | None = None,
    ) -> None:
        settled = self._books.settle(
            record, outcome, self._clock.now(), reason=reason, aws_metering_record_id=aws_metering_record_id
        )
        if not settled:
            return
        measures.SETTLED.labels(outcome.value).inc()
        say = log.info if outcome is Outcome.BILLED else log.warning
        say(
            "A metering record is settled.",
            metering_record_id=record.metering_record_id,
            subscription_id=record.subscription_id,
            outcome=outcome.value,
            reason=reason,
        )


class SenderStopped(Exception):
    """A fault of ours: credentials, permissions, Region or catalogue."""

    def __init__(self, failed: BatchFailed) -> None:
        super().__init__(str(failed))
        self.failed = failed


class Paused(Exception):
    """AWS asked us to slow down, or cannot be reached."""


def pace(calls_per_second: float) -> Callable[[], None]:
    """A function that waits, in real time, until one more call is within the rate."""
    next_at = 0.0

    def wait() -> None:
        nonlocal next_at
        now = time.monotonic()
        if now < next_at:
            time.sleep(next_at - now)
        next_at = max(now, next_at) + 1 / calls_per_second

    return wait


def _try_each(things: Iterable[T], act: Callable[[T], None]) -> list[Exception]:
    failures: list[Exception] = []
    for thing in things:
        try:
            act(thing)
        except (Paused, SenderStopped):
            raise
        except Exception as error:
            log.exception("A part of the metering cycle failed; the others go on.")
            failures.append(error)
    return failures
