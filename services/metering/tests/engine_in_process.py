"""The local engine's DynamoDB inside the test's own process: what is played a hundred thousand times over.

It is ministack's handler, as behind the engine's port, without the port: most of what a call costs is the
network and botocore's client. A call comes in by one of two doors, and is answered once: by the quick one of
`chassis.quick_calls`, or at botocore's socket, where errors get their names.
"""

import base64
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session
from wire import Call, raw_response

Through = Callable[[str, dict[str, Any], Call], AWSResponse]


class EngineInProcess:
    """DynamoDB for one process.

    Attributes:
        through: what each call goes through: gets the operation's name, the request and the call itself,
            which it may make, not make, or make and then fail.
        calls: how many there were.
    """

    def __init__(self) -> None:
        self._handle = _ministacks_handler()
        self._answered: AWSResponse | Exception | None = None
        self.through: Through = lambda _operation, _request, call: call()
        self.calls = 0

    def stand_behind_boto3(self) -> None:
        """Become the network of every boto3 client of this process, for good."""
        URLLib3Session.send = lambda _session, request: self._send(request)  # type: ignore[method-assign]

    def ask(self, operation: str, request: dict[str, Any]) -> dict[str, Any] | None:
        """See `QuickCalls.ask`. What is no plain answer is kept for botocore, which asks for it at once."""
        self.calls += 1
        try:
            answer = self.through(operation, request, lambda: self.answer(operation, request))
        except Exception as error:
            self._answered = error
            return None
        if answer.status_code == 200:
            return orjson.loads(answer.content)  # type: ignore[no-any-return]
        self._answered = answer
        return None

    def _send(self, request: Any) -> AWSResponse:
        kept, self._answered = self._answered, None
        if isinstance(kept, Exception):
            raise kept
        if kept is not None:
            return kept
        self.calls += 1
        target = request.headers["X-Amz-Target"]
        operation = (target.decode() if isinstance(target, bytes) else target).rsplit(".", 1)[1]
        return self.through(
            operation, orjson.loads(request.body), lambda: self._answer(operation, request.body)
        )

    def answer(self, operation: str, request: dict[str, Any]) -> AWSResponse:
        """What DynamoDB answers."""
        return self._answer(operation, orjson.dumps(request, default=_base64))

    def _answer(self, operation: str, body: bytes) -> AWSResponse:
        handling = self._handle("POST", "/", {"x-amz-target": f"DynamoDB_20120810.{operation}"}, body, {})
        try:
            handling.send(None)
        except StopIteration as done:
            status, _, answer = done.value
            return raw_response(status, answer if isinstance(answer, bytes) else answer.encode())
        raise AssertionError("ministack's handler waits for something: it can no more be called like this.")


def _ministacks_handler() -> Callable[..., Any]:
    """From the engine's environment: it pins an older botocore than the services, so it is looked for last,
    and only it is found there."""
    for folder in Path(__file__).resolve().parents:
        if found := sorted((folder / ".venv" / "engine" / "lib").glob("python*/site-packages")):
            sys.path.append(str(found[0]))
            from ministack.services import dynamodb

            # It parses an expression anew for each item that it is held against: half of all it does.
            for parse in ("_tokenize", "_condition_syntax_error"):
                setattr(dynamodb, parse, cache(getattr(dynamodb, parse)))
            return dynamodb.handle_request  # type: ignore[no-any-return]
    raise RuntimeError("The local engine is not installed: run `make setup`.")


def _base64(value: Any) -> str:
    return base64.b64encode(value).decode()
