"""The worker's second door: when a question to AWS is due, it is asked, and the answer written.

Apart from the news on purpose: news is applied and its message deleted, whatever AWS answers, or does not.
"""

import random

import structlog
from prometheus_client import Gauge

from chassis.clock import Clock
from notifications.changes import Change, Published, answered
from notifications.history import ANSWER
from notifications.marketplace import Marketplace, NotAnswered, OurFault
from notifications.purchase import Purchase
from notifications.questions import Schedule
from notifications.tables.store import Overtaken, Store

log = structlog.get_logger()

ATTEMPTS = 4
"""How often a subscription is asked about anew as news of it came meanwhile; then the next round asks."""

MOST_AT_ONCE = 100
"""A round ends after so many, so that a process that is told to stop does."""

FAILURES_IN_A_ROW = 3
"""If so many questions fail one after the other, the rest would too, and each would take the time of all
attempts. One that fails alone holds up no other."""

DUE = Gauge(
    "marketplane_marketplace_questions_due",
    "Subscriptions that AWS was to be asked about when the last round began.",
)


class Asker:
    """Asks AWS what no news says. Safe to run in any number of processes: one may ask what another has just
    asked, and the second answer is dropped.

    Args:
        store: the tables.
        marketplace: who answers.
        schedule: what is asked when.
        clock: says what is due.
    """

    def __init__(self, store: Store, marketplace: Marketplace, schedule: Schedule, clock: Clock) -> None:
        self._store = store
        self._marketplace = marketplace
        self._schedule = schedule
        self._clock = clock
        self._looked_for_overlooked = False

    def ask_what_is_due(self) -> int:
        """One round. Returns how many subscriptions AWS was asked about.

        1. Once in the life of a process: rows in which no question stands though one should get one.
        2. Read what is due. Killed here or later: it is still due.
        3. Ask AWS, about one subscription after the other, in no order, so that one that always fails does
           not stand before all others.
        4. Write the answer, if the row is still the one that was asked about. If news came, ask again: the
           answer may be older than the news. Killed before: it is asked again.

        Raises:
            NotAnswered: the last failure, after all others were tried. Nothing was unlearnt by it; what was
                asked stays due. The loop pauses, longer each time, and begins again.
        """
        if not self._looked_for_overlooked:
            self._ask_what_was_overlooked()
            self._looked_for_overlooked = True
        due = self._store.due_questions(self._clock.now())
        DUE.set(len(due))
        random.shuffle(due)
        asked, in_a_row = 0, 0
        failure: NotAnswered | None = None
        for subscription_id in due[:MOST_AT_ONCE]:
            try:
                asked += self._ask_about(subscription_id)
            except NotAnswered as error:
                _tell_of_failure(subscription_id, error)
                failure, in_a_row = error, in_a_row + 1
                if in_a_row == FAILURES_IN_A_ROW:
                    break
            else:
                in_a_row = 0
        if failure:
            raise failure
        return asked

    def _ask_about(self, subscription_id: str) -> bool:
        """False where another process was quicker, or news came each time."""
        for _ in range(ATTEMPTS):
            now = self._clock.now()
            row = self._store.published([subscription_id]).get(subscription_id)
            if row is None or not row.questions.due(now):
                return False
            purchase, failure = self._answers(row)
            questions = self._schedule.after_answers(
                row.questions, row.subscription, now, all_answered=failure is None
            )
            change = answered(row, purchase, questions, now)
            try:
                if change:
                    self._store.replace(change, ANSWER, now)
            except Overtaken:
                continue
            if change:
                _tell(change)
            if failure:
                raise failure
            return True
        return False

    def _answers(self, row: Published) -> tuple[Purchase, NotAnswered | None]:
        """What is known after asking, and the last failure. A question that fails takes nothing from the
        other's answer."""
        purchase, failure = row.purchase, None
        subscription = row.subscription
        if self._schedule.has_entitlements(subscription):
            # Taken before asking: what changes at AWS while it answers is newer than the answer.
            as_of = self._clock.now()
            try:
                purchase = purchase.entitled_to(self._marketplace.entitlements(subscription), as_of)
            except NotAnswered as error:
                failure = error
        if row.questions.agreement and self._schedule.has_agreement(subscription):
            try:
                agreement = self._marketplace.agreement(subscription.agreement_id or "")
            except NotAnswered as error:
                failure = error
            else:
                purchase = purchase.agreed(agreement) if agreement else purchase
        return purchase, failure

    def _ask_what_was_overlooked(self) -> None:
        now = self._clock.now()
        for row in self._store.all_published():
            questions = self._schedule.overlooked(row.questions, row.subscription, row.purchase, now)
            change = answered(row, row.purchase, questions, now) if questions else None
            if change is None:
                continue
            try:
                self._store.replace(change, ANSWER, now)
            except Overtaken:
                continue  # its news has seen to it


def _tell(change: Change) -> None:
    if change.signal:
        purchase = change.after.purchase
        log.info(
            "AWS's answer changed a subscription.",
            subscription_id=change.after.subscription.subscription_id,
            version=change.after.version,
            entitlements=None if purchase.entitlements is None else len(purchase.entitlements),
            signal=change.signal["type"],
        )


def _tell_of_failure(subscription_id: str, error: NotAnswered) -> None:
    fields = {"subscription_id": subscription_id, "operation": error.operation, "code": error.code}
    if isinstance(error, OurFault):
        log.error("AWS refuses a question for a fault of ours; what was known stays.", **fields)
    else:
        log.warning("AWS did not answer a question; what was known stays, and it is asked again.", **fields)
