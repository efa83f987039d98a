"""What the API reads: single rows, and lists page by page."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from pynamodb.exceptions import DoesNotExist
from pynamodb.expressions.condition import Condition

from chassis.tables import foreign_cursor
from chassis.times import rfc3339
from notifications.subject_log import history_of
from notifications.tables.log_rows import log_entry
from notifications.tables.models import (
    InboxRow,
    LogRow,
    MessagesOfDay,
    MessagesOfSubject,
    SubscriptionRow,
)
from notifications.tables.paging import Key, Page, Read, all_of, check_key, day_of, read_days, read_rows
from notifications.tables.rows import published


def subscription(subscription_id: str) -> SubscriptionRow | None:
    try:
        return SubscriptionRow.get(subscription_id, consistent_read=True)
    except DoesNotExist:
        return None


def notification(notification_id: str) -> InboxRow | None:
    try:
        return InboxRow.get(notification_id, consistent_read=True)
    except DoesNotExist:
        return None


def subscriptions(filters: Mapping[str, str], limit: int, start: Key | None) -> Page:
    """Subscriptions in no order, by any of the filters `agreement_id`, `customer_aws_account_id`, `status`
    and `product_code`. The first two have an index, which has keys only: its rows are read whole after. The
    rest of the filters is asked of each row read."""
    indexes = {
        "agreement_id": SubscriptionRow.of_agreement,
        "customer_aws_account_id": SubscriptionRow.of_account,
    }
    by = next((name for name in indexes if name in filters), None)
    if by is None:
        condition = all_of(SubscriptionRow, filters)
        check_key(start, {"subscription_id": None})
        return read_rows(
            lambda size, key: SubscriptionRow.scan(condition, page_size=size, last_evaluated_key=key),
            limit,
            start,
        )
    check_key(start, {"subscription_id": None, by: filters[by]})
    index: Any = indexes[by]
    return read_rows(
        lambda size, key: index.query(filters[by], page_size=size, last_evaluated_key=key),
        limit,
        start,
        lambda found: _passing(_whole([row.subscription_id for row in found]), filters),
    )


def subscriptions_among(
    subscription_ids: Collection[str], filters: Mapping[str, str], limit: int, start: Key | None
) -> Page:
    """Those of a few subscriptions, by the same filters, in the order of their ids. All of them are read: a
    customer has no more than one row of theirs can hold."""
    check_key(start, {"subscription_id": None})
    after = start["subscription_id"]["S"] if start else ""
    left = sorted(one for one in subscription_ids if one > after)
    found = _passing(_whole(left), filters)
    if len(found) <= limit:
        return Page(found, None)
    return Page(found[:limit], {"subscription_id": {"S": found[limit - 1].subscription_id}})


def _whole(subscription_ids: list[str]) -> list[SubscriptionRow]:
    """The rows of these subscriptions, as they are ordered here; without those that are not there."""
    found = SubscriptionRow.batch_get(subscription_ids, consistent_read=True)
    rows = {row.subscription_id: row for row in found}
    return [rows[one] for one in subscription_ids if one in rows]


def _passing(rows: list[SubscriptionRow], filters: Mapping[str, str]) -> list[SubscriptionRow]:
    return [row for row in rows if all(getattr(row, name) == value for name, value in filters.items())]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which messages. None: any.

    Attributes:
        received_after, received_before: aware; the second is not among them.
    """

    outcome: str | None = None
    name: str | None = None
    received_after: datetime | None = None
    received_before: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """No moment lies in between, which DynamoDB would call a mistake of the caller's."""
        after, before = self.received_after, self.received_before
        return after is not None and before is not None and before <= after

    def check_place(self, start: Key | None) -> None:
        """Refuse a cursor from before or after the times that are wanted, as another list may have given it:
        DynamoDB would call it a mistake of ours."""
        if start is None or "received_at" not in start:
            return
        place = start["received_at"]["S"]
        early = self.received_after is not None and place < rfc3339(self.received_after)
        if early or (self.received_before is not None and place >= rfc3339(self.received_before)):
            raise foreign_cursor()

    def condition(self) -> Condition | None:
        asked = {"outcome": self.outcome, "name": self.name}
        return all_of(InboxRow, {name: value for name, value in asked.items() if value is not None})

    def times(self, index: Any) -> Condition | None:
        """Of an index whose range key is the time of receipt."""
        after, before = self.received_after, self.received_before
        if after is not None and before is not None:
            # Both ends are in; the stored times have microseconds.
            return index.received_at.between(after, before - timedelta(microseconds=1))
        if after is not None:
            return index.received_at >= after
        return None if before is None else index.received_at < before


def notifications_of(subscription_id: str, wanted: Wanted, limit: int, start: Key | None) -> Page:
    """The messages about one subscription, the newest first: all of its subject, so also those that came
    before it was known whose they are."""
    row = subscription(subscription_id)
    return (
        Page([], None)
        if row is None
        else notifications_about(published(row).subscription.subject, wanted, limit, start)
    )


def notifications_about(subject: str, wanted: Wanted, limit: int, start: Key | None) -> Page:
    """The messages about one agreement, or one legacy buyer of a product, the newest first."""
    check_key(start, {"notification_id": None, "received_at": None, "subject": subject})
    wanted.check_place(start)
    return read_rows(
        lambda size, key: InboxRow.of_subject.query(
            subject,
            wanted.times(MessagesOfSubject),
            filter_condition=wanted.condition(),
            scan_index_forward=False,
            page_size=size,
            last_evaluated_key=key,
        ),
        limit,
        start,
    )


def notifications(wanted: Wanted, limit: int, start: Key | None, today: date, retention: timedelta) -> Page:
    """All messages, the newest first, day by day back to the end of the retention."""
    before, after = wanted.received_before, wanted.received_after
    day = min(today, before.date()) if before else today
    if start is not None:
        check_key(start, {"received_on": None} if len(start) == 1 else _key_of_a_day())
        wanted.check_place(start)
        day = day_of(start, "received_on")
    oldest = max(today - retention, after.date()) if after else today - retention

    def read(on: str) -> Read:
        return lambda size, key: InboxRow.of_day.query(
            on,
            wanted.times(MessagesOfDay),
            filter_condition=wanted.condition(),
            scan_index_forward=False,
            page_size=size,
            last_evaluated_key=key,
        )

    return read_days("received_on", read, day, oldest, limit, start)


def history(row: SubscriptionRow, limit: int, start: Key | None, *, notices: bool) -> Page:
    """What became of a subscription, the newest first: read out of the whole log of its subject, which has
    some ten entries, and one more for each answer of AWS that differs from the one before.

    Args:
        notices: whether the notices about it are there too.
    """
    check_key(start, {"subscription_id": row.subscription_id, "entry_id": None})
    log = LogRow.query(published(row).subscription.subject, consistent_read=True)
    found = history_of(map(log_entry, log), row.subscription_id)
    if not notices:
        found = [one for one in found if one.notice is None]
    if start is not None:
        found = [one for one in found if one.entry_id < start["entry_id"]["S"]]
    if len(found) <= limit:
        return Page(found, None)
    last = found[limit - 1]
    return Page(
        found[:limit], {"subscription_id": {"S": row.subscription_id}, "entry_id": {"S": last.entry_id}}
    )


def _key_of_a_day() -> dict[str, str | None]:
    return {"notification_id": None, "received_at": None, "received_on": None}
