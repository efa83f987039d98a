"""Cutting a caller's connection, the one answer that HTTP has no word for."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

# On, and for no time: closing throws away what is unsent and sends RST instead of FIN.
_NO_LINGER = struct.pack("ii", 1, 0)


class CutConnection(Response):
    """Resets the connection instead of answering.

    ASGI has no message for it, so the server's own transport is reached for: uvicorn's `send` is a method of
    the object that holds it. Under another server the caller gets an answer that ends before it began, and
    its SDK fails in nearly the same way.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport: asyncio.Transport | None = getattr(_owner(send), "transport", None)
        if transport is None:
            await send({"type": "http.response.start", "status": 500, "headers": [(b"content-length", b"1")]})
            return
        plain = transport.get_extra_info("socket")
        if plain is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()
        # The server learns of the loss on the loop's next turn; returning earlier, it would send a 500.
        while (await receive())["type"] != "http.disconnect":
            pass


def _owner(send: Any) -> Any:
    return getattr(send, "__self__", None)
