"""What both doors log and count of a buyer: they may come by the page or by the JSON API."""

from collections.abc import Iterable

import structlog

from registration.arriving import EntitlementsNotRead
from registration.claims import Claim
from registration.measures import ARRIVALS, BOUND
from registration.registering import Registered
from registration.registrations import Registration
from registration.renewals import Fate, Followed

log = structlog.get_logger()


def say_arrived(registration: Registration) -> None:
    ARRIVALS.labels(registration.purchase.product_code).inc()
    log.info(
        "A buyer arrived; the token was resolved.",
        registration_id=registration.registration_id,
        subscription_id=registration.purchase.subscription_id,
        product_code=registration.purchase.product_code,
        agreement_id=registration.purchase.agreement_id,
    )


def say_registered(registered: Registered) -> None:
    registration = registered.registration
    ids = {
        "registration_id": registration.registration_id,
        "subscription_id": registration.purchase.subscription_id,
    }
    if registered.to_ask:
        log.info("A buyer registered; the seller's back end is asked for the account.", **ids)
    elif registered.created:
        BOUND.labels("new").inc()
        log.info(
            "A buyer registered; the subscription is claimed.", customer_id=registration.customer_id, **ids
        )
    elif registered.joined:
        BOUND.labels("known").inc()
        log.info("A purchase joined an account that there is.", customer_id=registration.customer_id, **ids)


def say_handed_over(claim: Claim, bound: tuple[Claim, bool] | None, *, refused: bool) -> None:
    ids = {"registration_id": claim.registration_id, "subscription_id": claim.subscription_id}
    if refused:
        log.info("The seller's back end refused the account; the claim is given up.", **ids)
    elif bound is not None:
        BOUND.labels("new" if bound[1] else "known").inc()
        log.info("The seller's back end named the account.", customer_id=bound[0].customer_id, **ids)


def say_followed(followed: Iterable[Followed]) -> None:
    for one in followed:
        ids = {
            "subscription_id": one.subscription_id,
            "previous_subscription_id": one.previous.subscription_id,
            "customer_id": one.previous.customer_id,
        }
        match one.fate:
            case Fate.BOUND:
                BOUND.labels("renewed").inc()
                log.info("A renewal goes to the customer of the subscription before.", **ids)
            case Fate.ELSEWHERE:
                log.warning(
                    "A renewal belongs to another customer than the subscription before: somebody registered "
                    "it first. Nothing was moved; which is right, a person must find out.",
                    **ids,
                )
            case Fate.OTHER_PRODUCT:
                log.warning("A replacement is of another product; its buyer has to register it anew.", **ids)
            case Fate.ERASED:
                log.info("A renewal of an erased customer's subscription is nobody's yet.", **ids)


def say_entitlements_not_read(error: EntitlementsNotRead, registration: Registration) -> None:
    say = log.error if error.our_fault else log.warning
    say(
        "AWS did not say what a contract grants; the buyer sees so and goes on."
        + (" It refuses us: check credentials, permissions, Region." if error.our_fault else ""),
        registration_id=registration.registration_id,
        subscription_id=registration.purchase.subscription_id,
        error_code=error.error_code,
    )
