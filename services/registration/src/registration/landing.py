"""What a buyer's browser meets: AWS's form post, the registration page and its own forms, sign-in."""

from typing import Any

import flask
import structlog
from marshmallow import ValidationError

from chassis.aws import is_outage
from chassis.problems import NotFound, Problem, Unavailable
from chassis.web import sender_address
from registration import signing_in
from registration.arriving import EntitlementsNotRead, arrive, granted
from registration.catalogue import Product
from registration.customers import Customer
from registration.form_fields import answers
from registration.log_sentences import say_arrived, say_entitlements_not_read, say_registered
from registration.pages import page, reader_language
from registration.parts import RETRY_LASTS, Parts, the_parts
from registration.problems import NAMED_ERRORS, names_errors, problem_of
from registration.registering import register
from registration.registrations import Registration, RegistrationExpired
from registration.resolve_refusals import Refusal, TokenNotResolved
from registration.schemas import CustomerFormSchema, entitlements_shown
from registration.sessions import Session
from registration.sign_in_providers import Provider
from registration.signing_in import Person
from registration.subscription_access import HeldSubscription, held_by, is_trial

log = structlog.get_logger()

_TOKEN_FIELD = "x-amzn-marketplace-token"  # nosec B105 # the field's name
_OFFER_TYPE_FIELD = "x-amzn-marketplace-offer-type"
_RETRY_FIELD = "retry"

# AWS documents one value, `free-trial`. What a stranger may make us keep is bounded.
_LONGEST_OFFER_TYPE = 64
# What AWS and our own retry form post is far below; an encrypted text grows by a third.
_LONGEST_TOKEN = 16_384


@names_errors
def receive_buyer() -> flask.Response:
    parts = the_parts()
    parts.rates.landings.take(sender_address())
    token, offer_type = _brought(parts)
    try:
        registration, session = arrive(
            token,
            offer_type,
            marketplace=parts.marketplace,
            catalogue=parts.catalogue,
            tables=parts.tables,
            now=parts.now(),
            minutes=parts.session_minutes,
        )
    except Exception as error:
        if isinstance(error, NAMED_ERRORS):
            problem = problem_of(error, parts.catalogue)
        elif is_outage(error):
            log.warning("A buyer's arrival could not be kept.", error=type(error).__name__)
            problem = Unavailable("The tables cannot be reached.")
        else:
            raise
        if problem.status == 503:
            # The browser keeps it, encrypted: we keep no token, and the buyer needs no new one.
            problem.more["retry"] = parts.retry_box.seal(f"{offer_type or ''}\n{token}", parts.now())
        raise problem from error
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


@names_errors
def show_page() -> flask.Response:
    parts = the_parts()
    session, registration = _present(parts)
    if session is None or registration is None or registration.expired(parts.now()):
        return page("start.html")
    registration = parts.gone_along(registration)
    if registration.customer_id is not None:
        return _account_page(registration, parts)
    if registration.handing_over:
        return page("waiting.html", product=parts.product_of(registration), ids=_ids(registration))
    return _form_page(registration, session, parts)


@names_errors
def submit_customer() -> flask.Response:
    parts = the_parts()
    session, registration = _own_form(parts)
    form = flask.request.form
    product = parts.product_of(registration)
    person = signing_in.unsealed(registration.signed_in, session, parts.now())
    if person is None and product is not None and product.sign_in == "required":
        raise Problem(403, "sign-in-needed", "This product's accounts open with a sign-in.")
    fields, errors = answers(product.fields if product else (), form, refuse_unknown=False)
    known = _account_of(person, parts) if person else None
    contact = _contact(known) if known else dict(form)
    try:
        details = CustomerFormSchema().load(contact | {"fields": fields, "language": reader_language()})
    except ValidationError as error:
        errors = error.messages_dict | errors
    if errors:
        return _form_page(registration, session, parts, entered=form, errors=errors)
    registered = register(
        parts.tables,
        parts.gone_along(registration),
        details,
        person.identity if person else None,
        product,
        parts.now(),
    )
    say_registered(registered)
    if registered.to_ask:
        # Its answer, if it comes in time, is on the page that follows; if not, the worker asks again.
        parts.outbox.attempt(registered.to_ask)
    return _to_the_page()


