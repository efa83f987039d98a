"""The loops beside which the worker is measured: they receive and delete, and do no more.

python receive_and_delete.py QUEUE THREADS (in-one-call | one-by-one)
"""

import signal
import sys
import threading
from typing import Any

from chassis.aws import client
from chassis.queues import Message, Queue, consume
from notifications.settings import Settings


def do_nothing(message: Message) -> None:
    """What the worker's handler does, without all of it."""


class OneByOne(Queue):
    """Deletes as AWS's own examples of a consumer do: each message by a call."""

    def delete(self, messages: list[Message]) -> None:
        for message in messages:
            self._client.delete_message(QueueUrl=self.url, ReceiptHandle=message.receipt)


HOW: dict[str, Any] = {"in-one-call": Queue, "one-by-one": OneByOne}


def main() -> None:
    name, threads, how = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    queue = HOW[how](client(Settings(), "sqs"), name)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    loops = [threading.Thread(target=consume, args=(queue, do_nothing, stop)) for _ in range(threads)]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join()


if __name__ == "__main__":
    main()
