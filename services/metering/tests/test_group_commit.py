"""Requests share writes: each is answered by what became of the write that held its events."""

import asyncio
import threading
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from botocore.exceptions import ClientError, EndpointConnectionError
from prometheus_client import REGISTRY
from pynamodb.exceptions import UpdateError

from chassis.problems import Unavailable
from metering import group_commit
from metering.group_commit import GroupCommit
from metering.usage_columns import UsageColumns, columns_of
from metering.usage_events import UsageEvent

PATIENCE_SECONDS = 60.0
"""For a machine that is busy with other things; what waits so long waits in vain."""

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
AWAY = EndpointConnectionError(endpoint_url="http://nowhere.invalid")
INVALID = ClientError({"Error": {"Code": "ValidationException"}}, "BatchWriteItem")
DENIED = ClientError({"Error": {"Code": "AccessDeniedException"}}, "BatchWriteItem")


class Shelf:
    """Keeps what it is given. Each write begins when it likes, and ends when the test lets it."""

    def __init__(self, *poison: str, error: Exception | None = None) -> None:
        self.writes: list[list[str]] = []
        self.kept: list[str] = []
        self.fails: BaseException | None = None
        self._poison = set(poison)
        self._error = error or ValueError("This cannot be packed.")
        self._begun = threading.Semaphore(0)
        self._may_end = threading.Semaphore(0)

    def write(self, columns: UsageColumns) -> None:
        self.writes.append(list(columns.ids))
        self._begun.release()
        assert self._may_end.acquire(timeout=PATIENCE_SECONDS)
        if self.fails:
            raise self.fails
        if self._poison & set(columns.ids):
            raise self._error
        self.kept += columns.ids

    async def begun(self) -> None:
        """Waits until one more write is under way."""
        assert await asyncio.to_thread(self._begun.acquire, timeout=PATIENCE_SECONDS)

    def let_end(self, writes: int = 1) -> None:
        self._may_end.release(writes)


