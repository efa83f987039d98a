"""The worker's first door: a message from the queue, or the end of a last hour, becomes plain calls to the
rules."""

import random
import time
from datetime import datetime, timedelta
from functools import partial

import structlog
from prometheus_client import Counter

from chassis.clock import Clock
from chassis.queues import Message, Unreadable
from notifications import inbox
from notifications.catalogue import Catalogue
from notifications.changes import Change, Outcome, changes, outcome
from notifications.folding import fold
from notifications.inbox import Entry, UnreadableMessage
from notifications.news import News
from notifications.questions import Schedule
from notifications.subscription import Subscription
from notifications.tables.store import AlreadyReceived, Overtaken, Store

log = structlog.get_logger()

ATTEMPTS = 8
"""How often we read again when other workers write about the same subject; then the message comes back
later."""

NOTIFICATIONS = Counter(
    "marketplane_notifications_total", "Messages from AWS by what became of them.", ["source", "outcome"]
)


class Worker:
    """Applies messages one by one. Safe to run in any number of threads and processes.

    Args:
        store: the tables.
        catalogue: our products.
        schedule: what AWS is to be asked because of news. It is asked elsewhere, later: news waits for no
            answer.
        clock: says when a message was received and which last hours are over.
        sweep_every: how often the sweep looks for those, by that clock.
    """

    def __init__(
        self, store: Store, catalogue: Catalogue, schedule: Schedule, clock: Clock, sweep_every: timedelta
    ) -> None:
        self.store = store
        self.catalogue = catalogue
        self.schedule = schedule
        self._clock = clock
        self._sweep_every = sweep_every
        self._swept_at: datetime | None = None

    def handle(self, message: Message) -> None:
        """Apply one message. When this returns, what it says is durable, and the message may be deleted.

        Raises:
            Unreadable: no retry can mend it.
        """
        now = self._clock.now()
        try:
            entry = inbox.read(message.body, message.id, message.sent_at or now)
        except UnreadableMessage as error:
            raise Unreadable(str(error)) from error
        with structlog.contextvars.bound_contextvars(notification_id=entry.notification_id):
            try:
                became = self._take(entry, now)
            except AlreadyReceived:
                log.info("The message came again; it changes nothing.", name=entry.name)
                became = "duplicate"
        NOTIFICATIONS.labels(entry.source.value, became).inc()

    def _take(self, entry: Entry, now: datetime) -> str:
        if self.store.has_received(entry.notification_id):
            raise AlreadyReceived
        refusal = self._refusal(entry)
        for attempt in range(ATTEMPTS):
            try:
                if refusal is None and entry.news is not None:
                    return self._apply(entry, entry.news, now)
                self.store.keep(entry, refusal or Outcome.IGNORED, now)
                log.info("The message is kept; it is no news to us.", name=entry.name, outcome=refusal)
                return refusal or Outcome.IGNORED
            except Overtaken:
                time.sleep(random.uniform(0, 0.02 * 2**attempt))
        raise TimeoutError(f"{ATTEMPTS} times other workers were quicker about {entry.subject}.")

    def _refusal(self, entry: Entry) -> Outcome | None:
        if entry.news is None:
            return Outcome.IGNORED
        if not self.catalogue.knows(entry.news):
            log.warning("A product is not in the catalogue.", product_code=entry.news.facts.product_code)
            return Outcome.UNKNOWN_PRODUCT
        return None if self.catalogue.tells_by(entry.news) else Outcome.OTHER_GENERATION

    def _apply(self, entry: Entry, news: News, now: datetime) -> str:
        known = self.store.news_of(news.subject)
        after = fold([*known, news], now)
        before = self.store.published(subscription.subscription_id for subscription in after)
        ask = partial(self.schedule.after_news, kind=news.kind, now=now)
        changed = changes(before, after, now, ask)
        became = outcome(after, changed)
        self.store.apply(entry, became, _subject_of(news, after), now, len(known), changed)
        _tell(changed, entry.name)
        return became

    def sweep_when_due(self) -> None:
        """Take the step below once at start, then at most once in `sweep_every`, also when the clock was set
        back."""
        now = self._clock.now()
        if self._swept_at is None or abs(now - self._swept_at) >= self._sweep_every:
            self.sweep(now)
            self._swept_at = now

    def sweep(self, now: datetime) -> int:
        """End the subscriptions whose last hour is over: for concurrent agreements nothing announces that.
        Returns how many. A row that changed meanwhile is left; its news, or the next sweep, has seen to
        it."""
        ended = 0
        ask = partial(self.schedule.after_news, kind=None, now=now)
        for published in self.store.in_last_hour():
            after = published.subscription.expired(now)
            if after == published.subscription:
                continue
            changed = changes({after.subscription_id: published}, [after], now, ask)
            for change in changed:
                try:
                    self.store.replace(change)
                except Overtaken:
                    continue
                ended += 1
            _tell(changed, "the last hour is over")
        return ended


def _subject_of(news: News, after: list[Subscription]) -> str | None:
    """The subscription that a notification is shown with."""
    named = [one for one in after if news.facts.license_arn in (None, one.license_arn)]
    return (named or after)[0].subscription_id if after else None


def _tell(changed: list[Change], why: str) -> None:
    for change in changed:
        if change.signal:
            log.info(
                "A subscription changed.",
                why=why,
                subscription_id=change.after.subscription.subscription_id,
                status=change.after.subscription.status,
                version=change.after.version,
                signal=change.signal["type"],
            )
