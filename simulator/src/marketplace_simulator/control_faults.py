"""The control API's faults and switches: what a test tells the wire to do wrong, or otherwise."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from marketplace_simulator.control_bodies import body_of
from marketplace_simulator.faults import (
    KINDS,
    POINTS,
    Fault,
    FaultRefused,
    Kind,
    Point,
    require_possible,
)
from marketplace_simulator.operations import operations
from marketplace_simulator.problems import Problem
from marketplace_simulator.store import Store
from marketplace_simulator.switches import SwitchRefused, choices

# What a fault may be told as and named by in the contract.
_OPERATION_NAMES = sorted(operation.name for operation in operations().values())


class FaultControl:
    """Requests in, faults and switches changed, JSON out."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list_faults(self, request: Request) -> Response:
        return JSONResponse({"faults": [_fault(fault) for fault in self._store.faults.all()]})

    async def create_fault(self, request: Request) -> Response:
        fields = await body_of(request)
        kind = fields.text("kind", choices=KINDS, required=True)
        operation = fields.text("operation")
        customers, dimensions = fields.texts("customers"), fields.texts("dimensions")
        rate = fields.number("rate")
        seed = fields.whole_number("seed", 0, 2**31 - 1)
        count = fields.whole_number("count", 1, 10**9)
        point = fields.text("point", choices=POINTS)
        delay_seconds = fields.number("delay_seconds")
        if fields.errors:
            fields.finish()
        fault = Fault(
            fault_id=f"fault-{uuid4().hex[:12]}",
            kind=_kind(kind),
            operation=operation,
            customers=customers,
            dimensions=dimensions,
            rate=1.0 if rate is None else rate,
            seed=seed or 0,
            count=count,
            point=_point(point),
            delay_seconds=delay_seconds or 0.0,
        )
        try:
            require_possible(fault, _OPERATION_NAMES)
        except FaultRefused as refused:
            fields.refuse(refused.name, str(refused))
        fields.finish()
        with self._store.transaction(changes_market=False):
            self._store.faults.add(fault)
        return JSONResponse(_fault(fault), 201)

    async def remove_faults(self, request: Request) -> Response:
        return self._remove(None)

    async def remove_fault(self, request: Request) -> Response:
        return self._remove(request.path_params["fault_id"])

    async def get_switches(self, request: Request) -> Response:
        return JSONResponse(self._store.switches.positions())

    async def turn_switches(self, request: Request) -> Response:
        fields = await body_of(request)
        wanted = {name: value for name in choices() if (value := fields.anything(name)) is not None}
        # Before anything is turned: all of the body or nothing.
        fields.finish()
        try:
            with self._store.transaction(changes_market=False):
                self._store.switches.turn(wanted)
        except SwitchRefused as refused:
            fields.refuse(refused.name, str(refused))
        fields.finish()
        return JSONResponse(self._store.switches.positions())

    def _remove(self, fault_id: str | None) -> Response:
        with self._store.transaction(changes_market=False):
            removed = self._store.faults.remove(fault_id)
        if fault_id is not None and not removed:
            raise Problem(404, "not-found", f"There is no fault {fault_id!r}.")
        return JSONResponse({"removed": removed})


def _fault(fault: Fault) -> dict[str, Any]:
    return {**asdict(fault), "customers": list(fault.customers), "dimensions": list(fault.dimensions)}


def _kind(text: str | None) -> Kind:
    return next(kind for kind in KINDS if kind == text)


def _point(text: str | None) -> Point:
    return next((point for point in POINTS if point == text), "before_commit")
