"""The worker's door: signals come in from the queue, the sweep looks at all, the outbox is worked off."""

from collections.abc import Callable
from datetime import datetime

import orjson
import structlog

from chassis.queues import Message, Queue, Unreadable, consume
from chassis.worker import Loop, every
from registration.catalogue import Catalogue
from registration.log_sentences import say_followed
from registration.measures import RENEWALS_ELSEWHERE
from registration.outbox_work import OutboxWork
from registration.renewals import Fate
from registration.settling import Settled, settle, settle_renewal
from registration.tables import Tables

log = structlog.get_logger()

_PAGE = 100
# How often the outbox is looked at: a letter is not worth less, a hand-over's first try was made while the
# buyer waited.
_OUTBOX_SECONDS = 1.0


def loops(
    tables: Tables,
    outbox: OutboxWork,
    catalogue: Catalogue,
    signals: Queue,
    now: Callable[[], datetime],
    sweep_seconds: float,
) -> dict[str, Loop]:
    """The worker's three loops.

    A signal only says "look now". One that is lost costs time: the sweep looks at every claim on a beat of
    its own.

    Args:
        tables: where claims are.
        outbox: does what is due.
        catalogue: the products.
        signals: the queue on which notifications says that a subscription has changed.
        now: the one clock.
        sweep_seconds: the sweep's beat, in real seconds.
    """

    def on_signal(message: Message) -> None:
        subscription_id = read_signal(message.body)
        claim = tables.claim_of(subscription_id)
        settled = (
            settle_renewal(tables, subscription_id, catalogue, now())
            if claim is None
            else settle(tables, [claim], catalogue, now())
        )
        _say(settled, subscription_id=subscription_id)
        say_followed(settled.followed)

    def sweep() -> None:
        cursor: str | None = None
        elsewhere = 0
        while True:
            page, cursor = tables.claims(_PAGE, cursor)
            settled = settle(tables, page, catalogue, now())
            _say(settled)
            # What stays as it is was said when it was first seen; the sweep counts it.
            say_followed(one for one in settled.followed if one.fate is Fate.BOUND)
            elsewhere += sum(one.fate is Fate.ELSEWHERE for one in settled.followed)
            if cursor is None:
                RENEWALS_ELSEWHERE.set(elsewhere)
                return

    def work_off_the_outbox() -> None:
        outbox.run()

    return {
        "signals": lambda stop: consume(signals, on_signal, stop),
        "sweep": every(sweep_seconds, sweep),
        "outbox": every(_OUTBOX_SECONDS, work_off_the_outbox),
    }


def read_signal(body: str) -> str:
    """The subscription id of a signal as openapi/events/subscription-signal.schema.json has it; what else is
    in it does not matter, for the truth is in the table.

    Raises:
        Unreadable: it is not one.
    """
    try:
        signal = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"Not JSON: {error}") from None
    if not isinstance(signal, dict) or not isinstance(signal.get("subscription_id"), str):
        raise Unreadable("Not a subscription signal.")
    return str(signal["subscription_id"])


def _say(settled: Settled, **ids: str) -> None:
    if settled.access_told:
        log.info("Access has come; a letter is on its way.", letters=settled.access_told, **ids)
    if settled.buried:
        log.info(
            "Deleted customers of whom nothing runs any more were removed.", customers=settled.buried, **ids
        )
