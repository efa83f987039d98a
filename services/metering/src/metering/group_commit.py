"""Group commit: requests that come at the same time share one durable write.

A request waits for a write that holds all of its events; then it is answered, and not before. While a write
is under way the next requests gather, so the more there are, the more of them share one: what a write costs
is paid by all of them together.
"""

import asyncio
import os
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import structlog
from botocore.exceptions import ClientError
from pynamodb.exceptions import PynamoDBException

from chassis.aws import error_code, is_outage
from chassis.problems import Problem, Unavailable
from metering import measures
from metering.usage_columns import UsageColumns

log = structlog.get_logger()

MOST_IN_A_WRITE = 20_000
"""Events. A larger write would make those wait that came first."""

Write = Callable[[UsageColumns], None]


class _Waiting(NamedTuple):
    since: float
    columns: UsageColumns
    loop: asyncio.AbstractEventLoop
    written: "asyncio.Future[None]"


class GroupCommit:
    """Gathers events of concurrent requests and writes them together.

    Its threads begin with the first request, so that a server may fork before.

    Args:
        writers: what makes events durable, one for each write that may be under way at the same time.
        linger_seconds: how long the first request of a write waits for others to share it.
        most_waiting: so many events may wait, those under way included; who comes then is refused at once.
            (A larger request is taken while nothing waits, or it never would be.)
    """

    def __init__(self, writers: Sequence[Write], linger_seconds: float, most_waiting: int) -> None:
        self._writers = writers
        self._linger = linger_seconds
        self._most = most_waiting
        self._begin()

    async def commit(self, columns: UsageColumns) -> None:
        """Returns when the events are durable.

        A request that is given up meanwhile may have been written or not, as if its answer had been lost.

        Raises:
            Unavailable: so much waits already that this would only wait in vain; nothing was kept.
            Exception: what kept the write from being made. Nothing may be acknowledged.
        """
        if self._process != os.getpid():  # a child that was forked: threads and requests are its parent's
            self._begin()
        loop = asyncio.get_running_loop()
        written: asyncio.Future[None] = loop.create_future()
        with self._changed:
            if self._events and self._events + len(columns) > self._most:
                measures.REFUSED_BY_PRESSURE.inc()
                raise Unavailable("More usage comes in than can be written; nothing was kept.", retry_after=1)
            self._start_threads()
            self._events += len(columns)
            self._waiting.append(_Waiting(time.monotonic(), columns, loop, written))
            self._changed.notify()
        await written

    def _begin(self) -> None:
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._waiting: deque[_Waiting] = deque()
        self._events = 0
        self._threads = 0

    def _start_threads(self) -> None:
        while self._threads < len(self._writers):
            write, name = self._writers[self._threads], f"usage-log-{self._threads}"
            threading.Thread(target=self._run, args=(write,), name=name, daemon=True).start()
            self._threads += 1

    def _run(self, write: Write) -> None:
        while True:
            group = self._gather()
            errors = _write(group, write)
            with self._changed:
                self._events -= sum(len(one.columns) for one in group)
            _answer(group, errors)

    def _gather(self) -> list[_Waiting]:
        """The requests of one write: who came first, once it has waited its time, and who came after."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                rest = self._waiting[0].since + self._linger - time.monotonic()
                if rest <= 0:
                    return self._take()
            # Asleep, not waiting for a notice: each request that comes would wake it.
            time.sleep(rest)

    def _take(self) -> list[_Waiting]:
        group = [self._waiting.popleft()]
        events = len(group[0].columns)
        while self._waiting and events + len(self._waiting[0].columns) <= MOST_IN_A_WRITE:
            group.append(self._waiting.popleft())
            events += len(group[-1].columns)
        return group


def _write(group: list[_Waiting], write: Write) -> list[Exception | None]:
    """Write what the requests brought. For each, what kept it from being durable; None where nothing did."""
    try:
        together = UsageColumns()
        for one in group:
            together.append(one.columns)
        write(together)
        measures.SHARED_WRITES.observe(len(group))
        return [None] * len(group)
    except Exception as error:
        if len(group) == 1 or _is_everybodys(error):
            return [error] * len(group)
        log.exception("A shared write failed; it is made again in halves.", requests=len(group))
    except BaseException as error:
        # Such as SystemExit. A thread that ended would leave its requests, and all to come, waiting for ever.
        log.exception("A shared write was broken off.", requests=len(group))
        return [RuntimeError(f"The write was broken off by {error!r}.")] * len(group)
    # Something in one of them cannot be written. The others must not suffer for it.
    middle = len(group) // 2
    return _write(group[:middle], write) + _write(group[middle:], write)


def _is_everybodys(error: Exception) -> bool:
    """Whether the log takes no writes; else something in one request may be what cannot be written."""
    if isinstance(error, ClientError) and error_code(error) == "ValidationException":
        return False
    return isinstance(error, Problem | ClientError | PynamoDBException) or is_outage(error)


def _answer(group: list[_Waiting], errors: list[Exception | None]) -> None:
    """Let the requests go on; those of one loop all at once."""
    answers = defaultdict(list)
    for one, error in zip(group, errors, strict=True):
        answers[one.loop].append((one.written, error))
    for loop, of_the_loop in answers.items():
        try:
            loop.call_soon_threadsafe(_settle, of_the_loop)
        except RuntimeError:  # it is closed
            log.warning("Requests were given up before their write was done.", requests=len(of_the_loop))


def _settle(answers: list[tuple["asyncio.Future[None]", Exception | None]]) -> None:
    for future, error in answers:
        if future.done():  # given up
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
