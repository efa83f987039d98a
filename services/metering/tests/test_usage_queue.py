"""Usage by the queue: what is good is durable before the message goes; what is bad is in the dead letters."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from house import House

from chassis.aws import client
from chassis.queues import Queue, create_queue_with_dlq, handle_batch
from metering.usage_queue import taker

NAME = "usage-events-of-a-test"


@pytest.fixture
def queue(house: House) -> Iterator[Queue]:
    sqs = client(house.settings, "sqs")
    create_queue_with_dlq(sqs, NAME)
    found = Queue(sqs, NAME)
    yield found
    for one in (found, found.dead_letters()):
        sqs.purge_queue(QueueUrl=one.url)


def work(house: House, queue: Queue) -> int:
    """What the loop does with what lies there; answers how many failed."""
    return handle_batch(queue, queue.receive(wait_seconds=0), taker(house.intake, queue))


def letters(queue: Queue) -> list[tuple[Any, str]]:
    """The dead letters with their reasons."""
    return [
        (json.loads(letter.body), letter.attributes["reason"]["StringValue"])
        for letter in queue.dead_letters().receive(wait_seconds=0)
    ]


def test_each_form_is_taken(house: House, queue: Queue) -> None:
    sub = house.buy()
    events = [house.event(sub, "1") for _ in range(4)]
    for body in (
        {"events": events[:2]},
        house.cloud_event(events[2]),
        [house.cloud_event(events[2]), house.cloud_event(events[3])],
    ):
        queue._client.send_message(QueueUrl=queue.url, MessageBody=json.dumps(body))
        assert work(house, queue) == 0
    assert queue.receive(wait_seconds=0) == []
    assert letters(queue) == []
    house.clock.advance(hours=2)
    house.run()
    assert house.billed(sub) == "4"


def test_what_is_refused_lies_in_the_dead_letters_and_can_be_mended(house: House, queue: Queue) -> None:
    sub = house.buy()
    good, bad = house.event(sub, "1"), house.event(sub, "2", dimension="tokns")
    queue.send({"events": [good, bad]})
    assert work(house, queue) == 0
    ((letter, reason),) = letters(queue)
    assert letter == {"events": [bad]}
    assert reason.startswith("1 refused; the first: unknown_dimension at /1/dimension")
    queue.send({"events": [bad | {"dimension": "gpu_hours"}]})
    assert work(house, queue) == 0
    house.clock.advance(hours=2)
    house.run()
    assert house.billed(sub) == "3"


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"events": []}', '{"events": {}}', "null", "[1]"])
def test_what_is_no_usage_is_buried_whole(house: House, queue: Queue, body: str) -> None:
    queue._client.send_message(QueueUrl=queue.url, MessageBody=body or " ")
    assert work(house, queue) == 0
    (letter,) = queue.dead_letters().receive(wait_seconds=0)
    assert letter.body == (body or " ")
    assert queue.receive(wait_seconds=0) == []


def test_a_message_goes_only_when_its_usage_is_durable(
    house: House, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    sub = house.buy()
    queue.send({"events": [house.event(sub, "1")]})
    with monkeypatch.context() as away:
        away.setattr(house.intake, "_append", lambda _: (_ for _ in ()).throw(TimeoutError))
        away.setattr(queue, "retry_later", lambda message: _show_again(queue, message))
        assert work(house, queue) == 1
    assert work(house, queue) == 0
    house.clock.advance(hours=2)
    house.run()
    assert house.billed(sub) == "1"


def _show_again(queue: Queue, message: Any) -> None:
    queue._client.change_message_visibility(
        QueueUrl=queue.url, ReceiptHandle=message.receipt, VisibilityTimeout=0
    )
