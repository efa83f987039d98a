"""The shop window at `/`: choose, subscribe, set up, manage, and see what came of it.

Plain pages and forms; nothing needs JavaScript.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from marketplace_simulator import storefront_forms as forms
from marketplace_simulator.agreements import Agreement
from marketplace_simulator.clock import Clock
from marketplace_simulator.control_records import total_item
from marketplace_simulator.marketplace import HandOver, Marketplace
from marketplace_simulator.news_rules import rule_for
from marketplace_simulator.offers import LATEST_START
from marketplace_simulator.problems import STATUS_OF_REFUSAL
from marketplace_simulator.products import Product
from marketplace_simulator.quantities import decimal_text
from marketplace_simulator.store import KeptNews, Store
from marketplace_simulator.storefront_text import day, news_lines, status_word, wall_clock
from marketplace_simulator.times import rfc3339_seconds

# The rows that a page shows; the control API gives all of them.
_LATEST = 200

Endpoint = Callable[[Request], Awaitable[Response]]


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
        self._templates.filters |= {
            "moment": rfc3339_seconds,
            "wall_clock": wall_clock,
            "day": day,
            "decimal": decimal_text,
        }

    def routes(self) -> list[Route]:
        pages: list[tuple[str, str, Endpoint]] = [
            ("GET", "/", self.show_products),
            ("GET", "/products/{product_code}", self.show_product),
            ("GET", "/agreements", self.show_agreements),
            ("GET", "/agreements/{agreement_id}", self.show_agreement),
            ("GET", "/bill", self.show_bill),
            ("GET", "/news", self.show_news),
            ("POST", "/storefront/subscribe", self.subscribe),
            ("POST", "/storefront/clock", self.move_clock),
            ("POST", "/storefront/agreements/{agreement_id}/set-up", self.set_up),
            ("POST", "/storefront/agreements/{agreement_id}/{action}", self.act),
        ]
        return [Route(path, self._page(endpoint), methods=[method]) for method, path, endpoint in pages]

    async def show_products(self, request: Request) -> Response:
        return self._render("products.html", products=self._store.products())

    async def show_product(self, request: Request) -> Response:
        product = self._marketplace.product(request.path_params["product_code"])
        return self._render("product.html", product=product, latest_start=self._clock.now() + LATEST_START)

    async def show_agreements(self, request: Request) -> Response:
        products = {product.product_code: product for product in self._store.products()}
        rows = [
            self._row(agreement, products[agreement.product_code])
            for agreement in self._store.agreements()[: -_LATEST - 1 : -1]
        ]
        return self._render("agreements.html", rows=rows)

    async def show_agreement(self, request: Request) -> Response:
        agreement = self._marketplace.agreement(request.path_params["agreement_id"])
        product = self._marketplace.product(agreement.product_code)
        kept = [kept for kept in self._store.news() if kept.news.agreement_id == agreement.agreement_id]
        totals = [total_item(total) for total in self._store.bill.totals(license_arn=agreement.license_arn)]
        return self._render(
            "agreement.html", **self._row(agreement, product), news=self._news(kept), totals=totals
        )

    async def show_bill(self, request: Request) -> Response:
        totals = [total_item(total) for total in self._store.bill.totals()]
        return self._render("bill.html", records=self._store.bill.latest(_LATEST), totals=totals)

    async def show_news(self, request: Request) -> Response:
        return self._render("news.html", news=self._news(self._store.news()[: -_LATEST - 1 : -1]))

    async def subscribe(self, request: Request) -> Response:
        form = await forms.read_form(request)
        account = forms.account(form, "customer_aws_account_id")
        product = self._marketplace.product(form.get("product_code", ""))
        hand_over = await self._marketplace.buy(
            product.product_code,
            customer_aws_account_id=account,
            offer=forms.offer(form),
            entitlements=forms.quantities(form, product),
        )
        return self._hand_over(hand_over)

    async def set_up(self, request: Request) -> Response:
        return self._hand_over(self._marketplace.set_up_again(request.path_params["agreement_id"]))

    async def act(self, request: Request) -> Response:
        acts = self._marketplace.acts
        agreement_id, action = request.path_params["agreement_id"], request.path_params["action"]
        product = self._marketplace.product(self._marketplace.agreement(agreement_id).product_code)
        form = await forms.read_form(request)
        known: dict[str, Callable[[], Awaitable[Agreement]]] = {
            "cancel": lambda: acts.end(agreement_id, "CANCELLED"),
            "terminate": lambda: acts.end(agreement_id, "TERMINATED"),
            "expire": lambda: acts.end(agreement_id, "EXPIRED"),
            "amend": lambda: acts.amend(agreement_id, entitlements=forms.quantities(form, product)),
            "auto-renew": lambda: acts.amend(agreement_id, auto_renew=form.get("auto_renew") == "yes"),
            "renew": lambda: acts.renew(agreement_id, at_end=form.get("at_end") == "yes"),
            "replace": lambda: acts.replace(agreement_id, entitlements=forms.quantities(form, product)),
            "suspend": lambda: acts.suspend(agreement_id),
            "resume": lambda: acts.suspend(agreement_id, resume=True),
            "issue-advisory": lambda: acts.advise(agreement_id),
            "resolve-advisory": lambda: acts.advise(agreement_id, resolved=True),
            "request-cancellation": lambda: acts.request_cancellation(agreement_id),
            "approve-cancellation": lambda: acts.answer_cancellation(agreement_id, "APPROVED"),
            "reject-cancellation": lambda: acts.answer_cancellation(agreement_id, "REJECTED"),
            "withdraw-cancellation": lambda: acts.answer_cancellation(agreement_id, "CANCELLED"),
        }
        if action not in known:
            return self.refusal(404, "There is no such button.")
        agreement = await known[action]()
        following = agreement.next_agreement_id if action in ("renew", "replace") else None
        return RedirectResponse(f"/agreements/{following or agreement_id}", 303)

    async def move_clock(self, request: Request) -> Response:
        form = await forms.read_form(request)
        if "speed" in form:
            await self._marketplace.move_clock(speed=forms.number(form, "speed"))
        else:
            await self._marketplace.move_clock(advance_seconds=forms.number(form, "advance_seconds"))
        return RedirectResponse(forms.page_to_return_to(form), 303)

    def refusal(self, status: int, reason: str) -> Response:
        """A page that says why not."""
        return self._render("refusal.html", status, reason=reason)

    def _row(self, agreement: Agreement, product: Product) -> dict[str, Any]:
        now = self._clock.now()
        status = agreement.status(now)
        return {
            "agreement": agreement,
            "product": product,
            "state": status,
            "word": status_word(agreement, now),
            "can_set_up": status in ("pending", "active") and now >= agreement.starts_at,
            "settled": agreement.next_agreement_id is not None,
        }

    def _news(self, kept: Sequence[KeptNews]) -> list[dict[str, Any]]:
        now, rules = self._clock.now(), self._store.news_rules()
        return [news_lines(item, rule_for(item.news, rules), now) for item in kept]

    def _hand_over(self, hand_over: HandOver) -> Response:
        response = self._render("hand_over.html", hand_over=hand_over)
        # The page holds a token.
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    def _render(self, template: str, status: int = 200, **values: Any) -> Response:
        values |= {"now": self._clock.now(), "speed": self._clock.state.speed}
        return HTMLResponse(self._templates.get_template(template).render(**values), status)

    def _page(self, endpoint: Endpoint) -> Endpoint:
        async def answer(request: Request) -> Response:
            try:
                return await endpoint(request)
            except forms.FormRefused as refusal:
                return self.refusal(400, str(refusal))
            except tuple(STATUS_OF_REFUSAL) as refusal:
                return self.refusal(STATUS_OF_REFUSAL[type(refusal)], str(refusal))

        return answer
