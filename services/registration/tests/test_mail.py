"""The hand that sends letters: real boto3 against answers laid ready on a local port, and files."""

import email
import email.policy
import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from registration.letters import Letter
from registration.mail import DirectoryMail, MailAway, MailRefused, NoMail, Reason, SesMail

LETTER = Letter("Ihr Konto für Beispiel", "Grüße,\n\n" + "wörter " * 200 + "\n.\nFrom here\n")
TO = "ada.secret@example.com"
SENDER = "Example Seller <hello@seller.example>"


@dataclass
class Ses:
    url: str = ""
    status: int = 200
    error: str = ""
    body: dict[str, Any] = field(default_factory=lambda: {"MessageId": "m-1"})
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


@pytest.fixture
def ses() -> Iterator[Ses]:
    ses = Ses()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            ses.asked.append((self.path, json.loads(sent)))
            answer = json.dumps(ses.body).encode()
            self.send_response(ses.status)
            if ses.error:
                self.send_header("x-amzn-errortype", ses.error)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    ses.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield ses
    server.shutdown()
    thread.join()
    server.server_close()


def ses_mail(url: str, **credentials: str) -> SesMail:
    credentials = credentials or {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return SesMail(
        boto3.session.Session().client(
            "sesv2",
            region_name="us-east-1",
            endpoint_url=url,
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=2),
            **credentials,
        ),
        SENDER,
    )


def test_a_letter_goes_out_as_text_in_utf_8(ses: Ses) -> None:
    ses_mail(ses.url).send(LETTER, TO, "welcome/cus_1:é" + "x" * 300)
    ((path, body),) = ses.asked
    assert path == "/v2/email/outbound-emails"
    ((tag,), rest) = body.pop("EmailTags"), body
    assert rest == {
        "FromEmailAddress": SENDER,
        "Destination": {"ToAddresses": [TO]},
        "Content": {
            "Simple": {
                "Subject": {"Data": LETTER.subject, "Charset": "UTF-8"},
                "Body": {"Text": {"Data": LETTER.text, "Charset": "UTF-8"}},
            }
        },
    }
    assert tag["Name"] == "letter"
    assert tag["Value"].startswith("welcome-cus_1--xxx")
    assert len(tag["Value"]) == 256


@pytest.mark.parametrize(
    ("status", "error"),
    [(429, "TooManyRequestsException"), (500, "InternalFailure"), (503, ""), (400, "ThrottlingException")],
)
def test_an_outage_says_try_again(ses: Ses, status: int, error: str) -> None:
    ses.status, ses.error, ses.body = status, error, {"message": f"not now, {TO}"}
    with pytest.raises(MailAway) as caught:
        ses_mail(ses.url).send(LETTER, TO, "l1")
    assert TO not in str(caught.value)


def test_nobody_there_says_try_again(ses: Ses) -> None:
    with pytest.raises(MailAway, match=r"EndpointConnectionError|ConnectTimeout"):
        ses_mail("http://127.0.0.1:9").send(LETTER, TO, "l1")


@pytest.mark.parametrize(
    ("status", "error", "message", "reason", "is_ours"),
    [
        (
            400,
            "MessageRejected",
            "Email address is not verified. The following identities failed the check in region US-EAST-1: ",
            Reason.SENDER_NOT_VERIFIED,
            True,
        ),
        (400, "MailFromDomainNotVerifiedException", "x", Reason.SENDER_NOT_VERIFIED, True),
        (400, "MessageRejected", "Transaction failed: unusual content", Reason.BAD_ADDRESS, False),
        (400, "BadRequestException", "Domain contains illegal character", Reason.BAD_ADDRESS, False),
        (400, "BadRequestException", "Missing final '@domain'", Reason.BAD_ADDRESS, False),
        (400, "BadRequestException", "Configuration set is odd", Reason.OUR_FAULT, True),
        (400, "AccountSuspendedException", "x", Reason.SENDING_STOPPED, True),
        (400, "SendingPausedException", "x", Reason.SENDING_STOPPED, True),
        (403, "AccessDeniedException", "not authorized to perform ses:SendEmail", Reason.OUR_FAULT, True),
        (403, "ExpiredTokenException", "x", Reason.OUR_FAULT, True),
        (404, "NotFoundException", "x", Reason.OUR_FAULT, True),
    ],
)
def test_a_refusal_has_a_name_and_no_address(
    ses: Ses,
    caplog: pytest.LogCaptureFixture,
    status: int,
    error: str,
    message: str,
    reason: Reason,
    is_ours: bool,
) -> None:
    ses.status, ses.error, ses.body = status, error, {"message": message + TO}
    with caplog.at_level(logging.INFO), pytest.raises(MailRefused) as caught:
        ses_mail(ses.url).send(LETTER, TO, "l1")
    assert (caught.value.reason, caught.value.is_ours) == (reason, is_ours)
    assert caught.value.error_code == error
    assert caught.value.__suppress_context__
    assert TO not in str(caught.value) + caplog.text


def test_without_credentials_it_is_our_fault(
    ses: Ses, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    mail = SesMail(
        boto3.session.Session().client("sesv2", region_name="us-east-1", endpoint_url=ses.url), SENDER
    )
    with pytest.raises(MailRefused, match="NoCredentialsError") as caught:
        mail.send(LETTER, TO, "l1")
    assert caught.value.reason is Reason.OUR_FAULT
    assert ses.asked == []


def test_a_directory_holds_one_file_for_each_letter(tmp_path: Path) -> None:
    mail = DirectoryMail(tmp_path / "letters")
    mail.send(LETTER, TO, "welcome-cus_1")
    mail.send(LETTER, TO, "welcome-cus_1")
    mail.send(LETTER, TO, "access-cus_1")
    files = sorted(file.name for file in (tmp_path / "letters").iterdir())
    assert files == ["access-cus_1.eml", "welcome-cus_1.eml"]
    raw = (tmp_path / "letters" / "welcome-cus_1.eml").read_bytes()
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert (message["to"], message["subject"]) == (TO, LETTER.subject)
    assert message.get_content_type() == "text/plain"
    assert message.get_body().get_content().replace("\r\n", "\n") == LETTER.text
    assert max(map(len, raw.split(b"\r\n"))) < 998


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a.b", "x" * 201])
def test_a_letters_id_names_a_file_here(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="names a file"):
        DirectoryMail(tmp_path).send(LETTER, TO, name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("to", ["a@b.example\nBcc: eve@evil.example", "a@b.example\r\n\r\nHello"])
def test_an_address_begins_no_header(tmp_path: Path, to: str) -> None:
    with pytest.raises(MailRefused) as caught:
        DirectoryMail(tmp_path).send(LETTER, to, "l1")
    assert caught.value.reason is Reason.BAD_ADDRESS
    assert list(tmp_path.iterdir()) == []


def test_no_mail_is_no_mail() -> None:
    NoMail().send(LETTER, TO, "l1")
