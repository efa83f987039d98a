"""What news, and what AWS's answers, change: which rows are written anew, and what the siblings are told."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from chassis.times import rfc3339
from notifications.purchase import Purchase
from notifications.questions import Questions
from notifications.subscription import Status, Subscription


class Outcome(StrEnum):
    """What became of a message."""

    APPLIED = "applied"  # it changed a subscription
    NO_CHANGE = "no_change"  # known already by other news, or too late to matter
    WAITING = "waiting"  # kept until a licence event says which subscription its agreement is
    IGNORED = "ignored"  # of a kind that means nothing to us
    UNKNOWN_PRODUCT = "unknown_product"  # of a product that the catalogue does not name
    OTHER_GENERATION = (
        "other_generation"  # by the road of the other generation; the product's own road tells it too
    )


@dataclass(frozen=True)
class Published:
    """A row of the published table.

    Attributes:
        subscription: what the news amounts to.
        version: one more with each change that a reader may see.
        purchase: what AWS said when asked. News does not touch it: it is no function of the news.
        questions: what AWS is still to be asked.
        revision: one more with each write, also where a reader sees no change; 0 where an older release wrote
            the row. Every write is conditional on it, so that none undoes another.
    """

    subscription: Subscription
    version: int
    purchase: Purchase = field(default_factory=Purchase)
    questions: Questions = field(default_factory=Questions)
    revision: int = 0


@dataclass(frozen=True)
class Change:
    """A row to be written.

    Attributes:
        after: the row as it will stand.
        before: the row that it replaces; None where there is none yet.
        signal: what the siblings are told; None where a reader learns nothing new.
    """

    after: Published
    before: Published | None
    signal: dict[str, Any] | None

    @property
    def is_published(self) -> bool:
        """Whether readers see a new version; a question that is asked anew makes none."""
        return self.before is None or self.before.version != self.after.version


Ask = Callable[[Questions | None, Subscription], Questions | None]
"""What AWS is to be asked, by what it was to be asked before (None: there was no row) and the subscription;
None: no new question."""


def ask_nothing(before: Questions | None, subscription: Subscription) -> None:
    """For who only wants to know what news amounts to."""


def changes(
    before: Mapping[str, Published], after: Iterable[Subscription], now: datetime, ask: Ask = ask_nothing
) -> list[Change]:
    """The rows that no longer say what is true, and those about which AWS is to be asked anew."""
    return [
        change
        for subscription in after
        if (change := _change(before.get(subscription.subscription_id), subscription, now, ask))
    ]


def merged(changed: Iterable[Change]) -> list[Change]:
    """The same changes with one for each row: from what the first one replaces to what the last one leaves.
    What signals and logs say of those in between is told elsewhere."""
    of_row: dict[str, Change] = {}
    for change in changed:
        subscription_id = change.after.subscription.subscription_id
        first = of_row.get(subscription_id, change)
        of_row[subscription_id] = replace(change, before=first.before)
    return list(of_row.values())


def answered(before: Published, purchase: Purchase, questions: Questions, now: datetime) -> Change | None:
    """What AWS's answers change in a row. Where they say what was known, only the time of the answer and the
    next question are written, and nobody is told."""
    if purchase == before.purchase and questions == before.questions:
        return None
    news = not purchase.says_the_same_as(before.purchase)
    after = replace(
        before,
        purchase=purchase,
        questions=questions,
        version=before.version + news,
        revision=before.revision + 1,
    )
    status = after.subscription.status
    return Change(after, before, _signal(status, after.subscription, after.version, now) if news else None)


def outcome(after: list[Subscription], changed: list[Change]) -> Outcome:
    """What became of a message that was taken for news."""
    if not after:
        return Outcome.WAITING
    return Outcome.APPLIED if any(change.signal for change in changed) else Outcome.NO_CHANGE


def _change(before: Published | None, after: Subscription, now: datetime, ask: Ask) -> Change | None:
    if before is None:
        questions = ask(None, after) or Questions()
        return Change(Published(after, 1, Purchase(), questions, 1), None, _signal(None, after, 1, now))
    over = before.subscription.meter_until
    if before.subscription.status == Status.ENDED and over is not None:
        # Another worker's clock was ahead of ours: a last hour that was found over stays so.
        after = after.expired(max(now, over))
    questions_now = ask(before.questions, after)
    same = before.subscription == after
    if same and questions_now is None:
        return None
    # A question that stands there already is written again all the same: the answer that is on its way may be
    # older than this news, and must not be taken for the answer to it.
    row = replace(
        before,
        subscription=after,
        version=before.version + (not same),
        questions=questions_now or before.questions,
        revision=before.revision + 1,
    )
    silent = after.says_the_same_as(before.subscription)
    signal = None if silent else _signal(before.subscription.status, after, row.version, now)
    return Change(row, before, signal)


SIGNAL_OF = {
    Status.ACTIVE: "subscription.activated",
    Status.ENDING: "subscription.ending",
    Status.ENDED: "subscription.ended",
    Status.FAILED: "subscription.failed",
}


def _signal(was: Status | None, after: Subscription, version: int, now: datetime) -> dict[str, Any]:
    """openapi/events/subscription-signal.schema.json. It only says "look now": the truth is in the table."""
    changed_status = after.status != was
    return {
        "id": str(uuid.uuid4()),
        "type": SIGNAL_OF.get(after.status, "subscription.changed")
        if changed_status
        else "subscription.changed",
        "time": rfc3339(now),
        "subscription_id": after.subscription_id,
        "version": version,
    }
