"""AWS Marketplace is called under a role of another account, and what goes wrong with the role is not taken
for an answer of AWS Marketplace."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest
from botocore.exceptions import CredentialRetrievalError, EndpointConnectionError

from chassis.assumed_role import SESSION_NAME, marketplace_client, session_under
from chassis.settings import ChassisSettings

ROLE = "arn:aws:iam::111122223333:role/marketplane-metering"
GRANTED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>temporary</SecretAccessKey>
<SessionToken>token-of-{key}</SessionToken><Expiration>{until}</Expiration></Credentials>
<AssumedRoleUser><Arn>arn</Arn><AssumedRoleId>id</AssumedRoleId></AssumedRoleUser>
</AssumeRoleResult></AssumeRoleResponse>"""
REFUSED = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>{code}</Code><Message>of secret-of-ours</Message></Error></ErrorResponse>"""


@dataclass
class Aws:
    """Plays STS and metering on one port, and keeps what it was asked."""

    url: str = ""
    valid_for: timedelta = timedelta(hours=1)
    refusal: tuple[int, str] | None = None
    assumed: list[dict[str, str]] = field(default_factory=list)
    signed_by: list[tuple[str, str | None]] = field(default_factory=list)

    def answer(self, headers: Any, body: bytes) -> tuple[int, str, str]:
        key = headers["Authorization"].split("Credential=")[1].split("/")[0]
        if headers.get("X-Amz-Target"):
            self.signed_by.append((key, headers.get("X-Amz-Security-Token")))
            return 200, "application/x-amz-json-1.1", json.dumps({"ProductCode": "product"})
        self.assumed.append(
            {name: values[0] for name, values in parse_qs(body.decode()).items()} | {"by": key}
        )
        if self.refusal:
            return self.refusal[0], "text/xml", REFUSED.format(code=self.refusal[1])
        until = (datetime.now(UTC) + self.valid_for).strftime("%Y-%m-%dT%H:%M:%SZ")
        return 200, "text/xml", GRANTED.format(key=f"ASSUMED{len(self.assumed)}", until=until)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    played = Aws()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, content_type, text = played.answer(self.headers, body)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    played.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "OURSELVES")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-ours")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", played.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_MARKETPLACE_METERING", played.url)
    session_under.cache_clear()
    yield played
    session_under.cache_clear()
    server.shutdown()
    server.server_close()


def resolve(external_id: str = "", role_arn: str = ROLE) -> Any:
    settings = ChassisSettings(
        environment="test",
        marketplace_role_arn=role_arn,
        marketplace_role_external_id=external_id,
        aws_attempts=1,
    )
    return marketplace_client(settings, "meteringmarketplace").resolve_customer(RegistrationToken="token")


def test_the_call_is_signed_by_the_role(aws: Aws) -> None:
    resolve("external-7")
    assert aws.signed_by == [("ASSUMED1", "token-of-ASSUMED1")]
    [asked] = aws.assumed
    assert (asked["by"], asked["RoleArn"], asked["ExternalId"]) == ("OURSELVES", ROLE, "external-7")
    assert asked["RoleSessionName"] == SESSION_NAME


def test_no_external_id_is_sent_where_none_is_set(aws: Aws) -> None:
    resolve()
    assert "ExternalId" not in aws.assumed[0]


def test_without_a_role_a_process_calls_as_itself(aws: Aws) -> None:
    resolve(role_arn="")
    assert (aws.signed_by, aws.assumed) == ([("OURSELVES", None)], [])


def test_several_clients_share_the_credentials(aws: Aws) -> None:
    resolve()
    resolve()
    assert (len(aws.assumed), len(aws.signed_by)) == (1, 2)


def test_credentials_that_end_soon_are_renewed(aws: Aws) -> None:
    aws.valid_for = timedelta(minutes=1)
    resolve()
    resolve()
    # botocore renews what ends within ten minutes: in each call here, since each answer does.
    keys = [key for key, _ in aws.signed_by]
    assert len(set(keys)) == 2
    assert len(aws.assumed) >= 2


@pytest.mark.parametrize("code", ["AccessDenied", "ExpiredTokenException", "ValidationError"])
def test_a_refusal_of_the_role_is_not_the_call_s_own_error(aws: Aws, code: str) -> None:
    aws.refusal = (403, code)
    with pytest.raises(CredentialRetrievalError, match=code) as raised:
        resolve()
    assert "secret-of-ours" not in str(raised.value)
    assert aws.signed_by == []


@pytest.mark.parametrize("refusal", [(503, "ServiceUnavailable"), (400, "Throttling")])
def test_while_sts_is_away_the_call_was_not_sent(aws: Aws, refusal: tuple[int, str]) -> None:
    aws.refusal = refusal
    with pytest.raises(EndpointConnectionError, match="STS"):
        resolve()
    aws.refusal = None
    resolve()
    assert len(aws.signed_by) == 1


def test_sts_that_does_not_listen_is_away(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    with pytest.raises(EndpointConnectionError, match="STS"):
        resolve()
    assert aws.signed_by == []
