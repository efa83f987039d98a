"""The local engine: ministack's ASGI app, kept to this machine, and with a crash that forgets nothing it
acknowledged.

DynamoDB and SQS never forget a write that they acknowledged, whatever of theirs dies. ministack saves only at
a clean stop, so a plain SIGKILL would test a disaster that AWS rules out. `POST /_engine/crash` is the one
that can happen: requests in flight get no answer and everyone is cut off at once, but what was acknowledged
is there after the restart.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from calls import Calls

# Before ministack is read, since it looks at these on import. Left alone it would listen on further ports and
# look for containers of its own in the user's Docker, and remove them.
os.environ["SFTP_ENABLED"] = "0"
os.environ["IOT_MTLS_ENABLED"] = "0"
os.environ["DOCKER_HOST"] = "unix:///nonexistent/docker.sock"
os.environ.setdefault("LOG_LEVEL", "WARNING")

from ministack import app as ministack
from ministack.core import persistence

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_calls = Calls(Path(os.environ["ENGINE_CALLS"])) if os.environ.get("ENGINE_CALLS") else None


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Everything is ministack's, but for the one path that it does not know."""
    if scope["type"] == "http" and scope["path"] == "/_engine/crash" and scope["method"] == "POST":
        crash()
    if scope["type"] == "http" and _calls is not None:
        receive = noted(_calls, scope, receive)
    await ministack.app(scope, receive, send)


def noted(calls: Calls, scope: Scope, receive: Receive) -> Receive:
    """Hands a request on, and notes it once its body is whole."""
    body = bytearray()

    async def receive_and_note() -> MutableMapping[str, Any]:
        message = await receive()
        if message["type"] == "http.request":
            body.extend(message.get("body", b""))
            if not message.get("more_body"):
                headers = {
                    name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
                }
                calls.note(headers, bytes(body))
        return message

    return receive_and_note


def crash() -> None:
    """Saves what was acknowledged and dies at once. Holds the event loop, so that nothing is answered in
    between."""
    # A private function of ministack's: one more reason to pin its version exactly.
    persistence.save_all(ministack._build_persistence_save_dict())
    os.kill(os.getpid(), signal.SIGKILL)
