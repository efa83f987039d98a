"""One try of a DynamoDB call, at a third of the processor time that botocore's client takes for it.

Nothing else of ours runs as often as a login's question and a buyer's arrival, and a call is most of their
cost (bench/registration). botocore signs and urllib3 carries, as in botocore's own client; what is hard stays
there: retries, the names of errors, clocks that are off, proxies. So what gets no plain answer here is to be
asked again there, and only calls that may be made twice belong here.
"""

from typing import Any, Protocol

import orjson
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest


class Credentials(Protocol):
    """botocore's, which renew themselves."""

    def get_frozen_credentials(self) -> Any: ...


class QuickCalls:
    """Calls over connections that are kept for the next one.

    Args:
        endpoint: DynamoDB's address, as the client has it.
        region: which the signature names.
        credentials: of the calls.
        connect_seconds: how long to wait for a connection.
        read_seconds: how long to wait for an answer.
        ca_file: the certificates to trust.
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
        connections: int,
    ) -> None:
        self._endpoint = endpoint
        self._region = region
        self._credentials = credentials
        self._pool = urllib3.PoolManager(
            maxsize=connections,
            timeout=urllib3.Timeout(connect=connect_seconds, read=read_seconds),
            retries=False,
            ca_certs=ca_file,
        ).connection_from_url(endpoint)

    def ask(self, operation: str, request: dict[str, Any]) -> dict[str, Any] | None:
        """DynamoDB's answer, or None where it gave none or an error: then it may have done it all the same.

        Args:
            operation: such as `BatchGetItem`.
            request: its members, values as DynamoDB's JSON has them.
        """
        body = orjson.dumps(request)
        signed = AWSRequest(
            "POST",
            self._endpoint + "/",
            {"X-Amz-Target": f"DynamoDB_20120810.{operation}", "Content-Type": "application/x-amz-json-1.0"},
            body,
        )
        SigV4Auth(self._credentials.get_frozen_credentials(), "dynamodb", self._region).add_auth(signed)
        try:
            answer = self._pool.urlopen("POST", "/", body, dict(signed.headers), redirect=False)
            return orjson.loads(answer.data) if answer.status == 200 else None
        except (urllib3.exceptions.HTTPError, orjson.JSONDecodeError):
            return None
