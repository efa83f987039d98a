"""The SNS envelope and its signature, as a subscriber without raw delivery gets and verifies them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import get_args

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from marketplace_simulator.identifiers import new_uuid
from marketplace_simulator.news import News
from marketplace_simulator.settings import Envelope, SignatureVersion
from marketplace_simulator.times import rfc3339_millis

ENVELOPES: tuple[Envelope, ...] = get_args(Envelope)
SIGNATURE_VERSIONS: tuple[SignatureVersion, ...] = get_args(SignatureVersion)
CERTIFICATE_PATH = "/sns/certificate.pem"
CONFIRMATION_PATH = "/sns/confirm"

# In the order in which SNS signs them; a member that a message has not is left out.
_SIGNED_MEMBERS = (
    "Message",
    "MessageId",
    "SubscribeURL",
    "Subject",
    "Timestamp",
    "Token",
    "TopicArn",
    "Type",
)
# SNS's certificates live for a year; a simulated clock may wander through many.
_VALID_FROM = datetime(2000, 1, 1)  # noqa: DTZ001  (x509 wants UTC without saying so)
_VALID_FOR = timedelta(days=365 * 500)


@dataclass(frozen=True)
class SnsSettings:
    """How legacy news is wrapped.

    Args:
        envelope: `simulated` (written here, stamped by this clock, signed), `engine` (the local engine writes
            it, with its own time), or `raw` (the bare message, as with raw delivery).
        signature_version: `1` is SHA1, SNS's default; `2` is SHA256.
    """

    envelope: Envelope = "simulated"
    signature_version: SignatureVersion = "1"


class SnsKey:
    """The key pair that stands for SNS's own.

    Args:
        private_key: PEM.
        certificate: PEM, self-signed.
    """

    def __init__(self, private_key: str, certificate: str) -> None:
        key = serialization.load_pem_private_key(private_key.encode(), password=None)
        assert isinstance(key, rsa.RSAPrivateKey), "SNS signs with RSA"
        self._key = key
        self.private_key = private_key
        self.certificate = certificate

    @classmethod
    def make(cls) -> SnsKey:
        """A new key pair; takes a tenth of a second."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com (simulated)")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_VALID_FROM)
            .not_valid_after(_VALID_FROM + _VALID_FOR)
            .sign(key, hashes.SHA256())
        )
        return cls(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ).decode(),
            certificate.public_bytes(serialization.Encoding.PEM).decode(),
        )

    def sign(self, envelope: dict[str, str]) -> str:
        """The `Signature` of an envelope, by its `SignatureVersion`."""
        # AWS signs version 1 so.
        algorithm = hashes.SHA1() if envelope["SignatureVersion"] == "1" else hashes.SHA256()  # nosec B303
        signature = self._key.sign(text_to_sign(envelope).encode(), padding.PKCS1v15(), algorithm)
        return base64.b64encode(signature).decode()


def text_to_sign(envelope: dict[str, str]) -> str:
    """What SNS signs: names and values of the signed members, a line each."""
    return "".join(f"{name}\n{envelope[name]}\n" for name in _SIGNED_MEMBERS if name in envelope)


def envelope_of(
    news: News, topic_arn: str, *, key: SnsKey, signature_version: SignatureVersion, certificate_url: str
) -> dict[str, str]:
    """What SNS puts into a queue without raw delivery, stamped with the event's own moment.

    `Subject` and `MessageAttributes` are left out, as SNS does when a message has none.
    """
    assert news.topic is not None, "SNS news without a topic"
    envelope = {
        "Type": "Notification",
        "MessageId": news.message_id,
        "TopicArn": topic_arn,
        "Message": news.body,
        "Timestamp": rfc3339_millis(news.due_at),
        "SignatureVersion": signature_version,
        "SigningCertURL": certificate_url,
        "UnsubscribeURL": (
            "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe"
            f"&SubscriptionArn={topic_arn}:{new_uuid()}"
        ),
    }
    return {**envelope, "Signature": key.sign(envelope)}


def confirmation_of(
    topic_arn: str,
    token: str,
    *,
    at: datetime,
    key: SnsKey,
    signature_version: SignatureVersion,
    certificate_url: str,
    subscribe_url: str,
) -> dict[str, str]:
    """What SNS posts first to an https subscription: nothing follows before `SubscribeURL` was asked for."""
    envelope = {
        "Type": "SubscriptionConfirmation",
        "MessageId": new_uuid(),
        "Token": token,
        "TopicArn": topic_arn,
        "Message": (
            f"You have chosen to subscribe to the topic {topic_arn}.\n"
            "To confirm the subscription, visit the SubscribeURL included in this message."
        ),
        "SubscribeURL": subscribe_url,
        "Timestamp": rfc3339_millis(at),
        "SignatureVersion": signature_version,
        "SigningCertURL": certificate_url,
    }
    return {**envelope, "Signature": key.sign(envelope)}
