"""So many requests of one key in any window, and no more; whoever waits as told gets in."""

import gc
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from pydantic import BaseModel, ValidationError

from chassis.problems import Problem
from chassis.rates import RateLimit, RateText


class Seconds:
    """A time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


def refused(limit: RateLimit, key: str) -> Problem | None:
    try:
        limit.take(key)
    except Problem as problem:
        return problem
    return None


def test_the_next_one_is_refused_with_the_seconds_to_wait(seconds: Seconds) -> None:
    limit = RateLimit("3/minute", "landing", seconds=seconds)
    for _ in range(3):
        limit.take("a")
        seconds.now += 10
    problem = refused(limit, "a")
    assert problem is not None
    assert (problem.status, problem.slug) == (429, "too-many-requests")
    # The first of the three leaves the window 60 seconds after it came, 30 of which have passed.
    assert problem.headers == {"Retry-After": "30"}
    assert problem.detail == "At most 3 per 1 minute are taken; ask again in 30 s."


def test_the_window_moves_and_does_not_begin_anew(seconds: Seconds) -> None:
    limit = RateLimit("2/10 seconds", "landing", seconds=seconds)
    limit.take("a")
    seconds.now += 9
    limit.take("a")
    # A fixed window would take two more here.
    seconds.now += 1.5
    limit.take("a")
    problem = refused(limit, "a")
    assert problem is not None
    assert problem.headers == {"Retry-After": "9"}  # 8.5 s, and never less than it takes


def test_who_waits_exactly_as_told_gets_in(seconds: Seconds) -> None:
    limit = RateLimit("2/10 seconds", "landing", seconds=seconds)
    for _ in range(2):
        limit.take("a")
        seconds.now += 4
    problem = refused(limit, "a")
    assert problem is not None
    assert problem.headers == {"Retry-After": "2"}
    seconds.now += 2
    limit.take("a")
    assert refused(limit, "a")


def test_to_wait_is_at_least_a_second(seconds: Seconds) -> None:
    limit = RateLimit("1/second", "landing", seconds=seconds)
    limit.take("a")
    seconds.now += 0.999
    problem = refused(limit, "a")
    assert problem is not None
    assert problem.headers == {"Retry-After": "1"}


def test_one_key_does_not_use_up_anothers_nor_one_limit_anothers(seconds: Seconds) -> None:
    limit, other = (RateLimit("1/hour", name, seconds=seconds) for name in ("one", "other"))
    limit.take("a")
    limit.take("b")
    other.take("a")
    assert all([refused(limit, "a"), refused(limit, "b"), refused(other, "a")])


# Eighths of a second: floats add them exactly.
@given(st.integers(1, 5), st.integers(1, 20), st.lists(st.integers(0, 120), max_size=60))
def test_no_window_holds_more_than_the_limit_and_waiting_as_told_helps(
    most: int, length: int, eighths: list[int]
) -> None:
    seconds = Seconds()
    limit = RateLimit(f"{most}/{length} seconds", "any", seconds=seconds)
    taken: list[float] = []
    for pause in eighths:
        seconds.now += pause / 8
        problem = refused(limit, "a")
        if problem is None:
            taken.append(seconds.now)
            continue
        assert sum(at > seconds.now - length for at in taken) == most
        wait = int(problem.headers["Retry-After"])
        assert 1 <= wait <= length
        seconds.now += wait
        limit.take("a")
        taken.append(seconds.now)
    for end in taken:
        assert sum(end - length < at <= end for at in taken) <= most


def test_refusals_are_counted_by_the_limits_name(seconds: Seconds) -> None:
    def counted() -> float | None:
        return REGISTRY.get_sample_value("marketplane_rate_limit_refusals_total", {"limit": "counted"})

    assert counted() is None
    limit = RateLimit("1/minute", "counted", seconds=seconds)
    assert counted() == 0
    limit.take("a")
    for _ in range(3):
        assert refused(limit, "a")
    assert counted() == 3


def everything_below(thing: Any) -> str:
    seen: dict[int, Any] = {}
    waiting = [thing]
    while waiting:
        one = waiting.pop()
        if id(one) not in seen and not isinstance(one, type):
            seen[id(one)] = one
            if isinstance(one, dict | list | tuple | set) or type(one).__module__ == "chassis.rates":
                waiting += gc.get_referents(one)
            elif hasattr(one, "__dict__") and type(one).__module__.startswith("limits"):
                waiting += [vars(one)]
    return " ".join(repr(one) for one in seen.values() if isinstance(one, str | bytes))


def test_keys_are_kept_hashed_and_by_another_secret_in_each_process(seconds: Seconds) -> None:
    first, second = (RateLimit("5/minute", "hashed", seconds=seconds) for _ in range(2))
    for limit in (first, second):
        limit.take("192.0.2.77")
    windows = [list(limit._limiter.storage._windows) for limit in (first, second)]  # type: ignore[attr-defined]
    assert [len(keys) for keys in windows] == [1, 1]
    assert windows[0] != windows[1]
    kept = everything_below(first)
    assert "hashed" not in windows[0][0]
    assert windows[0][0] in kept  # else the next line could not fail
    assert "192.0.2.77" not in kept


def windows_of(limit: RateLimit) -> int:
    return len(limit._limiter.storage._windows)  # type: ignore[attr-defined]


def test_a_key_whose_window_is_over_is_forgotten(seconds: Seconds) -> None:
    limit = RateLimit("5/minute", "bounded", seconds=seconds)
    for number in range(100):
        limit.take(f"early {number}")
    seconds.now += 30
    for number in range(50):
        limit.take(f"late {number}")
    limit.take("early 7")
    assert windows_of(limit) == 150
    seconds.now += 30
    limit.take("one more")
    assert windows_of(limit) == 52


def test_beyond_the_most_keys_the_one_heard_of_longest_ago_begins_anew(seconds: Seconds) -> None:
    limit = RateLimit("2/minute", "bounded", most_keys=3, seconds=seconds)
    for key in ("a", "a", "b", "b", "c", "c"):
        limit.take(key)
    assert windows_of(limit) == 3
    limit.take("d")
    assert windows_of(limit) == 3
    assert all([refused(limit, "b"), refused(limit, "c")])
    assert refused(limit, "a") is None


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns as often as Python can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def test_requests_at_the_same_time_do_not_get_more_than_the_limit(restless: None) -> None:
    limits = [RateLimit("50/hour", "together") for _ in range(60)]
    taken: list[RateLimit] = []
    together = threading.Barrier(8)

    def ask() -> None:
        for limit in limits:
            together.wait()
            taken.extend(limit for _ in range(20) if refused(limit, "a") is None)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [taken.count(limit) for limit in limits] == [50] * 60


class Rates(BaseModel):
    rate: RateText = "30/minute"


@pytest.mark.parametrize("text", ["30/minute", "5 per 10 seconds", "1/hour", "100 per 2 hours"])
def test_a_rate_is_written_in_words(text: str) -> None:
    assert Rates(rate=text).rate == text
    RateLimit(text, "words").take("a")


@pytest.mark.parametrize(
    "text", ["", "30", "30/fortnight", "0/minute", "-1/minute", "often", "1/second; 30/minute"]
)
def test_what_is_no_rate_stops_the_start(text: str) -> None:
    with pytest.raises(ValidationError):
        Rates(rate=text)
    with pytest.raises(ValueError, match="is not one rate, such as 30/minute"):
        RateLimit(text, "words")
