"""A row and the news of it are one act; the relay may send twice, never lose. On the real engine."""

import json
import threading
from typing import Any

import orjson
import pytest
from pynamodb.connection import Connection
from pynamodb.exceptions import TransactWriteError
from pynamodb.transactions import TransactWrite

from chassis.aws import client
from chassis.outbox import OutboxItem, relay, relay_once
from chassis.queues import Queue, create_queue_with_dlq
from chassis.settings import ChassisSettings
from chassis.tables import bind, create_tables

SETTINGS = ChassisSettings(environment="test", aws_attempts=1)


class Crash(BaseException):
    """What kill -9 looks like from within."""


class Outbox(OutboxItem):
    class Meta:
        table_name = "outbox"


@pytest.fixture
def sqs(aws_env: str) -> Any:
    bind([Outbox], SETTINGS)
    create_tables([Outbox])
    sqs = client(SETTINGS, "sqs")
    for name in ("first", "second"):
        create_queue_with_dlq(sqs, name)
    return sqs


def bodies(sqs: Any, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    queue = Queue(sqs, name)
    while messages := queue.receive(wait_seconds=0):
        found += [json.loads(message.body) for message in messages]
        queue.delete(messages)
    return sorted(found, key=lambda body: body["n"])


def test_everything_pending_goes_to_its_queue_and_is_gone(sqs: Any) -> None:
    for n in range(3):
        Outbox.of("first", {"n": n}).save()
    Outbox.of("second", {"n": 9}).save()
    assert relay_once(Outbox, lambda name: Queue(sqs, name)) == 4
    assert bodies(sqs, "first") == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert bodies(sqs, "second") == [{"n": 9}]
    assert list(Outbox.scan()) == []
    assert relay_once(Outbox, lambda name: Queue(sqs, name)) == 0


def test_an_item_is_written_with_its_row_or_not_at_all(sqs: Any) -> None:
    taken = Outbox.of("first", {"n": 1})
    taken.save()
    other = Outbox.of("first", {"n": 2})

    def write_both() -> None:
        with TransactWrite(connection=Connection(region=SETTINGS.aws_region)) as act:
            act.save(other)
            act.save(taken, condition=Outbox.outbox_id.does_not_exist())

    with pytest.raises(TransactWriteError):
        write_both()
    assert [item.outbox_id for item in Outbox.scan()] == [taken.outbox_id]


def test_a_crash_between_sending_and_deleting_sends_twice_and_loses_nothing(
    sqs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Outbox.of("first", {"n": 1}).save()

    def crash(_item: Outbox) -> None:
        raise Crash

    with monkeypatch.context() as dying:
        dying.setattr(Outbox, "delete", crash)
        with pytest.raises(Crash):
            relay_once(Outbox, lambda name: Queue(sqs, name))
    assert relay_once(Outbox, lambda name: Queue(sqs, name)) == 1
    assert bodies(sqs, "first") == [{"n": 1}, {"n": 1}]
    assert list(Outbox.scan()) == []


def test_a_crash_before_sending_keeps_the_item(sqs: Any) -> None:
    Outbox.of("first", {"n": 1}).save()

    def die(_name: str) -> Queue:
        raise Crash

    with pytest.raises(Crash):
        relay_once(Outbox, die)
    assert len(list(Outbox.scan())) == 1
    assert bodies(sqs, "first") == []


def test_a_queue_that_is_away_holds_up_no_other_and_is_tried_once_a_round(
    sqs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9")
    nowhere = client(SETTINGS, "sqs")
    tried: list[str] = []

    def by_name(name: str) -> Queue:
        tried.append(name)
        return Queue(nowhere if name == "second" else sqs, name)

    for n in range(5):
        Outbox.of("first", {"n": n}).save()
        Outbox.of("second", {"n": n}).save()
    with pytest.raises(Exception, match="Could not connect"):
        relay_once(Outbox, by_name)
    assert (tried.count("first"), tried.count("second")) == (5, 1)
    assert [item.queue for item in Outbox.scan()] == ["second"] * 5
    assert relay_once(Outbox, lambda name: Queue(sqs, name)) == 5
    assert len(bodies(sqs, "first")) == len(bodies(sqs, "second")) == 5


def test_an_item_that_no_queue_takes_holds_up_no_other_of_its_queue(sqs: Any) -> None:
    bad = Outbox(outbox_id="bad", queue="first", body="not JSON")
    bad.save()
    for n in range(4):
        Outbox.of("first", {"n": n}).save()
    with pytest.raises(orjson.JSONDecodeError):
        relay_once(Outbox, lambda name: Queue(sqs, name))
    assert len(bodies(sqs, "first")) == 4
    assert [item.outbox_id for item in Outbox.scan()] == ["bad"]


def test_the_relay_goes_on_until_told_to_stop(sqs: Any) -> None:
    stop = threading.Event()
    for n in range(3):
        Outbox.of("first", {"n": n}).save()
    rounds: list[int] = []

    class Once(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            rounds.append(1)
            stop.set()
            self.set()
            return True

    relay(Outbox, lambda name: Queue(sqs, name), Once())
    assert (len(bodies(sqs, "first")), rounds) == (3, [1])
