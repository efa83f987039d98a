"""Sends the rows of a file in their order, a few requests at a time, and notes how far it has come."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from marketplane import batches
from marketplane.answers import Refusal
from marketplane.errors import InvalidEvent
from marketplane.events import UsageEvent
from marketplane.importing.refused_rows import RefusedRow, RefusedRows
from marketplane.importing.rows import Reader, Row
from marketplane.importing.state import Place, State
from marketplane.sender import Sender, ToldToStop

INVALID = "invalid_event"


@dataclass
class Chunk:
    """Rows that follow each other, of which those that are events fit into one request."""

    rows: int = 0
    bytes: int = len(batches.body_of([]))
    sent: list[tuple[Row, UsageEvent]] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)


Sent = tuple[Chunk, Future[list[RefusedRow]]]
"""A chunk on its way, and what will have been refused of it."""


def chunks(rows: Iterable[Row], reader: Reader, skip: int) -> Iterator[Chunk]:
    """
    Args:
        rows: all of the file, from its beginning: which of its kind a row is shows only so.
        reader: makes events of them.
        skip: so many are done already.
    """
    chunk = Chunk()
    for index, row in enumerate(rows):
        try:
            event = reader.event(row)
        except InvalidEvent as error:
            if index >= skip:
                chunk.refused.append(RefusedRow(row, Refusal(INVALID, str(error))))
                chunk.rows += 1
        else:
            if index < skip:
                continue
            size = len(event.body) + 1
            if chunk.sent and chunk.bytes + size > batches.MOST_BYTES:
                yield chunk
                chunk = Chunk()
            chunk.sent.append((row, event))
            chunk.bytes += size
            chunk.rows += 1
        if chunk.rows >= batches.MOST_EVENTS:
            yield chunk
            chunk = Chunk()
    if chunk.rows:
        yield chunk


class Importer:
    """
    Args:
        sender: sends batches; any number of threads may use it.
        stop: once it is set, the sender ends between two tries, and so does the import.
        state: where the place is noted.
        refused: where refused rows are written.
        in_flight: how many requests may be on their way at once.
        advanced: told how many rows more are done.
    """

    def __init__(
        self,
        sender: Sender,
        stop: threading.Event,
        state: State,
        refused: RefusedRows,
        in_flight: int,
        advanced: Callable[[int], None],
    ) -> None:
        self._sender = sender
        self._stop = stop
        self._state = state
        self._refused = refused
        self._in_flight = in_flight
        self._advanced = advanced

    def run(self, found: Iterable[Chunk], place: Place) -> Place:
        """Send all; answers the place, which is noted too.

        Raises:
            ToldToStop, Stopped, FileError, OSError: the place up to which all is done is noted.
        """
        waiting: deque[Sent] = deque()
        with ThreadPoolExecutor(self._in_flight) as pool:
            try:
                for chunk in found:
                    if self._stop.is_set():
                        raise ToldToStop
                    waiting.append((chunk, pool.submit(self._send, chunk)))
                    if len(waiting) > self._in_flight:
                        place = self._settle(waiting[0], place)
                        waiting.popleft()
                while waiting:
                    place = self._settle(waiting[0], place)
                    waiting.popleft()
            except Exception:
                self._stop.set()
                pool.shutdown(cancel_futures=True)
                for sent in waiting:
                    if sent[1].cancelled() or sent[1].exception() is not None:
                        break  # what comes after it may be done, and is sent again
                    place = self._settle(sent, place)
                raise
        place = replace(place, finished=True)
        self._state.write(place)
        return place

    def _send(self, chunk: Chunk) -> list[RefusedRow]:
        refused = list(chunk.refused)
        start = 0
        if chunk.sent:
            for decided in self._sender.send([event for _, event in chunk.sent]):
                for index, refusal in decided.refused.items():
                    row, _ = chunk.sent[start + index]
                    refused.append(RefusedRow(row, refusal))
                start += len(decided.events)
        return sorted(refused, key=lambda one: one.row.line)

    def _settle(self, sent: Sent, place: Place) -> Place:
        chunk, future = sent
        refused = future.result()
        length = self._refused.write(refused)  # before the place, which says that it was
        place = Place(
            rows=place.rows + chunk.rows,
            accepted=place.accepted + chunk.rows - len(refused),
            refused=place.refused + len(refused),
            refused_bytes=length,
        )
        self._state.write(place)
        self._advanced(chunk.rows)
        return place
