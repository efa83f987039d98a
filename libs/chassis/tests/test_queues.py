"""A message is deleted last; one bad message never holds up or spoils the others. On the real engine."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from chassis.aws import client
from chassis.queues import Message, Queue, Unreadable, consume, create_queue_with_dlq, handle_batch
from chassis.settings import ChassisSettings


class Crash(BaseException):
    """What kill -9 looks like from within: nothing after it runs."""


class Impatient(Queue):
    """Lets a failed message come back at once, so that no test waits."""

    def retry_later(self, message: Message) -> None:
        self._client.change_message_visibility(
            QueueUrl=self.url, ReceiptHandle=message.receipt, VisibilityTimeout=0
        )


@pytest.fixture
def sqs(aws_env: str) -> Any:
    sqs = client(ChassisSettings(environment="test", aws_attempts=1), "sqs")
    create_queue_with_dlq(sqs, "news", max_receives=2)
    return sqs


@pytest.fixture
def queue(sqs: Any) -> Queue:
    return Impatient(sqs, "news")


def send(queue: Queue, *texts: str) -> None:
    for text in texts:
        queue._client.send_message(QueueUrl=queue.url, MessageBody=text)


def receive(queue: Queue) -> list[Message]:
    return sorted(queue.receive(wait_seconds=0), key=lambda message: message.body)


def forget_receipts(queue: Queue, messages: list[Message]) -> None:
    """What SQS does when the visibility time-out of received messages has passed."""
    for message in messages:
        queue._client.change_message_visibility(
            QueueUrl=queue.url, ReceiptHandle=message.receipt, VisibilityTimeout=0
        )


def handler(**said: Exception) -> Callable[[Message], None]:
    """Raises what the test says for a body, and is content with every other."""

    def handle(message: Message) -> None:
        if message.body in said:
            raise said[message.body]

    return handle


def test_a_message_comes_as_it_was_sent(queue: Queue) -> None:
    message_id = queue.send({"id": "n-1", "text": "ä"})
    (message,) = receive(queue)
    assert (message.id, message.body, message.receive_count) == (message_id, '{"id":"n-1","text":"ä"}', 1)
    assert message.sent_at is not None
    assert message.sent_at.tzinfo is not None


def test_the_good_are_deleted_beside_the_bad(queue: Queue, log_lines: Callable[[], list[Any]]) -> None:
    send(queue, "a good", "b fails", "c unreadable", "d good")
    messages = receive(queue)
    handle_batch(
        queue, messages, handler(**{"b fails": RuntimeError("no"), "c unreadable": Unreadable("not JSON")})
    )
    assert [(message.body, message.receive_count) for message in receive(queue)] == [("b fails", 2)]
    (letter,) = receive(queue.dead_letters())
    assert letter.body == "c unreadable"
    assert letter.attributes["reason"]["StringValue"] == "not JSON"
    assert letter.attributes["original_message_id"]["StringValue"] == messages[2].id
    said = {line["message_id"]: line for line in log_lines()}
    assert said[messages[1].id]["exception"].endswith("RuntimeError: no")
    assert said[messages[2].id]["reason"] == "not JSON"


def test_a_message_is_buried_whole(sqs: Any, queue: Queue) -> None:
    long = "x" * 200_000
    sqs.send_message(
        QueueUrl=queue.url,
        MessageBody=long,
        MessageAttributes={f"a{n}": {"DataType": "String", "StringValue": str(n)} for n in range(10)},
    )
    handle_batch(
        queue, receive(queue), handler(**{long: Unreadable("bad \x00\x1b[31m\ud800 bytes" + "y" * 999)})
    )
    (letter,) = receive(queue.dead_letters())
    assert letter.body == long
    # SQS takes ten attributes; the reason and the first id are worth the last two.
    assert letter.attributes.keys() == {f"a{n}" for n in range(8)} | {"reason", "original_message_id"}
    assert letter.attributes["reason"]["StringValue"].startswith("bad")
    assert receive(queue) == []


@pytest.mark.parametrize("reason", ["", "\x00", " "])
def test_a_reason_without_words_does_not_keep_a_message_alive(queue: Queue, reason: str) -> None:
    send(queue, "a")
    handle_batch(queue, receive(queue), handler(a=Unreadable(reason)))
    (letter,) = receive(queue.dead_letters())
    assert letter.attributes["reason"]["StringValue"] == "unreadable"


def test_a_message_that_always_fails_is_redriven_by_sqs_and_the_others_are_not(queue: Queue) -> None:
    send(queue, "fails")
    for count in (1, 2):
        (message,) = receive(queue)
        assert message.receive_count == count
        handle_batch(queue, [message], handler(fails=RuntimeError("again")))
    send(queue, "good")
    handle_batch(queue, receive(queue), handler())
    assert receive(queue) == []
    assert [letter.body for letter in receive(queue.dead_letters())] == ["fails"]


def test_a_crash_between_handling_and_deleting_repeats_the_message(queue: Queue) -> None:
    send(queue, "a", "b")
    handled: list[str] = []

    def handle(message: Message) -> None:
        handled.append(message.body)
        if handled == ["a", "b"]:
            raise Crash

    messages = receive(queue)
    with pytest.raises(Crash):
        handle_batch(queue, messages, handle)
    forget_receipts(queue, messages)
    handle_batch(queue, receive(queue), handle)
    assert handled == ["a", "b", "a", "b"]
    assert receive(queue) == []


def test_nothing_is_deleted_before_all_is_handled(sqs: Any) -> None:
    happened: list[str] = []

    class Watched(Queue):
        def delete(self, messages: list[Message]) -> None:
            happened.append("delete " + " ".join(message.body for message in messages))

    messages = [Message(id=body, body=body, receipt=body) for body in "abc"]
    handle_batch(Watched(sqs, "news"), messages, lambda message: happened.append(message.body))
    assert happened == ["a", "b", "c", "delete a b c"]


def test_a_failing_burial_or_pause_does_not_keep_the_good_from_being_deleted(sqs: Any) -> None:
    deleted: list[Message] = []

    class Clumsy(Queue):
        def bury(self, message: Message, reason: str) -> None:
            raise RuntimeError("the dead-letter queue is away")

        def retry_later(self, message: Message) -> None:
            raise RuntimeError("the receipt has expired")

        def delete(self, messages: list[Message]) -> None:
            deleted.extend(messages)

    messages = [Message(id=body, body=body, receipt=body) for body in "abcd"]
    handle_batch(Clumsy(sqs, "news"), messages, handler(b=Unreadable("x"), c=RuntimeError("x")))
    assert [message.body for message in deleted] == ["a", "d"]


def test_a_queue_without_dead_letters_keeps_what_it_cannot_bury(sqs: Any) -> None:
    sqs.create_queue(QueueName="plain")
    queue = Impatient(sqs, "plain")
    send(queue, "a bad", "b good")
    messages = receive(queue)
    handle_batch(queue, messages, handler(**{"a bad": Unreadable("x")}))
    forget_receipts(queue, messages[:1])
    assert [message.body for message in receive(queue)] == ["a bad"]


def test_the_pause_doubles_up_to_a_minute(sqs: Any) -> None:
    asked: list[int] = []

    class Sqs:
        def change_message_visibility(self, **request: Any) -> None:
            asked.append(request["VisibilityTimeout"])

    queue = Queue(Sqs(), "news")
    queue._url = "http://nowhere.invalid"
    for count in (1, 2, 5, 6, 1000):
        queue.retry_later(Message(id="x", body="x", receipt="x", receive_count=count))
    assert asked == [2, 4, 32, 60, 60]


def test_a_message_not_deleted_is_told_and_no_error(sqs: Any, log_lines: Callable[[], list[Any]]) -> None:
    queue = Queue(sqs, "news")
    queue.delete([])
    queue.delete([Message(id="x", body="x", receipt="no such receipt")])
    assert [line["event"] for line in log_lines()] == [
        "A handled message was not deleted; it will come back."
    ]


def test_consuming_goes_on_until_told_to_stop_and_finishes_what_it_has_in_hand(queue: Queue) -> None:
    send(queue, "a", "b", "c")
    stop = threading.Event()
    handled: list[str] = []

    def handle(message: Message) -> None:
        handled.append(message.body)
        stop.set()

    consume(queue, handle, stop, wait_seconds=0)
    assert sorted(handled) == ["a", "b", "c"]
    assert receive(queue) == []


def test_an_outage_does_not_use_up_a_messages_receipts(queue: Queue) -> None:
    send(queue, "a")
    asked: list[int] = []
    counts: list[int] = []

    class Patient(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            return self.is_set()

    stop = Patient()

    def ready() -> None:
        asked.append(1)
        if len(asked) < 50:
            raise ConnectionError("the table is away")

    def handle(message: Message) -> None:
        counts.append(message.receive_count)
        if len(asked) < 50:
            raise ConnectionError("the table is away")
        stop.set()

    consume(queue, handle, stop, wait_seconds=0, ready=ready)
    assert counts == [1, 2]
    assert len(asked) == 50
    assert receive(queue.dead_letters()) == []


def test_a_worker_that_waits_for_a_part_can_be_stopped(queue: Queue) -> None:
    send(queue, "a")
    stop = threading.Event()

    def ready() -> None:
        stop.set()
        raise ConnectionError("the table is away")

    def handle(_message: Message) -> None:
        raise ConnectionError("the table is away")

    consume(queue, handle, stop, wait_seconds=0, ready=ready)


def test_a_queue_is_looked_up_at_first_use_and_asked_by_readiness(sqs: Any, queue: Queue) -> None:
    absent = Queue(sqs, "not-yet")
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        absent.ask()
    create_queue_with_dlq(sqs, "not-yet")
    absent.ask()
    queue.ask()


def test_creating_queues_again_changes_nothing(sqs: Any, queue: Queue) -> None:
    send(queue, "a")
    create_queue_with_dlq(sqs, "news", max_receives=2)
    assert [message.body for message in receive(queue)] == ["a"]


# -- a whole receipt at once ---------------------------------------------------------------------------------


def test_what_is_handled_together_is_not_handled_again_and_is_deleted(queue: Queue) -> None:
    send(queue, "a", "b", "c")
    alone: list[str] = []

    def together(messages: list[Message]) -> list[Message]:
        return [message for message in messages if message.body != "b"]

    failed = handle_batch(queue, receive(queue), lambda message: alone.append(message.body), together)
    assert (alone, failed) == (["b"], 0)
    assert receive(queue) == []


def test_when_it_fails_together_each_goes_by_itself(queue: Queue, log_lines: Callable[[], list[Any]]) -> None:
    send(queue, "a good", "b fails", "c unreadable")

    def together(_messages: list[Message]) -> list[Message]:
        raise RuntimeError("one of them is odd")

    handle = handler(**{"b fails": RuntimeError("no"), "c unreadable": Unreadable("not JSON")})
    assert handle_batch(queue, receive(queue), handle, together) == 1
    assert [message.body for message in receive(queue)] == ["b fails"]
    assert [letter.body for letter in receive(queue.dead_letters())] == ["c unreadable"]
    assert log_lines()[0]["event"] == "Messages could not be handled together; each goes by itself."


def test_a_message_that_came_alone_is_handled_alone(queue: Queue) -> None:
    send(queue, "a")
    alone: list[str] = []

    def together(_messages: list[Message]) -> list[Message]:
        raise Crash

    handle_batch(queue, receive(queue), lambda message: alone.append(message.body), together)
    assert alone == ["a"]


def test_a_crash_after_handling_together_repeats_all(queue: Queue) -> None:
    send(queue, "a", "b")
    messages = receive(queue)

    def crash(_messages: list[Message]) -> list[Message]:
        raise Crash

    with pytest.raises(Crash):
        handle_batch(queue, messages, handler(), crash)
    forget_receipts(queue, messages)
    assert [message.body for message in receive(queue)] == ["a", "b"]


def test_consuming_hands_receipts_over_together(queue: Queue) -> None:
    send(queue, "a", "b")
    stop = threading.Event()
    seen: list[str] = []

    def together(messages: list[Message]) -> list[Message]:
        seen.extend(message.body for message in messages)
        stop.set()
        return messages

    consume(queue, handler(), stop, wait_seconds=0, together=together)
    assert sorted(seen) == ["a", "b"]
    assert receive(queue) == []
