"""News by HTTPS, for sellers without a queue: an SNS subscription with the protocol https, and EventBridge's
API destination. Both post to an address of the seller's.

SNS first posts a SubscriptionConfirmation; the topic's news follows once the seller has asked for the address
in it. EventBridge sends the event alone, with the API key of its connection as a header.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from marketplace_simulator.clock import Clock
from marketplace_simulator.delivery import NotDelivered
from marketplace_simulator.identifiers import new_uuid
from marketplace_simulator.news import News
from marketplace_simulator.settings import Settings
from marketplace_simulator.sns import confirmation_of, envelope_of
from marketplace_simulator.sns_desk import SnsDesk

SECONDS = 10
"""SNS waits 15 seconds for an answer, EventBridge five."""


@dataclass(frozen=True)
class HttpsRoads:
    """Where news goes by HTTPS.

    Args:
        sns_url: the https subscription of every legacy topic; None: there is none.
        eventbridge_url: the API destination; None: there is none.
        api_key_name: the header that EventBridge sends with each event.
        api_key_value: its value.
        queues: whether the queues get it too.
    """

    sns_url: str | None = None
    eventbridge_url: str | None = None
    api_key_name: str | None = None
    api_key_value: str | None = None
    queues: bool = True

    def lead_for(self, news: News) -> bool:
        return (self.sns_url if news.channel == "sns" else self.eventbridge_url) is not None


class HttpsPost:
    """Posts; blocking, so callers give it a thread."""

    def __init__(self, settings: Settings, sns_desk: SnsDesk, clock: Clock) -> None:
        self._settings = settings
        self._desk = sns_desk
        self._clock = clock
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def topic_arn(self, topic: str) -> str:
        return f"arn:aws:sns:{self._settings.aws_region}:{self._settings.engine_access_key_id}:{topic}"

    def deliver(self, news: News, roads: HttpsRoads) -> None:
        """Post one item of news by its road; none: nothing.

        Raises:
            NotDelivered: it was not answered with 2xx. (SNS gives up after 4xx; here it waits, so that a
                mended seller still gets it.)
        """
        if news.channel == "eventbridge":
            if roads.eventbridge_url:
                key = {roads.api_key_name: roads.api_key_value or ""} if roads.api_key_name else {}
                headers = {"Content-Type": "application/json; charset=utf-8", **key}
                self._post(roads.eventbridge_url, news.body, headers)
        elif roads.sns_url and news.topic:
            envelope = envelope_of(
                news,
                self.topic_arn(news.topic),
                key=self._desk.key,
                signature_version=self._desk.settings.signature_version,
                certificate_url=self._desk.certificate_url,
            )
            self._post_of_sns(roads.sns_url, envelope)

    def confirm(self, topic: str, token: str, roads: HttpsRoads) -> None:
        """Ask the seller whether a topic's subscription is wanted.

        Raises:
            NotDelivered: it was not answered with 2xx.
        """
        assert roads.sns_url is not None, "there is nobody to ask"
        arn = self.topic_arn(topic)
        asked = {"Action": "ConfirmSubscription", "TopicArn": arn, "Token": token}
        envelope = confirmation_of(
            arn,
            token,
            at=self._clock.now(),
            key=self._desk.key,
            signature_version=self._desk.settings.signature_version,
            certificate_url=self._desk.certificate_url,
            subscribe_url=f"{self._desk.confirmation_url}?{urlencode(asked)}",
        )
        self._post_of_sns(roads.sns_url, envelope)

    def _post_of_sns(self, url: str, envelope: dict[str, str]) -> None:
        headers = {
            "Content-Type": "text/plain; charset=UTF-8",
            "x-amz-sns-message-type": envelope["Type"],
            "x-amz-sns-message-id": envelope["MessageId"],
            "x-amz-sns-topic-arn": envelope["TopicArn"],
        }
        self._post(url, json.dumps(envelope, indent=2), headers)

    def _post(self, url: str, body: str, headers: Mapping[str, str]) -> None:
        request = urllib.request.Request(url, body.encode(), dict(headers), method="POST")
        try:
            self._opener.open(request, timeout=SECONDS).close()
        except urllib.error.HTTPError as error:
            with error:
                raise NotDelivered(f"the seller answered {error.code}") from error
        except (OSError, http.client.HTTPException) as error:
            raise NotDelivered(f"the seller did not answer: {type(error).__name__}") from error


def new_token() -> str:
    """What a confirmation is known by."""
    return (new_uuid() + new_uuid()).replace("-", "")
