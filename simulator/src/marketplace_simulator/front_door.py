"""One address, two visitors: AWS calls go to the wire, all else to the pages and the control API."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from marketplace_simulator.protocols import is_aws_call


class FrontDoor:
    """Looks at method, path and headers only.

    The wire stands before the application's own error pages, because an SDK must never be shown one; and it
    is handed the server's own `send`, which the cutting of connections needs.
    """

    def __init__(self, wire: ASGIApp, pages: ASGIApp) -> None:
        self._wire = wire
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_aws_call(scope["method"], scope["path"], scope["headers"]):
            await self._wire(scope, receive, send)
        else:
            await self._pages(scope, receive, send)
