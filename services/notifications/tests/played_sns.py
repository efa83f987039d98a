"""SNS, played: a key, its certificate at an address of SNS, and messages signed with it as AWS documents
it."""

import base64
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx
import samples
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from notifications.sns_certificates import Sns

CERTIFICATE = (
    "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
)
TOPIC = f"arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-{samples.LEGACY_CODE}"
CONFIRM = f"https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=abc"


def make_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate_of(key: Any, begins: datetime, ends: datetime) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(begins).not_valid_after(ends)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


class PlayedSns:
    """Answers GETs, and signs.

    Attributes:
        answers: what is at an address; anything else is 404.
        asked: the addresses that were asked for.
    """

    def __init__(self) -> None:
        self.key = make_key()
        self.certificate = certificate_of(self.key, samples.after(days=-30), samples.after(days=300))
        self.sns = Sns()
        self.begin()

    def begin(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, Callable[[], httpx.Response]] = {
            CERTIFICATE: lambda: httpx.Response(200, content=self.certificate),
            CONFIRM: lambda: httpx.Response(200, text="<ConfirmSubscriptionResponse/>"),
        }
        # The same object that the application holds, as new.
        transport = httpx.MockTransport(self._answer)
        self.sns.__init__(httpx.Client(transport=transport, follow_redirects=False))  # type: ignore[misc]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        return self.answers.get(str(request.url), lambda: httpx.Response(404))()

    def post(
        self,
        message: str = samples.SUBSCRIBE_SUCCESS,
        at: datetime = samples.T0,
        *,
        type_: str = "Notification",
        version: str = "1",
        key: Any = None,
        **members: str | None,
    ) -> dict[str, str]:
        """A message as SNS posts it. `members` replace its own before it is signed; None takes one out."""
        whole: dict[str, str | None] = {
            "Type": type_,
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": TOPIC,
            "Message": message,
            "Timestamp": samples.stamp(at),
            "SignatureVersion": version,
            "SigningCertURL": CERTIFICATE,
        }
        if type_ != "Notification":
            whole |= {"SubscribeURL": CONFIRM, "Token": "abc"}
        post = {name: value for name, value in (whole | members).items() if value is not None}
        post["Signature"] = self.sign(post, version, key or self.key)
        return post

    @staticmethod
    def sign(post: dict[str, str], version: str, key: Any) -> str:
        """Written after AWS's description, not after the code that verifies."""
        if post.get("Type") == "Notification":
            names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
        else:
            names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        text = "".join(f"{name}\n{post[name]}\n" for name in names if name in post)
        algorithm = hashes.SHA256() if version == "2" else hashes.SHA1()
        return base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), algorithm)).decode()


def as_body(post: dict[str, str]) -> bytes:
    return json.dumps(post, indent=2).encode()
