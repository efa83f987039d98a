"""The queue's door for usage: what HTTP takes, a message may bring."""

from collections.abc import Callable
from threading import Event
from typing import Any

import orjson
import structlog

from chassis.queues import Message, Queue, Unreadable, consume
from chassis.worker import Loop
from metering.intake import Intake
from metering.usage_events import Form, Refusal

log = structlog.get_logger()


def usage_loop(intake: Intake, queue: Queue) -> dict[str, Loop]:
    """The worker's loop that takes usage from its queue."""
    take = taker(intake, queue)

    def run(stop: Event) -> None:
        consume(queue, take, stop)

    return {"usage-events": run}


def taker(intake: Intake, queue: Queue) -> Callable[[Message], None]:
    """What is done with each message.

    1. Take what is good of it, durably. Killed before or after: the message comes again, and what is in the
    log
       twice counts once.
    2. What is refused goes to the dead-letter queue as a message of its own, with the reason, because nobody
       waits for an answer. Killed after: it lies there twice.
    3. Then only the message is deleted.
    """

    def take(message: Message) -> None:
        rows, form = read(message.body, intake)
        accepted, refused = intake.take(rows, form)
        if refused and not accepted:
            raise Unreadable(_why(refused))
        if refused:
            body = orjson.dumps(_again(rows, refused, form, intake)).decode()
            queue.bury_part(message, body, _why(refused))
            log.error(
                "Some usage of a message is refused; it lies in the dead-letter queue.",
                accepted=accepted,
                refused=len(refused),
                reasons=sorted({one.reason for one in refused}),
            )

    return take


def read(body: str, intake: Intake) -> tuple[list[Any], Form]:
    """The events of a message: a batch as HTTP takes it, one CloudEvent, or a list of them.

    Raises:
        Unreadable: none of these.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"Not JSON: {error}") from None
    if isinstance(document, list) and document:
        return document, intake.cloud_event
    if isinstance(document, dict) and "specversion" in document:
        return [document], intake.cloud_event
    events = document.get("events") if isinstance(document, dict) else None
    if isinstance(events, list) and events:
        return events, intake.plain
    raise Unreadable("Neither a batch of usage events, nor a CloudEvent, nor a list of them.")


def _again(rows: list[Any], refused: list[Refusal], form: Form, intake: Intake) -> Any:
    """The refused events in the form in which they came, so that they can be mended and sent again."""
    kept = [rows[one.index] for one in refused]
    return {"events": kept} if form is intake.plain else kept


def _why(refused: list[Refusal]) -> str:
    first = refused[0]
    return f"{len(refused)} refused; the first: {first.reason} at {first.path}: {first.detail}"
