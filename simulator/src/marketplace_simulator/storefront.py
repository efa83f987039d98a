"""The shop window at `/`: buy, set up, cancel, and see what came of it; plain pages without JavaScript."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from marketplace_simulator.clock import Clock
from marketplace_simulator.control import totals
from marketplace_simulator.marketplace import HandOver, Marketplace
from marketplace_simulator.problems import STATUS_OF_REFUSAL
from marketplace_simulator.quantities import decimal_text
from marketplace_simulator.store import Store
from marketplace_simulator.times import rfc3339_seconds

_FORM_LIMIT = 10_000
# The rows that a page shows; the control API gives all of them.
_LATEST = 200


class Storefront:
    """Pages and their forms."""

    def __init__(self, marketplace: Marketplace, store: Store, clock: Clock) -> None:
        self._marketplace = marketplace
        self._store = store
        self._clock = clock
        self._templates = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["moment"] = rfc3339_seconds
        self._templates.filters["decimal"] = decimal_text

    def routes(self) -> list[Route]:
        return [
            Route("/", self._page(self.show_products), methods=["GET"]),
            Route("/agreements", self._page(self.show_agreements), methods=["GET"]),
            Route("/bill", self._page(self.show_bill), methods=["GET"]),
            Route("/news", self._page(self.show_news), methods=["GET"]),
            Route("/storefront/subscribe", self._page(self.subscribe), methods=["POST"]),
            Route("/storefront/clock", self._page(self.move_clock), methods=["POST"]),
            Route("/storefront/agreements/{agreement_id}/set-up", self._page(self.set_up), methods=["POST"]),
            Route("/storefront/agreements/{agreement_id}/cancel", self._page(self.cancel), methods=["POST"]),
        ]

    async def show_products(self, request: Request) -> Response:
        return self._render("products.html", products=self._store.products())

    async def show_agreements(self, request: Request) -> Response:
        now = self._clock.now()
        products = {product.product_code: product for product in self._store.products()}
        rows = [
            {
                "agreement": agreement,
                "product": products[agreement.product_code],
                "status": agreement.status(now),
            }
            for agreement in self._store.agreements()[: -_LATEST - 1 : -1]
        ]
        return self._render("agreements.html", rows=rows)

    async def show_bill(self, request: Request) -> Response:
        records = self._store.all_billed()
        return self._render("bill.html", records=records[: -_LATEST - 1 : -1], totals=totals(records))

    async def show_news(self, request: Request) -> Response:
        now = self._clock.now()
        rows = [{"kept": kept, "state": kept.state(now)} for kept in self._store.news()[: -_LATEST - 1 : -1]]
        return self._render("news.html", rows=rows)

    async def subscribe(self, request: Request) -> Response:
        form = await _form(request)
        account = form.get("customer_aws_account_id", "").strip()
        if account and not (account.isascii() and account.isdigit() and len(account) == 12):
            return self.refusal(400, "An AWS account id has 12 digits.")
        hand_over = await self._marketplace.buy(
            form.get("product_code", ""),
            customer_aws_account_id=account or None,
            free_trial=form.get("free_trial") == "yes",
        )
        return self._hand_over(hand_over)

    async def set_up(self, request: Request) -> Response:
        return self._hand_over(self._marketplace.set_up_again(request.path_params["agreement_id"]))

    async def cancel(self, request: Request) -> Response:
        await self._marketplace.cancel(request.path_params["agreement_id"])
        return RedirectResponse("/agreements", 303)

    async def move_clock(self, request: Request) -> Response:
        form = await _form(request)
        try:
            if "speed" in form:
                await self._marketplace.move_clock(speed=float(form["speed"]))
            else:
                await self._marketplace.move_clock(advance_seconds=float(form.get("advance_seconds", "")))
        except ValueError:
            return self.refusal(400, "The clock takes a number.")
        return RedirectResponse("/", 303)

    def refusal(self, status: int, reason: str) -> Response:
        """A page that says why not."""
        return self._render("refusal.html", status, reason=reason)

    def _hand_over(self, hand_over: HandOver) -> Response:
        response = self._render("hand_over.html", hand_over=hand_over)
        # The page holds a token.
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    def _render(self, template: str, status: int = 200, **values: Any) -> Response:
        values |= {"now": self._clock.now(), "speed": self._clock.state.speed}
        return HTMLResponse(self._templates.get_template(template).render(**values), status)

    def _page(
        self, endpoint: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            try:
                return await endpoint(request)
            except tuple(STATUS_OF_REFUSAL) as refusal:
                return self.refusal(STATUS_OF_REFUSAL[type(refusal)], str(refusal))

        return answer


async def _form(request: Request) -> dict[str, str]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _FORM_LIMIT:
            return {}
    fields = parse_qs(body.decode("utf-8", "replace"))
    return {name: values[-1] for name, values in fields.items()}
