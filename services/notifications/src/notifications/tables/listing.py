"""What the API reads: single rows, and lists page by page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pynamodb.exceptions import DoesNotExist
from pynamodb.expressions.condition import Condition
from pynamodb.pagination import ResultIterator

from chassis.tables import foreign_cursor
from notifications.news import Generation, legacy_subject
from notifications.tables.models import InboxRow, SubscriptionRow

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
        _check(start, {"subscription_id": None})
        return _read(
            lambda size, key: SubscriptionRow.scan(condition, page_size=size, last_evaluated_key=key),
            limit,
            start,
        )
    _check(start, {"subscription_id": None, by: filters[by]})
    index: Any = indexes[by]
    return _read(
        lambda size, key: index.query(
            filters[by], filter_condition=condition, page_size=size, last_evaluated_key=key
        ),
        limit,
        start,
    )


def notifications_of(subscription_id: str, outcome: str | None, limit: int, start: Key | None) -> Page:
    """The messages about one subscription, the newest first: all of its subject, so also those that came
    before it was known whose they are."""
    row = subscription(subscription_id)
    if row is None:
        return Page([], None)
    subject = _subject(row)
    _check(start, {"notification_id": None, "received_at": None, "subject": subject})
    condition = _all(InboxRow, {"outcome": outcome} if outcome else {})
    return _read(
        lambda size, key: InboxRow.of_subject.query(
            subject,
            filter_condition=condition,
            scan_index_forward=False,
            page_size=size,
            last_evaluated_key=key,
        ),
        limit,
        start,
    )


def notifications(
    outcome: str | None, limit: int, start: Key | None, today: date, retention: timedelta
) -> Page:
    """All messages, the newest first, day by day back to the end of the retention."""
    day = today
    if start is not None:
        _check(start, {"received_on": None} if len(start) == 1 else _key_of_a_day())
        day = _day(start["received_on"]["S"])
    oldest = today - retention
    rows: list[Any] = []
    condition = _all(InboxRow, {"outcome": outcome} if outcome else {})
    key = start if start is not None and len(start) > 1 else None
    for _ in range(DAYS_AT_ONCE):
        if day < oldest:
            return Page(rows, None)
        on = day.isoformat()
        page = _read(
            lambda size, key: InboxRow.of_day.query(
                on,  # noqa: B023 - called before the loop goes on
                filter_condition=condition,
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


def _subject(row: SubscriptionRow) -> str:
    if row.generation == Generation.LEGACY:
        return legacy_subject(row.product_code, row.customer_identifier or "")
    return row.agreement_id or ""


def _read(read: Read, limit: int, key: Key | None) -> Page:
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


def _check(key: Key | None, shape: Mapping[str, str | None]) -> None:
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