@names_errors
def start_sign_in(provider: str) -> flask.Response:
    parts = the_parts()
    session, registration, chosen = _to_sign_in(provider, parts)
    attempt = signing_in.begin(session, provider)
    address = chosen.address(
        state=attempt.state,
        nonce=attempt.nonce,
        code_verifier=attempt.code_verifier,
        redirect_uri=_return_address(provider, parts),
    )
    log.info("A buyer goes to sign in.", registration_id=registration.registration_id, provider=provider)
    return flask.Response(status=303, headers={"Location": address, "Cache-Control": "no-store"})


@names_errors
def finish_sign_in(provider: str) -> flask.Response:
    parts = the_parts()
    session, registration, chosen = _to_sign_in(provider, parts)
    query = flask.request.args
    attempt = signing_in.resume(session, provider, query.get("state", ""))
    code = query.get("code", "")
    if attempt is None or not code:
        log.info(
            "A sign-in did not succeed.",
            registration_id=registration.registration_id,
            provider=provider,
            reason="another session's state" if attempt is None else "the provider gave no code",
        )
        raise Problem(400, "sign-in-refused", "The sign-in did not succeed.")
    found = chosen.signed_in(
        code=code,
        nonce=attempt.nonce,
        code_verifier=attempt.code_verifier,
        redirect_uri=_return_address(provider, parts),
    )
    person = Person(provider, found.issuer, found.subject, found.email, found.name)
    parts.tables.keep_signed_in(registration.registration_id, signing_in.sealed(person, session, parts.now()))
    log.info("A buyer signed in.", registration_id=registration.registration_id, provider=provider)
    return _to_the_page()


@names_errors
def sign_out() -> flask.Response:
    parts = the_parts()
    _, registration = _own_form(parts)
    parts.tables.keep_signed_in(registration.registration_id, None)
    return _to_the_page()


def _brought(parts: Parts) -> tuple[str, str | None]:
    """Token and offer type: from AWS's form, or from our own apology's."""
    form = flask.request.form
    token = form.get(_TOKEN_FIELD, "")
    if token and len(token) <= _LONGEST_TOKEN:
        return token, _offer_type(form.get(_OFFER_TYPE_FIELD, ""))
    kept = parts.retry_box.open(form.get(_RETRY_FIELD, ""), parts.now(), RETRY_LASTS)
    if kept is None:
        raise TokenNotResolved(Refusal.INVALID_TOKEN, "no token in the form")
    offer_type, _, token = kept.partition("\n")
    return token, offer_type or None


def _present(parts: Parts) -> tuple[Session | None, Registration | None]:
    """The browser's session and what it opens."""
    session = parts.seal.unseal(flask.request.cookies.get(parts.cookie_name, ""))
    return session, parts.registration_of(session) if session else None


def _within_session(parts: Parts) -> tuple[Session, Registration]:
    """Session and registration of a request that needs both, counted against the session's rate."""
    session, registration = _present(parts)
    if session is None or registration is None or registration.expired(parts.now()):
        raise RegistrationExpired
    parts.rates.submits.take(session.registration_id)
    return session, registration


def _own_form(parts: Parts) -> tuple[Session, Registration]:
    """The same for a form, which must be one that our page showed in this session."""
    session, registration = _within_session(parts)
    if not session.wrote(flask.request.form.get("csrf_token", "")):
        raise Problem(403, "foreign-form", "The form was not shown in this session.")
    return session, registration


def _to_sign_in(key: str, parts: Parts) -> tuple[Session, Registration, Provider]:
    """The same for a sign-in, at a provider that there is."""
    provider = parts.providers.get(key)
    if provider is None:
        raise NotFound
    session, registration = _within_session(parts)
    product = parts.product_of(registration)
    if product is not None and product.sign_in == "off":
        raise NotFound
    return session, registration, provider


def _return_address(provider: str, parts: Parts) -> str:
    # From the settings, never from the request's Host: a provider must send nobody to a stranger's.
    return f"{parts.public_url}/register/sign-in/{provider}/callback"


