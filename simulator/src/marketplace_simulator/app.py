"""Plugs the simulator together: its doors, its rules, its store and the road to the seller's queues."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from marketplace_simulator.clock import Clock, ClockState, system_now
from marketplace_simulator.control import Control
from marketplace_simulator.delivery import Courier, LocalEngine, Post
from marketplace_simulator.front_door import FrontDoor
from marketplace_simulator.https_roads import HttpsPost, HttpsRoads
from marketplace_simulator.marketplace import Marketplace, first_moment
from marketplace_simulator.problems import Problem, problem_response
from marketplace_simulator.settings import Settings
from marketplace_simulator.signatures import Accounts
from marketplace_simulator.sns_desk import SnsDesk
from marketplace_simulator.store import Store
from marketplace_simulator.storefront import Storefront
from marketplace_simulator.switches import Switches
from marketplace_simulator.wire import Wire

PREFIX = "/_simulator"


def build_app(settings: Settings, *, post: Post | None = None) -> ASGIApp:
    """The whole simulator as one ASGI application, for one process and one event loop.

    Args:
        post: the road to the seller's queues; by default the local engine that the settings name.

    Raises:
        RuntimeError: the database file is of another version.
    """
    store = Store(
        settings.database, settings.keep_calls, Switches(calls_per_second=settings.calls_per_second)
    )
    clock = _clock(store, settings)
    sns_desk = SnsDesk(store, settings)
    if settings.sns_endpoint is not None:
        # Made now: the courier's thread must not write into the store.
        _ = sns_desk.key
    courier = Courier(
        store,
        clock,
        post or LocalEngine(settings, sns_desk),
        HttpsPost(settings, sns_desk, clock),
        lambda: HttpsRoads(**store.https_roads()),
    )
    marketplace = Marketplace(settings, store, clock, courier, sns_desk)
    storefront = Storefront(marketplace, store, clock)

    async def healthz(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def refuse(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if request.url.path.startswith(PREFIX):
            response = problem_response(Problem(error.status_code, _slug(error.status_code), error.detail))
        else:
            response = storefront.refusal(error.status_code, error.detail)
        response.headers.update(error.headers or {})
        return response

    async def fail(request: Request, error: Exception) -> Response:
        if request.url.path.startswith(PREFIX):
            return problem_response(Problem(500, "simulator-failed", "See the simulator's log."))
        return storefront.refusal(500, "The simulator failed; see its log.")

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        running = asyncio.create_task(marketplace.run())
        try:
            yield
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            store.close()

    pages = Starlette(
        routes=[
            *storefront.routes(),
            Route("/healthz", healthz, methods=["GET"]),
            Mount(PREFIX, routes=Control(marketplace, store, clock, sns_desk).routes()),
        ],
        exception_handlers={HTTPException: refuse, Exception: fail},
        lifespan=lifespan,
    )
    accounts = Accounts(settings.seller_account, settings.access_keys or {})
    return FrontDoor(Wire(store, clock, accounts), pages)


def _clock(store: Store, settings: Settings) -> Clock:
    """The clock as it was kept; a new one stands at the first moment, frozen."""
    state = store.clock_state()
    if state is None:
        real_now = system_now()
        state = ClockState(first_moment(settings, real_now), real_now)
        store.keep_clock_state(state)
    return Clock(state)


def _slug(status: int) -> str:
    return {404: "not-found", 405: "method-not-allowed"}.get(status, "refused")
