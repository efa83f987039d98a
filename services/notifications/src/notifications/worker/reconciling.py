"""The worker's third door: an operator wishes to know whether we and AWS say the same."""

from contextlib import suppress
from dataclasses import replace
from threading import Event

import structlog

from chassis import tracing
from chassis.clock import Clock
from notifications import inbox, subscription_ids
from notifications.catalogue import Catalogue
from notifications.changes import Published, answered
from notifications.history import ANSWER
from notifications.marketplace import Marketplace, NotAnswered, OurFault
from notifications.news import Door, Generation
from notifications.questions import Schedule
from notifications.reconciliations import (
    Action,
    Difference,
    ListedAgreement,
    State,
    Step,
    ended_there,
    other_entitlements,
    unknown_or_ended_here,
)
from notifications.subscription import Status
from notifications.tables.models import ReconciliationRow
from notifications.tables.reconciliation_store import ReconciliationStore
from notifications.tables.store import Overtaken
from notifications.worker.applying import Worker

log = structlog.get_logger()

PAUSE_SECONDS = 2.0


class Reconciler:
    """Works through reconciliations, some agreements or subscriptions at a time. Safe to run in any number of
    processes: what two do at the same time is done twice, to the same effect, and one of them stops.

    Args:
        store: the tables of reconciliations.
        worker: applies what AWS's answers stand for.
        marketplace: who answers.
        schedule: what AWS is asked anyway.
        clock: says when.
    """

    def __init__(
        self,
        store: ReconciliationStore,
        worker: Worker,
        marketplace: Marketplace,
        schedule: Schedule,
        clock: Clock,
    ) -> None:
        self._store = store
        self._worker = worker
        self._marketplace = marketplace
        self._schedule = schedule
        self._clock = clock

    @property
    def _catalogue(self) -> Catalogue:
        return self._worker.catalogue

    def run(self, stop: Event) -> None:
        """Work off what was asked for, until told to stop."""
        while not stop.is_set():
            with tracing.of_round("reconciliations"):
                went_on = self.go_on()
            if not went_on:
                stop.wait(PAUSE_SECONDS)

    def go_on(self) -> bool:
        """One step of the oldest that is not finished. False where there is none.

        1. Read its row: which step, and where in it. *Killed here or later:* the same step is taken again.
        2. Ask AWS, and compare.
        3. Note each difference, then heal it. *Killed in between:* it is found and noted again, under the
           same key; what was recorded for it is known by its derived id.
        4. Write where to go on.

        Raises:
            NotAnswered: AWS is away. It goes on from the same place; the loop pauses first.
        """
        row = self._store.unfinished()
        if row is None:
            return False
        try:
            if row.step == Step.AGREEMENTS:
                self._agreements(row)
            else:
                self._subscriptions(row)
        except Overtaken:
            log.info("Another worker moves this reconciliation on.", reconciliation_id=row.reconciliation_id)
        except NotAnswered as error:
            self._store.move_on(row, last_failure=str(error))
            raise
        return True

    def _agreements(self, row: ReconciliationRow) -> None:
        """Some of the agreements that AWS calls active."""
        started = {"state": State.RUNNING.value, "started_at": row.started_at or self._clock.now()}
        try:
            listed, token = self._marketplace.active_agreements(row.position)
        except OurFault as error:
            # Without the permission, or with a token that AWS forgot: the other step can still be taken.
            log.error(
                "AWS does not list our agreements; our own are compared all the same.", error=str(error)
            )
            self._store.move_on(
                row, step=Step.SUBSCRIPTIONS.value, position=None, last_failure=str(error), **started
            )
            return
        ours = [(one, code) for one in listed if (code := self._product_code(one)) is not None]
        for agreement, product_code in ours:
            self._agreement(row, agreement, product_code)
        step = Step.AGREEMENTS if token else Step.SUBSCRIPTIONS
        read = row.agreements_read + len(ours)
        self._store.move_on(row, step=step.value, position=token, agreements_read=read, **started)

    def _agreement(self, row: ReconciliationRow, listed: ListedAgreement, product_code: str) -> None:
        if listed.starts_at is not None and listed.starts_at > self._clock.now():
            return
        for license_arn in listed.license_arns:
            subscription_id = subscription_ids.of_license(license_arn)
            known = self._worker.store.published([subscription_id]).get(subscription_id)
            difference = unknown_or_ended_here(listed, license_arn, subscription_id, product_code, known)
            self._heal(row, difference, known)

    def _product_code(self, listed: ListedAgreement) -> str | None:
        """None where the product is not ours, or a legacy one, whose identity no agreement tells."""
        product = next(filter(None, map(self._catalogue.of_id, listed.product_ids)), None)
        if product is None or product.generation == Generation.LEGACY:
            return None
        return product.product_code

    def _subscriptions(self, row: ReconciliationRow) -> None:
        """Some of our subscriptions."""
        ids, following = self._store.subscription_ids(row.position)
        compared, not_told = 0, 0
        for published in self._worker.store.published(ids).values():
            if published.subscription.status == Status.ACTIVE:
                compared += 1
                not_told += not self._compare(row, published)
        done = following is None
        self._store.move_on(
            row,
            state=(State.FINISHED if done else State.RUNNING).value,
            finished_at=self._clock.now() if done else None,
            position=following,
            subscriptions_compared=row.subscriptions_compared + compared,
            not_told=row.not_told + not_told,
        )
        if done:
            log.info(
                "A reconciliation is finished.",
                reconciliation_id=row.reconciliation_id,
                differences=row.differences,
                healed=row.healed,
            )

    def _compare(self, row: ReconciliationRow, published: Published) -> bool:
        """False where AWS tells us nothing of it."""
        subscription = published.subscription
        told = False
        if self._schedule.has_agreement(subscription):
            try:
                agreement = self._marketplace.agreement(subscription.agreement_id or "")
            except OurFault as error:
                log.error("AWS refuses a question for a fault of ours.", error=str(error))
            else:
                if agreement is not None:
                    told = True
                    now = self._clock.now()
                    self._heal(
                        row, ended_there(published, agreement.status, agreement.ends_at, now), published
                    )
        if self._schedule.has_entitlements(subscription):
            try:
                answer = self._marketplace.entitlements(subscription)
            except OurFault as error:
                log.error("AWS refuses a question for a fault of ours.", error=str(error))
            else:
                told = True
                self._heal(row, other_entitlements(published, answer, self._clock.now()), published)
        return told

    def _heal(self, row: ReconciliationRow, difference: Difference | None, known: Published | None) -> None:
        if difference is None:
            return
        now = self._clock.now()
        self._store.note(row, difference, now)
        log.warning(
            "We and AWS do not say the same.",
            reconciliation_id=row.reconciliation_id,
            kind=difference.kind,
            agreement_id=difference.agreement_id,
            subscription_id=difference.subscription_id,
            action=difference.action,
        )
        for event in difference.events:
            self._worker.take(inbox.read(event, "", now, Door.RECONCILIATION), now)
        if difference.action == Action.ASKED_ANEW and known is not None:
            change = answered(known, known.purchase, replace(known.questions, ask_at=now), now)
            # Overtaken: news came, and asks as well.
            with suppress(Overtaken):
                if change:
                    self._worker.store.replace(change, ANSWER, now)
