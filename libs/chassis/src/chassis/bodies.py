"""The body of an ASGI request, read whole and handed on."""

from collections.abc import AsyncIterator

from starlette.types import Message, Receive


async def whole_body(receive: Receive) -> bytes:
    """All of it; what there is of it where the caller hung up."""
    return b"".join([part async for part in _parts(receive)])


def replayed(body: bytes, receive: Receive) -> Receive:
    """The channel of a body that was read, as if it had not been."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return pending.pop() if pending else await receive()

    return received


async def _parts(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message.get("more_body", False)
        yield message.get("body", b"")
