"""What goes wrong at the calls of a made-up month: by chance at each of them, and in the story's troubles at
all of them. All chance comes from the seed."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from botocore.awsrequest import AWSResponse
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from engine_in_process import EngineInProcess
from made_up_month import (
    AWS_AWAY,
    AWS_GREY,
    AWS_REFUSES_US,
    AWS_THROTTLES,
    DYNAMODB_AWAY,
    DYNAMODB_HALF_AWAY,
    MadeUpMonth,
)
from shelf_marketplace import URL, Fault, Refused, ShelfMarketplace, raw_response
from wire import Call, dynamodb_refuses

from chassis.clock import Clock


class Killed(BaseException):
    """The process is gone: no `except Exception` of ours sees it."""


NOT_THERE = EndpointConnectionError(endpoint_url=URL)
LOST = ReadTimeoutError(endpoint_url=URL)


@dataclass(frozen=True)
class Weather:
    """How often something goes wrong, of each call."""

    dynamodb: float
    aws: float
    interrupted: float


WEATHERS = [Weather(0.001, 0.05, 0.002), Weather(0.004, 0.15, 0.004), Weather(0.015, 0.3, 0.006)]


class MonthFaults:
    """Stands before DynamoDB and AWS Marketplace.

    Attributes:
        off: nothing goes wrong meanwhile.
        interrupt: what another process does in the midst of a call, of which it gets the request.
        injected: how many faults of each kind there were.
    """

    def __init__(
        self, seed: int, story: MadeUpMonth, engine: EngineInProcess, aws: ShelfMarketplace, clock: Clock
    ) -> None:
        self._random = random.Random(f"{seed} faults")
        self._story = story
        self._engine = engine
        self._aws = aws
        self._clock = clock
        self._weather = self._random.choice(WEATHERS)
        self.off = False
        self.interrupt: Callable[[dict[str, Any]], None] = lambda request: None
        self.injected: Counter[str] = Counter()

    @property
    def dynamodb_is_unwell(self) -> bool:
        now = self._clock.now()
        return any(self._story.trouble(kind, now) for kind in (DYNAMODB_AWAY, DYNAMODB_HALF_AWAY))

    def _strikes(self, likely: float) -> bool:
        return self._random.random() < likely

    # DynamoDB ----------------------------------------------------------------------------------------------

    def on_dynamodb(self, operation: str, request: dict[str, Any], call: Call) -> AWSResponse:
        """See `EngineInProcess.through`."""
        if self.off or operation == "PutItem":  # only the test itself does that, for notifications
            return call()
        likely = self._weather.interrupted * _MATTERS_MORE.get(operation, 1)
        if self._strikes(likely):
            self.interrupt(request)
        now = self._clock.now()
        if self._story.trouble(DYNAMODB_AWAY, now):
            return self._befall("DynamoDB: no connection", operation, request, call)
        if self._story.trouble(DYNAMODB_HALF_AWAY, now) and self._strikes(0.5):
            return self._befall(self._random.choice(_LIKE_AN_OUTAGE), operation, request, call)
        if "IndexName" in request and self._strikes(5 * self._weather.dynamodb):
            return self._index_is_behind(call)
        if not self._strikes(self._weather.dynamodb * _FAILS_MORE_OFTEN.get(operation, 1)):
            return call()
        kind = self._random.choice(_OF_DYNAMODB + _OF_OPERATION.get(operation, []))
        return self._befall(kind, operation, request, call)

    def _index_is_behind(self, call: Call) -> AWSResponse:
        """It does not show everything yet."""
        self.injected["DynamoDB: index behind"] += 1
        answer = orjson.loads(call().content)
        answer["Items"] = [item for item in answer["Items"] if self._strikes(0.5)]
        return raw_response(200, orjson.dumps(answer | {"Count": len(answer["Items"])}))

    def _befall(self, kind: str, operation: str, request: dict[str, Any], call: Call) -> AWSResponse:
        self.injected[kind] += 1
        match kind:
            case "DynamoDB: killed before":
                raise Killed
            case "DynamoDB: killed after":
                call()
                raise Killed
            case "DynamoDB: no connection":
                raise NOT_THERE
            case "DynamoDB: answer lost":
                call()
                raise LOST
            case "DynamoDB: error before":
                return _server_error()
            case "DynamoDB: error after the commit":
                call()
                return _server_error()
            case "DynamoDB: throttled":
                return dynamodb_refuses("ProvisionedThroughputExceededException")
            case "DynamoDB: conflict":
                return dynamodb_refuses("TransactionConflictException")
            case "DynamoDB: transaction conflict":
                reasons = [{"Code": "None"} for _ in request["TransactItems"]]
                reasons[self._random.randrange(len(reasons))] = {"Code": "TransactionConflict"}
                return dynamodb_refuses("TransactionCanceledException", CancellationReasons=reasons)
            case "DynamoDB: half unwritten" | "DynamoDB: half unread":
                return self._half(operation, request)
        raise AssertionError(kind)

    def _half(self, operation: str, request: dict[str, Any]) -> AWSResponse:
        """DynamoDB does some of a batch, and says what it left."""
        ((table, asked),) = request["RequestItems"].items()
        if operation == "BatchWriteItem":
            chosen = [one for one in asked if self._strikes(0.5)]
            left: Any = [one for one in asked if one not in chosen]
            name, some = "UnprocessedItems", chosen
        else:
            keys = [one for one in asked["Keys"] if self._strikes(0.5)]
            left = asked | {"Keys": [one for one in asked["Keys"] if one not in keys]}
            name, some = "UnprocessedKeys", keys and asked | {"Keys": keys}
        answer = {"Responses": {table: []}}
        if some:
            answer = orjson.loads(self._engine.answer(operation, {"RequestItems": {table: some}}).content)
        if left["Keys"] if isinstance(left, dict) else left:
            answer[name] = {table: left}
        return raw_response(200, orjson.dumps(answer))

    # AWS Marketplace ---------------------------------------------------------------------------------------

    def on_aws(self, call: Call) -> AWSResponse:
        """See `ShelfMarketplace.through`."""
        if self.off:
            return call()
        if self._strikes(5 * self._weather.interrupted):
            self.interrupt({})
        now = self._clock.now()
        if self._story.trouble(AWS_AWAY, now):
            return self._at_aws(self._random.choice(["AWS: no connection", "AWS: error before"]), call)
        if self._story.trouble(AWS_GREY, now):
            return self._at_aws(self._random.choice(_GREY), call)
        if self._story.trouble(AWS_THROTTLES, now):
            return self._at_aws("AWS: throttled", call)
        if self._story.trouble(AWS_REFUSES_US, now):
            return self._at_aws("AWS: access denied", call)
        return (
            self._at_aws(self._random.choice(_OF_AWS), call) if self._strikes(self._weather.aws) else call()
        )

    def _at_aws(self, kind: str, call: Call) -> AWSResponse:
        self.injected[kind] += 1
        match kind:
            case "AWS: killed before":
                raise Killed
            case "AWS: killed after":
                call()
                raise Killed
            case "AWS: half unprocessed":
                left = self._random.randrange(2)
                self._aws.next_calls(Fault(unprocessed=lambda place: place % 2 == left))
                return call()
        self._aws.next_calls(_FAULTS[kind])
        return call()


_FAULTS = {
    "AWS: no connection": Fault(before=NOT_THERE),
    "AWS: answer lost": Fault(after=LOST),
    "AWS: error before": Fault(before=Refused("InternalServiceErrorException", 500)),
    "AWS: error after the commit": Fault(after=Refused("InternalServiceErrorException", 500)),
    "AWS: throttled": Fault(before=Refused("ThrottlingException")),
    "AWS: access denied": Fault(before=Refused("AccessDeniedException")),
}
_OF_AWS = [
    "AWS: killed before",
    "AWS: killed after",
    "AWS: half unprocessed",
    "AWS: no connection",
    "AWS: answer lost",
    "AWS: error before",
    "AWS: error after the commit",
    "AWS: throttled",
]
_GREY = ["AWS: answer lost", "AWS: error after the commit", "AWS: error before", "AWS: throttled"]
_LIKE_AN_OUTAGE = [
    "DynamoDB: no connection",
    "DynamoDB: answer lost",
    "DynamoDB: error before",
    "DynamoDB: error after the commit",
    "DynamoDB: throttled",
]
_OF_DYNAMODB = [*_LIKE_AN_OUTAGE, "DynamoDB: killed before", "DynamoDB: killed after"]
_MATTERS_MORE = {"TransactWriteItems": 15, "UpdateItem": 3}
"""Before these it matters most that another was quicker."""

_FAILS_MORE_OFTEN = {"BatchWriteItem": 10}
"""It is seldom called, and all that is acknowledged hangs on it."""

_OF_OPERATION = {
    "TransactWriteItems": 2 * ["DynamoDB: transaction conflict"],
    "UpdateItem": ["DynamoDB: conflict"],
    "BatchWriteItem": 2 * ["DynamoDB: half unwritten"],
    "BatchGetItem": 2 * ["DynamoDB: half unread"],
}


def _server_error() -> AWSResponse:
    return raw_response(500, b'{"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError"}')
