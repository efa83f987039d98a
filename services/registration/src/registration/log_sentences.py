"""What both doors log of a buyer, in the same words: a buyer may come by the page or by the JSON API."""

import structlog

from registration.registrations import Registration

log = structlog.get_logger()


def say_arrived(registration: Registration) -> None:
    log.info(
        "A buyer arrived; the token was resolved.",
        registration_id=registration.registration_id,
        subscription_id=registration.purchase.subscription_id,
        product_code=registration.purchase.product_code,
        agreement_id=registration.purchase.agreement_id,
        status=registration.status,
    )


def say_registered(registration: Registration) -> None:
    log.info(
        "A buyer registered; the subscription is claimed.",
        registration_id=registration.registration_id,
        subscription_id=registration.purchase.subscription_id,
        customer_id=registration.customer_id,
    )
