"""The JSON API's operations; each function is an operationId of `openapi/registration.yaml`."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import flask
import structlog

from chassis.problems import NotFound
from chassis.web import caller, json_answer
from registration import customer_changes
from registration.arriving import arrive
from registration.catalogue import Catalogue
from registration.customers import Customer
from registration.log_sentences import say_arrived, say_registered
from registration.parts import Parts, SessionHolder, the_parts
from registration.problems import NAMED_ERRORS, problem_of
from registration.registering import register
from registration.registrations import Registration, RegistrationExpired
from registration.schemas import (
    CustomerChangeSchema,
    CustomerDetailsSchema,
    CustomerSchema,
    HeldSubscriptionSchema,
    RegistrationSchema,
)
from registration.subscription_access import customer_access, held_by

log = structlog.get_logger()

P = ParamSpec("P")


def _names_errors(operation: Callable[P, flask.Response]) -> Callable[P, flask.Response]:
    """Turn an error of the rules into the problem that stands for it."""

    @wraps(operation)
    def with_problems(*args: P.args, **kwargs: P.kwargs) -> flask.Response:
        try:
            return operation(*args, **kwargs)
        except NAMED_ERRORS as error:
            raise problem_of(error, the_parts().catalogue) from error

    return with_problems


@_names_errors
def create_registration(body: dict[str, Any]) -> flask.Response:
    parts = the_parts()
    registration, session = arrive(
        body["registration_token"],
        body.get("offer_type"),
        marketplace=parts.marketplace,
        catalogue=parts.catalogue,
        tables=parts.tables,
        now=parts.now(),
        minutes=parts.session_minutes,
    )
    say_arrived(registration)
    return json_answer(
        _registration_answer(registration, parts.catalogue) | {"session_secret": parts.seal.seal(session)},
        201,
        {"Location": f"/v1/registrations/{registration.registration_id}", "Cache-Control": "no-store"},
    )


@_names_errors
def get_registration(registration_id: str) -> flask.Response:
    parts = the_parts()
    registration = _reachable(registration_id, parts)
    if isinstance(caller(), SessionHolder) and registration.expired(parts.now()):
        raise RegistrationExpired
    return json_answer(_registration_answer(registration, parts.catalogue))


@_names_errors
def register_customer(registration_id: str, body: dict[str, Any]) -> flask.Response:
    parts = the_parts()
    registration = _reachable(registration_id, parts)
    registered = register(parts.tables, registration, CustomerDetailsSchema().load(body), parts.now())
    if registered.created:
        say_registered(registered.registration)
    answer = _registration_answer(registered.registration, parts.catalogue)
    if registered.created:
        return json_answer(answer, 201, {"Location": f"/v1/customers/{answer['customer_id']}"})
    return json_answer(answer)


@_names_errors
def list_customers(
    email: str | None = None, subscription_id: str | None = None, limit: int = 50, cursor: str | None = None
) -> flask.Response:
    parts = the_parts()
    following: str | None = None
    if subscription_id is not None:
        claim = parts.tables.claim_of(subscription_id)
        holder = parts.tables.customer(claim.customer_id) if claim else None
        found = [holder] if holder and (email is None or holder.has_email(email)) else []
    elif email is not None:
        found, following = parts.tables.customers_with_email(email, limit, cursor)
    else:
        found, following = parts.tables.customers(limit, cursor)
    active = [customer for customer in found if customer.status == "active"]
    return json_answer({"items": _customer_answers(active, parts), "next_cursor": following})


@_names_errors
def get_customer(customer_id: str) -> flask.Response:
    parts = the_parts()
    customer = parts.tables.customer(customer_id)
    if customer is None or customer.status == "deleted":
        raise customer_changes.NoSuchCustomer
    return _customer_answer(customer, parts)


@_names_errors
def change_customer(customer_id: str, body: dict[str, Any]) -> flask.Response:
    parts = the_parts()
    customer = customer_changes.change(
        parts.tables,
        customer_id,
        CustomerChangeSchema().load(body),
        flask.request.headers.get("If-Match"),
        parts.now(),
    )
    log.info("A customer was changed.", customer_id=customer_id, version=customer.version, by=caller().name)
    return _customer_answer(customer, parts)


@_names_errors
def delete_customer(customer_id: str) -> flask.Response:
    parts = the_parts()
    customer_changes.erase(parts.tables, customer_id, parts.now())
    log.info("A customer's personal data was erased.", customer_id=customer_id, by=caller().name)
    return flask.Response(status=204)


def _registration_answer(registration: Registration, catalogue: Catalogue) -> dict[str, Any]:
    product_code = registration.purchase.product_code
    answer: dict[str, Any] = RegistrationSchema().dump(registration)
    answer["product"] = {"product_code": product_code, "title": catalogue.title_of(product_code)}
    return answer


def _reachable(registration_id: str, parts: Parts) -> Registration:
    """The registration, for its own session or an operator; another's session is told that there is none."""
    who = caller()
    if isinstance(who, SessionHolder) and who.subject != registration_id:
        raise NotFound
    registration = parts.tables.registration(registration_id)
    if registration is None:
        raise NotFound
    return registration.seen_with(parts.tables.claim_of(registration.purchase.subscription_id))


def _customer_answer(customer: Customer, parts: Parts) -> flask.Response:
    return json_answer(_customer_answers([customer], parts)[0], headers={"ETag": customer.etag})


def _customer_answers(customers: list[Customer], parts: Parts) -> list[dict[str, Any]]:
    held = held_by(customers, parts.tables, parts.catalogue)
    return [
        CustomerSchema().dump(customer)
        | {
            "access": customer_access(held[customer.customer_id]),
            "subscriptions": HeldSubscriptionSchema(many=True).dump(held[customer.customer_id]),
        }
        for customer in customers
    ]
