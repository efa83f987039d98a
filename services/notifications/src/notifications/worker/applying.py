"""The worker's first door: a message from the queue, or the end of a last hour, becomes plain calls to the
rules."""

import itertools
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
from notifications.changes import Change, Outcome, Published, ask_nothing, changes, outcome
from notifications.folding import fold
from notifications.history import TIME
from notifications.inbox import Entry, UnreadableMessage
from notifications.news import A_PERSON_MUST_HEAR, NOTICES, Door, News, same_notice
from notifications.questions import Schedule
from notifications.renewals import Joined, join
from notifications.subject_log import entries_of_news
from notifications.subscription import Subscription
from notifications.tables.models import InboxRow
from notifications.tables.store import AlreadyReceived, Decision, Overtaken, Store
from notifications.tables.webhook_rows import shown
from notifications.webhook_events import WebhookEvent, of_notice

log = structlog.get_logger()

ATTEMPTS = 8
"""How often we read again when other workers write about the same subject; then the message comes back
later."""

NOTIFICATIONS = Counter(
    "marketplane_notifications_total", "Messages from AWS by what became of them.", ["source", "outcome"]
)


UNKNOWN = Counter(
    "marketplane_notifications_unknown_total",
    "Messages of a kind that this release does not know, kept all the same; by AWS's name of it.",
    ["name"],
)
ATTENTION = Counter(
    "marketplane_notifications_attention_total", "News that a person must hear of, by its kind.", ["kind"]
)
MOST_NAMES = 50
"""Of kinds that we do not know; any more are counted as `other`, because each is a time series."""

NO_NEWS = frozenset({Outcome.IGNORED, Outcome.UNKNOWN_PRODUCT, Outcome.OTHER_GENERATION})
"""What became of messages that left no fact; taking one again may make something of it."""

