"""What each named error of the rules is on the wire: a status, a stable slug, and words."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import flask
import structlog

from chassis.problems import NotFound, Problem, Unavailable
from registration.bindings import BoundTooOften
from registration.catalogue import Catalogue
from registration.claims import SubscriptionClaimed
from registration.customer_changes import (
    AccountTaken,
    ChangedTooOften,
    NoSuchCustomer,
    OperatorsOnly,
    VersionNotMet,
)
from registration.measures import CLAIMS_REFUSED
from registration.parts import the_parts
from registration.registrations import RegistrationExpired
from registration.resolve_refusals import Refusal, TokenNotResolved
from registration.resolved_purchase import IncompleteAnswer, UnknownProduct
from registration.sign_in_providers import SignInAway, SignInRefused

log = structlog.get_logger()

P = ParamSpec("P")

START_AGAIN = (
    'Go back to AWS Marketplace and press "Set up your account" again; you need not subscribe again.'
)

NAMED_ERRORS = (
    TokenNotResolved,
    UnknownProduct,
    IncompleteAnswer,
    RegistrationExpired,
    SubscriptionClaimed,
    BoundTooOften,
    SignInRefused,
    SignInAway,
    NoSuchCustomer,
    VersionNotMet,
    ChangedTooOften,
    AccountTaken,
    OperatorsOnly,
)

_WHY_OPERATORS_ONLY = {"account_id": "It says whose purchases join this customer."}
_NOT_THOUGHT_OF = "It is an operator's to change."


def names_errors(handler: Callable[P, flask.Response]) -> Callable[P, flask.Response]:
    """Let a handler's errors of the rules leave it as the problems that stand for them."""

    @wraps(handler)
    def with_problems(*args: P.args, **kwargs: P.kwargs) -> flask.Response:
        try:
            return handler(*args, **kwargs)
        except NAMED_ERRORS as error:
            raise problem_of(error, the_parts().catalogue) from error

    return with_problems


def problem_of(error: Exception, catalogue: Catalogue) -> Problem:
    """The problem that stands for an error of the rules, and its line in the log.

    Args:
        error: one of NAMED_ERRORS; another is raised again.
        catalogue: whom to write to.
    """
    match error:
        case TokenNotResolved():
            return _of_refusal(error)
        case UnknownProduct():
            log.warning(
                "A buyer of a product that is not in the catalogue arrived.", product_code=error.product_code
            )
            return Problem(
                400,
                "unknown-product",
                "This installation does not serve the product that was bought.",
                product_code=error.product_code,
            )
        case IncompleteAnswer():
            log.error(
                "AWS's answer does not identify the purchase: check its generation in the catalogue.",
                product_code=error.product_code,
                generation=error.generation,
                missing=error.missing,
            )
            return Problem(
                502,
                "aws-marketplace-answer-incomplete",
                "AWS Marketplace's answer lacks what identifies the purchase.",
                "The seller has to look into it. The purchase is not lost.",
            )
        case RegistrationExpired():
            return Problem(410, "registration-expired", "The registration has expired.", START_AGAIN)
        case SubscriptionClaimed():
            CLAIMS_REFUSED.inc()
            log.info(
                "A claim was refused: the subscription belongs to another customer.",
                registration_id=error.registration_id,
                subscription_id=error.subscription_id,
            )
            product = catalogue.find(error.product_code)
            support = product.support if product else catalogue.any_support()
            return Problem(
                409,
                "subscription-already-claimed",
                "This subscription already belongs to another customer.",
                f"Write to {support.in_words()} and quote both ids.",
                registration_id=error.registration_id,
                subscription_id=error.subscription_id,
                product_code=error.product_code,
            )
        case BoundTooOften():
            return Unavailable("Other purchases of the same account were in the way.")
        case SignInRefused():
            log.info("A sign-in did not succeed.", reason=error.reason)
            return Problem(400, "sign-in-refused", "The sign-in did not succeed.")
        case SignInAway():
            log.warning("A sign-in provider is away.", reason=error.reason)
            return Problem(503, "sign-in-unavailable", "The sign-in provider did not answer.", retry_after=5)
        case NoSuchCustomer():
            return NotFound()
        case VersionNotMet():
            return Problem(412, "precondition-failed", "It has changed since you read it.", "Read it again.")
        case ChangedTooOften():
            return Problem(
                409, "conflict", "The state of things forbids it.", "Others are changing it; try again."
            )
        case AccountTaken():
            return Problem(
                409, "account-taken", "This account is another customer's.", "Its id names one customer only."
            )
        case OperatorsOnly():
            places = "1 place is" if len(error.names) == 1 else f"{len(error.names)} places are"
            return Problem(
                403,
                "operators-only",
                "Only an operator may change this.",
                f"{places} not a buyer's to change; nothing was changed.",
                errors=[
                    {
                        "in": "body",
                        "path": f"/{name}",
                        "reason": _WHY_OPERATORS_ONLY.get(name, _NOT_THOUGHT_OF),
                    }
                    for name in error.names
                ],
            )
        case _:
            raise error


def _of_refusal(error: TokenNotResolved) -> Problem:
    match error.refusal:
        case Refusal.INVALID_TOKEN:
            log.info("A registration token was refused: AWS does not know it.", error_code=error.error_code)
            return Problem(
                400, "invalid-token", "AWS Marketplace does not know this registration token.", START_AGAIN
            )
        case Refusal.EXPIRED_TOKEN:
            log.info("A registration token was refused: it has expired.", error_code=error.error_code)
            return Problem(400, "expired-token", "The registration token has expired.", START_AGAIN)
        case Refusal.AWAY:
            log.warning("AWS Marketplace is away; the buyer was asked to wait.", error_code=error.error_code)
            return Unavailable("AWS Marketplace did not answer, or asked us to slow down.")
        case Refusal.OUR_FAULT:
            log.error(
                "AWS Marketplace refuses us: check credentials, permissions, Region. No buyer can register.",
                error_code=error.error_code,
            )
            return Problem(
                502,
                "aws-marketplace-refused",
                "AWS Marketplace refused the call.",
                "The seller has to look into it. The purchase is not lost.",
            )
