"""The worker's first door: a message from the queue, or the end of a last hour, becomes plain calls to the
rules."""

import itertools
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
from notifications.tables.unit_of_work import UnitOfWork
from notifications.tables.webhook_rows import shown
from notifications.webhook_events import WebhookEvent, of_notice
from notifications.worker.turns import Turns

log = structlog.get_logger()

ATTEMPTS = 8
"""How often we read again when other workers write about the same subject; then the message comes back
later."""

ATTEMPTS_TOGETHER = 3
"""The same for a receipt; then each of its messages is applied by itself."""

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
# From nought on: of a counter that begins with its first event Prometheus sees no increase.
for kind in A_PERSON_MUST_HEAR:
    ATTENTION.labels(kind.value)
MOST_NAMES = 50
"""Of kinds that we do not know; any more are counted as `other`, because each is a time series."""

NO_NEWS = frozenset({Outcome.IGNORED, Outcome.UNKNOWN_PRODUCT, Outcome.OTHER_GENERATION})
"""What became of messages that left no fact; taking one again may make something of it."""

DUPLICATE = "duplicate"
"""What became of a message that was taken before; it is not written."""

_names: set[str] = set()


@dataclass(frozen=True)
class _Taken:
    """A message that was taken with others: what became of it, and what says so."""

    message: Message
    entry: Entry
    became: str
    tell: Callable[[], None]


