"""Reports usage from a running product: `report` puts an event into a buffer, threads send what is in it."""

from __future__ import annotations

import logging
import threading
import time as clocks
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from marketplane import lifetime
from marketplane.buffer import Buffer, Entry
from marketplane.connection import Connection
from marketplane.errors import NotAllSent, SpoolInUse, Stopped
from marketplane.events import UsageEvent, content_of, usage_event
from marketplane.retry import Backoff
from marketplane.sender import Decided, Sender, ToldToStop
from marketplane.spool import Spool, Sync

log = logging.getLogger("marketplane")

OnRefused = Callable[[UsageEvent, str, str], None]


def log_refused(event: UsageEvent, reason: str, detail: str) -> None:
    """What is done with a refused event where the caller says nothing else. The detail and the event itself
    may hold what is nobody's business, so they are not logged."""
    log.error("Usage event %s of %s was refused (%s) and will not be billed.", event.id, event.source, reason)


class UsageReporter:
    """Use one for the whole process; any number of threads may report at once.

    Args:
        url: of the metering service.
        api_key: with the scope `usage:write`.
        token: called before each request for a bearer token; instead of an API key.
        source: which of your systems reports.
        capacity: the most events that may wait to be acknowledged.
        full_timeout: seconds for which `report` waits for room when there is none, before it raises
            BufferFull; 0 for not at all, None for ever.
        flush_interval: seconds for which an event waits for company.
        in_flight: how many requests may be on their way at once.
        request_timeout: seconds for connecting, and for each wait for bytes of an answer.
        give_up_after: seconds for which a request is tried before all stops; None for ever.
        exit_timeout: seconds that the exit of the interpreter may take for what is still unsent.
        on_refused: called in a sending thread with each refused event, the reason's name, and the detail. It
            must not wait, and not report: nothing is sent meanwhile.
        spool: a directory; events are in it until they are decided, and outlive the process.
        spool_sync: `each` or `batch`, see Spool.
        backoff: the waits between tries.
        pause: instead of real waiting between tries; takes seconds.
        now: the present moment.

    Raises:
        ValueError: a setting that makes no sense.
        SpoolInUse: another reporter has the spool.
    """

    def __init__(
        self,
        url: str,
        *,
        source: str,
        api_key: str | None = None,
        token: Callable[[], str] | None = None,
        capacity: int = 10_000,
        full_timeout: float | None = 5.0,
        flush_interval: float = 1.0,
        in_flight: int = 1,
        request_timeout: float = 30.0,
        give_up_after: float | None = None,
        exit_timeout: float = 10.0,
        on_refused: OnRefused = log_refused,
        spool: Path | str | None = None,
        spool_sync: Sync = "batch",
        backoff: Backoff | None = None,
        pause: Callable[[float], None] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if capacity < 1 or in_flight < 1:
            raise ValueError("capacity and in_flight are 1 or more.")
        self._connect = partial(
            Connection, url, api_key=api_key, token=token, timeout=request_timeout, connections=in_flight
        )
        self._source = source
        self._capacity = capacity
        self._full_timeout = full_timeout
        self._flush_interval = flush_interval
        self._in_flight = in_flight
        self._give_up_after = give_up_after
        self._exit_timeout = exit_timeout
        self._on_refused = on_refused
        self._backoff = backoff or Backoff()
        self._given_pause = pause
        self._now = now
        self._spool_of_parent = False
        self._begin()
        self._spool = None if spool is None else Spool(spool, spool_sync)
        if self._spool is not None:
            self._buffer.recover(Entry(event, place) for event, place in self._spool.recover())
        lifetime.opened(self)
        if len(self._buffer):
            log.info("The spool has %d events of an earlier process.", len(self._buffer))
            self._start_threads()

    def _begin(self) -> None:
        """Whatever a forked child must not share with its parent."""
        self._buffer = Buffer(self._capacity)
        self._threads: list[threading.Thread] = []
        self._starting = threading.Lock()
        self._told_to_stop = threading.Event()
        self._closed = False
        self._connection = self._connect()
        self._sender = Sender(
            self._connection.post,
            self._pause,
            backoff=self._backoff,
            now=self._now,
            monotonic=clocks.monotonic,
            give_up_after=self._give_up_after,
        )

    # -- for the product -------------------------------------------------------------------------------------

    def report(
        self,
        *,
        dimension: str,
        quantity: Decimal | int | str,
        subscription_id: str | None = None,
        license_arn: str | None = None,
        customer_id: str | None = None,
        product_code: str | None = None,
        time: datetime | None = None,
        id: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> UsageEvent:
        """Take an event; it is sent soon after. Answers it, with its id.

        Args:
            dimension: the API id, as in the catalogue.
            quantity: exact, with at most six decimals; below zero it is a correction.
            subscription_id: whose usage it is; or
            license_arn: the same; or
            customer_id: the same, with
            product_code: of the product.
            time: when it was used, with a zone; now, where it is not given.
            id: the idempotency key within the source and the hour; a random one, where it is not given.
            tags: at most five; buyers see them.

        Raises:
            InvalidEvent: it could never be accepted.
            BufferFull: nothing was acknowledged for long, and the time to wait is over.
            Stopped: a person must act first.
            Closed, SpoolInUse, OSError: the event was not taken.
        """
        content = content_of(
            source=self._source,
            dimension=dimension,
            quantity=quantity,
            time=self._now() if time is None else time,
            subscription_id=subscription_id,
            license_arn=license_arn,
            customer_id=customer_id,
            product_code=product_code,
            tags=tags,
        )
        event = usage_event(content, id)
        if self._spool_of_parent:
            raise SpoolInUse("The spool belongs to the process that this one was forked from.")
        self._buffer.reserve(self._full_timeout)
        try:
            self._start_threads()
            place = None if self._spool is None else self._spool.append(event)
        except BaseException:
            self._buffer.release()
            raise
        self._buffer.add(Entry(event, place))
        return event

    def flush(self, timeout: float | None = None) -> None:
        """Send all and wait until each event is decided.

        Raises:
            NotAllSent: the time was over before.
            Stopped: a person must act first.
        """
        if left := self._buffer.until_decided(timeout):
            raise NotAllSent(left)

    def close(self, timeout: float | None = 30.0) -> None:
        """Take no more, flush, and end. What was not sent stays in the spool; without one it is still in
        `unsent()`.

        Raises:
            NotAllSent, Stopped: as `flush`; it is closed all the same.
        """
        if self._closed:
            return
        self._buffer.close()
        deadline = None if timeout is None else clocks.monotonic() + timeout
        try:
            self.flush(timeout)
        finally:
            self._end(None if deadline is None else max(0.0, deadline - clocks.monotonic()))

    def resume(self) -> None:
        """Begin again after Stopped, once the reason is mended."""
        self._buffer.resume()

    @property
    def pending(self) -> int:
        """How many events are not decided."""
        return len(self._buffer)

    def unsent(self) -> Sequence[UsageEvent]:
        """The events that wait to be sent; once it is stopped or closed, all but those of a request that is
        still on its way."""
        return self._buffer.events()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except (NotAllSent, Stopped):
            if error is None:
                raise
            log.exception("Not all usage was sent.")  # the caller's own error is the one to be seen

    # -- the sending threads ---------------------------------------------------------------------------------

    def _start_threads(self) -> None:
        if self._threads:
            return
        with self._starting:
            if self._threads or self._closed:
                return
            self._threads = [
                threading.Thread(target=self._send_all, name=f"marketplane-usage-{number}", daemon=True)
                for number in range(self._in_flight)
            ]
            for thread in self._threads:
                thread.start()

    def _pause(self, seconds: float) -> bool:
        if self._given_pause is not None:
            self._given_pause(seconds)
            return self._told_to_stop.is_set()
        return self._told_to_stop.wait(seconds)

    def _send_all(self) -> None:
        while batch := self._buffer.take(self._flush_interval):
            undecided = list(batch)
            try:
                if self._spool is not None:
                    self._spool.before_sending()
                for decided in self._sender.send([entry.event for entry in batch]):
                    self._settle(decided, undecided[: len(decided.events)])
                    del undecided[: len(decided.events)]
            except ToldToStop:
                self._buffer.put_back(undecided)
                return
            except Stopped as stopped:
                self._stop(undecided, stopped)
            except Exception as error:  # a disk that fails; a defect: nothing may vanish with the thread
                log.exception("Sending usage failed.")
                self._stop(undecided, Stopped(f"Sending failed: {type(error).__name__}."))

    def _stop(self, undecided: list[Entry], why: Stopped) -> None:
        log.error("Sending usage has stopped; a person must act. %s", why)
        self._buffer.put_back(undecided, why)

    def _settle(self, decided: Decided, entries: Sequence[Entry]) -> None:
        # Told first and forgotten then: killed in between, a refusal is told twice rather than never.
        for index, refusal in decided.refused.items():
            try:
                self._on_refused(decided.events[index], refusal.reason, refusal.detail)
            except Exception:
                log.exception("on_refused failed.")
        if self._spool is not None:
            self._spool.decided([entry.place for entry in entries if entry.place is not None])
        self._buffer.decided(len(entries))

    def _end(self, timeout: float | None) -> None:
        self._closed = True
        self._buffer.end()
        self._told_to_stop.set()
        for thread in self._threads:
            thread.join(timeout)
        self._connection.close()
        # With a request still on its way the spool stays ours: its events may be decided yet.
        if self._spool is not None and not any(thread.is_alive() for thread in self._threads):
            self._spool.close()
        lifetime.closed(self)

    # -- moments that no caller sees (see lifetime.py) -------------------------------------------------------

    def at_exit(self) -> None:
        try:
            self.close(self._exit_timeout)
        except (NotAllSent, Stopped) as error:
            kept = "lost" if self._spool is None else "kept in the spool"
            log.error(
                "%d usage events were not sent before the exit; they are %s. %s", self.pending, kept, error
            )

    def after_fork_in_child(self) -> None:
        """The parent's events are the parent's to send."""
        spool, self._spool = self._spool, None
        self._spool_of_parent = self._spool_of_parent or spool is not None
        self._begin()
        if spool is not None:
            spool.let_go()