def _form_page(
    registration: Registration, session: Session, parts: Parts, entered: Any = None, errors: Any = None
) -> flask.Response:
    product = parts.product_of(registration)
    person = signing_in.unsealed(registration.signed_in, session, parts.now())
    sign_in = product.sign_in if product else "off"
    refused = registration.refusal
    return page(
        "register.html",
        400 if errors else 200,
        product=product,
        trial=is_trial(parts.tables.news_of(registration.purchase.subscription_id), registration.offer_type),
        csrf_token=session.csrf_token(),
        entered=entered or {},
        errors=errors or {},
        refused=None if refused is None else refused or "Please check what you entered, or write to us.",
        ways={
            "form": sign_in != "required" or person is not None,
            "sign_in": [{"key": key, "title": provider.title} for key, provider in parts.providers.items()]
            if sign_in != "off"
            else [],
        },
        signed_in=_shown(person, parts) if person else None,
        **_entitlements(registration, product, parts),
    )


def _shown(person: Person, parts: Parts) -> dict[str, Any]:
    provider = parts.providers.get(person.provider)
    return {
        "name": person.name,
        "email": person.email,
        "provider_title": provider.title if provider else person.issuer,
        "known": _account_of(person, parts) is not None,
    }


def _account_of(person: Person, parts: Parts) -> Customer | None:
    """The account that this sign-in leads to, if there is one already."""
    customer_id = parts.tables.customer_id_of(person.identity)
    return parts.tables.customer(customer_id) if customer_id else None


def _contact(customer: Customer) -> dict[str, str]:
    """What the form does not ask of somebody who has an account."""
    told = {"email": customer.email, "name": customer.name, "company": customer.company}
    return {name: text for name, text in told.items() if text}


def _entitlements(registration: Registration, product: Product | None, parts: Parts) -> dict[str, Any]:
    """What a contract grants: whether to show it at all, and None where AWS could not be asked."""
    if product is None or not product.has_entitlements:
        return {"show_entitlements": False, "entitlements": None}
    try:
        found = granted(
            registration, marketplace=parts.marketplace, catalogue=parts.catalogue, tables=parts.tables
        )
    except EntitlementsNotRead as error:
        say_entitlements_not_read(error, registration)
        found = None
    return {
        "show_entitlements": True,
        "entitlements": None if found is None else entitlements_shown(found, product),
    }


def _account_page(registration: Registration, parts: Parts) -> flask.Response:
    customer = parts.tables.customer(registration.customer_id) if registration.customer_id else None
    if customer is None or customer.status == "deleted" or not registration.made_the_customer:
        # Whoever landed again proves the purchase, not that they are the person who registered it.
        customer = None
    access = _access_to(registration.purchase.subscription_id, customer, parts) if customer else None
    product = parts.product_of(registration)
    shown = _entitlements(registration, product, parts) if customer else {"show_entitlements": False}
    return page(
        "registered.html",
        product=product,
        customer=customer,
        customer_id=registration.customer_id,
        subscription_id=registration.purchase.subscription_id,
        account_id=customer.account_id if customer else None,
        access=access,
        trial=access.free_trial if access else is_trial(None, registration.offer_type),
        trial_ends_at=access.trial_ends_at if access else None,
        **{"entitlements": None, **shown},
    )


def _access_to(subscription_id: str, customer: Customer, parts: Parts) -> HeldSubscription | None:
    try:
        held = held_by([customer], parts.tables, parts.catalogue)[customer.customer_id]
    except Unavailable:
        # The buyer has registered and must see so; without the sibling's table access has just not come yet.
        return None
    return next((one for one in held if one.subscription_id == subscription_id), None)


def _ids(registration: Registration) -> dict[str, str]:
    return {
        "registration_id": registration.registration_id,
        "subscription_id": registration.purchase.subscription_id,
    }


def _offer_type(text: str) -> str | None:
    fits = 0 < len(text) <= _LONGEST_OFFER_TYPE and text.replace("-", "").replace("_", "").isalnum()
    return text if fits and text.isascii() else None


def _to_the_page() -> flask.Response:
    return flask.Response(status=303, headers={"Location": "/register", "Cache-Control": "no-store"})
