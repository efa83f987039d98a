"""SQS queues: a message is deleted last, and one bad message never holds up or spoils the others."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog

from chassis import metrics, tracing
from chassis.aws import LONG_POLL_SECONDS, error_code

log = structlog.get_logger()

# SQS's limit of one ReceiveMessage or DeleteMessageBatch call.
BATCH = 10
# A failed message comes back after 2, 4, 8 … seconds, at most this many.
LONGEST_RETRY_SECONDS = 60
# How often a part that is away is asked whether it is back.
READY_PAUSE_SECONDS = 5.0
# SQS's limit of attributes on one message.
MOST_ATTRIBUTES = 10


@dataclass(frozen=True)
class Message:
    """One received message. `sent_at` is SQS's own SentTimestamp."""

    id: str
    body: str
    receipt: str
    receive_count: int = 1
    sent_at: datetime | None = None
    attributes: dict[str, Any] = field(default_factory=dict)

    def text_of(self, attribute: str) -> str | None:
        """A text attribute; None where there is none, or an empty one."""
        value = self.attributes.get(attribute, {}).get("StringValue")
        return value if isinstance(value, str) and value else None

    @property
    def traceparent(self) -> str | None:
        """What its sender was tracing."""
        return self.text_of(tracing.TRACEPARENT)


class Unreadable(Exception):
    """A message that no retry can mend: it goes to the dead-letter queue at once, whole."""


