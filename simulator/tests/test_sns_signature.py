"""The SNS envelope verifies as AWS documents it: RSA over the named members, by the certificate it names."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from marketplace_simulator.news import News
from marketplace_simulator.sns import SnsKey, envelope_of

START = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
NEWS = News("m-1", "agmt-1", "sns", "topic", "subscribe-success", START, '{"action":"subscribe-success"}')
MEMBERS = ("Message", "MessageId", "Timestamp", "TopicArn", "Type")


def verify(envelope: dict[str, Any], certificate: bytes) -> None:
    """Written after AWS's description of verifying, not after the code that signs."""
    text = "".join(f"{member}\n{envelope[member]}\n" for member in MEMBERS)
    algorithm = {"1": hashes.SHA1(), "2": hashes.SHA256()}[envelope["SignatureVersion"]]
    key = x509.load_pem_x509_certificate(certificate).public_key()
    key.verify(base64.b64decode(envelope["Signature"]), text.encode(), padding.PKCS1v15(), algorithm)


@pytest.fixture(scope="module")
def key() -> SnsKey:
    return SnsKey.make()


@pytest.mark.parametrize("version", ["1", "2"])
def test_the_signature_verifies_and_a_changed_member_does_not(key, version):
    envelope = envelope_of(
        NEWS, "arn:aws:sns:us-east-1:1:topic", key=key, signature_version=version, certificate_url="http://x"
    )
    certificate = key.certificate.encode()
    verify(envelope, certificate)
    for member in MEMBERS:
        with pytest.raises(InvalidSignature):
            verify({**envelope, member: envelope[member] + "x"}, certificate)


def test_the_certificate_is_served_where_the_envelope_says_and_stays_through_a_reset(seller):
    sns = seller.do("GET", "sns")
    assert sns["certificate_url"].endswith("/_simulator/sns/certificate.pem")
    first = seller.http("GET", "/_simulator/sns/certificate.pem")
    assert first.headers["Content-Type"] == "application/x-pem-file"
    seller.do("POST", "reset")
    assert seller.http("GET", "/_simulator/sns/certificate.pem").body == first.body


def test_the_form_is_chosen_by_setting_and_by_control_api(seller):
    assert seller.do("GET", "sns")["envelope"] == "simulated"
    assert seller.do("PUT", "sns", {"signature_version": "2"})["signature_version"] == "2"
    assert seller.do("PUT", "sns", {"envelope": "raw"}) == {
        **seller.do("GET", "sns"), "envelope": "raw", "signature_version": "2",
    }  # fmt: skip
    assert seller.control("PUT", "sns", {"envelope": "none"}).status == 400
    seller.do("POST", "reset")
    assert seller.do("GET", "sns")["envelope"] == "simulated"


def test_messages_in_the_real_queue_verify_or_are_raw_by_choice(serve, inbox):
    inbox.create()
    seller = serve(inbox.settings, real_post=True)
    product = seller.product("legacy")
    seller.do("POST", "deliveries", {"sns_to_queue": inbox.queue})
    certificate = seller.http("GET", "/_simulator/sns/certificate.pem").body
    for version in ("1", "2"):
        seller.do("PUT", "sns", {"signature_version": version})
        seller.buy(product)
        (envelope,) = inbox.bodies()
        assert envelope["SignatureVersion"] == version
        verify(envelope, certificate)
    seller.do("PUT", "sns", {"envelope": "raw"})
    seller.buy(product)
    (message,) = inbox.bodies()
    assert message["action"] == "subscribe-success"
    seller.do("PUT", "sns", {"envelope": "engine"})
    seller.buy(product)
    (envelope,) = inbox.bodies()
    assert json.loads(envelope["Message"])["action"] == "subscribe-success"
