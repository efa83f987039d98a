"""The JSON API's operations; each function is an operationId of `openapi/registration.yaml`."""

import hashlib
from typing import Any

import connexion
import flask
import orjson
import structlog

from chassis.auth import Caller
from chassis.problems import NotFound, Problem
from chassis.tables import foreign_cursor
from chassis.times import rfc3339
from chassis.web import caller, json_answer, sender_address
from registration import customer_changes
from registration.arriving import EntitlementsNotRead, arrive, granted
from registration.callers import Sight, asker, sight_of
from registration.customer_search import Search, search, search_own
from registration.customers import Customer, CustomerDetails
from registration.form_fields import answers
from registration.identities import Identity
from registration.log_sentences import say_arrived, say_entitlements_not_read, say_registered
from registration.parts import Parts, SessionHolder, the_parts
from registration.problems import names_errors
from registration.registering import Registered, register
from registration.registrations import Registration, RegistrationExpired
from registration.schemas import (
    CustomerChangeSchema,
    CustomerDetailsSchema,
    CustomerSchema,
    EntitlementSchema,
    ExportedClaimSchema,
    ExportedCustomerSchema,
    HeldSubscriptionSchema,
    OutboxItemSchema,
    RegistrationSchema,
    SubscriptionAccessSchema,
)
from registration.subscription_access import HeldSubscription, customer_access, held_by, is_trial

log = structlog.get_logger()

# Made once: to make a schema costs ten times what it costs to use it.
_SUBSCRIPTION_ACCESS = SubscriptionAccessSchema(many=True)

# -- registrations -------------------------------------------------------------------------------------------


@names_errors
def create_registration(body: dict[str, Any]) -> flask.Response:
    parts = the_parts()
    parts.rates.api_arrivals.take(sender_address())
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
        _registration_answer(parts.seen(registration), parts) | {"session_secret": parts.seal.seal(session)},
        201,
        {"Location": f"/v1/registrations/{registration.registration_id}", "Cache-Control": "no-store"},
    )


@names_errors
def get_registration(registration_id: str) -> flask.Response:
    parts = the_parts()
    registration = _reachable(registration_id, caller(), parts)
    if isinstance(caller(), SessionHolder) and registration.expired(parts.now()):
        raise RegistrationExpired
    return json_answer(_registration_answer(registration, parts))


@names_errors
def register_customer(registration_id: str, body: dict[str, Any]) -> flask.Response:
    parts = the_parts()
    registration = _reachable(registration_id, caller(), parts)
    product = parts.product_of(registration)
    if product is not None and product.sign_in == "required" and isinstance(caller(), SessionHolder):
        raise Problem(
            403,
            "sign-in-needed",
            "This product's accounts open with a sign-in.",
            "Use PUT …/signed-in-customer with the bearer token of who signed in.",
        )
    return _register(registration, _details(body, registration, parts), None, parts)


@names_errors
def connect_customer(registration_id: str, body: dict[str, Any]) -> flask.Response:
    parts = the_parts()
    # Both guards have let this pass; each told who.
    proofs = connexion.context.context["token_info"]
    holder: Caller = proofs["registrationSession"]["caller"]
    person: Caller = proofs["bearer"]["caller"]
    registration = _reachable(registration_id, holder, parts)
    identity = Identity(str(person.facts["iss"]), str(person.subject))
    return _register(registration, _details(body, registration, parts), identity, parts)


def _register(
    registration: Registration, details: CustomerDetails, identity: Identity | None, parts: Parts
) -> flask.Response:
    parts.rates.submits.take(registration.registration_id)
    registered = register(
        parts.tables,
        parts.gone_along(registration),
        details,
        identity,
        parts.product_of(registration),
        parts.now(),
    )
    say_registered(registered)
    if registered.to_ask:
        registered = _asked(registered, parts)
    answer = _registration_answer(registered.registration, parts)
    if registered.created:
        return json_answer(answer, 201, {"Location": f"/v1/customers/{answer['customer_id']}"})
    return json_answer(answer)


def _asked(registered: Registered, parts: Parts) -> Registered:
    """Ask the seller's back end once while the caller waits; if it does not answer, the worker asks again."""
    assert registered.to_ask
    parts.outbox.attempt(registered.to_ask)
    again = parts.tables.registration(registered.registration.registration_id)
    registration = parts.seen(again or registered.registration)
    customer = parts.tables.customer(registration.customer_id) if registration.customer_id else None
    return Registered(registration, created=customer is not None and customer.version == 1)


