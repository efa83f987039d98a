"""The loop beside which the worker is measured: it receives and deletes by the same code, and does no more.

python receive_and_delete.py QUEUE THREADS
"""

import signal
import sys
import threading

from chassis.aws import client
from chassis.queues import Message, Queue, consume
from notifications.settings import Settings


def do_nothing(message: Message) -> None:
    """What the worker's handler does, without all of it."""


def main() -> None:
    name, threads = sys.argv[1], int(sys.argv[2])
    queue = Queue(client(Settings(), "sqs"), name)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    loops = [threading.Thread(target=consume, args=(queue, do_nothing, stop)) for _ in range(threads)]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join()


if __name__ == "__main__":
    main()