class Queue:
    """One SQS queue, looked up by name at first use, so that a process starts before its queues do.

    Args:
        client: a boto3 `sqs` client.
        name: the queue's name.
    """

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name
        self._url: str | None = None

    @property
    def url(self) -> str:
        if self._url is None:
            self._url = self._client.get_queue_url(QueueName=self.name)["QueueUrl"]
        return self._url

    def ask(self) -> None:
        """Raise while the queue cannot be reached."""
        self._client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])

    def send(self, body: dict[str, Any], traceparent: tracing.Parent = tracing.PRESENT) -> str:
        """Send a JSON message; returns SQS's message id once SQS has it.

        Args:
            body: it.
            traceparent: what it is sent for, where that is not what is being done.
        """
        with tracing.of_sending(self.name, traceparent) as span:
            sent = self._client.send_message(
                QueueUrl=self.url, MessageBody=orjson.dumps(body).decode(), **traced(span)
            )
        return str(sent["MessageId"])

    def receive(
        self, most: int = BATCH, wait_seconds: int = LONG_POLL_SECONDS, hold_seconds: int | None = None
    ) -> list[Message]:
        """Up to `most` messages, waiting up to `wait_seconds` (0 to LONG_POLL_SECONDS) for the first. Others
        do not see them for `hold_seconds`; for as long as the queue says when None."""
        hold = {} if hold_seconds is None else {"VisibilityTimeout": hold_seconds}
        answer = self._client.receive_message(
            QueueUrl=self.url,
            **hold,
            MaxNumberOfMessages=most,
            WaitTimeSeconds=wait_seconds,
            MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
            MessageAttributeNames=["All"],
        )
        return [_message(raw) for raw in answer.get("Messages", [])]

    def delete(self, messages: list[Message]) -> None:
        """Delete up to ten messages. One that SQS could not delete comes back, which every handler must
        bear."""
        if not messages:
            return
        answer = self._client.delete_message_batch(
            QueueUrl=self.url,
            Entries=[{"Id": str(n), "ReceiptHandle": message.receipt} for n, message in enumerate(messages)],
        )
        for failure in answer.get("Failed", []):
            log.warning("A handled message was not deleted; it will come back.", reason=failure.get("Code"))

    def retry_later(self, message: Message) -> None:
        """Let a failed message come back after a pause that doubles with each receipt."""
        seconds = min(2**message.receive_count, LONGEST_RETRY_SECONDS)
        self._client.change_message_visibility(
            QueueUrl=self.url, ReceiptHandle=message.receipt, VisibilityTimeout=seconds
        )

    def dead_letters(self) -> "Queue":
        """The dead-letter queue that this queue's redrive policy names."""
        policy = self._client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["RedrivePolicy"])
        arn = json.loads(policy["Attributes"]["RedrivePolicy"])["deadLetterTargetArn"]
        return Queue(self._client, arn.rsplit(":", 1)[1])

    def about(self) -> int:
        """About how many messages are in it, those in somebody's hands among them (SQS's own count)."""
        counts = self._client.get_queue_attributes(
            QueueUrl=self.url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        return sum(int(count) for count in counts.values())

    def bury(self, message: Message, reason: str) -> None:
        """Move a message to the dead-letter queue: its body to the letter, its attributes, the reason as one
        more."""
        self.bury_part(message, message.body, reason)
        self.delete([message])

    def bury_part(self, message: Message, body: str, reason: str) -> None:
        """Put a part of a message into the dead-letter queue, with the message's attributes, and the reason
        as one more. The message itself stays."""
        letters = self.dead_letters()
        # SQS refuses a message for one control character in an attribute.
        legible = "".join(character if character.isprintable() else " " for character in reason[:256]).strip()
        # One that was sent again out of the dead letters keeps the id that it first had.
        own_id = {"DataType": "String", "StringValue": message.id}
        self._client.send_message(
            QueueUrl=letters.url,
            MessageBody=body,
            MessageAttributes={
                **dict(list(message.attributes.items())[: MOST_ATTRIBUTES - 2]),
                "reason": {"DataType": "String", "StringValue": legible or "unreadable"},
                "original_message_id": message.attributes.get("original_message_id", own_id),
            },
        )


def traced(span: tracing.Span) -> dict[str, Any]:
    """What a message that is sent in this span has beside its body."""
    if span.traceparent is None:
        return {}
    attribute = {"DataType": "String", "StringValue": span.traceparent}
    return {"MessageAttributes": {tracing.TRACEPARENT: attribute}}


def _message(raw: dict[str, Any]) -> Message:
    system = raw.get("Attributes", {})
    sent = system.get("SentTimestamp")
    return Message(
        id=raw["MessageId"],
        body=raw["Body"],
        receipt=raw["ReceiptHandle"],
        receive_count=int(system.get("ApproximateReceiveCount", 1)),
        sent_at=datetime.fromtimestamp(int(sent) / 1000, UTC) if sent else None,
        attributes=raw.get("MessageAttributes", {}),
    )


Together = Callable[[list[Message]], list[Message]]
"""Handles what it can of a whole receipt at once. Returns those messages that it handled, as `handle` would
have; the others, and all when it raises, go one by one."""


def handle_batch(
    queue: Queue,
    messages: list[Message],
    handle: Callable[[Message], None],
    together: Together | None = None,
) -> int:
    """Handle each message by itself, and return how many failed.

    0. `together`, if there is one and there are several messages, takes what it can. A crash in it, or before
       the handled ones are deleted, repeats them.
    1. `handle` returned: the message is deleted. A crash before that repeats it.
    2. `handle` raised Unreadable: it is moved to the dead-letter queue. A crash between repeats it there.
    3. `handle` raised anything else: it comes back later, and after the queue's maxReceiveCount SQS itself
       moves it.
    A message that SQS would not let us move or postpone comes back by its visibility time-out, as in 3.
    """
    done = _together(queue, messages, together) if together and len(messages) > 1 else []
    receipts = {message.receipt for message in done}
    failed = 0
    for message in messages:
        if message.receipt in receipts:
            continue
        with (
            structlog.contextvars.bound_contextvars(message_id=message.id),
            tracing.of_message(queue.name, message.id, message.receive_count, message.traceparent) as span,
        ):
            try:
                handle(message)
                done.append(message)
                metrics.MESSAGES.labels(queue.name, "handled").inc()
            except Unreadable as error:
                span.failed(type(error).__name__)
                log.error("A message cannot be read; it goes to the dead-letter queue.", reason=str(error))
                if _done(queue.bury, message, str(error)):
                    metrics.MESSAGES.labels(queue.name, "buried").inc()
            except Exception as error:
                span.failed(error_code(error))
                log.exception("A message failed; it will come back.", receive_count=message.receive_count)
                metrics.MESSAGES.labels(queue.name, "failed").inc()
                failed += 1
                _done(queue.retry_later, message)
    queue.delete(done)
    return failed


def _together(queue: Queue, messages: list[Message], together: Together) -> list[Message]:
    try:
        with tracing.of_messages(queue.name, [message.traceparent for message in messages]):
            done = list(together(messages))
    except Exception as error:
        log.warning("Messages could not be handled together; each goes by itself.", error=repr(error))
        return []
    metrics.MESSAGES.labels(queue.name, "handled").inc(len(done))
    return done


def _done(step: Callable[..., None], *arguments: Any) -> bool:
    """Take a step that concerns one message only: its failing must not keep the handled ones from being
    deleted."""
    try:
        step(*arguments)
    except Exception:
        log.exception("A message could not be moved or postponed; it comes back by itself.")
        return False
    return True


def consume(
    queue: Queue,
    handle: Callable[[Message], None],
    stop: threading.Event,
    wait_seconds: int = LONG_POLL_SECONDS,
    ready: Callable[[], object] | None = None,
    together: Together | None = None,
) -> None:
    """Receive and handle until told to stop. Errors of SQS itself are the caller's: `chassis.worker.repeat`.

    Args:
        queue: where from.
        handle: see `handle_batch`.
        stop: set it to end after the batch in hand.
        wait_seconds: how long to wait for a first message.
        ready: raises while a part that `handle` needs is away. After a failure nothing is received before it
            passes: an outage would use up the receipts of good messages, and SQS would call them dead.
        together: see `handle_batch`.
    """
    while not stop.is_set():
        failed = handle_batch(queue, queue.receive(wait_seconds=wait_seconds), handle, together)
        while failed and ready and not stop.is_set():
            try:
                ready()
                failed = 0
            except Exception as error:
                log.warning("A part is away; nothing is received.", queue=queue.name, error=repr(error))
                stop.wait(READY_PAUSE_SECONDS)


def create_queue_with_dlq(client: Any, name: str, max_receives: int = 5) -> None:
    """Create a queue and its dead-letter queue `<name>-dlq`. For local use; elsewhere the stacks do it."""
    letters = client.create_queue(QueueName=f"{name}-dlq", Attributes={"MessageRetentionPeriod": "1209600"})[
        "QueueUrl"
    ]
    arn = client.get_queue_attributes(QueueUrl=letters, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    client.create_queue(
        QueueName=name,
        Attributes={
            "MessageRetentionPeriod": "1209600",
            "VisibilityTimeout": "30",
            "RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": str(max_receives)}),
        },
    )