def _details(body: dict[str, Any], registration: Registration, parts: Parts) -> CustomerDetails:
    """What the caller says of the customer.

    Raises:
        Problem: 400, the product's own fields are not as the catalogue has them.
    """
    product = parts.product_of(registration)
    fields, errors = answers(product.fields if product else (), body.get("fields", {}), refuse_unknown=True)
    if errors:
        raise Problem(
            400,
            "invalid-request",
            "The request does not fit the product.",
            f"{len(errors)} of the product's own fields cannot be taken.",
            errors=[
                {"in": "body", "path": f"/fields/{name}", "reason": " ".join(reasons)}
                for name, reasons in errors.items()
            ],
        )
    details: CustomerDetails = CustomerDetailsSchema().load(body | {"fields": fields})
    return details


def _reachable(registration_id: str, who: Caller, parts: Parts) -> Registration:
    """The registration, for its own session or an operator; another's session is told that there is none."""
    if isinstance(who, SessionHolder) and who.subject != registration_id:
        raise NotFound
    registration = parts.tables.registration(registration_id)
    if registration is None:
        raise NotFound
    return parts.seen(registration)


def _registration_answer(registration: Registration, parts: Parts) -> dict[str, Any]:
    product_code = registration.purchase.product_code
    answer: dict[str, Any] = RegistrationSchema().dump(registration)
    published = parts.tables.news_of(registration.purchase.subscription_id)
    return answer | {
        "product": {"product_code": product_code, "title": parts.catalogue.title_of(product_code)},
        "free_trial": is_trial(published, registration.offer_type),
        "entitlements": _entitlements(registration, parts),
    }


def _entitlements(registration: Registration, parts: Parts) -> list[dict[str, Any]] | None:
    try:
        found = granted(
            registration, marketplace=parts.marketplace, catalogue=parts.catalogue, tables=parts.tables
        )
    except EntitlementsNotRead as error:
        say_entitlements_not_read(error, registration)
        return None
    return None if found is None else EntitlementSchema(many=True).dump(found)


# -- customers -----------------------------------------------------------------------------------------------


