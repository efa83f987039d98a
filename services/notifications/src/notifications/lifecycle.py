"""The life of a subscription as one table: status x news -> what happens to it.

The table is run over all news of a subscription in the order in which things happened (`folding.py`), so it
never meets news that is late.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from notifications.news import NOTICES, Kind, News
from notifications.subscription import Status

FINAL_HOUR = timedelta(hours=1)
"""AWS takes usage records for an hour after License Deprovisioned or unsubscribe-pending; later ones come
back as CustomerNotSubscribed. Older pages of AWS start that hour at Ended: until Deprovisioned is known, we
go by that."""


@dataclass(frozen=True, kw_only=True)
class Life:
    """How far one life has come. `provisional`: meter_until rests on Ended alone; Deprovisioned, once known,
    sets it for good, also when Deprovisioned happened first."""

    status: Status = Status.PENDING
    active_since: datetime | None = None
    ended_at: datetime | None = None
    end_reason: str | None = None
    meter_until: datetime | None = None
    provisional: bool = False


# What news does to a life. The table below says when.


def begin(life: Life, news: News) -> Life:
    """Access and metering may begin."""
    return Life(status=Status.ACTIVE, active_since=news.event_time)


def resume(life: Life, news: News) -> Life:
    """A legacy buyer comes back. Inside the last hour AWS never stopped taking records, so the life is
    one."""
    inside = life.meter_until is not None and news.event_time <= life.meter_until
    return Life(status=Status.ACTIVE, active_since=(life.active_since if inside else None) or news.event_time)


def close(life: Life, news: News) -> Life:
    """The agreement ended. What is used goes out now; Deprovisioned will say until when."""
    closed = replace(
        life,
        status=Status.ENDING,
        ended_at=life.ended_at or news.event_time,
        end_reason=life.end_reason or news.facts.agreement_status,
    )
    if life.meter_until is not None:
        return closed
    return replace(closed, meter_until=news.event_time + FINAL_HOUR, provisional=True)


def withdraw(life: Life, news: News) -> Life:
    """The licence is gone, or the legacy buyer leaves: the last hour is known for certain."""
    certain = life.meter_until is not None and not life.provisional
    return replace(
        life,
        status=Status.ENDING,
        ended_at=life.ended_at or news.event_time,
        meter_until=life.meter_until if certain else news.event_time + FINAL_HOUR,
        provisional=False,
    )


def finish(life: Life, news: News) -> Life:
    """AWS takes no more records from here."""
    return replace(
        life,
        status=Status.ENDED,
        ended_at=life.ended_at or news.event_time,
        meter_until=min(life.meter_until or news.event_time, news.event_time),
        provisional=False,
    )


def fail(life: Life, news: News) -> Life:
    """The buyer's payment check failed."""
    return replace(life, status=Status.FAILED)


def stay(life: Life, news: News) -> Life:
    """Nothing changes but what is known of the buyer and the offer."""
    return life


Step = Callable[[Life, News], Life]
COLUMNS = (Status.PENDING, Status.ACTIVE, Status.ENDING, Status.ENDED, Status.FAILED)

# fmt: off
TABLE: dict[Kind, tuple[Step, Step, Step, Step, Step]] = {
    # news                      when pending  active    ending    ended     failed
    # An agreement never comes back: a renewal is a new agreement. So nothing leads from `ending` to `active`
    # here, and License Updated, which can carry a later time than Ended, changes nothing then.
    Kind.AGREEMENT_CREATED:     (stay,        stay,     stay,     stay,     stay),
    Kind.AGREEMENT_AMENDED:     (stay,        stay,     stay,     stay,     stay),
    Kind.LICENSE_UPDATED:       (begin,       stay,     stay,     stay,     stay),
    Kind.AGREEMENT_ENDED:       (close,       close,    close,    stay,     stay),
    Kind.LICENSE_DEPROVISIONED: (withdraw,    withdraw, withdraw, stay,     stay),
    # A legacy buyer who subscribes again has the same identity, so the same subscription lives again. A
    # failed payment takes nothing from a subscription that a success made: AWS ends one by unsubscribe news
    # alone.
    Kind.ENTITLEMENT_UPDATED:   (stay,        stay,     stay,     stay,     stay),
    Kind.SUBSCRIBE_SUCCESS:     (begin,       stay,     resume,   resume,   begin),
    Kind.SUBSCRIBE_FAIL:        (fail,        stay,     stay,     stay,     stay),
    Kind.UNSUBSCRIBE_PENDING:   (withdraw,    withdraw, stay,     stay,     stay),
    Kind.UNSUBSCRIBE_SUCCESS:   (finish,      finish,   finish,   stay,     stay),
    # What a renewal or a replacement says of the other of the two: whose customer goes along, no more.
    Kind.AGREEMENT_PRECEDED:    (stay,        stay,     stay,     stay,     stay),
    Kind.AGREEMENT_SUCCEEDED:   (stay,        stay,     stay,     stay,     stay),
    # Notices, such as an advisory or a request to cancel: AWS ends an agreement by Ended alone.
    **dict.fromkeys(sorted(NOTICES), (stay, stay, stay, stay, stay)),
}
# fmt: on


def step(life: Life, news: News) -> Life:
    """One cell of the table."""
    return TABLE[news.kind][COLUMNS.index(life.status)](life, news)
