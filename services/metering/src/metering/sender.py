"""Sends what is due to AWS and writes what became of it, after each call. Only ever the frozen record.

What is written of a call's records is written of several at the same time, or AWS would wait for our
database: that each of them may reach AWS, before the call; what became of each, after it.
"""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

import structlog

from chassis.clock import Clock
from metering import measures
from metering.batches import Calls
from metering.each import Spread, Stop, never, try_each, try_together
from metering.marketplace import Answer, BatchFailed, Marketplace
from metering.outcomes import Verdict, of_status, when_refused, when_window_closed
from metering.planning import Limits
from metering.records import Listing, MeteringRecord, Outcome
from metering.resolutions import OPEN_TO_DECISIONS
from metering.tables.published import Published
from metering.tables.record_store import Attempt, RecordStore
from metering.window_left import seconds_left

log = structlog.get_logger()


class SenderStopped(Exception):
    """A fault of ours: credentials, permissions or Region."""

    def __init__(self, failed: BatchFailed) -> None:
        super().__init__(
            f"AWS refuses us, not a record ({failed}): nothing is billed until a person mends it."
        )
        self.failed = failed


class ProductStopped(Exception):
    """A fault of ours with one product: its code, or its listing."""

    def __init__(self, listing: Listing, failed: BatchFailed) -> None:
        super().__init__(
            f"AWS refuses product {listing.product_code}, not a record ({failed}): nothing of it is billed "
            "until a person mends it; the others go on."
        )
        self.listing, self.failed = listing, failed


class Paused(Exception):
    """AWS asked us to slow down, or cannot be reached."""


Begun = tuple[MeteringRecord, Attempt]
"""A record that may reach AWS from now on."""

HALTS = (Paused, SenderStopped)
"""After one of these no other call would fare better."""


