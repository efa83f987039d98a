"""The queues that hear our signals; and our own, as the API's side uses it: news that came by HTTPS is put
there, and its dead letters are looked at and sent again."""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any

import orjson
import structlog

from chassis import tracing
from chassis.queues import BATCH, Message, Queue, traced
from notifications.news import Door

log = structlog.get_logger()

HOLD_SECONDS = 30
"""How long a letter that one caller looks at is hidden from others, should we be killed meanwhile."""

WAIT_SECONDS = 1
"""Without a wait SQS asks some of its hosts only, and may show nothing though there is something."""

MOST_AT_ONCE = 1000
# What SQS takes (SendMessage, `MessageBody`).
_NOT_TAKEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class DeadLetter:
    """A message that could not be applied.

    Attributes:
        reason: None where it could be read and failed all the same.
        encoding: of the body, `text` or `base64`.
    """

    dead_letter_id: str
    reason: str | None
    door: Door
    encoding: str
    body: str
    sent_at: datetime | None


class SignalQueue:
    """A queue that hears our signals.

    Args:
        client: a boto3 `sqs` client.
        name: the queue's name.
    """

    AT_ONCE = BATCH

    def __init__(self, client: Any, name: str) -> None:
        self.name = name
        self._client = client
        self._queue = Queue(client, name)

    def send(self, signals: Sequence[Mapping[str, Any]], traceparents: Sequence[str | None] = ()) -> set[int]:
        """Send up to AT_ONCE signals; returns the places of those that SQS has.

        Args:
            signals: them.
            traceparents: what each is sent for; with fewer, the others begin traces of their own.
        """
        with ExitStack() as stack:
            spans = [
                stack.enter_context(tracing.of_sending(self.name, traceparent))
                for _, traceparent in zip_longest(signals, traceparents)
            ]
            answer = self._client.send_message_batch(
                QueueUrl=self._queue.url,
                Entries=[
                    {"Id": str(place), "MessageBody": orjson.dumps(signal).decode(), **traced(span)}
                    for place, (signal, span) in enumerate(zip(signals, spans, strict=True))
                ],
            )
            for failure in answer.get("Failed", []):
                spans[int(failure["Id"])].failed(str(failure.get("Code")))
                log.warning("A signal was not taken; it stays.", queue=self.name, reason=failure.get("Code"))
        return {int(taken["Id"]) for taken in answer.get("Successful", [])}


class Inlet:
    """Puts messages on our own queue, or among its dead letters.

    Args:
        client: a boto3 `sqs` client.
        queue: the queue that the worker reads.
    """

    def __init__(self, client: Any, queue: Queue) -> None:
        self._client = client
        self._queue = queue

    def put(self, body: str) -> None:
        """When this returns, SQS has it."""
        with tracing.of_sending(self._queue.name) as span:
            self._send(self._queue, body, {"door": Door.HTTPS.value} | span.headers)

    def bury(self, body: bytes, reason: str) -> None:
        """When this returns, the dead-letter queue has it, with the reason."""
        said = {
            "door": Door.HTTPS.value,
            "reason": "".join(c if c.isprintable() else " " for c in reason)[:256],
        }
        try:
            text = body.decode()
        except UnicodeDecodeError:
            text = ""
        if not text or _NOT_TAKEN.search(text):
            text, said["encoding"] = base64.b64encode(body).decode(), "base64"
        self._send(self._queue.dead_letters(), text or "(empty)", said)

    def _send(self, queue: Queue, body: str, attributes: Mapping[str, str]) -> None:
        self._client.send_message(
            QueueUrl=queue.url, MessageBody=body, MessageAttributes=as_attributes(attributes)
        )


class DeadLetters:
    """The dead letters of our queue.

    Args:
        client: a boto3 `sqs` client.
        queue: the queue that the worker reads; its redrive policy names the dead-letter queue.
    """

    def __init__(self, client: Any, queue: Queue) -> None:
        self._client = client
        self._queue = queue

    def look(self, most: int) -> tuple[list[DeadLetter], int]:
        """Up to so many letters, none removed, and about how many there are."""
        letters = self._queue.dead_letters()
        count = letters.about()
        held = []
        try:
            for message in self._hold(letters, most):
                held.append(message)
        finally:
            self._let_go(letters, held)
        found = [_letter(message) for message in held]
        return found, max(count, len(found))

    def redrive(self, wanted: Mapping[str, str | None] | None) -> tuple[int, list[str]]:
        """Send letters once more.

        1. Hold each letter, so that nobody else sends it too.
        2. Put it on the queue, under the id by which it was known. Killed here or before: it is still a dead
           letter, and comes back to sight.
        3. Remove it. Killed before: it is sent twice, and the second is known by its id.

        What comes back meanwhile, because it still cannot be applied, is left: else we and the worker would
        play it back and forth.

        Args:
            wanted: by the letters' ids, the body that is sent in place of theirs, or None for their own; all
                letters where there are none.

        Returns:
            how many were sent, and which of the wanted ids were not found.
        """
        letters = self._queue.dead_letters()
        missing = set(wanted or ())
        sent = 0
        known: set[str] = set()
        unwanted = []
        try:
            for message in self._hold(letters, MOST_AT_ONCE):
                known_as = _known_as(message)
                if known_as in known if wanted is None else message.id not in missing:
                    unwanted.append(message)
                    continue
                self._send_again(message, (wanted or {}).get(message.id))
                letters.delete([message])
                missing.discard(message.id)
                known.add(known_as)
                sent += 1
                if wanted is not None and not missing:
                    break
        finally:
            self._let_go(letters, unwanted)
        return sent, sorted(missing)

    def _send_again(self, message: Message, mended: str | None) -> None:
        gone = {"reason", "original_message_id"} | ({"encoding"} if mended else set())
        kept = {name: value for name, value in message.attributes.items() if name not in gone}
        known_as = {"original_message_id": _known_as(message)}
        self._client.send_message(
            QueueUrl=self._queue.url,
            MessageBody=mended or message.body,
            MessageAttributes={**dict(list(kept.items())[: BATCH - 1]), **as_attributes(known_as)},
        )

    def _hold(self, letters: Queue, most: int) -> Iterator[Message]:
        """Letters, each once, hidden from others while we hold them."""
        held: set[str] = set()
        while len(held) < most:
            answer = letters.receive(
                min(BATCH, most - len(held)), wait_seconds=WAIT_SECONDS, hold_seconds=HOLD_SECONDS
            )
            fresh = [message for message in answer if message.id not in held]
            if not fresh:
                return
            held.update(message.id for message in fresh)
            yield from fresh

    def _let_go(self, letters: Queue, messages: Iterable[Message]) -> None:
        for message in messages:
            self._client.change_message_visibility(
                QueueUrl=letters.url, ReceiptHandle=message.receipt, VisibilityTimeout=0
            )


def as_attributes(texts: Mapping[str, str]) -> dict[str, Any]:
    return {name: {"DataType": "String", "StringValue": text} for name, text in texts.items()}


def _known_as(message: Message) -> str:
    """The id that it first had; it keeps it however often it is buried and sent again."""
    return message.text_of("original_message_id") or message.id


def _letter(message: Message) -> DeadLetter:
    return DeadLetter(
        dead_letter_id=message.id,
        reason=message.text_of("reason"),
        door=Door.HTTPS if message.text_of("door") == Door.HTTPS else Door.QUEUE,
        encoding=message.text_of("encoding") or "text",
        body=message.body,
        sent_at=message.sent_at,
    )