_names: set[str] = set()


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
        # A dead letter that was sent again keeps the id by which raw delivery knows it.
        message_id = text_of(message, "original_message_id") or message.id
        try:
            entry = inbox.read(message.body, message_id, message.sent_at or now, door_of(message))
        except UnreadableMessage as error:
            raise Unreadable(str(error)) from error
        self.take(entry, now)

    def take(self, entry: Entry, now: datetime) -> str:
        """Apply one message that was read; says what became of it."""
        with structlog.contextvars.bound_contextvars(notification_id=entry.notification_id):
            try:
                if self.store.has_received(entry.notification_id):
                    raise AlreadyReceived
                became = self._take(entry, now)
            except AlreadyReceived:
                log.info("The message came again; it changes nothing.", name=entry.name)
                became = "duplicate"
        NOTIFICATIONS.labels(entry.source.value, became).inc()
        return became

    def replay(self, notification_id: str) -> bool:
        """Take a kept message once more, by the same steps as when it came: for one that a catalogue or a
        release could not make anything of, since mended. One whose fact is known already changes nothing.
        False where there is no such message.

        Raises:
            UnreadableMessage: this release cannot read what an older one could.
        """
        row = self.store.inbox(notification_id)
        if row is None:
            return False
        with structlog.contextvars.bound_contextvars(notification_id=notification_id):
            if row.outcome not in NO_NEWS:
                log.info("The message counts already; taking it again changes nothing.", name=row.name)
                return True
            door = Door(row.door) if row.door else Door.QUEUE
            entry = inbox.read(row.whole_body, notification_id, row.event_time, door)
            became = self._take(entry, self._clock.now(), row)
            log.info("A kept message was taken again.", name=entry.name, was=row.outcome, outcome=became)
        return True

    def _take(self, entry: Entry, now: datetime, instead_of: InboxRow | None = None) -> str:
        refusal = self._refusal(entry)
        for attempt in range(ATTEMPTS):
            try:
                if refusal is None and entry.news is not None:
                    return self._apply(entry, entry.news, now, instead_of)
                self.store.take(entry, Decision(refusal or Outcome.IGNORED), now, instead_of)
                log.info("The message is kept; it is no news to us.", name=entry.name, outcome=refusal)
                return refusal or Outcome.IGNORED
            except Overtaken:
                time.sleep(random.uniform(0, 0.02 * 2**attempt))
        raise TimeoutError(f"{ATTEMPTS} times other workers were quicker about {entry.subject}.")

    def _refusal(self, entry: Entry) -> Outcome | None:
        if entry.news is None:
            UNKNOWN.labels(_bounded(entry.name)).inc()
            return Outcome.IGNORED
        if not self.catalogue.knows(entry.news):
            log.warning("A product is not in the catalogue.", product_code=entry.news.facts.product_code)
            return Outcome.UNKNOWN_PRODUCT
        return None if self.catalogue.tells_by(entry.news) else Outcome.OTHER_GENERATION

    def _apply(self, entry: Entry, news: News, now: datetime, instead_of: InboxRow | None) -> str:
        joined = join(news, self.store.news_of)
        after = fold(joined.facts[news.subject], now)
        others = {
            subject: fold(joined.facts[subject], now)
            for subject in joined.changed_subjects()
            if subject != news.subject
        }
        every = itertools.chain(after, *others.values())
        before = self.store.published(one.subscription_id for one in every)
        ask = (
            ask_nothing
            if news.kind in NOTICES
            else partial(self.schedule.after_news, kind=news.kind, now=now)
        )
        changes_of = {news.subject: changes(before, after, now, ask)} | {
            subject: changes(before, of_other, now) for subject, of_other in others.items()
        }
        changed = list(itertools.chain(*changes_of.values()))
        notice = _notice(news, joined, after, before, now)
        entries = list(entries_of_news(news, entry.name, joined, changes_of, notice, now, shown))
        decision = Decision(outcome(after, changed), _subject_of(news, after), changed, entries)
        self.store.take(entry, decision, now, instead_of)
        _tell(changed, entry.name)
        _call_a_person(news, entry.name, decision.subscription_id, joined)
        return decision.outcome

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
        for published in self.store.published(self.store.last_hours_over(now)).values():
            after = published.subscription.expired(now)
            if after == published.subscription:
                continue
            changed = changes({after.subscription_id: published}, [after], now, ask)
            for change in changed:
                try:
                    self.store.replace(change, TIME, now)
                except Overtaken:
                    continue
                ended += 1
            _tell(changed, "the last hour is over")
        return ended


def text_of(message: Message, attribute: str) -> str | None:
    """A text attribute of an SQS message."""
    value = message.attributes.get(attribute, {}).get("StringValue")
    return value if isinstance(value, str) and value else None


def door_of(message: Message) -> Door:
    """Our own HTTPS doors name themselves; all else came to the queue by itself."""
    return Door.HTTPS if text_of(message, "door") == Door.HTTPS else Door.QUEUE


def _notice(
    news: News, joined: Joined, after: list[Subscription], before: dict[str, Published], now: datetime
) -> WebhookEvent | None:
    """What the seller's systems are told of a notice, as soon as it comes, also while it is not known yet
    whose it is. A copy for the other party says nothing new."""
    if _known_already(news, joined):
        return None
    row = before.get(after[0].subscription_id) if after else None
    return of_notice(news, shown(row) if row else None, now)


def _known_already(news: News, joined: Joined) -> bool:
    known = joined.facts[news.subject][: joined.known[news.subject]]
    return any(same_notice(news, one) for one in known)


def _call_a_person(news: News, name: str, subscription_id: str | None, joined: Joined) -> None:
    if news.kind not in A_PERSON_MUST_HEAR or _known_already(news, joined):
        return
    ATTENTION.labels(news.kind.value).inc()
    log.warning(
        "AWS says something that a person must hear of; it changed no access.",
        name=name,
        agreement_id=news.subject,
        subscription_id=subscription_id,
        # Not what people wrote to each other.
        notice={name: value for name, value in (news.notice or {}).items() if not name.endswith("_message")},
    )


def _bounded(name: str) -> str:
    if len(_names) < MOST_NAMES:
        _names.add(name)
    return name if name in _names else "other"


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
