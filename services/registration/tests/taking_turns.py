"""Lets several actors act one act at a time, in an order that the test decides.

Each actor runs in a thread of its own, but only one at a time: the others wait for their turn. So what the
actors share needs no lock, and the same order gives the same run.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

# Never reached unless an actor blocks outside of `act`: a run of thousands of acts takes less than a second.
_LONGEST_ACT_SECONDS = 20.0


class Abandoned(BaseException):
    """The run is over, for a reason of another's; no actor may catch it."""


@dataclass
class _Actor:
    name: str
    go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    finished: bool = False
    error: BaseException | None = None
    thread: threading.Thread | None = None


class Turns:
    """The stage: `act` is called by actors before each act; `run` decides who goes on."""

    def __init__(self) -> None:
        self._stopped = threading.Semaphore(0)
        self._current: _Actor | None = None
        self._over = False

    @property
    def current(self) -> str | None:
        """Whose turn it is; None outside of a run."""
        return self._current.name if self._current else None

    def act(self) -> None:
        """Wait for the next turn; nothing outside of a run."""
        actor = self._current
        if actor is None:
            return
        self._stopped.release()
        if not actor.go.acquire(timeout=_LONGEST_ACT_SECONDS) or self._over:
            raise Abandoned

    def run(
        self,
        jobs: Mapping[str, Callable[[], None]],
        choose: Callable[[list[str], str | None], str],
        after_each: Callable[[], None],
    ) -> None:
        """Run all jobs to their ends.

        Args:
            jobs: by the actor's name. What one raises is raised here.
            choose: who goes on, of those who can, in the order of `jobs`; told who went last.
            after_each: called after each act, while everybody waits.

        Raises:
            AssertionError: an actor blocked.
        """
        actors = {name: _Actor(name) for name in jobs}
        last: str | None = None
        try:
            while ready := [name for name, actor in actors.items() if not actor.finished]:
                last = choose(ready, last)
                self._let(actors[last], jobs[last])
                error = actors[last].error
                if error is not None:
                    raise error
                after_each()
        finally:
            self._over = True
            for actor in actors.values():
                actor.go.release()
            for actor in actors.values():
                if actor.thread:
                    actor.thread.join(_LONGEST_ACT_SECONDS)
            self._over = False

    def _let(self, actor: _Actor, job: Callable[[], None]) -> None:
        self._current = actor
        if actor.thread is None:
            actor.thread = threading.Thread(target=self._play, args=(actor, job), daemon=True)
            actor.thread.start()
        else:
            actor.go.release()
        stopped = self._stopped.acquire(timeout=_LONGEST_ACT_SECONDS)
        self._current = None
        assert stopped, f"{actor.name} blocked in the middle of an act"

    def _play(self, actor: _Actor, job: Callable[[], None]) -> None:
        try:
            job()
        except Abandoned:
            return
        except BaseException as error:
            actor.error = error
        actor.finished = True
        self._stopped.release()