class Worker:
    """Applies messages, one by one or a receipt together. Safe to run in any number of threads and processes.

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
        self._turns = Turns()

    def handle(self, message: Message) -> None:
        """Apply one message. When this returns, what it says is durable, and the message may be deleted.

        Raises:
            Unreadable: no retry can mend it.
        """
        now = self._clock.now()
        try:
            entry = _read(message, now)
        except UnreadableMessage as error:
            raise Unreadable(str(error)) from error
        self.take(entry, now)

    def handle_together(self, messages: Sequence[Message]) -> list[Message]:
        """Apply the news among these messages in one transaction, as `handle` would one after the other.
        Returns those that may be deleted: what they say is durable. The others are to be handled by
        themselves; so are all of them if others were quicker about one of the subjects, again and again.

        Nothing is said or counted before all is written. Killed before that, nothing was written.
        """
        now = self._clock.now()
        news = [(message, entry) for message in messages if (entry := self._news_in(message, now))]
        subjects = frozenset(str(entry.subject) for _, entry in news)
        for attempt in range(ATTEMPTS_TOGETHER if news else 0):
            try:
                with self._turns.take(subjects):
                    taken = self._take_together(news, now)
            except Overtaken:
                log.info("Others were quicker about the same subjects; the messages are read for again.")
                _pause(attempt)
                continue
            for one in taken:
                with structlog.contextvars.bound_contextvars(
                    message_id=one.message.id, notification_id=one.entry.notification_id
                ):
                    one.tell()
                NOTIFICATIONS.labels(one.entry.source.value, one.became).inc()
            return [one.message for one in taken]
        return []

    def _take_together(self, news: Sequence[tuple[Message, Entry]], now: datetime) -> list[_Taken]:
        work = UnitOfWork(self.store, [entry for _, entry in news])
        taken = []
        for message, entry in news:
            if work.has_received(entry.notification_id):
                taken.append(_Taken(message, entry, DUPLICATE, partial(_tell_of_duplicate, entry)))
                continue
            decision, tell = self._decide(entry, now, work)
            if work.take(entry, decision):
                taken.append(_Taken(message, entry, decision.outcome, tell))
        work.commit(now)
        return taken

    def _news_in(self, message: Message, now: datetime) -> Entry | None:
        """None where it cannot be read, or is no news to us."""
        try:
            entry = _read(message, now)
        except UnreadableMessage:
            return None
        return entry if self._refusal(entry) is None else None

    def take(self, entry: Entry, now: datetime) -> str:
        """Apply one message that was read; says what became of it."""
        with structlog.contextvars.bound_contextvars(notification_id=entry.notification_id):
            try:
                if self.store.has_received(entry.notification_id):
                    raise AlreadyReceived
                became = self._take(entry, now)
            except AlreadyReceived:
                _tell_of_duplicate(entry)
                became = DUPLICATE
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
        for attempt in range(ATTEMPTS):
            decision, tell = self._decide(entry, now, self.store)
            try:
                self.store.take(entry, decision, now, instead_of)
            except Overtaken:
                _pause(attempt)
            else:
                tell()
                return decision.outcome
        raise TimeoutError(f"{ATTEMPTS} times other workers were quicker about {entry.subject}.")

    def _refusal(self, entry: Entry) -> Outcome | None:
        if entry.news is None:
            return Outcome.IGNORED
        if not self.catalogue.knows(entry.news):
            return Outcome.UNKNOWN_PRODUCT
        return None if self.catalogue.tells_by(entry.news) else Outcome.OTHER_GENERATION

    def _decide(
        self, entry: Entry, now: datetime, tables: Store | UnitOfWork
    ) -> tuple[Decision, Callable[[], None]]:
        """What a message is to become, and what says so once that is durable."""
        refusal, news = self._refusal(entry), entry.news
        if refusal or news is None:
            return Decision(refusal or Outcome.IGNORED), partial(_tell_of_refusal, entry, refusal)
        joined = join(news, tables.news_of)
        after = fold(joined.facts[news.subject], now)
        others = {
            subject: fold(joined.facts[subject], now)
            for subject in joined.changed_subjects()
            if subject != news.subject
        }
        every = itertools.chain(after, *others.values())
        before = tables.published(one.subscription_id for one in every)
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

        def tell() -> None:
            _tell(changed, entry.name)
            _call_a_person(news, entry.name, decision.subscription_id, joined)

        return decision, tell

    def sweep_when_due(self) -> None:
        """Take the step below once at start, then at most once in `sweep_every`, also when the clock was set
        back; and again at once where a row was left."""
        now = self._clock.now()
        if self._swept_at is None or abs(now - self._swept_at) >= self._sweep_every:
            self.sweep(now)

    def sweep(self, now: datetime) -> int:
        """End the subscriptions whose last hour is over: for concurrent agreements nothing announces that.
        Returns how many. A row that changed meanwhile is left to the next sweep: who changed it may have done
        no more than to ask AWS about it."""
        ended, left = 0, 0
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
                    left += 1
                    continue
                ended += 1
            _tell(changed, "the last hour is over")
        self._swept_at = None if left else now
        return ended


def _pause(attempt: int) -> None:
    """By chance, or those who were in each other's way would be so again."""
    # Chance spreads workers; it keeps no secret.
    time.sleep(random.uniform(0, 0.02 * 2**attempt))  # nosec B311


def _read(message: Message, now: datetime) -> Entry:
    # A dead letter that was sent again keeps the id by which raw delivery knows it.
    message_id = message.text_of("original_message_id") or message.id
    return inbox.read(message.body, message_id, message.sent_at or now, door_of(message))


def door_of(message: Message) -> Door:
    """Our own HTTPS doors name themselves; all else came to the queue by itself."""
    return Door.HTTPS if message.text_of("door") == Door.HTTPS else Door.QUEUE


def _notice(
    news: News, joined: Joined, after: list[Subscription], before: dict[str, Published], now: datetime
) -> WebhookEvent | None:
    """What the seller's systems are told of a notice, as soon as it comes, also while it is not known yet
    whose it is. A copy for the other party says nothing new."""
    if news.notice is None or _known_already(news, joined):
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


def _tell_of_duplicate(entry: Entry) -> None:
    log.info("The message came again; it changes nothing.", name=entry.name)


def _tell_of_refusal(entry: Entry, refusal: Outcome | None) -> None:
    if entry.news is None:
        UNKNOWN.labels(_bounded(entry.name)).inc()
    elif refusal == Outcome.UNKNOWN_PRODUCT:
        log.warning("A product is not in the catalogue.", product_code=entry.news.facts.product_code)
    log.info("The message is kept; it is no news to us.", name=entry.name, outcome=refusal)


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
