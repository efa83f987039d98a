"""The worker counts what lies in its dead-letter queues."""

from typing import Any

import pytest
from prometheus_client import REGISTRY
from test_worker import Pauses

from chassis.aws import client
from chassis.dead_letters import LOOK_EVERY_SECONDS, dead_letters_loop
from chassis.queues import Message, Queue, create_queue_with_dlq
from chassis.settings import ChassisSettings


@pytest.fixture
def sqs(aws_env: str) -> Any:
    sqs = client(ChassisSettings(environment="test", aws_attempts=1), "sqs")
    for name in ("orders", "returns"):
        create_queue_with_dlq(sqs, name)
    return sqs


def look(*queues: Queue) -> Pauses:
    """One round."""
    stop = Pauses(1)
    dead_letters_loop(queues)["dead-letters"](stop)
    return stop


def shown(queue: str) -> float | None:
    return REGISTRY.get_sample_value("marketplane_dead_letters", {"queue": queue})


def test_dead_letters(sqs: Any) -> None:
    orders, returns = Queue(sqs, "orders"), Queue(sqs, "returns")
    assert look(orders, returns).taken == [LOOK_EVERY_SECONDS]
    assert (shown("orders"), shown("returns")) == (0, 0)
    for number in range(3):
        orders.bury_part(Message(str(number), "spoilt", ""), "spoilt", "as the test wishes")
    look(orders, returns)
    assert (shown("orders"), shown("returns")) == (3, 0)
    # One that somebody looks at lies there all the same.
    (held, *_) = orders.dead_letters().receive(most=1, wait_seconds=0)
    look(orders, returns)
    assert shown("orders") == 3
    orders.dead_letters().delete([held])
    look(orders, returns)
    assert shown("orders") == 2
