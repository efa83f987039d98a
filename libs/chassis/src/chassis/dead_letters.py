"""Says how many messages lie in the dead-letter queues of the queues that a worker reads."""

from collections.abc import Iterable

from chassis import metrics
from chassis.queues import Queue
from chassis.worker import Loop, every

LOOK_EVERY_SECONDS = 60.0
"""Two calls of SQS a minute for each queue; a scrape makes none."""


def dead_letters_loop(queues: Iterable[Queue]) -> dict[str, Loop]:
    """The worker's loop that counts dead letters.

    Args:
        queues: the queues that are read, whose redrive policies name their dead-letter queues.
    """
    watched = list(queues)

    def count_dead_letters() -> None:
        for queue in watched:
            metrics.DEAD_LETTERS.labels(queue.name).set(queue.dead_letters().about())

    return {"dead-letters": every(LOOK_EVERY_SECONDS, count_dead_letters)}
