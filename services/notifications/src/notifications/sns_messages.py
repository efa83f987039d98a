"""What SNS posts to our door, and what has to hold before its signature is worth checking: the topic, the
time, the addresses in it. Source: docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html and
sns-message-and-json-formats.html
"""

import json
import re
from collections.abc import Collection, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import SplitResult, parse_qs, urlsplit

from chassis.times import parse_rfc3339

AHEAD = timedelta(minutes=5)
"""How far SNS's clock may be ahead of ours."""

_HOST = re.compile(r"sns\.[a-z]{2,}(?:-[a-z0-9]+)+\.(?:amazonaws\.com|amazonaws\.com\.cn|amazonaws\.eu)")
_CERTIFICATE_PATH = re.compile(r"/SimpleNotificationService-[0-9a-f]{8,64}\.pem")
_TOPIC = re.compile(
    r"arn:aws[a-z-]*:sns:[a-z0-9-]+:(\d{12}):aws-mp-(?:subscription|entitlement)-notification-([\w-]{1,255})",
    re.ASCII,
)


class SnsType(StrEnum):
    NOTIFICATION = "Notification"
    SUBSCRIPTION_CONFIRMATION = "SubscriptionConfirmation"
    UNSUBSCRIBE_CONFIRMATION = "UnsubscribeConfirmation"


_OF_A_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED = {
    SnsType.NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    SnsType.SUBSCRIPTION_CONFIRMATION: _OF_A_CONFIRMATION,
    SnsType.UNSUBSCRIBE_CONFIRMATION: _OF_A_CONFIRMATION,
}


class NotFromSns(ValueError):
    """It has not even the form of a message of SNS."""


class NotProven(Exception):
    """It may say what it likes; that SNS sent it to us, now, is not proven.

    Args:
        slug: the last part of the problem's type.
        detail: what is wrong, in a sentence.
    """

    def __init__(self, slug: str, detail: str) -> None:
        super().__init__(detail)
        self.slug = slug
        self.detail = detail


@dataclass(frozen=True)
class SnsPost:
    """One message, its members as SNS wrote them."""

    type: SnsType
    members: dict[str, str]
    sent_at: datetime

    @property
    def topic(self) -> str:
        return self.members["TopicArn"]

    @property
    def text_to_sign(self) -> bytes:
        """Names and values of the signed members in the order of their names, a line each."""
        return "".join(
            f"{name}\n{self.members[name]}\n" for name in _SIGNED[self.type] if name in self.members
        ).encode()


def read_post(body: bytes) -> SnsPost:
    """Read what was posted.

    Raises:
        NotFromSns: the sentence says why.
    """
    try:
        document = json.loads(body)
        sns_type = SnsType(document["Type"])
        signed = [name for name in _SIGNED[sns_type] if document.get(name) is not None or name != "Subject"]
        members = {
            name: document[name] for name in [*signed, "SignatureVersion", "Signature", "SigningCertURL"]
        }
        for value in members.values():
            value.encode()
        return SnsPost(sns_type, members, parse_rfc3339(members["Timestamp"]))
    except KeyError as error:
        raise NotFromSns(f"It has no {error.args[0]}.") from error
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        raise NotFromSns("It is not a JSON document as SNS writes it.") from error


class Rules:
    """Which messages of SNS are for us.

    Args:
        products: the product codes of our catalogue.
        topics: topics that are taken by their whole ARN.
        accounts: AWS Marketplace's own accounts. Only from there a topic is taken by its name: anybody can
            make one of that name in an account of theirs, and SNS signs for it as well.
        window: how old a message may be. SNS tries for an hour, and no longer. An older one would still be
            known by its id, as long as the inbox keeps that.
        test_hosts: `host:port` of simulators, which are asked by plain http for certificates and
            confirmations.
    """

    def __init__(
        self,
        products: Set[str],
        topics: Collection[str],
        accounts: Collection[str],
        window: timedelta,
        test_hosts: Collection[str] = (),
    ) -> None:
        self._products = products
        self._topics = frozenset(topics)
        self._accounts = frozenset(accounts)
        self._window = window
        self._test_hosts = frozenset(test_hosts)

    def check(self, post: SnsPost, now: datetime) -> None:
        """All that can be checked without a certificate; cheap things first.

        Raises:
            NotProven: see there.
        """
        if not self._is_our_topic(post.topic):
            raise NotProven("sns-foreign-topic", "The topic is not one that this installation listens to.")
        if not now - self._window <= post.sent_at <= now + AHEAD:
            raise NotProven("sns-old-message", "The message was not sent just now.")
        if post.members["SignatureVersion"] not in ("1", "2"):
            raise NotProven("sns-forged-signature", "The signature's version is neither 1 nor 2.")
        if not self._is_certificate(post.members["SigningCertURL"]):
            raise NotProven("sns-foreign-certificate", "The certificate's address is not one of SNS.")
        if post.type == SnsType.SUBSCRIPTION_CONFIRMATION and not self._confirms(post):
            raise NotProven("sns-foreign-confirmation", "The confirmation's address is not one of SNS.")

    def _is_our_topic(self, topic: str) -> bool:
        if topic in self._topics:
            return True
        named = _TOPIC.fullmatch(topic)
        return named is not None and named[1] in self._accounts and named[2] in self._products

    def _is_certificate(self, address: str) -> bool:
        return self._is_test_host(address) or (
            _is_of_sns(address)
            and _CERTIFICATE_PATH.fullmatch(urlsplit(address).path) is not None
            and not urlsplit(address).query
        )

    def _confirms(self, post: SnsPost) -> bool:
        """Only the confirmation of this very topic: what the address says is what our GET would do."""
        address = post.members["SubscribeURL"]
        if not (self._is_test_host(address) or (_is_of_sns(address) and urlsplit(address).path == "/")):
            return False
        asked = parse_qs(urlsplit(address).query)
        return asked.get("Action") == ["ConfirmSubscription"] and asked.get("TopicArn") == [post.topic]

    def _is_test_host(self, address: str) -> bool:
        parts = _split(address)
        return parts is not None and parts.scheme == "http" and parts.netloc in self._test_hosts


def _is_of_sns(address: str) -> bool:
    """`https://` and an SNS host, to the letter: no port, no user, nothing that two readers read in two
    ways."""
    parts = _split(address)
    return (
        parts is not None
        and address.startswith(f"https://{parts.netloc}/")
        and _HOST.fullmatch(parts.netloc) is not None
        and not parts.fragment
    )


def _split(address: str) -> SplitResult | None:
    if not address.isascii() or not address.isprintable() or "\\" in address or " " in address:
        return None
    try:
        return urlsplit(address)
    except ValueError:
        return None
