"""What the API reads: single rows, and lists page by page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from pynamodb.exceptions import DoesNotExist
from pynamodb.expressions.condition import Condition
from pynamodb.pagination import ResultIterator

from chassis.tables import foreign_cursor
from chassis.times import rfc3339
from notifications.news import Generation, legacy_subject
from notifications.tables.models import (
    HistoryRow,
    InboxRow,
    MessagesOfDay,
    MessagesOfSubject,
    SubscriptionRow,
)

Key = dict[str, Any]
Read = Callable[[int, Key | None], ResultIterator[Any]]

MOST_PAGES = 20
"""A filter that few rows pass must not read a whole table in one request: after so many pages of DynamoDB the
answer goes out as it is, and its cursor goes on from there."""

DAYS_AT_ONCE = 31
"""As above, for days on which nothing came."""


@dataclass(frozen=True)
class Page:
    rows: list[Any]
    next_key: Key | None


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
    and `product_code`. The first two have an index; the rest of the filters is asked of each row read."""
    indexes = {
        "agreement_id": SubscriptionRow.of_agreement,
        "customer_aws_account_id": SubscriptionRow.of_account,
    }
    by = next((name for name in indexes if name in filters), None)
    condition = _all(SubscriptionRow, {name: value for name, value in filters.items() if name != by})
    if by is None:
        check_key(start, {"subscription_id": None})
        return read_rows(
            lambda size, key: SubscriptionRow.scan(condition, page_size=size, last_evaluated_key=key),
            limit,
            start,
        )
    check_key(start, {"subscription_id": None, by: filters[by]})
    index: Any = indexes[by]
    return read_rows(
        lambda size, key: index.query(
            filters[by], filter_condition=condition, page_size=size, last_evaluated_key=key
        ),
        limit,
        start,
    )


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
        return _all(InboxRow, {name: value for name, value in asked.items() if value is not None})

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
    return Page([], None) if row is None else notifications_about(_subject(row), wanted, limit, start)


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
        day = _day(start["received_on"]["S"])
    oldest = max(today - retention, after.date()) if after else today - retention
    rows: list[Any] = []
    key = start if start is not None and len(start) > 1 else None
    for _ in range(DAYS_AT_ONCE):
        if day < oldest:
            return Page(rows, None)
        on = day.isoformat()
        page = read_rows(
            lambda size, key: InboxRow.of_day.query(
                on,  # noqa: B023 - called before the loop goes on
                wanted.times(MessagesOfDay),
                filter_condition=wanted.condition(),
                scan_index_forward=False,
                page_size=size,
                last_evaluated_key=key,
            ),
            limit - len(rows),
            key,
        )
        rows += page.rows
        if page.next_key is not None:
            return Page(rows, page.next_key)
        key, day = None, day - timedelta(days=1)
        if len(rows) == limit:
            break
    return Page(rows, {"received_on": {"S": day.isoformat()}} if day >= oldest else None)


def history(subscription_id: str, limit: int, start: Key | None) -> Page:
    """What became of a subscription, the newest first."""
    check_key(start, {"subscription_id": subscription_id, "entry_id": None})
    return read_rows(
        lambda size, key: HistoryRow.query(
            subscription_id, scan_index_forward=False, page_size=size, last_evaluated_key=key
        ),
        limit,
        start,
    )


def _subject(row: SubscriptionRow) -> str:
    if row.generation == Generation.LEGACY:
        return legacy_subject(row.product_code, row.customer_identifier or "")
    return row.agreement_id or ""


def read_rows(read: Read, limit: int, key: Key | None) -> Page:
    """Up to `limit` rows. Each page asks for no more rows than are still wanted, so none is read and thrown
    away."""
    rows: list[Any] = []
    for _ in range(MOST_PAGES):
        results = read(limit - len(rows), key)
        rows += _one_page(results)
        key = results.page_iter.last_evaluated_key
        if key is None or len(rows) == limit:
            break
    return Page(rows, key)


def _one_page(results: ResultIterator[Any]) -> list[Any]:
    page = next(results.page_iter)
    return [results._map_fn(item) for item in page["Items"]]  # type: ignore[misc]


def _all(model: Any, values: Mapping[str, str]) -> Condition | None:
    condition: Condition | None = None
    for name, value in values.items():
        equals = getattr(model, name) == value
        condition = equals if condition is None else condition & equals
    return condition


def _key_of_a_day() -> dict[str, str | None]:
    return {"notification_id": None, "received_at": None, "received_on": None}


def check_key(key: Key | None, shape: Mapping[str, str | None]) -> None:
    """Refuse a cursor that this list, with these filters, did not give: DynamoDB would refuse its key, or
    worse, go on somewhere else."""
    if key is None:
        return
    if key.keys() != shape.keys() or any(
        value.keys() != {"S"} or (wanted is not None and value["S"] != wanted) or len(value["S"]) > 1024
        for value, wanted in ((key[name], wanted) for name, wanted in shape.items())
    ):
        raise foreign_cursor()


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise foreign_cursor() from None
