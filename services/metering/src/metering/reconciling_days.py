"""The seller's usage report beside our metering records, day by day. It settles nothing: a day's sum names no
hour, and is rounded."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from metering.differences import Difference, Kind, Side, stands_as_billed
from metering.hours import start_of
from metering.quantities import to_text
from metering.records import MeteringRecord, Outcome
from metering.subscriptions import Subscription
from metering.usage_report import ROUNDED_TO, Line


class DayKey(NamedTuple):
    """What a line of the usage report is about."""

    product_code: str
    customer_aws_account_id: str
    dimension: str
    day: date


@dataclass
class OurDay:
    """What our records say about it: the sums of what is billed and of what is unknown, in micro-units."""

    billed: int = 0
    unknown: int = 0


def our_days(
    records: Iterable[MeteringRecord], subscriptions: Mapping[str, Subscription]
) -> dict[DayKey, OurDay]:
    """Our records as the report sums them up. A legacy one has the account that notifications has published;
    without any it cannot be compared."""
    found: dict[DayKey, OurDay] = defaultdict(OurDay)
    for record in records:
        known = subscriptions.get(record.subscription_id)
        account = record.identity.customer_aws_account_id or (known and known.customer_aws_account_id)
        if not account:
            continue
        key = DayKey(record.identity.product_code, account, record.dimension, start_of(record.hour).date())
        if stands_as_billed(record):
            found[key].billed += record.quantity
        elif record.outcome is Outcome.UNKNOWN and record.resolution is None:
            found[key].unknown += record.quantity
    return dict(found)


def day_by_day(
    lines: Iterable[Line], ours: Mapping[DayKey, OurDay], is_complete: Callable[[date], bool]
) -> Iterator[tuple[DayKey, Difference | None]]:
    """Every day of a buyer's dimension that either side has, with what differs.

    Its lines are rounded: less than a hundredth for each is no difference. Nothing is settled by it: a day's
    sum names no hour.
    """
    theirs: dict[DayKey, list[int]] = defaultdict(list)
    for line in lines:
        key = DayKey(line.product_code, line.customer_aws_account_id, line.dimension, line.day)
        theirs[key].append(line.quantity)
    expected = {key for key, day in ours.items() if day.billed and is_complete(key.day)}
    for key in sorted(theirs.keys() | expected):
        yield key, _of_day(key, theirs.get(key), ours.get(key))


def _of_day(key: DayKey, theirs: list[int] | None, ours: OurDay | None) -> Difference | None:
    total, billed = sum(theirs or ()), ours.billed if ours else 0
    bearable = ROUNDED_TO * len(theirs or ())
    if theirs is not None and (abs(total - billed) < bearable):
        return None
    if theirs is None:
        kind, words = (
            Kind.NOT_AT_AWS,
            f"the report has nothing of this day, and we have billed {to_text(billed)}",
        )
    elif ours is None:
        kind, words = Kind.NOT_IN_OUR_BOOKS, f"the report has {to_text(total)}, and we have no record of it"
    else:
        kind = Kind.QUANTITY_DIFFERS
        words = f"the report has {to_text(total)}, and we have billed {to_text(billed)}"
    if ours and ours.unknown and theirs is not None:
        explains = abs(total - billed - ours.unknown) < bearable
        words += f"; unknown records of this day have {to_text(ours.unknown)}"
        words += ", which explains it" if explains else ""
    return Difference(
        kind=kind,
        sentence=f"Of account {key.customer_aws_account_id}, {words}.",
        product_code=key.product_code,
        dimension=key.dimension,
        day=key.day,
        ours=Side(billed, "billed") if ours else None,
        theirs=Side(total, "reported") if theirs is not None else None,
    )
