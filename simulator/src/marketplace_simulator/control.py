"""The control API under `/_simulator/`, a prefix that AWS never uses: what tests and local stacks turn.

Its contract is `openapi.yaml`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import wraps
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from marketplace_simulator import identifiers
from marketplace_simulator.agreements import Agreement
from marketplace_simulator.clock import Clock
from marketplace_simulator.control_bodies import Fields, read_body
from marketplace_simulator.marketplace import HandOver, Marketplace
from marketplace_simulator.metering import BilledRecord
from marketplace_simulator.problems import STATUS_OF_REFUSAL, Problem, problem_response
from marketplace_simulator.products import GENERATIONS, PRICING_MODELS, Dimension, Product
from marketplace_simulator.quantities import decimal_text
from marketplace_simulator.store import Store
from marketplace_simulator.times import rfc3339

BODY_LIMIT = 1024 * 1024
_SLUGS = {404: "not-found", 409: "conflict", 503: "engine-unavailable"}

Endpoint = Callable[[Request], Awaitable[Response]]


class Control:
    """Requests in, acts done, JSON out."""

    def __init__(self, marketplace: Marketplace, store: Store, clock: Clock) -> None:
        self._marketplace = marketplace
        self._store = store
        self._clock = clock

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
            ("POST", "/agreements/{agreement_id}/cancel", self.cancel),
            ("POST", "/agreements/{agreement_id}/tokens", self.create_token),
            ("GET", "/bill", self.get_bill),
            ("GET", "/calls", self.list_calls),
            ("GET", "/news", self.list_news),
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
        return JSONResponse({"status": "ok", "news_waiting": self._store.waiting_news(self._clock.now())})

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
        fields.ignore("support")
        dimensions = _dimensions(fields)
        fields.finish()
        assert title is not None
        known = self._store.product(code) if code else None
        product = Product(
            product_code=code or identifiers.new_product_code(),
            product_id=product_id or (known.product_id if known else identifiers.new_product_id()),
            title=title,
            generation="legacy" if generation == "legacy" else "concurrent_agreements",
            pricing_model="contract" if pricing_model == "contract" else "subscription",
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
        free_trial = fields.boolean("free_trial")
        entitlements = fields.whole_numbers("entitlements")
        fields.finish()
        assert product_code is not None
        hand_over = await self._marketplace.buy(
            product_code, customer_aws_account_id=account, free_trial=free_trial, entitlements=entitlements
        )
        return JSONResponse({**self._agreement(hand_over.agreement), **_token(hand_over)}, 201)

    async def get_agreement(self, request: Request) -> Response:
        return JSONResponse(self._agreement(self._marketplace.agreement(request.path_params["agreement_id"])))

    async def cancel(self, request: Request) -> Response:
        (await _body(request)).finish()
        agreement = await self._marketplace.cancel(request.path_params["agreement_id"])
        return JSONResponse(self._agreement(agreement))

    async def create_token(self, request: Request) -> Response:
        (await _body(request)).finish()
        return JSONResponse(_token(self._marketplace.set_up_again(request.path_params["agreement_id"])), 201)

    async def get_bill(self, request: Request) -> Response:
        records = self._store.all_billed(request.query_params.get("product_code"))
        return JSONResponse({"records": [_billed(record) for record in records], "totals": totals(records)})

    async def list_calls(self, request: Request) -> Response:
        calls = [{**asdict(call), "at": rfc3339(call.at)} for call in self._store.calls()]
        return JSONResponse({"calls": calls})

    async def list_news(self, request: Request) -> Response:
        now = self._clock.now()
        items = [
            {
                "message_id": kept.news.message_id,
                "agreement_id": kept.news.agreement_id,
                "channel": kept.news.channel,
                "topic": kept.news.topic,
                "name": kept.news.name,
                "due_at": rfc3339(kept.news.due_at),
                "state": kept.state(now),
                "attempts": kept.attempts,
                "last_error": kept.last_error,
                "body": kept.news.body,
            }
            for kept in self._store.news()
        ]
        return JSONResponse({"news": items})

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
            "ended_at": rfc3339(agreement.ended_at) if agreement.ended_at else None,
            "meter_until": rfc3339(agreement.meter_until) if agreement.meter_until else None,
        }


def totals(records: list[BilledRecord]) -> list[dict[str, Any]]:
    """What each meter was billed for each dimension, all hours and Regions together."""
    sums: dict[tuple[str, str], int] = defaultdict(int)
    first: dict[tuple[str, str], BilledRecord] = {}
    for record in records:
        key = (record.slot.meter, record.slot.dimension)
        sums[key] += record.quantity
        first.setdefault(key, record)
    return [
        {**_identity(first[key]), "dimension": key[1], "quantity": decimal_text(sums[key])} for key in first
    ]


def _identity(record: BilledRecord) -> dict[str, Any]:
    return {
        "product_code": record.product_code,
        "customer_identifier": record.customer_identifier,
        "license_arn": record.license_arn,
        "customer_aws_account_id": record.customer_aws_account_id,
    }


def _billed(record: BilledRecord) -> dict[str, Any]:
    return {
        **_identity(record),
        "dimension": record.slot.dimension,
        "hour": rfc3339(record.slot.hour),
        "quantity": decimal_text(record.quantity),
        "region": record.slot.region,
        "metering_record_id": record.metering_record_id,
        "accepted_at": rfc3339(record.accepted_at),
    }


def _product(product: Product) -> dict[str, Any]:
    return {**asdict(product), "topics": list(product.topics)}


def _token(hand_over: HandOver) -> dict[str, Any]:
    return {
        "registration_token": hand_over.registration_token,
        "registration_token_expires_at": rfc3339(hand_over.expires_at),
        "registration_url": hand_over.product.registration_url,
        "form_fields": hand_over.form_fields,
    }


def _dimensions(fields: Fields) -> tuple[Dimension, ...]:
    dimensions: list[Dimension] = []
    for item in fields.objects("dimensions"):
        key = item.text("key", required=True) or ""
        if any(known.key == key for known in dimensions):
            item.refuse("key", "is the key of another dimension")
        dimensions.append(Dimension(key, item.text("title") or key, item.text("unit") or "Units"))
        item.unknown_refused()
    return tuple(dimensions)


async def _body(request: Request) -> Fields:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise Problem(413, "body-too-large", "The body must be smaller than 1 MB.")
    return read_body(bytes(body), request.headers.get("content-type", ""))


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