class Time:
    """Stands still. Who sleeps goes on when the test says so, and its time has passed then."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self._asleep = threading.Semaphore(0)
        self._may_wake = threading.Semaphore(0)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        self.slept.append(seconds)
        self._asleep.release()
        assert self._may_wake.acquire(timeout=PATIENCE_SECONDS)
        self.now = max(self.now, until)

    async def asleep(self) -> None:
        """Waits until one more is asleep."""
        assert await asyncio.to_thread(self._asleep.acquire, timeout=PATIENCE_SECONDS)

    def wake(self) -> None:
        """One that sleeps."""
        self._may_wake.release()


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(group_commit, "time", time)
    return time


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, PATIENCE_SECONDS))


def columns(*ids: str) -> UsageColumns:
    return columns_of(UsageEvent("gateway", one, "sub_" + "a" * 26, "tokens", 1, NOW) for one in ids)


async def asked(group: GroupCommit, *requests: str) -> list["asyncio.Task[None]"]:
    """Requests that came one after the other and wait; each is the ids of its events, with blanks between."""
    tasks = [asyncio.create_task(group.commit(columns(*request.split()))) for request in requests]
    await asyncio.sleep(0)
    return tasks


def some(start: str, count: int) -> str:
    return " ".join(f"{start}{number}" for number in range(count))


def errors_of(tasks: list["asyncio.Task[None]"]) -> list[BaseException | None]:
    return [task.exception() for task in tasks]


# Sharing
# -------------------------------------------------------------------------------------------------------


def test_requests_of_one_moment_share_one_write(still: Time) -> None:
    shelf = Shelf()
    group = GroupCommit([shelf.write], 0.004, 100)

    async def story() -> None:
        tasks = await asked(group, "a", "b1 b2", "c")
        await still.asleep()
        still.wake()
        await shelf.begun()
        assert shelf.writes == [["a", "b1", "b2", "c"]]
        assert not any(task.done() for task in tasks)
        shelf.let_end()
        await asyncio.gather(*tasks)

    play(story())
    assert shelf.kept == ["a", "b1", "b2", "c"]
    assert still.slept == [0.004]


def test_while_a_write_is_under_way_the_next_requests_gather() -> None:
    shelf = Shelf()
    group = GroupCommit([shelf.write], 0, 100)

    async def story() -> None:
        (first,) = await asked(group, "first")
        await shelf.begun()
        rest = await asked(group, *(f"r{number}" for number in range(20)))
        shelf.let_end()
        await first
        await shelf.begun()
        assert not any(task.done() for task in rest)
        shelf.let_end()
        await asyncio.gather(*rest)

    play(story())
    assert shelf.writes == [["first"], [f"r{number}" for number in range(20)]]


def test_only_the_first_of_a_write_waits_for_company_and_none_that_waited_already(still: Time) -> None:
    shelf = Shelf()
    group = GroupCommit([shelf.write], 0.5, 100)

    async def story() -> None:
        (first,) = await asked(group, "first")
        await still.asleep()
        still.now = 0.25
        (joins,) = await asked(group, "joins")
        still.wake()
        await shelf.begun()
        late = await asked(group, "late")
        still.now += 0.5
        late += await asked(group, "later")
        shelf.let_end()
        await asyncio.gather(first, joins)
        await shelf.begun()  # without a wink of sleep
        shelf.let_end()
        await asyncio.gather(*late)
        (new,) = await asked(group, "new")
        await still.asleep()
        still.wake()
        await shelf.begun()
        shelf.let_end()
        await new

    play(story())
    assert shelf.writes == [["first", "joins"], ["late", "later"], ["new"]]
    assert still.slept == [0.5, 0.5]


def test_who_comes_after_another_writer_took_the_first_waits_its_own_time(still: Time) -> None:
    shelf = Shelf()
    group = GroupCommit([shelf.write] * 2, 0.5, 100)

    async def story() -> None:
        tasks = await asked(group, "first")
        await still.asleep()
        tasks += await asked(group, "second")
        await still.asleep()
        still.wake()
        await shelf.begun()
        assert shelf.writes == [["first", "second"]]
        # The other writer slept for the first, too.
        tasks += await asked(group, "third")
        still.wake()
        await still.asleep()
        tasks += await asked(group, "fourth")
        still.wake()
        await shelf.begun()
        shelf.let_end(2)
        await asyncio.gather(*tasks)

    play(story())
    assert shelf.writes == [["first", "second"], ["third", "fourth"]]


def test_several_writes_may_be_under_way_at_once() -> None:
    shelf = Shelf()
    group = GroupCommit([shelf.write, shelf.write], 0, 100)

    async def story() -> None:
        tasks = await asked(group, "a")
        await shelf.begun()
        tasks += await asked(group, "b")
        await shelf.begun()
        tasks += await asked(group, "c", "d")
        shelf.let_end()
        await shelf.begun()
        shelf.let_end(2)
        await asyncio.gather(*tasks)

    play(story())
    assert shelf.writes == [["a"], ["b"], ["c", "d"]]


def test_a_write_takes_so_many_events_and_no_request_is_passed_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "MOST_IN_A_WRITE", 10)
    shelf = Shelf()
    group = GroupCommit([shelf.write], 0, 100)
    sizes = (6, 4, 5, 6, 1, 11, 1)

    async def story() -> None:
        tasks = await asked(group, "first")
        await shelf.begun()
        tasks += await asked(group, *(some(f"r{place}-", size) for place, size in enumerate(sizes)))
        shelf.let_end(100)
        await asyncio.gather(*tasks)

    play(story())
    # One that is larger by itself is not kept waiting for ever.
    assert [len(write) for write in shelf.writes] == [1, 10, 5, 7, 11, 1]
    assert [one for write in shelf.writes[1:] for one in write] == [
        one for place, size in enumerate(sizes) for one in some(f"r{place}-", size).split()
    ]


def test_each_request_is_answered_in_its_own_event_loop() -> None:
    shelf = Shelf()
    group = GroupCommit([shelf.write], 0, 100)
    came = threading.Semaphore(0)

    def elsewhere() -> None:
        async def story() -> None:
            tasks = await asked(group, "there")
            came.release()
            await asyncio.gather(*tasks)

        play(story())

    async def story() -> None:
        tasks = await asked(group, "first")
        await shelf.begun()
        there = asyncio.create_task(asyncio.to_thread(elsewhere))
        assert await asyncio.to_thread(came.acquire, timeout=PATIENCE_SECONDS)
        tasks += await asked(group, "here")
        shelf.let_end(2)
        await asyncio.gather(there, *tasks)

    play(story())
    assert shelf.writes == [["first"], ["there", "here"]]


# Failing
# -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [AWAY, DENIED, UpdateError("no", cause=DENIED), Unavailable("Later.")],
    ids=lambda one: type(one).__name__,
)
def test_a_write_that_the_log_does_not_take_fails_its_requests_and_no_others(error: Exception) -> None:
    shelf = Shelf()
    group = GroupCommit([shelf.write], 0, 100)

    async def story() -> None:
        before = await asked(group, "before")
        await shelf.begun()
        failing = await asked(group, "x", "y", "z")
        shelf.let_end()
        await asyncio.gather(*before)
        await shelf.begun()
        after = await asked(group, "after")
        shelf.fails = error
        shelf.let_end()
        assert await asyncio.gather(*failing, return_exceptions=True) == [error] * 3
        shelf.fails = None
        await shelf.begun()
        shelf.let_end()
        await asyncio.gather(*after)

    play(story())
    # Not again one by one: it is not that one of them is wrong.
    assert shelf.writes == [["before"], ["x", "y", "z"], ["after"]]
    assert shelf.kept == ["before", "after"]


@pytest.mark.parametrize("error", [ValueError("This cannot be packed."), INVALID])
@pytest.mark.parametrize("place", range(7))
def test_a_request_that_cannot_be_written_fails_alone(place: int, error: Exception) -> None:
    """Neither by us, nor by DynamoDB: it refuses a call whole for one item that it does not take."""
    requests = [f"r{number} s{number}" for number in range(7)]
    shelf = Shelf(f"s{place}", error=error)
    group = GroupCommit([shelf.write], 0, 100)

    async def story() -> None:
        first = await asked(group, "first")
        await shelf.begun()
        tasks = await asked(group, *requests)
        shelf.let_end(100)
        await asyncio.gather(*first, *tasks, return_exceptions=True)
        found = errors_of(tasks)
        assert found.pop(place) is error
        assert found == [None] * 6

    play(story())
    assert set(shelf.kept) == {"first", *" ".join(requests).split()} - {f"r{place}", f"s{place}"}
    assert len(shelf.kept) == len(set(shelf.kept))
    # In halves: one of thousands costs a few writes, not thousands.
    assert len(shelf.writes) <= 2 + 2 * 3


def test_what_the_log_refuses_among_the_halves_is_not_durable() -> None:
    shelf = Shelf("bad")
    group = GroupCommit([shelf.write], 0, 100)

    async def story() -> None:
        first = await asked(group, "first")
        await shelf.begun()
        tasks = await asked(group, "a", "b", "c", "bad")
        shelf.let_end(2)
        for _ in range(2):
            await shelf.begun()  # of all, and of the first half
        shelf.fails = AWAY
        shelf.let_end(100)
        await asyncio.gather(*first, *tasks, return_exceptions=True)
        assert errors_of(tasks) == [AWAY] * 4

    play(story())
    assert shelf.writes[1:] == [["a", "b", "c", "bad"], ["a", "b"], ["c", "bad"]]
    assert shelf.kept == ["first"]


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), asyncio.CancelledError()])
def test_a_writer_outlives_whatever_befalls_a_write(error: BaseException) -> None:
    """Were its thread to end, the request would wait for ever, and everybody after it."""
    shelf = Shelf()
    group = GroupCommit([shelf.write], 0, 100)

    async def story() -> None:
        tasks = await asked(group, "a")
        await shelf.begun()
        shelf.fails = error
        shelf.let_end()
        (found,) = await asyncio.gather(*tasks, return_exceptions=True)
        # Not SystemExit itself: the event loop would end by it.
        assert isinstance(found, Exception)
        assert type(error).__name__ in repr(found)
        shelf.fails = None
        tasks = await asked(group, "b")
        shelf.let_end()
        await asyncio.gather(*tasks)

    play(story())
    assert shelf.kept == ["b"]


def test_a_thread_that_cannot_be_started_is_tried_by_the_next_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shelf = Shelf()
    group = GroupCommit([shelf.write] * 2, 0, 2)
    start, failed = threading.Thread.start, threading.Event()

    def start_not_the_second(thread: threading.Thread) -> None:
        if thread.name == "usage-log-1" and not failed.is_set():
            failed.set()
            raise RuntimeError("can't start new thread")
        start(thread)

    async def story() -> None:
        with monkeypatch.context() as crowded:
            crowded.setattr(threading.Thread, "start", start_not_the_second)
            with pytest.raises(RuntimeError, match="can't start new thread"):
                await group.commit(columns("a1", "a2"))
        # Nothing of it was kept, so that there is room; and both threads are at work.
        tasks = await asked(group, "b")
        await shelf.begun()
        tasks += await asked(group, "c")
        await shelf.begun()
        shelf.let_end(2)
        await asyncio.gather(*tasks)

    play(story())
    assert sorted(shelf.kept) == ["b", "c"]


# Pressure
# -------------------------------------------------------------------------------------------------------


def refused() -> float:
    return REGISTRY.get_sample_value("marketplane_usage_requests_refused_by_pressure_total") or 0.0


def test_who_comes_when_so_many_wait_is_refused_at_once_and_there_is_room_again() -> None:
    shelf = Shelf()
    group = GroupCommit([shelf.write], 0, 10)

    async def story() -> None:
        counted = refused()
        under_way = await asked(group, some("a", 6))
        await shelf.begun()
        waiting = await asked(group, some("b", 4))
        with pytest.raises(Unavailable) as full:
            await group.commit(columns("c"))
        assert (full.value.status, full.value.headers["Retry-After"]) == (503, "1")
        assert refused() == counted + 1
        shelf.let_end()
        await asyncio.gather(*under_way)
        # For as many as were answered, and not for one more.
        with pytest.raises(Unavailable):
            await group.commit(columns(*some("d", 7).split()))
        again = await asked(group, some("e", 6))
        with pytest.raises(Unavailable):
            await group.commit(columns("f"))
        shelf.let_end(2)
        await asyncio.gather(*waiting, *again)

    play(story())
    assert sorted(shelf.kept) == sorted(f"{some('a', 6)} {some('b', 4)} {some('e', 6)}".split())


@pytest.mark.parametrize("error", [AWAY, ValueError("This cannot be packed."), SystemExit(1)])
def test_there_is_room_again_after_a_write_that_failed(error: BaseException) -> None:
    shelf = Shelf()
    group = GroupCommit([shelf.write], 0, 4)

    async def story() -> None:
        shelf.fails = error
        tasks = await asked(group, "a1 a2", "a3 a4")
        shelf.let_end(100)
        await asyncio.gather(*tasks, return_exceptions=True)
        shelf.fails = None
        await asyncio.gather(*await asked(group, "b1 b2 b3", "b4"))
        assert shelf.kept == ["b1", "b2", "b3", "b4"]

    play(story())


def test_a_request_larger_than_all_that_may_wait_is_taken_when_nothing_waits() -> None:
    shelf = Shelf()
    group = GroupCommit([shelf.write], 0, 2)

    async def story() -> None:
        tasks = await asked(group, "a b c")
        with pytest.raises(Unavailable):
            await group.commit(columns("d"))
        shelf.let_end()
        await asyncio.gather(*tasks)

    play(story())
    assert shelf.kept == ["a", "b", "c"]


# Giving up
# -------------------------------------------------------------------------------------------------------


def test_what_a_request_that_was_given_up_brought_takes_room_until_it_is_written() -> None:
    shelf = Shelf()
    group = GroupCommit([shelf.write], 0, 4)

    async def story() -> None:
        strange: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: strange.append(context))
        (under_way,) = await asked(group, "a")
        await shelf.begun()
        gone, stays = await asked(group, "b c", "d")
        under_way.cancel()
        gone.cancel()
        await asyncio.gather(under_way, gone, return_exceptions=True)
        assert under_way.cancelled()
        assert gone.cancelled()
        with pytest.raises(Unavailable):
            await group.commit(columns("e"))
        shelf.let_end(2)
        await stays
        await asyncio.gather(*await asked(group, some("f", 4)), asyncio.to_thread(shelf.let_end))
        assert strange == []

    play(story())
    assert shelf.kept == ["a", "b", "c", "d", *some("f", 4).split()]


def test_an_event_loop_that_ended_is_no_concern_of_the_others() -> None:
    shelf = Shelf()
    group = GroupCommit([shelf.write], 0, 100)

    async def ends() -> None:
        await asked(group, "a")
        await shelf.begun()
        await asked(group, "b")

    async def goes_on() -> None:
        tasks = await asked(group, "c")
        shelf.let_end(2)
        await asyncio.gather(*tasks)

    with structlog.testing.capture_logs() as said:
        play(ends())
        play(goes_on())
    assert shelf.writes == [["a"], ["b", "c"]]
    assert [line["event"] for line in said] == ["Requests were given up before their write was done."] * 2


def test_a_forked_child_has_threads_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf()
    group = GroupCommit([shelf.write], 0, 1)
    process = group_commit.os.getpid()

    async def story() -> None:
        (parents,) = await asked(group, "a")
        await shelf.begun()
        with monkeypatch.context() as child:
            child.setattr(group_commit.os, "getpid", lambda: process + 1)
            # Its parent's request takes no room and none of its writers.
            (own,) = await asked(group, "b")
            await shelf.begun()
            shelf.let_end(2)
            await own
        await parents

    play(story())
    assert sorted(shelf.kept) == ["a", "b"]
