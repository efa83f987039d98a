"""What each named error of the rules is on the wire: a status, a stable slug, and words."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from chassis.problems import NotFound, Problem, Unavailable
from metering.record_desk import ChangedTooOften, NoSuchRecord
from metering.resolutions import DecidedOtherwise, NothingToDecide

P = ParamSpec("P")
R = TypeVar("R")


def names_errors(handler: Callable[P, R]) -> Callable[P, R]:
    """Let a handler's errors of the rules leave it as the problems that stand for them."""

    @wraps(handler)
    def with_problems(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return handler(*args, **kwargs)
        except NoSuchRecord:
            raise NotFound("There is no metering record of this id.") from None
        except NothingToDecide as error:
            raise Problem(
                409,
                "nothing-to-decide",
                "AWS's answer leaves nothing open.",
                f"The record's outcome is {error}.",
            ) from None
        except DecidedOtherwise as error:
            raise Problem(
                409,
                "decided-otherwise",
                "Somebody has decided otherwise.",
                f"The decision is {error}, and it stands.",
            ) from None
        except ChangedTooOften:
            raise Unavailable("Others are writing about the same usage.", retry_after=2) from None

    return with_problems