class Sender:
    """Hands due records to AWS.

    Args:
        records: metering records.
        published: tells when a subscription ends.
        marketplace: BatchMeterUsage.
        clock: the one clock.
        limits: which hours AWS takes.
        pace: waits until the next call of BatchMeterUsage is allowed.
        at_once: of how many records of a call something is written at the same time; 1: one after the other,
            in the caller's thread.
    """

    def __init__(
        self,
        records: RecordStore,
        published: Published,
        marketplace: Marketplace,
        clock: Clock,
        limits: Limits,
        pace: Callable[[], None],
        at_once: int = 1,
    ) -> None:
        self._records = records
        self._published = published
        self._marketplace = marketplace
        self._clock = clock
        self._limits = limits
        self._pace = pace
        self._spread: Spread = ThreadPoolExecutor(at_once, "sender").map if at_once > 1 else map
        self._counting = threading.Lock()
        self._failures: list[Exception] = []
        self._stopped_products: set[Listing] = set()
        self._lost_answers = 0
        self._closings: dict[str, datetime] = {}
        self.left: list[str] = []
        self.settled: Counter[Outcome] = Counter()
        self.due = 0

    def send_due(self, stop: Stop = never, subscription_id: str | None = None) -> list[Exception]:
        """Hand every due record to AWS, the most urgent first; write what became of it after each call.

        Args:
            stop: see there.
            subscription_id: those of this one only.

        Returns:
            what failed. Where AWS only asks us to try again, `left` says so; `settled` counts the outcomes,
            and `due` what AWS has not answered for.
        """
        now = self._clock.now()
        failures = self._send_all(now, stop, subscription_id)
        if subscription_id is None:
            measures.WINDOW_LEFT.labels("due").set(seconds_left(self._closings.values(), now))
        return failures

    def _send_all(self, now: datetime, stop: Stop, subscription_id: str | None) -> list[Exception]:
        self.left = []
        self.settled = Counter()
        self.due = 0
        due = self._records.due()
        measures.DUE.set(len(due))
        due = [record for record in due if subscription_id in (None, record.subscription_id)]
        self.due = len(due)
        self._closings = {}
        open_at_aws: list[MeteringRecord] = []
        too_late: list[MeteringRecord] = []
        for record in due:
            closes = self._closings[record.metering_record_id] = self._limits.window.closes_at(
                record.timestamp
            )
            (open_at_aws if now < closes else too_late).append(record)
        self._failures = try_each(too_late, self._give_up, but=HALTS, stop=stop)
        endings: dict[str, datetime | None] = {}

        def deadline(record: MeteringRecord) -> datetime:
            if record.subscription_id not in endings:
                subscription = self._published.subscription(record.subscription_id)
                endings[record.subscription_id] = subscription.meter_until if subscription else None
            closes = self._limits.window.closes_at(record.timestamp)
            return min(closes, endings[record.subscription_id] or closes)

        for record in open_at_aws:
            self._closings[record.metering_record_id] = deadline(record)
        stopped_products: dict[Listing, ProductStopped] = {}
        try:
            calls = Calls(open_at_aws, deadline)
            for call in calls:
                if call[0].identity.listing in stopped_products:
                    continue
                lost_before = self._lost_answers
                try:
                    self._failures += try_each([call], self._send, but=(*HALTS, ProductStopped), stop=stop)
                except ProductStopped as one:
                    stopped_products[one.listing] = one
                    self._stopped_products.add(one.listing)
                    _say_stopped(one)
                calls.was_answered(self._lost_answers == lost_before)
        except SenderStopped as stopped:
            measures.SENDER_STOPPED.set(1)
            log.error(
                "AWS refuses us, not a record: nothing is billed until a person mends it.",
                error=stopped.failed.failure.code,
                message=stopped.failed.failure.message,
            )
            return [*self._failures, *stopped_products.values(), stopped]
        except Paused as paused:
            log.warning("AWS cannot now; the next cycle tries again.", error=str(paused))
            self.left.append(f"AWS cannot now ({paused}); the next cycle tries again.")
            return [*self._failures, *stopped_products.values()]
        if stop() or subscription_id:
            return [*self._failures, *stopped_products.values()]
        measures.SENDER_STOPPED.set(0)
        for listing in self._stopped_products - stopped_products.keys():
            measures.PRODUCT_STOPPED.labels(*listing).set(0)
        self._stopped_products = set(stopped_products)
        return [*self._failures, *stopped_products.values()]

    def _give_up(self, record: MeteringRecord) -> None:
        """AWS takes the record no more."""
        self._settle(record, when_window_closed(record.in_doubt), reason="window_closed")

    def _send(self, call: list[MeteringRecord]) -> None:
        """Make one call and write what became of each record."""
        begun = self._begin(call)
        if not begun:
            return
        self._pace()
        try:
            answers, unprocessed = self._marketplace.batch_meter_usage([record for record, _ in begun])
        except BatchFailed as failed:
            self._bear(failed, begun)
            return
        measures.CALLS.labels("answered").inc()

        def take_answer(one: Begun) -> None:
            record_id = one[0].metering_record_id
            self._take_answer(*one, answers.get(record_id), record_id in unprocessed)

        self._failures += try_together(begun, take_answer, self._spread)

    def _begin(self, call: list[MeteringRecord]) -> list[Begun]:
        """Note of each record that it may reach AWS. Answers those that may be sent: of a record that is left
        out because the note failed, perhaps only the answer was lost; then it is in doubt, and sent again."""
        now = self._clock.now()
        attempts: dict[str, Attempt] = {}

        def begin(record: MeteringRecord) -> None:
            if attempt := self._records.begin_attempt(record, now):
                attempts[record.metering_record_id] = attempt

        self._failures += try_together(call, begin, self._spread)
        return [
            (record, attempts[record.metering_record_id])
            for record in call
            if record.metering_record_id in attempts
        ]

    def _take_answer(
        self, record: MeteringRecord, attempt: Attempt, answer: Answer | None, unprocessed: bool
    ) -> None:
        """Write what AWS has answered of a record."""
        outcome = of_status(answer.status, attempt.was_in_doubt) if answer else None
        if answer and outcome:
            # Whoever looks at it must know that the first sending may have been counted.
            reason = "sent_before" if attempt.was_in_doubt and outcome is not Outcome.BILLED else None
            self._settle(
                record,
                outcome,
                reason=reason,
                aws_metering_record_id=answer.aws_metering_record_id,
                attempt=attempt,
                answer=answer.status,
            )
        elif unprocessed:
            self._records.certainly_not_counted(record, attempt, "Unprocessed")
            self.left.append(f"AWS left {record.metering_record_id} unprocessed; it is sent again.")
        else:
            log.warning(
                "AWS said nothing usable of a record; it is sent again.",
                metering_record_id=record.metering_record_id,
                status=answer.status if answer else None,
            )
            self.left.append(f"AWS said nothing usable of {record.metering_record_id}; it is sent again.")

    def _bear(self, failed: BatchFailed, begun: list[Begun]) -> None:
        """Do what the verdict on a failed call asks for."""
        verdict = failed.failure.verdict
        measures.CALLS.labels(verdict.value).inc()
        if verdict is Verdict.TRY_AGAIN_IN_DOUBT:
            self._lost_answers += 1
            log.warning("A call of BatchMeterUsage failed; the records are sent again.", error=str(failed))
            self.left.append(f"A call of BatchMeterUsage failed ({failed}); the records are sent again.")
            return

        def clear_doubt(one: Begun) -> None:
            self._records.certainly_not_counted(*one, failed.failure.code)

        self._failures += try_together(begun, clear_doubt, self._spread)
        if verdict is Verdict.TRY_AGAIN:
            raise Paused(str(failed))
        if verdict is Verdict.STOP:
            raise SenderStopped(failed)
        if verdict is Verdict.STOP_PRODUCT:
            raise ProductStopped(begun[0][0].identity.listing, failed)
        if len(begun) > 1:
            middle = len(begun) // 2
            for half in (begun[:middle], begun[middle:]):
                self._send([replace(record, attempts=attempt.number) for record, attempt in half])
            return
        (record, attempt), code = begun[0], failed.failure.code
        if verdict is Verdict.OUTSIDE_WINDOW:
            if self._clock.now() < record.timestamp + self._limits.window.margin:
                # So young a timestamp is only out of bounds where AWS's clock is behind ours; it soon is not.
                log.warning(
                    "AWS's clock is behind ours; the record is sent again.",
                    metering_record_id=record.metering_record_id,
                )
                return
            self._settle(
                record, when_window_closed(attempt.was_in_doubt), reason=code, attempt=attempt, answer=code
            )
        else:
            self._settle(
                record, when_refused(attempt.was_in_doubt), reason=code, attempt=attempt, answer=code
            )

    def _settle(
        self,
        record: MeteringRecord,
        outcome: Outcome,
        *,
        reason: str | None = None,
        aws_metering_record_id: str | None = None,
        attempt: Attempt | None = None,
        answer: str = "",
    ) -> None:
        settled = self._records.settle(
            record,
            outcome,
            self._clock.now(),
            reason=reason,
            aws_metering_record_id=aws_metering_record_id,
            attempt=attempt,
            answer=answer,
        )
        if not settled:
            return
        measures.SETTLED.labels(outcome.value).inc()
        if outcome in OPEN_TO_DECISIONS:
            measures.WAITING.labels(outcome.value).inc()
        with self._counting:
            self.settled[outcome] += 1
            self.due -= 1
            self._closings.pop(record.metering_record_id, None)
        say = log.info if outcome is Outcome.BILLED else log.warning
        say(
            "A metering record is settled.",
            metering_record_id=record.metering_record_id,
            subscription_id=record.subscription_id,
            outcome=outcome.value,
            reason=reason,
        )


def _say_stopped(stopped: ProductStopped) -> None:
    product_code, generation = stopped.listing
    measures.PRODUCT_STOPPED.labels(product_code, generation).set(1)
    log.error(
        "AWS refuses a product, not a record: nothing of it is billed until a person mends it; the others go "
        "on.",
        product_code=product_code,
        generation=generation,
        error=stopped.failed.failure.code,
        message=stopped.failed.failure.message,
    )
