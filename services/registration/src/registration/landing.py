"""The pages that a buyer's browser sees: AWS's form post, the registration page, the page's own form."""

from typing import Any

import flask
from marshmallow import ValidationError

from chassis.problems import Problem, Unavailable
from registration.arriving import arrive
from registration.customers import Customer
from registration.log_sentences import say_arrived, say_registered
from registration.pages import for_people, page
from registration.parts import Parts, the_parts
from registration.registering import register
from registration.registrations import Registration, RegistrationExpired
from registration.resolve_refusals import Refusal, TokenNotResolved
from registration.schemas import CustomerFormSchema
from registration.sessions import Session
from registration.subscription_access import HeldSubscription, held_by

_TOKEN_FIELD = "x-amzn-marketplace-token"
_OFFER_TYPE_FIELD = "x-amzn-marketplace-offer-type"

# AWS documents one value, `free-trial`. What a stranger may make us keep is bounded.
_LONGEST_OFFER_TYPE = 64


@for_people
def receive_buyer() -> flask.Response:
    parts = the_parts()
    token = flask.request.form.get(_TOKEN_FIELD, "")
    if not token:
        raise TokenNotResolved(Refusal.INVALID_TOKEN, "no token in the form")
    registration, session = arrive(
        token,
        _offer_type(flask.request.form.get(_OFFER_TYPE_FIELD, "")),
        marketplace=parts.marketplace,
        catalogue=parts.catalogue,
        tables=parts.tables,
        now=parts.now(),
        minutes=parts.session_minutes,
    )
    say_arrived(registration)
    answer = _to_the_page()
    # Lax, not Strict: the redirect that follows belongs to a navigation that began on AWS's site.
    answer.set_cookie(
        parts.cookie_name,
        parts.seal.seal(session),
        secure=parts.cookie_secure,
        httponly=True,
        samesite="Lax",
        path="/",
    )
    return answer


@for_people
def show_page() -> flask.Response:
    parts = the_parts()
    session, registration = _present(parts)
    if session is None or registration is None or registration.expired(parts.now()):
        return page("start.html")
    if registration.customer_id is not None:
        return _account_page(registration, parts)
    return _form_page(registration, session, parts)


@for_people
def submit_customer() -> flask.Response:
    parts = the_parts()
    session, registration = _present(parts)
    if session is None or registration is None:
        raise RegistrationExpired
    form = flask.request.form
    if not session.wrote(form.get("csrf_token", "")):
        raise Problem(403, "foreign-form", "The form was not shown in this session.")
    try:
        details = CustomerFormSchema().load(form)
    except ValidationError as error:
        return _form_page(registration, session, parts, entered=form, errors=error.messages_dict)
    registered = register(parts.tables, registration, details, parts.now())
    if registered.created:
        say_registered(registered.registration)
    return _to_the_page()


def _present(parts: Parts) -> tuple[Session | None, Registration | None]:
    """The browser's session and what it opens."""
    session = parts.seal.unseal(flask.request.cookies.get(parts.cookie_name, ""))
    return session, parts.registration_of(session) if session else None


def _form_page(
    registration: Registration, session: Session, parts: Parts, entered: Any = None, errors: Any = None
) -> flask.Response:
    product = parts.catalogue.find(registration.purchase.product_code)
    return page(
        "register.html",
        400 if errors else 200,
        product=product,
        support=product.support if product else parts.catalogue.any_support(),
        trial=registration.offer_type == "free-trial",
        csrf_token=session.csrf_token(),
        entered=entered or {},
        errors=errors or {},
    )


def _account_page(registration: Registration, parts: Parts) -> flask.Response:
    customer = parts.tables.customer(registration.customer_id) if registration.customer_id else None
    if customer is None or customer.status == "deleted" or not registration.made_the_customer:
        # Whoever landed again proves the purchase, not that they are the person who registered it.
        customer = None
    access = _access_to(registration.purchase.subscription_id, customer, parts) if customer else None
    product = parts.catalogue.find(registration.purchase.product_code)
    return page(
        "registered.html",
        product=product,
        support=product.support if product else parts.catalogue.any_support(),
        customer=customer,
        customer_id=registration.customer_id,
        subscription_id=registration.purchase.subscription_id,
        access=access,
    )


def _access_to(subscription_id: str, customer: Customer, parts: Parts) -> HeldSubscription | None:
    try:
        held = held_by([customer], parts.tables, parts.catalogue)[customer.customer_id]
    except Unavailable:
        # The buyer has registered and must see so; without the sibling's table access has just not come yet.
        return None
    return next((one for one in held if one.subscription_id == subscription_id), None)


def _offer_type(text: str) -> str | None:
    fits = 0 < len(text) <= _LONGEST_OFFER_TYPE and text.replace("-", "").replace("_", "").isalnum()
    return text if fits and text.isascii() else None


def _to_the_page() -> flask.Response:
    return flask.Response(status=303, headers={"Location": "/register", "Cache-Control": "no-store"})