@names_errors
def list_customers(
    email: str | None = None,
    account_id: str | None = None,
    subscription_id: str | None = None,
    product_code: str | None = None,
    customer_aws_account_id: str | None = None,
    status: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> flask.Response:
    parts = the_parts()
    wanted = Search(email, account_id, subscription_id, product_code, customer_aws_account_id, status)
    sight = _sight(parts)
    if sight.all:
        found, following = search(parts.tables, wanted, limit, cursor)
    elif cursor is not None:
        raise foreign_cursor()  # a buyer's list has one page
    else:
        own = parts.tables.customer(sight.own) if sight.own else None
        found, following = search_own(parts.tables, wanted, own) if own else [], None
    return json_answer({"items": _customer_answers(found, parts), "next_cursor": following})


@names_errors
def get_customer(customer_id: str) -> flask.Response:
    parts = the_parts()
    _look_for(customer_id, _sight(parts, services_see=True))
    return _customer_answer(_active(customer_id, parts), parts)


@names_errors
def change_customer(customer_id: str, body: dict[str, Any]) -> flask.Response:
    parts = the_parts()
    sight = _sight(parts)
    _look_for(customer_id, sight)
    if not sight.all:
        customer_changes.check_buyers_change(body)
    customer = customer_changes.change(
        parts.tables,
        customer_id,
        CustomerChangeSchema().load(body),
        flask.request.headers.get("If-Match"),
        parts.now(),
    )
    log.info("A customer was changed.", customer_id=customer_id, version=customer.version, by=_by(sight))
    return _customer_answer(customer, parts)


@names_errors
def delete_customer(customer_id: str) -> flask.Response:
    parts = the_parts()
    sight = _sight(parts)
    _look_for(customer_id, sight)
    customer_changes.erase(parts.tables, customer_id, parts.now())
    log.info("A customer's personal data was erased.", customer_id=customer_id, by=_by(sight))
    return flask.Response(status=204)


@names_errors
def get_customer_access(customer_id: str) -> flask.Response:
    parts = the_parts()
    _look_for(customer_id, _sight(parts, services_see=True))
    found, published = parts.tables.customer_with_news(customer_id)
    customer = _not_deleted(found)
    held = held_by([customer], parts.tables, parts.catalogue, published)[customer.customer_id]
    body = orjson.dumps(
        {
            "customer_id": customer.customer_id,
            "account_id": customer.account_id,
            "access": customer_access(held),
            "can_pay": any(one.can_pay for one in held),
            "subscriptions": _SUBSCRIPTION_ACCESS.dump(held),
        }
    )
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if _has(flask.request.headers.get("If-None-Match"), etag):
        return flask.Response(status=304, headers=headers)
    return flask.Response(body, headers=headers, content_type="application/json")


@names_errors
def export_customer(customer_id: str) -> flask.Response:
    parts = the_parts()
    sight = _sight(parts)
    _look_for(customer_id, sight)
    customer = _active(customer_id, parts)
    identities = parts.tables.identities_of(customer)
    claims = parts.tables.claims_of(customer.subscription_ids)
    log.info("A customer's data was exported.", customer_id=customer_id, by=_by(sight))
    return json_answer(
        {
            "exported_at": rfc3339(parts.now()),
            "customer": ExportedCustomerSchema().dump(customer),
            "identities": [
                {"issuer": one.issuer, "subject": one.subject, "connected_at": rfc3339(since)}
                for one, since in identities
            ],
            "subscriptions": ExportedClaimSchema(many=True).dump(
                claims[one] for one in customer.subscription_ids if one in claims
            ),
        },
        headers={
            "Content-Disposition": f'attachment; filename="{customer_id}.json"',
            "Cache-Control": "no-store",
        },
    )


def _sight(parts: Parts, *, services_see: bool = False) -> Sight:
    """Which customers are there for the caller."""
    who = asker(caller().scopes, caller().person)
    return sight_of(who, parts.tables.customer_id_of, services_see=services_see)


def _look_for(customer_id: str, sight: Sight) -> None:
    """
    Raises:
        NoSuchCustomer: there is no such one for the caller; whether there is one, is not even looked up.
    """
    if not sight.shows(customer_id):
        raise customer_changes.NoSuchCustomer


def _by(sight: Sight) -> str:
    """Who did it, for the log. A buyer is not called by their token's subject, which may be an address."""
    return caller().name if sight.all else "the buyer"


def _active(customer_id: str, parts: Parts) -> Customer:
    return _not_deleted(parts.tables.customer(customer_id))


def _not_deleted(customer: Customer | None) -> Customer:
    if customer is None or customer.status == "deleted":
        raise customer_changes.NoSuchCustomer
    return customer


def _has(if_none_match: str | None, etag: str) -> bool:
    """Whether the caller has this answer (RFC 9110 §13.1.2: by the weak comparison)."""
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return "*" in tags or etag in tags


def _customer_answer(customer: Customer, parts: Parts) -> flask.Response:
    return json_answer(_customer_answers([customer], parts)[0], headers={"ETag": customer.etag})


def _customer_answers(customers: list[Customer], parts: Parts) -> list[dict[str, Any]]:
    held: dict[str, list[HeldSubscription]] = held_by(customers, parts.tables, parts.catalogue)
    return [
        CustomerSchema().dump(customer)
        | {
            "access": customer_access(held[customer.customer_id]),
            "subscriptions": HeldSubscriptionSchema(many=True).dump(held[customer.customer_id]),
        }
        for customer in customers
    ]


# -- the outbox ----------------------------------------------------------------------------------------------


def list_outbox_items(state: str | None = None, limit: int = 50, cursor: str | None = None) -> flask.Response:
    parts = the_parts()
    page, following = parts.tables.outbox(limit, cursor)
    now = parts.now()
    shown = [
        OutboxItemSchema().dump(item) | {"state": item.state(now)}
        for item in page
        if state is None or item.state(now) == state
    ]
    return json_answer({"items": shown, "next_cursor": following})


def retry_outbox_item(outbox_id: str) -> flask.Response:
    parts = the_parts()
    item = parts.tables.outbox_item(outbox_id)
    if item is None:
        raise NotFound
    now = parts.now()
    hurried = item.hurried(now)
    if not parts.tables.replace_outbox_item(item, hurried):
        # It is in somebody's hands this moment, or done: then there is nothing to hurry.
        hurried = parts.tables.outbox_item(outbox_id) or hurried
    log.info("An outbox item is to be tried again now.", outbox_id=outbox_id, by=caller().name)
    return json_answer(OutboxItemSchema().dump(hurried) | {"state": hurried.state(now)})
