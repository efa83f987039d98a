"""Sends letters: by Amazon SES, into a directory, or not at all. Nothing here logs an address."""

import os
import re
import tempfile
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP
from enum import Enum
from pathlib import Path
from typing import Any

import botocore.exceptions
import botocore.parsers

from chassis.aws import error_code, is_outage
from registration.letters import Letter

# botocore's errors where no answer came, or none that could be read. Its others (no credentials, a bad
# profile) are ours.
_NO_ANSWER = (
    botocore.exceptions.ConnectionError,
    botocore.exceptions.HTTPClientError,
    botocore.parsers.ResponseParserError,
)

# botocore's model of SESv2 SendEmail: the name and value of a message tag.
_NOT_IN_A_TAG = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_TAG = 256

_FILE_NAME = re.compile(r"[A-Za-z0-9_-]{1,200}")


class MailAway(Exception):
    """SES did not answer, or asked us to slow down. The same letter may go out in a moment."""


class Reason(Enum):
    BAD_ADDRESS = "bad-address"
    """SES cannot take the recipient's address, or what was written to it. It never will."""
    SENDER_NOT_VERIFIED = "sender-not-verified"
    """The sender's address or domain is not verified in this Region, or SES is still in its sandbox, where
    the recipient's has to be too."""
    SENDING_STOPPED = "sending-stopped"
    """AWS has paused or suspended this account's sending."""
    OUR_FAULT = "our-fault"
    """Credentials, permissions, Region, or a request that SES does not understand."""


class MailRefused(Exception):
    """SES does not take the letter.

    Args:
        reason: why.
        error_code: AWS's name of the error. Never its message: it repeats addresses.
    """

    def __init__(self, reason: Reason, error_code: str) -> None:
        super().__init__(f"{reason.value} ({error_code})")
        self.reason = reason
        self.error_code = error_code

    @property
    def is_ours(self) -> bool:
        """Whether a person of ours can mend it, so that the letter is worth keeping."""
        return self.reason is not Reason.BAD_ADDRESS


class SesMail:
    """Amazon SES.

    Args:
        client: boto3's `sesv2`.
        sender: a verified address, perhaps with a name: `Example <hello@seller.example>`.
    """

    def __init__(self, client: Any, sender: str) -> None:
        self._client = client
        self._sender = sender

    def send(self, letter: Letter, to: str, idempotency_id: str) -> None:
        """Send one letter. SES knows no idempotency: where its answer was lost, a repeat is a second letter.

        Args:
            idempotency_id: the message's tag, by which SES's own events can be told apart.

        Raises:
            MailAway: try again.
            MailRefused: with the reason.
        """
        try:
            self._client.send_email(
                FromEmailAddress=self._sender,
                Destination={"ToAddresses": [to]},
                Content={
                    "Simple": {
                        "Subject": {"Data": letter.subject, "Charset": "UTF-8"},
                        "Body": {"Text": {"Data": letter.text, "Charset": "UTF-8"}},
                    }
                },
                EmailTags=[
                    {"Name": "letter", "Value": _NOT_IN_A_TAG.sub("-", idempotency_id)[:_LONGEST_TAG]}
                ],
            )
        # Without the cause: AWS's words repeat addresses, and a traceback of ours would print them.
        except botocore.exceptions.ClientError as error:
            if is_outage(error):
                raise MailAway(error_code(error)) from None
            raise MailRefused(_reason(error), error_code(error)) from None
        except _NO_ANSWER as error:
            raise MailAway(type(error).__name__) from None
        except botocore.exceptions.BotoCoreError as error:
            raise MailRefused(Reason.OUR_FAULT, type(error).__name__) from None


class DirectoryMail:
    """Each letter a file that mail programs open: for local use and tests.

    Args:
        directory: made when missing.
    """

    def __init__(self, directory: Path, sender: str = "registration@localhost") -> None:
        self._directory = directory
        self._sender = sender

    def send(self, letter: Letter, to: str, idempotency_id: str) -> None:
        """Write `<idempotency_id>.eml`, whole or not at all; the same again for a repeat.

        Raises:
            MailRefused: the address cannot stand in a header.
            ValueError: the id is no name for a file.
        """
        if not _FILE_NAME.fullmatch(idempotency_id):
            raise ValueError(
                "A letter's id must be letters, digits, dashes and underscores: it names a file."
            )
        message = EmailMessage(policy=SMTP)
        message["From"] = self._sender
        try:
            message["To"] = to
        except (ValueError, MessageError):
            raise MailRefused(Reason.BAD_ADDRESS, "ValueError") from None
        message["Subject"] = letter.subject
        message["Message-ID"] = f"<{idempotency_id}@localhost>"
        message.set_content(letter.text)
        self._directory.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._directory, suffix=".part", delete=False) as part:
            part.write(message.as_bytes())
        os.replace(part.name, self._directory / f"{idempotency_id}.eml")


class NoMail:
    """Letters are not wanted."""

    def send(self, letter: Letter, to: str, idempotency_id: str) -> None:
        """Send nothing."""


def _reason(error: botocore.exceptions.ClientError) -> Reason:
    code = error_code(error)
    message = str(error.response.get("Error", {}).get("Message", "")).lower()
    if code in ("AccountSuspendedException", "SendingPausedException"):
        return Reason.SENDING_STOPPED
    if code == "MailFromDomainNotVerifiedException":
        return Reason.SENDER_NOT_VERIFIED
    # Only the message tells a sender that is not verified from a letter that is not taken.
    if code == "MessageRejected":
        return Reason.SENDER_NOT_VERIFIED if "not verified" in message else Reason.BAD_ADDRESS
    if code == "BadRequestException" and re.search("address|domain|local part", message):
        return Reason.BAD_ADDRESS
    return Reason.OUR_FAULT
