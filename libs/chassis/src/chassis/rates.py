"""How often one sender may ask what the contract calls public.

The counters live in this process, and are gone with it. An installation that runs P server processes (on all
its machines together) takes up to P times each limit: set limits that are still harmless then. Counters that
all processes share would cost a write to a table before every public request, and the limit is to spare us
those.
"""

import math
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from hashlib import blake2b
from typing import Annotated

import limits
from limits.storage import MovingWindowSupport, Storage
from limits.strategies import MovingWindowRateLimiter
from pydantic import AfterValidator

from chassis import metrics
from chassis.problems import Problem


class RateLimit:
    """At most so many requests of one key within any window of that length (a moving window).

    A refused request does not count: who waits as told gets in.

    Args:
        text: such as `30/minute` or `5 per 10 seconds`.
        name: of the limit, in the metric of refusals.
        most_keys: how many keys are remembered. Beyond it the key that was heard of longest ago is
            forgotten, and begins anew.
        seconds: the time; of this machine and not of the installation's clock, which may jump.

    Raises:
        ValueError: the text is no rate.
    """

    def __init__(
        self,
        text: str,
        name: str,
        *,
        most_keys: int = 20_000,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate = _rate(text)
        self._seconds = seconds
        self._limiter = MovingWindowRateLimiter(_Windows(most_keys, seconds))
        self._refusals = metrics.RATE_LIMIT_REFUSALS.labels(name)
        # Keys are addresses, which are personal data; the few addresses there are could be tried out against
        # a hash without a secret.
        self._secret = secrets.token_bytes(16)

    def take(self, key: str) -> None:
        """Count one request.

        Args:
            key: who asks, such as an address. Only a keyed hash of it is kept.

        Raises:
            Problem: 429 `too-many-requests`, with the whole seconds until the next one is taken.
        """
        hashed = blake2b(key.encode(), key=self._secret, digest_size=16).hexdigest()
        if self._limiter.hit(self._rate, hashed):
            return
        self._refusals.inc()
        opens_at = self._limiter.get_window_stats(self._rate, hashed).reset_time
        wait = max(1, math.ceil(opens_at - self._seconds()))
        raise Problem(
            429,
            "too-many-requests",
            "Too many requests came in a short time.",
            f"At most {self._rate} are taken; ask again in {wait} s.",
            retry_after=wait,
        )


def _rate(text: str) -> limits.RateLimitItem:
    try:
        (rate,) = limits.parse_many(text)
    except ValueError:  # unreadable, or several
        rate = None
    if rate is None or rate.amount < 1:
        raise ValueError(f"{text!r} is not one rate, such as 30/minute")
    return rate


def _readable(text: str) -> str:
    _rate(text)
    return text


RateText = Annotated[str, AfterValidator(_readable)]
"""The type of a setting that holds a rate: one that cannot be read stops the start."""


class _Windows(Storage, MovingWindowSupport):
    """The moving windows of one limit, by key.

    limits' own MemoryStorage would not do: it keeps an empty list for every key that it ever saw, and a
    thread of it walks all keys after each request. Here the windows stand in the order of their last request,
    so that those that are over lie in front.
    """

    STORAGE_SCHEME = None

    def __init__(self, most_keys: int, seconds: Callable[[], float]) -> None:
        super().__init__()
        self._most_keys = most_keys
        self._seconds = seconds
        self._windows: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        with self._lock:
            now = self._seconds()
            self._forget(now - expiry)
            window = self._windows.get(key, deque())
            _shift(window, now - expiry)
            if len(window) + amount > limit:
                return False
            window.extend([now] * amount)
            self._windows[key] = window
            self._windows.move_to_end(key)
            if len(self._windows) > self._most_keys:
                self._windows.popitem(last=False)
            return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        with self._lock:
            now = self._seconds()
            window = self._windows.get(key, deque())
            _shift(window, now - expiry)
            return (window[0] if window else now), len(window)

    def _forget(self, over: float) -> None:
        """Forget the keys whose last request is over."""
        while self._windows:
            key, window = next(iter(self._windows.items()))
            if window and window[-1] > over:
                return
            del self._windows[key]

    def check(self) -> bool:
        return True

    def clear(self, key: str) -> None:
        with self._lock:
            self._windows.pop(key, None)

    def reset(self) -> int:
        with self._lock:
            known = len(self._windows)
            self._windows.clear()
            return known

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    # Asked of every storage, and used by fixed windows only.
    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        raise NotImplementedError

    def get(self, key: str) -> int:
        raise NotImplementedError

    def get_expiry(self, key: str) -> float:
        raise NotImplementedError


def _shift(window: deque[float], over: float) -> None:
    while window and window[0] <= over:
        window.popleft()
