"""The hand that asks AWS: a real boto3 client against answers laid ready on a local port."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from botocore.config import Config
from conftest import concurrent_answer

from registration.marketplace import Marketplace
from registration.resolve_refusals import Refusal, TokenNotResolved

TOKEN = "a-token+with/odd=characters and spaces"


@dataclass
class Aws:
    url: str = ""
    status: int = 200
    body: bytes = b"{}"
    asked: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def aws() -> Iterator[Aws]:
    aws = Aws()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            aws.asked.append({"target": self.headers["X-Amz-Target"], "body": json.loads(body)})
            self.send_response(aws.status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(aws.body)))
            self.end_headers()
            self.wfile.write(aws.body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    aws.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield aws
    server.shutdown()
    thread.join()
    server.server_close()


def marketplace(url: str, **credentials: str) -> Marketplace:
    return Marketplace(
        boto3.session.Session().client(
            "meteringmarketplace",
            region_name="us-east-1",
            endpoint_url=url,
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=1),
            **(credentials or {"aws_access_key_id": "test", "aws_secret_access_key": "test"}),
        )
    )


def test_the_answer_comes_whole_and_the_token_goes_unchanged(aws: Aws) -> None:
    aws.body = json.dumps(concurrent_answer()).encode()
    answer = marketplace(aws.url).resolve_customer(TOKEN)
    # Older botocore drops it.
    assert answer["Metadata"] == {"AgreementId": "agmt-example"}
    assert aws.asked == [
        {"target": "AWSMPMeteringService.ResolveCustomer", "body": {"RegistrationToken": TOKEN}}
    ]


@pytest.mark.parametrize(
    ("status", "code", "message", "refusal"),
    [
        (400, "InvalidTokenException", "Registration token is invalid", Refusal.INVALID_TOKEN),
        (400, "ExpiredTokenException", f"The token {TOKEN} has expired", Refusal.EXPIRED_TOKEN),
        (
            400,
            "ExpiredTokenException",
            "The security token included in the request is expired",
            Refusal.OUR_FAULT,
        ),
        (400, "ThrottlingException", "Rate exceeded", Refusal.AWAY),
        (500, "InternalServiceErrorException", "", Refusal.AWAY),
        (403, "AccessDeniedException", "", Refusal.OUR_FAULT),
        (400, "DisabledApiException", "", Refusal.OUR_FAULT),
    ],
)
def test_each_refusal_is_named_and_never_repeats_the_token(
    aws: Aws, status: int, code: str, message: str, refusal: Refusal
) -> None:
    aws.status, aws.body = status, json.dumps({"__type": code, "message": message}).encode()
    with pytest.raises(TokenNotResolved) as refused:
        marketplace(aws.url).resolve_customer(TOKEN)
    assert refused.value.refusal is refusal
    assert refused.value.error_code == code
    assert TOKEN not in str(refused.value)
    assert refused.value.__suppress_context__


def test_no_answer_or_a_garbled_one_means_away(aws: Aws) -> None:
    with pytest.raises(TokenNotResolved) as refused:
        marketplace("http://127.0.0.1:9").resolve_customer(TOKEN)
    assert refused.value.refusal is Refusal.AWAY
    aws.status, aws.body = 502, b"<html>Bad Gateway</html>"
    with pytest.raises(TokenNotResolved) as refused:
        marketplace(aws.url).resolve_customer(TOKEN)
    assert refused.value.refusal is Refusal.AWAY


def test_without_credentials_it_is_our_fault(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    client = boto3.session.Session().client(
        "meteringmarketplace", region_name="us-east-1", endpoint_url=aws.url
    )
    with pytest.raises(TokenNotResolved) as refused:
        Marketplace(client).resolve_customer(TOKEN)
    assert refused.value.refusal is Refusal.OUR_FAULT
