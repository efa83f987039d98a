"""Every call that leaves the process: DynamoDB's at botocore's socket, AWS Marketplace's on its shelf."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session
from shelf_marketplace import ShelfMarketplace, raw_response

Call = Callable[[], AWSResponse]


class Wire:
    """Lets each call through, unless told what else befalls it.

    `meddle` gets the operation's name and the call itself, which it may make, not make, or make and then
    fail.
    """

    def __init__(self, aws: ShelfMarketplace, monkeypatch: pytest.MonkeyPatch) -> None:
        self.meddle: Callable[[str, Call], AWSResponse] | None = None
        self.operations: list[str] = []
        send = URLLib3Session.send

        def watched(session: URLLib3Session, request: Any) -> AWSResponse:
            target = request.headers["X-Amz-Target"]
            name = (target.decode() if isinstance(target, bytes) else target).rsplit(".", 1)[1]
            return self._pass(name, lambda: send(session, request))

        monkeypatch.setattr(URLLib3Session, "send", watched)
        aws.through = lambda call: self._pass("BatchMeterUsage", call)

    def interrupt(self, position: int, act: Callable[[], object], around: Callable[[], object]) -> bool:
        """Run `around`, and before its call of that number, from 0, do something else, once. False where it
        makes no call of that number."""
        calls = 0

        def meddle(_: str, call: Call) -> AWSResponse:
            nonlocal calls
            calls += 1
            if calls == position + 1:
                act()
            return call()

        self.meddle = meddle
        around()
        self.meddle = None
        return calls > position

    def _pass(self, name: str, call: Call) -> AWSResponse:
        if name == "PutItem":
            # Only the test does that, in place of notifications.
            return call()
        self.operations.append(name)
        return self.meddle(name, call) if self.meddle else call()


def dynamodb_refuses(code: str, **more: Any) -> AWSResponse:
    """An error as DynamoDB answers it."""
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "As the test wishes.", **more}
    return raw_response(400, json.dumps(body).encode())
