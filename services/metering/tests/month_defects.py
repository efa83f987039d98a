"""Defects that metering does not have. A made-up month is played with each now and then, and has to go wrong:
a judge who agrees with everything would be of no use.

Each is a function that puts the defect into this process.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import metering.log_writer
import metering.planner
import metering.sender
import metering.tables.ledger_store
import metering.tables.record_store
import metering.usage_log
from metering.hour_fold import HourFold
from metering.records import Outcome
from metering.tables.record_store import Attempt, RecordStore


def every_sending_counts() -> None:
    """The fold does not tell events apart by their ids."""
    HourFold._compare = lambda self, suspects, first_new: set()  # type: ignore[method-assign]


def a_write_asks_for_nothing() -> None:
    """Ledger rows are written whatever another worker has made of them."""
    metering.tables.ledger_store.unchanged = lambda row: None  # type: ignore[assignment]
    metering.tables.record_store.unchanged = lambda row: None  # type: ignore[attr-defined]


def doubt_is_forgotten() -> None:
    """A record whose sending was never answered counts as never sent once the next one is refused."""
    begin = RecordStore.begin_attempt

    def begin_attempt(*of: Any) -> Attempt | None:
        attempt = begin(*of)
        return attempt and Attempt(attempt.number, was_in_doubt=False)

    RecordStore.begin_attempt = begin_attempt  # type: ignore[method-assign]


def what_may_be_billed_is_written_off_as_expired() -> None:
    """A record that may have been counted expires like one that was never sent."""
    metering.sender.when_window_closed = lambda in_doubt: Outcome.EXPIRED  # type: ignore[attr-defined]


def hours_are_retired_early() -> None:
    """An hour is folded no more although late events of it are still accepted."""
    metering.usage_log.MARGIN = timedelta(hours=-24)
    metering.log_writer.LATE = timedelta(days=30)


def the_youngest_is_chosen() -> None:
    """A customer's usage goes to the subscription that began last."""
    metering.planner.choose = _choose_the_youngest(metering.planner.choose)  # type: ignore[attr-defined]


def _choose_the_youngest(choose: Callable[..., Any]) -> Callable[..., Any]:
    def of(hour: str, customer: Any, subscriptions: Any, product: Any) -> Any:
        active = [
            one
            for one in subscriptions
            if product and one.product_code == product.product_code and one.was_active_in(hour)
        ]
        return choose(hour, customer, sorted(active, key=lambda one: one.active_since)[-1:], product)

    return of


DEFECTS: dict[str, Callable[[], None]] = {
    one.__name__: one
    for one in (
        every_sending_counts,
        a_write_asks_for_nothing,
        doubt_is_forgotten,
        what_may_be_billed_is_written_off_as_expired,
        hours_are_retired_early,
        the_youngest_is_chosen,
    )
}
