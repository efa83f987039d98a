"""Doing the same for many, so that one's failure does not hold up the others."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import structlog

log = structlog.get_logger()

T = TypeVar("T")


Stop = Callable[[], bool]
"""True once nothing more is to be begun."""


Spread = Callable[..., Iterable[Any]]
"""`map`: one after the other, in the caller's thread. An executor's `map`: several at the same time."""


def never() -> bool:
    return False


def try_each(
    things: Iterable[T],
    act: Callable[[T], None],
    but: tuple[type[Exception], ...] = (),
    stop: Stop = never,
) -> list[Exception]:
    """Act on each; the failures, after all were tried.

    Args:
        but: errors that are raised at once.
        stop: see there.
    """
    failures: list[Exception] = []
    for thing in things:
        if stop():
            break
        try:
            act(thing)
        except but:
            raise
        except Exception as error:
            log.exception("A part of the metering cycle failed; the others go on.")
            failures.append(error)
    return failures


def try_together(things: Iterable[T], act: Callable[[T], None], spread: Spread) -> list[Exception]:
    """Act on each, several at the same time where `spread` does so; the failures, after all were tried."""
    return [
        failure for failures in spread(lambda thing: try_each([thing], act), things) for failure in failures
    ]
