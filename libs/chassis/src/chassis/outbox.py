"""The transactional outbox: a row and the news of it are written as one act; the relay sends the news after.

A service subclasses OutboxItem and puts an item into the same TransactWriteItems as the row it tells of.
"""

import threading
import uuid
from collections.abc import Callable
from typing import Any

import orjson
import structlog
from pynamodb.attributes import UnicodeAttribute
from pynamodb.models import Model

from chassis import metrics, tracing
from chassis.aws import is_outage
from chassis.queues import Queue

log = structlog.get_logger()


class OutboxItem(Model):
    """A message that must go out. It exists only until it has."""

    outbox_id = UnicodeAttribute(hash_key=True)
    queue = UnicodeAttribute()
    body = UnicodeAttribute()
    # What is being traced as it is written; whoever sends it goes on with that.
    traceparent = UnicodeAttribute(null=True)

    @classmethod
    def of(cls, queue: str, body: dict[str, Any]) -> "OutboxItem":
        """An unsaved item: `body` for the queue named `queue`."""
        return cls(
            outbox_id=uuid.uuid4().hex,
            queue=queue,
            body=orjson.dumps(body).decode(),
            traceparent=tracing.traceparent(),
        )


def relay_once(model: type[OutboxItem], queue_by_name: Callable[[str], Queue]) -> int:
    """Send everything pending and return how many went out.

    1. Read the pending items; they are few, because each is deleted once sent, so the scan stays small.
    2. Send one. A crash here repeats it: consumers bear a doubled signal.
    3. Delete it. A crash before repeats step 2.
    One queue that is away does not hold up the others; its items stay, and are not tried one by one: each
    would take the time of all attempts.

    Raises:
        the last error of a send, after all other items were tried.
    """
    sent = 0
    away: set[str] = set()
    failure: Exception | None = None
    pending = list(model.scan(consistent_read=True))
    metrics.OUTBOX_PENDING.set(len(pending))
    for item in pending:
        if item.queue in away:
            continue
        try:
            queue_by_name(item.queue).send(orjson.loads(item.body), item.traceparent)
            item.delete()
        except Exception as error:
            log.warning("An outbox item could not be sent; it stays.", queue=item.queue, error=repr(error))
            failure = error
            if is_outage(error):
                away.add(item.queue)
        else:
            sent += 1
            metrics.OUTBOX_SENT.labels(item.queue).inc()
    if failure:
        raise failure
    return sent


def relay(
    model: type[OutboxItem],
    queue_by_name: Callable[[str], Queue],
    stop: threading.Event,
    pause_seconds: float = 0.5,
) -> None:
    """Send what is pending until told to stop."""
    while not stop.is_set():
        if relay_once(model, queue_by_name) == 0:
            stop.wait(pause_seconds)
