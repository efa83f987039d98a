"""The log of a subject: what came, what it changed, and what is to be told of it, in one entry.

A subject is an agreement, or a legacy buyer of a product. Its entries are numbered without gaps, and are
never changed. The facts among them are what its subscriptions are folded from; what else made a subscription
change (AWS's answer to a question, a last hour that is over) stands between them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notifications.changes import Change, Published
from notifications.history import Cause, CauseKind, Happening, published
from notifications.inbox import NAME_OF
from notifications.news import NOTICES, News, same_notice
from notifications.renewals import Joined
from notifications.webhook_events import WebhookEvent, of_change

Show = Callable[[Published], Mapping[str, Any]]
"""A subscription as the API shows it."""


@dataclass(frozen=True, kw_only=True)
class LogEntry:
    """One entry.

    Attributes:
        recorded_at: when it was written.
        cause: what made it.
        fact: what AWS said; None where no news made it.
        happenings: the versions that were published with it.
        signals: what the siblings are told of it.
        events: what the seller's systems are told of it.
    """

    subject: str
    number: int
    recorded_at: datetime
    cause: Cause
    fact: News | None = None
    happenings: tuple[Happening, ...] = ()
    signals: tuple[Mapping[str, Any], ...] = ()
    events: tuple[WebhookEvent, ...] = ()

    @property
    def tells(self) -> bool:
        """Whether anybody is to be told of it."""
        return bool(self.signals or self.events)


def entries_of_news(
    news: News,
    name: str,
    joined: Joined,
    changes: Mapping[str, Sequence[Change]],
    notice: WebhookEvent | None,
    now: datetime,
    show: Show,
) -> Iterator[LogEntry]:
    """What one piece of news adds to logs: one entry for each fact, in its own subject's log and in those of
    the agreements that it says something of.

    Args:
        news: what came.
        name: AWS's word for it.
        joined: what it adds to which facts.
        changes: what follows for the subscriptions of each subject. It stands in the entry of that subject's
            last fact; in one without a fact, where all of them were known already.
        notice: what the seller's systems are told beside the changes.
        now: aware.
        show: what they are shown.
    """
    cause = Cause(CauseKind.NOTIFICATION, news.notification_id, name, news.event_time)
    for subject in joined.facts:
        outcome = _outcome(changes.get(subject, ()), cause, now, show)
        if notice and subject == news.subject:
            outcome["events"] = (*outcome["events"], notice)
        number = joined.last_number[subject]
        for fact in joined.added(subject)[:-1]:
            number += 1
            yield LogEntry(subject=subject, number=number, recorded_at=now, cause=cause, fact=fact)
        last = next(reversed(joined.added(subject)), None)
        if last or any(outcome.values()):
            yield LogEntry(
                subject=subject, number=number + 1, recorded_at=now, cause=cause, fact=last, **outcome
            )


def entry_of_change(change: Change, number: int, cause: Cause, now: datetime, show: Show) -> LogEntry:
    """The entry of a version that no news made."""
    return LogEntry(
        subject=change.after.subscription.subject,
        number=number,
        recorded_at=now,
        cause=cause,
        **_outcome([change], cause, now, show),
    )


def history_of(log: Iterable[LogEntry], subscription_id: str) -> list[Happening]:
    """What became of a subscription, the newest first.

    Args:
        log: all entries of its subject, in the order of their numbers.

    Returns:
        An entry for each version, and one for each notice about its subject: under the version that it found,
        or under the first one where it came before that. A notice's copy for the other party says nothing
        new.
    """
    found: list[Happening] = []
    noticed: list[News] = []
    version = 1
    for entry in log:
        for happening in entry.happenings:
            if happening.subscription_id == subscription_id:
                found.append(happening)
                version = happening.version
        fact = entry.fact
        if fact is None or fact.kind not in NOTICES or any(same_notice(fact, one) for one in noticed):
            continue
        noticed.append(fact)
        cause = Cause(CauseKind.NOTIFICATION, fact.notification_id, NAME_OF[fact.kind], fact.event_time)
        found.append(Happening(subscription_id, version, entry.recorded_at, cause, [], fact.notice or {}))
    return sorted(found, key=lambda one: one.entry_id, reverse=True)


def _outcome(changes: Iterable[Change], cause: Cause, now: datetime, show: Show) -> dict[str, Any]:
    changes = list(changes)
    events = (of_change(change, show(change.after), cause.notification_id) for change in changes)
    return {
        "happenings": tuple(filter(None, (published(change, cause, now) for change in changes))),
        "signals": tuple(change.signal for change in changes if change.signal),
        "events": tuple(event for event in events if event),
    }
