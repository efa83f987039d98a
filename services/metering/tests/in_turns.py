"""Several acts at the same time, step by step: whose turn it is, is for the test to say."""

from collections.abc import Callable
from threading import Semaphore, Thread, local

_this_thread = local()


class Killed(BaseException):
    """The process is gone: no `except Exception` of ours sees it."""


class Act:
    """Something that is done in a thread of its own, and stands still before each of its steps."""

    def __init__(self, what: Callable[[], object]) -> None:
        self.over = False
        self._what = what
        self._error: BaseException | None = None
        self._dies = False
        self._may_go_on, self._stands_still = Semaphore(0), Semaphore(0)
        Thread(target=self._run, daemon=True).start()
        self._stands_still.acquire()

    def go_on(self, steps: int = -1) -> None:
        """Let it take so many steps, or all that there are."""
        while not self.over and steps:
            self._may_go_on.release()
            self._stands_still.acquire()
            steps -= 1
        if self._error:
            raise self._error

    def kill(self) -> None:
        """It takes no step any more."""
        self._dies = True
        self.go_on()

    def stand_still(self) -> None:
        self._stands_still.release()
        self._may_go_on.acquire()
        if self._dies:
            raise Killed

    def _run(self) -> None:
        _this_thread.act = self
        try:
            self._what()
        except Killed:
            pass
        except BaseException as error:
            self._error = error
        self.over = True
        self._stands_still.release()


def stand_still() -> None:
    """Of an act: until it is its turn. Whatever else runs goes on at once."""
    act: Act | None = getattr(_this_thread, "act", None)
    if act:
        act.stand_still()
