"""The SNS envelope verifies as AWS documents it: RSA over the named members, by the certificate it names."""

from __future__ import annotations

import base64
import json
import threading
import time
import urllib.request
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

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


def verify(envelope: dict[str, Any], certificate: bytes, members: tuple[str, ...] = MEMBERS) -> None:
    """Written after AWS's description of verifying, not after the code that signs."""
    text = "".join(f"{member}\n{envelope[member]}\n" for member in sorted(members))
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


class Door(BaseHTTPRequestHandler):
    """A seller's own, which confirms what it is asked to."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.posted.append(({name.lower(): text for name, text in self.headers.items()}, body))
        if body.get("Type") == "SubscriptionConfirmation" and self.server.confirms:
            # The address is the one of the settings, which a simulator in a thread does not listen on.
            path = urlsplit(body["SubscribeURL"])
            with urllib.request.urlopen(f"{self.server.simulator}{path.path}?{path.query}") as answer:
                assert answer.status == 200
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def door(seller):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.posted, server.status, server.confirms, server.simulator = [], 200, True, seller.url
    server.url = f"http://127.0.0.1:{server.server_port}/door"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(10)


def posted(door, count):
    """So many posts, waited for."""
    for _ in range(500):
        if len(door.posted) >= count:
            return door.posted
        time.sleep(0.01)
    raise AssertionError(door.posted)


@pytest.mark.parametrize("version", ["1", "2"])
def test_an_https_subscription_is_confirmed_and_then_posted_to(seller, door, version):
    product = seller.product("legacy")
    certificate = seller.http("GET", "/_simulator/sns/certificate.pem").body
    seller.do("PUT", "sns", {"signature_version": version})
    seller.do("PUT", "https-delivery", {"sns_url": door.url, "queues": False})
    headers, asked = posted(door, 1)[0]
    assert headers["x-amz-sns-message-type"] == asked["Type"] == "SubscriptionConfirmation"
    assert asked["Token"] in asked["SubscribeURL"]
    verify(asked, certificate, (*MEMBERS, "SubscribeURL", "Token"))
    seller.buy(product)
    headers, envelope = posted(door, 2)[1]
    assert headers["x-amz-sns-topic-arn"] == envelope["TopicArn"] == asked["TopicArn"]
    assert headers["content-type"] == "text/plain; charset=UTF-8"
    assert json.loads(envelope["Message"])["action"] == "subscribe-success"
    verify(envelope, certificate)
    assert seller.mailbox.delivered == []


def test_nothing_is_posted_before_it_is_confirmed_or_after_the_road_is_taken_away(seller, door):
    door.confirms = False
    product = seller.product("legacy")
    seller.do("PUT", "https-delivery", {"sns_url": door.url})
    ((_, asked),) = posted(door, 1)
    wrong = urlsplit(asked["SubscribeURL"].replace(asked["Token"], "guessed"))
    assert seller.http("GET", f"{wrong.path}?{wrong.query}").status == 400
    seller.buy(product)
    assert [body["Type"] for _, body in door.posted] == ["SubscriptionConfirmation"]
    (news,) = seller.do("GET", "news")["news"]
    assert news["state"] == "due"
    assert news["last_error"].endswith("is not confirmed")
    assert list(seller.do("GET", "https-delivery")["topics"].values()) == [False]
    assert seller.do("PUT", "https-delivery", {})["sns_url"] is None
    seller.advance(1)
    assert [item["state"] for item in seller.do("GET", "news")["news"]] == ["delivered"]


def test_an_api_destination_gets_the_event_with_the_key(seller, door):
    key = {"api_key_name": "X-Secret", "api_key_value": "not-so-secret"}
    shown = seller.do("PUT", "https-delivery", {"eventbridge_url": door.url, **key})
    assert "api_key_value" not in shown
    door.status = 500
    bought = seller.buy(seller.product())
    assert {item["last_error"] for item in seller.do("GET", "news")["news"]} == {
        "the seller answered 500",
        None,
    }
    door.status = 200
    seller.advance(1)
    events = [body for _, body in door.posted]
    assert {headers["x-secret"] for headers, _ in door.posted} == {"not-so-secret"}
    assert events[-1]["detail"]["license"]["arn"] == bought["license_arn"]
    # Beside the queue, whose copy has the same id.
    assert {event["id"] for event in events} == {news.message_id for news in seller.mailbox.delivered}


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
