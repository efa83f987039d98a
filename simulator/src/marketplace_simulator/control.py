"""The control API under `/_simulator/`, a prefix that AWS never uses: what tests and local stacks turn.

Its contract is `openapi.yaml`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime
from functools import wraps
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from marketplace_simulator import identifiers
from marketplace_simulator.agreements import NO_END, Agreement
from marketplace_simulator.cancellation_requests import CancellationRequest
from marketplace_simulator.clock import Clock
from marketplace_simulator.control_actions import act_of
from marketplace_simulator.control_bodies import Fields
from marketplace_simulator.control_bodies import body_of as _body
from marketplace_simulator.control_faults import FaultControl
from marketplace_simulator.control_news import (
    https_item,
    news_items,
    read_https_roads,
    read_rule,
    read_sns_settings,
    rule_item,
    sns_item,
)
from marketplace_simulator.control_records import RecordControl
from marketplace_simulator.marketplace import HandOver, Marketplace
from marketplace_simulator.offers import LONGEST_TERM_DAYS, TRIAL_DAYS, Offer
from marketplace_simulator.problems import STATUS_OF_REFUSAL, Problem, problem_response
from marketplace_simulator.products import GENERATIONS, PRICING_MODELS, VALUE_TYPES, Dimension, Product
from marketplace_simulator.sns import CERTIFICATE_PATH, CONFIRMATION_PATH
from marketplace_simulator.sns_desk import SnsDesk
from marketplace_simulator.store import Store
from marketplace_simulator.times import rfc3339

_SLUGS = {404: "not-found", 409: "conflict", 503: "engine-unavailable"}

# Members of a catalogue's entry that AWS never hears of.
_SELLERS_OWN = ("support", "metering", "endpoints", "branding", "registration")

Endpoint = Callable[[Request], Awaitable[Response]]


class Control:
    """Requests in, acts done, JSON out."""

    def __init__(self, marketplace: Marketplace, store: Store, clock: Clock, sns_desk: SnsDesk) -> None:
        self._marketplace = marketplace
        self._store = store
        self._clock = clock
        self._faults = FaultControl(store)
        self._records = RecordControl(store, clock)
        self._sns_desk = sns_desk

    def routes(self) -> list[Route]:
        """The routes, relative to the prefix."""
        table: list[tuple[str, str, Endpoint]] = [
            ("GET", "/health", self.get_health),
            ("POST", "/reset", self.reset),
            ("GET", "/clock", self.get_clock),
            ("PUT", "/clock", self.move_clock),
            ("GET", "/products", self.list_products),
            ("POST", "/products", self.create_product),
            ("GET", "/agreements", self.list_agreements),
            ("POST", "/agreements", self.buy),
            ("GET", "/agreements/{agreement_id}", self.get_agreement),
            ("POST", "/agreements/{agreement_id}/tokens", self.create_token),
            ("POST", "/agreements/{agreement_id}/{action}", self.act),
            ("GET", "/bill", self._records.get_bill),
            ("GET", "/calls", self._records.list_calls),
            ("GET", "/deployment-parameters", self._records.list_deployment_parameters),
            ("GET", "/faults", self._faults.list_faults),
            ("POST", "/faults", self._faults.create_fault),
            ("DELETE", "/faults", self._faults.remove_faults),
            ("DELETE", "/faults/{fault_id}", self._faults.remove_fault),
            ("GET", "/switches", self._faults.get_switches),
            ("PUT", "/switches", self._faults.turn_switches),
            ("GET", "/news", self.list_news),
            ("GET", "/news-delivery", self.get_news_delivery),
            ("PUT", "/news-delivery", self.rule_news),
            ("DELETE", "/news-delivery", self.forget_news_rules),
            ("GET", "/sns", self.get_sns),
            ("PUT", "/sns", self.change_sns),
            ("GET", CERTIFICATE_PATH, self.get_certificate),
            ("GET", CONFIRMATION_PATH, self.confirm_topic),
            ("GET", "/https-delivery", self.get_https_delivery),
            ("PUT", "/https-delivery", self.change_https_delivery),
            ("GET", "/deliveries", self.list_deliveries),
            ("POST", "/deliveries", self.create_delivery),
        ]
        by_path: dict[str, dict[str, Endpoint]] = defaultdict(dict)
        for method, path, endpoint in table:
            by_path[path][method] = endpoint
        return [
            Route(path, _by_method(endpoints), methods=list(endpoints)) for path, endpoints in by_path.items()
        ]

    async def get_health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok", "news_waiting": self._marketplace.news_waiting()})

    async def reset(self, request: Request) -> Response:
        (await _body(request)).finish()
        self._marketplace.reset()
        return self._clock_answer()

    async def get_clock(self, request: Request) -> Response:
        return self._clock_answer()

    async def move_clock(self, request: Request) -> Response:
        fields = await _body(request)
        now, advance, speed = fields.moment("now"), fields.number("advance_seconds"), fields.number("speed")
        fields.finish()
        if sum(value is not None for value in (now, advance, speed)) != 1:
            raise Problem(400, "invalid-request", "Give exactly one of now, advance_seconds and speed.")
        await self._marketplace.move_clock(now=now, advance_seconds=advance, speed=speed)
        return self._clock_answer()

    async def list_products(self, request: Request) -> Response:
        return JSONResponse({"products": [_product(product) for product in self._store.products()]})

    async def create_product(self, request: Request) -> Response:
        fields = await _body(request)
        code = fields.text("product_code", pattern=r"[-a-zA-Z0-9_]+")
        product_id = fields.text("product_id", pattern=r"prod-[a-zA-Z0-9-]+")
        title = fields.text("title", required=True)
        generation = fields.text("generation", choices=GENERATIONS, required=True)
        pricing_model = fields.text("pricing_model", choices=PRICING_MODELS)
        registration_url = fields.http_address("registration_url")
        # Entries of a seller's catalogue may be posted as they are.
        for name in _SELLERS_OWN:
            fields.ignore(name)
        dimensions = _dimensions(fields)
        fields.finish()
        assert title is not None
        known = self._store.product(code) if code else None
        product = Product(
            product_code=code or identifiers.new_product_code(),
            product_id=product_id or (known.product_id if known else identifiers.new_product_id()),
            title=title,
            generation="legacy" if generation == "legacy" else "concurrent_agreements",
            pricing_model=next((known for known in PRICING_MODELS if known == pricing_model), "subscription"),
            dimensions=dimensions,
            registration_url=registration_url or (known.registration_url if known else None),
        )
        is_new = await self._marketplace.list_product(product)
        return JSONResponse(_product(product), 201 if is_new else 200)

    async def list_agreements(self, request: Request) -> Response:
        product_code = request.query_params.get("product_code")
        found = self._store.agreements(product_code)
        return JSONResponse({"agreements": [self._agreement(agreement) for agreement in found]})

    async def buy(self, request: Request) -> Response:
        fields = await _body(request)
        product_code = fields.text("product_code", required=True)
        account = fields.text("customer_aws_account_id", pattern=r"[0-9]{12}")
        offer = _offer(fields)
        entitlements = fields.units("entitlements")
        fields.finish()
        assert product_code is not None
        hand_over = await self._marketplace.buy(
            product_code, customer_aws_account_id=account, offer=offer, entitlements=entitlements
        )
        return JSONResponse({**self._agreement(hand_over.agreement), **_token(hand_over)}, 201)

    async def get_agreement(self, request: Request) -> Response:
        return JSONResponse(self._agreement(self._marketplace.agreement(request.path_params["agreement_id"])))

    async def act(self, request: Request) -> Response:
        fields = await _body(request)
        agreement_id, action = request.path_params["agreement_id"], request.path_params["action"]
        act = act_of(action, self._marketplace.acts, agreement_id, fields)
        if act is None:
            raise Problem(404, "not-found", f"There is no action {action!r}.")
        fields.finish()
        return JSONResponse(self._agreement(await act()))

    async def create_token(self, request: Request) -> Response:
        (await _body(request)).finish()
        return JSONResponse(_token(self._marketplace.set_up_again(request.path_params["agreement_id"])), 201)

    async def list_news(self, request: Request) -> Response:
        return JSONResponse({"news": news_items(self._store, self._clock)})

    async def get_news_delivery(self, request: Request) -> Response:
        return JSONResponse({"rules": [rule_item(rule) for rule in self._store.news_rules()]})

    async def rule_news(self, request: Request) -> Response:
        await self._marketplace.rule_news(read_rule(await _body(request)))
        return await self.get_news_delivery(request)

    async def forget_news_rules(self, request: Request) -> Response:
        await self._marketplace.forget_news_rules()
        return await self.get_news_delivery(request)

    async def get_sns(self, request: Request) -> Response:
        return JSONResponse(sns_item(self._sns_desk))

    async def change_sns(self, request: Request) -> Response:
        settings = read_sns_settings(await _body(request), self._sns_desk.settings)
        self._marketplace.change_sns(settings)
        return JSONResponse(sns_item(self._sns_desk))

    async def get_certificate(self, request: Request) -> Response:
        return Response(self._sns_desk.key.certificate, media_type="application/x-pem-file")

    async def confirm_topic(self, request: Request) -> Response:
        asked = request.query_params
        topic = asked.get("TopicArn", "").rpartition(":")[2]
        if asked.get("Action") != "ConfirmSubscription" or not self._marketplace.confirm_topic(
            topic, asked.get("Token", "")
        ):
            raise Problem(400, "invalid-request", "Nobody was asked to confirm this.")
        return Response("<ConfirmSubscriptionResponse/>", media_type="text/xml")

    async def get_https_delivery(self, request: Request) -> Response:
        return JSONResponse(https_item(self._store))

    async def change_https_delivery(self, request: Request) -> Response:
        await self._marketplace.lead_by_https(read_https_roads(await _body(request)))
        return await self.get_https_delivery(request)

    async def list_deliveries(self, request: Request) -> Response:
        return JSONResponse({"sns_to_queues": self._store.subscribed_queues()})

    async def create_delivery(self, request: Request) -> Response:
        fields = await _body(request)
        queue = fields.text("sns_to_queue", pattern=r"[-a-zA-Z0-9_]{1,80}", required=True)
        fields.finish()
        assert queue is not None
        subscriptions = await self._marketplace.subscribe_queue(queue)
        return JSONResponse({"sns_to_queue": queue, "subscriptions": subscriptions})

    def _clock_answer(self) -> Response:
        return JSONResponse({"now": rfc3339(self._clock.now()), "speed": self._clock.state.speed})

    def _agreement(self, agreement: Agreement) -> dict[str, Any]:
        return {
            "agreement_id": agreement.agreement_id,
            "product_code": agreement.product_code,
            "generation": agreement.generation,
            "customer_aws_account_id": agreement.customer_aws_account_id,
            "customer_identifier": agreement.customer_identifier,
            "license_arn": agreement.license_arn,
            "offer_id": agreement.offer_id,
            "free_trial": agreement.free_trial,
            "entitlements": dict(agreement.entitlements),
            "status": agreement.status(self._clock.now()),
            "accepted_at": rfc3339(agreement.accepted_at),
            "activates_at": rfc3339(agreement.activates_at),
            "ended_at": _moment(agreement.ended_at),
            "meter_until": _moment(agreement.meter_until),
            "offer": agreement.offer_kind,
            "proposer_account_id": agreement.proposer_account_id,
            "resale_authorization_id": agreement.resale_authorization_id,
            "intent": agreement.intent,
            "starts_at": rfc3339(agreement.starts_at),
            "end_time": None if agreement.end_time == NO_END else rfc3339(agreement.end_time),
            "end_reason": agreement.end_reason,
            "initial_agreement_id": agreement.initial_agreement_id,
            "previous_agreement_id": agreement.previous_agreement_id,
            "next_agreement_id": agreement.next_agreement_id,
            "auto_renew": agreement.auto_renew,
            "trial_ends_at": _moment(agreement.trial_ends_at),
            "suspended": agreement.suspended_at is not None,
            "advisory_issued_at": _moment(agreement.advisory_issued_at),
            "cancellation_request": _cancellation_request(agreement.cancellation_request),
        }


def _product(product: Product) -> dict[str, Any]:
    return {**asdict(product), "topics": list(product.topics)}


def _token(hand_over: HandOver) -> dict[str, Any]:
    return {
        "registration_token": hand_over.registration_token,
        "registration_token_expires_at": _moment(hand_over.expires_at),
        "registration_url": hand_over.product.registration_url,
        "form_fields": hand_over.form_fields,
    }


def _moment(moment: datetime | None) -> str | None:
    return rfc3339(moment) if moment else None


def _cancellation_request(request: CancellationRequest | None) -> dict[str, Any] | None:
    if request is None:
        return None
    moments = {"created_at": rfc3339(request.created_at), "updated_at": rfc3339(request.updated_at)}
    return {**asdict(request), **moments}


def _offer(fields: Fields) -> Offer:
    kind = fields.text("offer", choices=("public", "private"))
    starts_at = fields.moment("starts_at")
    partner = fields.text("partner_account_id", pattern=r"[0-9]{12}")
    return Offer(
        # AWS makes both of these by private offer only.
        kind="private" if kind == "private" or starts_at or partner else "public",
        free_trial=fields.boolean("free_trial"),
        trial_days=fields.whole_number("trial_days", *TRIAL_DAYS) or Offer.trial_days,
        trial_lapses=fields.boolean("trial_lapses"),
        starts_at=starts_at,
        partner_account_id=partner,
        term_days=fields.whole_number("term_days", 1, LONGEST_TERM_DAYS),
        auto_renew=fields.boolean("auto_renew"),
        renewal_price_range=fields.boolean("renewal_price_range"),
        payment_fails=fields.boolean("payment_fails"),
    )


def _dimensions(fields: Fields) -> tuple[Dimension, ...]:
    dimensions: list[Dimension] = []
    for item in fields.objects("dimensions"):
        key = item.text("key", required=True) or ""
        if any(known.key == key for known in dimensions):
            item.refuse("key", "is the key of another dimension")
        value_type = item.text("value_type", choices=VALUE_TYPES)
        dimensions.append(
            Dimension(
                key,
                item.text("title") or key,
                item.text("unit") or "Units",
                "boolean" if value_type == "boolean" else "integer",
            )
        )
        item.unknown_refused()
    return tuple(dimensions)


def _by_method(endpoints: dict[str, Endpoint]) -> Endpoint:
    @wraps(next(iter(endpoints.values())))
    async def answer(request: Request) -> Response:
        # Starlette adds HEAD to every GET.
        endpoint = endpoints["GET" if request.method == "HEAD" else request.method]
        try:
            return await endpoint(request)
        except Problem as problem:
            return problem_response(problem)
        except tuple(STATUS_OF_REFUSAL) as refusal:
            status = STATUS_OF_REFUSAL[type(refusal)]
            return problem_response(Problem(status, _SLUGS[status], str(refusal)))

    return answer
