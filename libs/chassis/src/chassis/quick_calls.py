"""One try of a DynamoDB call, at a third of the processor time that botocore's client takes for it.

Where a process asks DynamoDB more than it does anything else, the client is most of what it costs
(bench/registration, bench/notifications). botocore signs and urllib3 carries, as in botocore's own client;
what is hard stays there: retries, the names of errors, clocks that are off, proxies. So what gets no plain
answer here is to be asked again there, as the client itself asks again what got none: whoever calls bears
either.
"""

import base64
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import botocore.session
import orjson
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies
from pynamodb.connection import Connection

from chassis.aws import client
from chassis.settings import ChassisSettings

_OF_ITEMS = frozenset(
    {
        "BatchGetItem",
        "BatchWriteItem",
        "DeleteItem",
        "GetItem",
        "PutItem",
        "Query",
        "Scan",
        "TransactGetItems",
        "TransactWriteItems",
        "UpdateItem",
    }
)


class Credentials(Protocol):
    """botocore's, which renew themselves."""

    def get_frozen_credentials(self) -> Any: ...


class Answer(NamedTuple):
    """What became of a try.

    Attributes:
        members: DynamoDB's answer, values as its JSON has them; None where it gave none, or an error.
        is_refusal: whether it said that the call is wrong or comes at a bad time, so that it has done
            nothing. Where there are no members and no refusal either, it may have done it all the same.
    """

    members: dict[str, Any] | None
    is_refusal: bool = False


class QuickCalls:
    """Calls over connections that are kept for the next one.

    Args:
        endpoint: DynamoDB's address, as the client has it.
        region: which the signature names.
        credentials: of the calls.
        connect_seconds: how long to wait for a connection.
        read_seconds: how long to wait for an answer.
        ca_file: the certificates to trust.
        user_agent: who asks; AWS's logs name the caller so.
        connections: how many are kept.
    """

    def __init__(
        self,
        endpoint: str,
        region: str,
        credentials: Credentials,
        *,
        connect_seconds: float,
        read_seconds: float,
        ca_file: str,
        user_agent: str,
        connections: int,
    ) -> None:
        self._endpoint = endpoint
        self._region = region
        self._credentials = credentials
        self._user_agent = user_agent
        self._pool = urllib3.PoolManager(
            maxsize=connections,
            timeout=urllib3.Timeout(connect=connect_seconds, read=read_seconds),
            retries=False,
            ca_certs=ca_file,
        ).connection_from_url(endpoint)

    def ask(self, operation: str, request: dict[str, Any]) -> dict[str, Any] | None:
        """DynamoDB's answer, or None where it gave none or an error: then it may have done it all the same.

        Args:
            operation, request: see `attempt`.
        """
        return self.attempt(operation, request).members

    def attempt(self, operation: str, request: dict[str, Any]) -> Answer:
        """What became of one try.

        Args:
            operation: such as `BatchGetItem`.
            request: its members, values as DynamoDB's JSON has them, or bytes.
        """
        body = orjson.dumps(request, default=_base64)
        signed = AWSRequest(
            "POST",
            self._endpoint + "/",
            {
                "X-Amz-Target": f"DynamoDB_20120810.{operation}",
                "Content-Type": "application/x-amz-json-1.0",
                "User-Agent": self._user_agent,
            },
            body,
        )
        SigV4Auth(self._credentials.get_frozen_credentials(), "dynamodb", self._region).add_auth(signed)
        try:
            answer = self._pool.urlopen("POST", "/", body, dict(signed.headers), redirect=False)
            if answer.status == 200:
                return Answer(orjson.loads(answer.data))
            return Answer(None, is_refusal=400 <= answer.status < 500)
        except (urllib3.exceptions.HTTPError, orjson.JSONDecodeError):
            return Answer(None)


class QuickConnection(Connection):
    """pynamodb's connection, whose calls about items are tried quickly first. For who asks much: every model
    that is bound to it is read and written so.

    An answer of 200 is taken for what it says. Whatever else there is, is found out by asking again through
    the client, which is what the client itself does where it got no answer: a condition that fails now
    because the first try was done after all is told as a failed condition. A transaction has one token for
    both tries, so DynamoDB does it once.

    Args:
        quick: tries.
        how: see pynamodb.
    """

    def __init__(self, quick: QuickCalls, **how: Any) -> None:
        super().__init__(**how)
        self._quick = quick

    def _make_api_call(self, operation_name: str, operation_kwargs: dict[str, Any]) -> dict[str, Any]:
        if operation_name in _OF_ITEMS:
            if operation_name == "TransactWriteItems":
                operation_kwargs.setdefault("ClientRequestToken", str(uuid.uuid4()))
            answer = self._quick.ask(operation_name, operation_kwargs)
            if answer is not None:
                return with_bytes(answer)
        answered: dict[str, Any] = super()._make_api_call(operation_name, operation_kwargs)
        return answered


def quick_calls(settings: ChassisSettings, connections: int | None = None) -> QuickCalls | None:
    """None where a proxy stands before DynamoDB, or there are no credentials yet: the client sees to both.
    And where a call may be tried only once: that try is the client's, or nobody would say what went wrong.

    Args:
        settings: Region, time-outs and the number of attempts.
        connections: how many are kept; one for each thread of a web process when None.
    """
    if settings.aws_attempts == 1:
        return None
    session = botocore.session.get_session()
    credentials = session.get_credentials()
    # The client finds it by itself, but has it in `user_agent` before its first call only where it was given.
    app_id = session.get_config_variable("user_agent_appid")
    meta = client(settings, "dynamodb", user_agent_appid=app_id).meta
    endpoint = meta.endpoint_url
    if credentials is None or get_environ_proxies(endpoint):
        return None
    return QuickCalls(
        endpoint,
        settings.aws_region,
        credentials,
        connect_seconds=settings.aws_connect_timeout_seconds,
        read_seconds=settings.aws_read_timeout_seconds,
        ca_file=session.get_config_variable("ca_bundle") or get_cert_path(True),
        user_agent=meta.config.user_agent,
        connections=connections or settings.web_threads,
    )


def _base64(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"DynamoDB's JSON has no {type(value).__name__}.")


def with_bytes(answer: dict[str, Any]) -> dict[str, Any]:
    """The same answer, its items' binary values as bytes, as the client has them."""
    for item in _items_of(answer):
        for value in item.values():
            _decode(value)
    return answer


def _items_of(answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in ("Item", "Attributes"):
        if name in answer:
            yield answer[name]
    yield from answer.get("Items", ())
    for requests in answer.get("UnprocessedItems", {}).values():
        yield from (item for one in requests for request in one.values() for item in request.values())
    responses = answer.get("Responses", ())
    if isinstance(responses, list):  # of a transaction: one for each key
        yield from (one["Item"] for one in responses if "Item" in one)
    else:
        for items in dict(responses).values():
            yield from items


def _decode(value: dict[str, Any]) -> None:
    ((kind, content),) = value.items()
    if kind == "B":
        value[kind] = base64.b64decode(content)
    elif kind == "BS":
        value[kind] = [base64.b64decode(one) for one in content]
    elif kind == "L":
        for one in content:
            _decode(one)
    elif kind == "M":
        for one in content.values():
            _decode(one)
