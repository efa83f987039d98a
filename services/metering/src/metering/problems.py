"""What each named error of the rules is on the wire: a status, a stable slug, and words."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from chassis.problems import NotFound, Problem, Unavailable
from metering.endpoint_desk import EndpointDeleted, NoSuchEndpoint
from metering.endpoint_wishes import (
    AcceleratorNotOffered,
    AccessNotGranted,
    NoSubscriptionWithEndpoints,
    NoSuchSubscription,
    SubscriptionNotNamed,
)
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
        except NoSuchEndpoint:
            raise NotFound("There is no endpoint of this id.") from None
        except NoSuchSubscription:
            raise NotFound("There is no such subscription of yours.") from None
        except SubscriptionNotNamed as error:
            raise Problem(
                400,
                "subscription-not-named",
                "The subscription has to be named.",
                str(error),
                errors=[{"in": "body", "path": "/subscription_id", "reason": "It is missing."}],
            ) from None
        except AcceleratorNotOffered as error:
            raise Problem(
                400,
                "accelerator-not-offered",
                "The product does not offer this accelerator.",
                str(error),
                errors=[{"in": "body", "path": "/accelerator", "reason": "It is not offered."}],
            ) from None
        except AccessNotGranted as error:
            raise Problem(
                409, "access-not-granted", "The subscription gives no access.", f"It is {error}."
            ) from None
        except NoSubscriptionWithEndpoints:
            raise Problem(
                409,
                "no-subscription-with-endpoints",
                "No subscription of yours that gives access has endpoints.",
            ) from None
        except EndpointDeleted as error:
            raise Problem(409, "endpoint-deleted", "The endpoint is deleted.", f"Since {error}.") from None
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
