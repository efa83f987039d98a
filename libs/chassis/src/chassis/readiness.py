"""Can the process do its job? Each part that it needs is asked."""

from collections.abc import Callable
from typing import Any

import structlog

log = structlog.get_logger()

Readiness = dict[str, Callable[[], Any]]
"""For each part, by its name, a call that raises while that part is away."""


def ask_parts(readiness: Readiness) -> dict[str, str]:
    """Ask each part; `ready`, or what is wrong with it in words that name no address."""
    answers = {}
    for name, ask in readiness.items():
        try:
            ask()
            answers[name] = "ready"
        except Exception as error:
            log.warning("A part is not ready.", part=name, error=repr(error))
            answers[name] = f"away ({type(error).__name__})"
    return answers
