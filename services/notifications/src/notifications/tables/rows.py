"""The bridges between rows of tables and the values that rules work with."""

from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any

from notifications.changes import Outcome, Published
from notifications.inbox import Entry
from notifications.news import Facts, Generation, Kind, News
from notifications.subscription import Status, Subscription
from notifications.tables.models import InboxRow, NewsRow, SubscriptionRow

FACTS = [field.name for field in fields(Facts)]
SUBSCRIPTION = [field.name for field in fields(Subscription)]


def news_row(news: News, number: int) -> NewsRow:
    return NewsRow(
        subject=news.subject,
        number=number,
        notification_id=news.notification_id,
        kind=news.kind.value,
        generation=news.generation.value,
        event_time=news.event_time,
        **asdict(news.facts),
    )


def news_of(row: NewsRow) -> News:
    return News(
        notification_id=row.notification_id,
        kind=Kind(row.kind),
        generation=Generation(row.generation),
        event_time=row.event_time,
        subject=row.subject,
        facts=Facts(**_taken(row, FACTS)),
    )


def subscription_row(subscription: Subscription, version: int) -> SubscriptionRow:
    values: dict[str, Any] = {name: getattr(subscription, name) for name in SUBSCRIPTION}
    values |= {
        "generation": subscription.generation.value,
        "status": subscription.status.value,
        "access": subscription.access.value,
        "version": version,
        "private_ending_until": subscription.meter_until if subscription.status == Status.ENDING else None,
    }
    return SubscriptionRow(**values)


def published(row: SubscriptionRow) -> Published:
    values = _taken(row, SUBSCRIPTION)
    values |= {"generation": Generation(row.generation), "status": Status(row.status)}
    return Published(Subscription(**values), int(row.version))


def inbox_row(
    entry: Entry, outcome: Outcome, subscription_id: str | None, received_at: datetime, retention: timedelta
) -> InboxRow:
    return InboxRow(
        notification_id=entry.notification_id,
        source=entry.source.value,
        name=entry.name,
        event_time=entry.event_time,
        received_at=received_at,
        received_on=day_of(received_at),
        subject=entry.subject,
        outcome=outcome.value,
        subscription_id=subscription_id,
        body=entry.body,
        forget_at=received_at + retention,
    )


def day_of(moment: datetime) -> str:
    """The day in UTC, as the inbox's index by day has it."""
    return moment.date().isoformat()


def _taken(row: Any, names: list[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}
