"""Threads of one process that would only be in each other's way take turns."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Who is busy with which subjects. It spares conflicts, and prevents none: other processes do not ask it.

    Args:
        patience_seconds: after so long one goes on all the same.
    """

    def __init__(self, patience_seconds: float = 5.0) -> None:
        self._patience = patience_seconds
        self._busy: list[frozenset[str]] = []
        self._changed = threading.Condition()

    @contextmanager
    def take(self, subjects: frozenset[str]) -> Iterator[None]:
        """Wait until nobody is busy with any of these subjects, then be busy with all of them."""
        with self._changed:
            self._changed.wait_for(
                lambda: all(subjects.isdisjoint(one) for one in self._busy), self._patience
            )
            self._busy.append(subjects)
        try:
            yield
        finally:
            with self._changed:
                self._busy.remove(subjects)
                self._changed.notify_all()
