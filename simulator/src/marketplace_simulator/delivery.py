"""Brings due news into the seller's queues, through the local engine's SNS and SQS, or by HTTPS.

1. News is kept, with its due moment, in the transaction of its cause. A crash here loses nothing.
2. When it is due, the rules for news may double, delay, shuffle or drop it; without them it keeps its order.
3. It is published (SNS) or put on the queue (EventBridge). If that fails it stays due, its channel waits
   behind it so that order holds, and it is tried again.
4. It is marked as delivered after that. A crash between 3 and 4 delivers it twice with one id, as AWS may.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from marketplace_simulator.clock import Clock
from marketplace_simulator.news import News
from marketplace_simulator.news_rules import NewsRule, rule_for
from marketplace_simulator.settings import Settings
from marketplace_simulator.sns import envelope_of
from marketplace_simulator.sns_desk import SnsDesk
from marketplace_simulator.store import KeptNews, Store

if TYPE_CHECKING:
    from marketplace_simulator.https_roads import HttpsPost, HttpsRoads

log = logging.getLogger(__name__)


class NotDelivered(Exception):
    """The engine is away, or a queue does not exist; the message says which."""


class Post(Protocol):
    """The road to the seller's queues; blocking, so callers give it a thread."""

    def deliver(self, news: News, subscribed_queues: list[str]) -> None: ...
    def prepare(self, topic: str, subscribed_queues: list[str]) -> None: ...
    def subscribe(self, topics: list[str], queue: str) -> list[str]: ...


class LocalEngine:
    """SNS and SQS of a local engine, by boto3. Never real AWS: without an endpoint setting nothing is sent.

    The SNS envelope: an engine stamps its own clock on it, AWS the event's moment. So by default the
    simulator writes the envelope and publishes it to a subscription with raw delivery, which puts into the
    queue what AWS would put there without. With the envelope `engine` the engine writes it.
    """

    def __init__(self, settings: Settings, sns_desk: SnsDesk) -> None:
        self._settings = settings
        self._desk = sns_desk
        self._sns_client: Any = None
        self._sqs_client: Any = None
        self._queue_urls: dict[str, str] = {}
        self._topic_arns: dict[str, str] = {}
        self._form_of_subscriptions = self._raw_for_sns()

    def deliver(self, news: News, subscribed_queues: list[str]) -> None:
        """Publish or send one item of news.

        Raises:
            NotDelivered: it did not arrive. What is remembered of the engine is forgotten: it may be a new
                one.
        """
        try:
            if news.channel == "eventbridge":
                # AWS and the engines refuse PutEvents with an `aws.` source: the event goes to the queue.
                url = self._queue_url(self._settings.eventbridge_queue)
                self._sqs().send_message(QueueUrl=url, MessageBody=news.body)
            else:
                assert news.topic is not None, "SNS news without a topic"
                arn = self._topic(news.topic, subscribed_queues)
                self._sns().publish(TopicArn=arn, Message=self._sns_message(news, arn))
        except (BotoCoreError, ClientError) as error:
            self._queue_urls.clear()
            self._topic_arns.clear()
            raise NotDelivered(str(error)) from error

    def prepare(self, topic: str, subscribed_queues: list[str]) -> None:
        """Make a topic and its subscriptions; doing it again changes nothing.

        Raises:
            NotDelivered: the engine is away.
        """
        try:
            self._topic(topic, subscribed_queues)
        except (BotoCoreError, ClientError) as error:
            raise NotDelivered(str(error)) from error

    def subscribe(self, topics: list[str], queue: str) -> list[str]:
        """Subscribe a queue to topics, making the topics if need be; doing it again changes nothing.

        Returns:
            The subscriptions' ARNs, one per topic.

        Raises:
            NotDelivered: the engine is away, or has no such queue.
        """
        try:
            self._queue_url(queue)
            arns = []
            for topic in topics:
                topic_arn = self._sns().create_topic(Name=topic)["TopicArn"]
                arns.append(self._subscribe(topic_arn, queue))
            return arns
        except (BotoCoreError, ClientError) as error:
            raise NotDelivered(str(error)) from error

    def _topic(self, name: str, subscribed_queues: list[str]) -> str:
        if self._form_of_subscriptions != self._raw_for_sns():
            # The setting was changed: subscriptions have to follow it.
            self._topic_arns.clear()
            self._form_of_subscriptions = self._raw_for_sns()
        if name not in self._topic_arns:
            arn = self._sns().create_topic(Name=name)["TopicArn"]
            for queue in subscribed_queues:
                self._subscribe(arn, queue)
            self._topic_arns[name] = arn
        return self._topic_arns[name]

    def _raw_for_sns(self) -> str:
        return "false" if self._desk.settings.envelope == "engine" else "true"

    def _subscribe(self, topic_arn: str, queue: str) -> str:
        attributes = self._sqs().get_queue_attributes(
            QueueUrl=self._queue_url(queue), AttributeNames=["QueueArn"]
        )
        subscription: str = self._sns().subscribe(
            TopicArn=topic_arn,
            Protocol="sqs",
            Endpoint=attributes["Attributes"]["QueueArn"],
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        # Set apart from subscribing, so that an older subscription follows the setting too.
        self._sns().set_subscription_attributes(
            SubscriptionArn=subscription,
            AttributeName="RawMessageDelivery",
            AttributeValue=self._raw_for_sns(),
        )
        return subscription

    def _sns_message(self, news: News, topic_arn: str) -> str:
        settings = self._desk.settings
        if settings.envelope != "simulated":
            return news.body
        return json.dumps(
            envelope_of(
                news,
                topic_arn,
                key=self._desk.key,
                signature_version=settings.signature_version,
                certificate_url=self._desk.certificate_url,
            )
        )

    def _queue_url(self, name: str) -> str:
        if name not in self._queue_urls:
            self._queue_urls[name] = self._sqs().get_queue_url(QueueName=name)["QueueUrl"]
        return self._queue_urls[name]

    def _sns(self) -> Any:
        if self._sns_client is None:
            self._sns_client = boto3.client(
                "sns", **self._client_arguments("SNS", self._settings.sns_endpoint)
            )
        return self._sns_client

    def _sqs(self) -> Any:
        if self._sqs_client is None:
            self._sqs_client = boto3.client(
                "sqs", **self._client_arguments("SQS", self._settings.sqs_endpoint)
            )
        return self._sqs_client

    def _client_arguments(self, service: str, endpoint: str | None) -> dict[str, Any]:
        if endpoint is None:
            raise NotDelivered(f"AWS_ENDPOINT_URL_{service} is not set: there is no engine to deliver to.")
        return {
            "endpoint_url": endpoint,
            "region_name": self._settings.aws_region,
            "aws_access_key_id": self._settings.engine_access_key_id,
            "aws_secret_access_key": self._settings.engine_secret_access_key,
            # One short try: the courier itself tries again, and a control call must not hang.
            "config": Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1}),
        }


class Courier:
    """Releases due news in its due order, channel by channel, unless a rule for news says otherwise.

    Args:
        post: the road to the seller's queues.
        https: the roads that the seller may have beside it, or in its place; None: there are none.
        roads: reads which of them lead where.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        post: Post,
        https: HttpsPost | None = None,
        roads: Callable[[], HttpsRoads] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._post = post
        self._https = https
        self._roads = roads
        # Two releases at once would deliver the same news twice.
        self._one_at_a_time = asyncio.Lock()

    async def release(self) -> bool:
        """Deliver all that is to leave by now; whether all of it arrived."""
        async with self._one_at_a_time:
            blocked: set[str] = set()
            while leaving := [
                (kept, rule) for kept, rule in self._leaving() if kept.news.channel not in blocked
            ]:
                for kept, rule in leaving:
                    if kept.news.channel not in blocked and not await self._deliver(kept, rule):
                        blocked.add(kept.news.channel)
            return not blocked

    def waiting(self) -> int:
        """How much news could leave by now and has not."""
        now, rules = self._clock.now(), self._store.news_rules()
        return sum(
            rule_for(kept.news, rules).leaves_at(kept.news) <= now for kept in self._store.due_news(now)
        )

    async def prepare(self, topics: Sequence[str]) -> None:
        """Make a product's topics if the engine is there; otherwise its first news makes them."""
        async with self._one_at_a_time:
            for topic in topics:
                try:
                    await asyncio.to_thread(self._post.prepare, topic, self._store.subscribed_queues())
                except NotDelivered as error:
                    log.warning("Topic %s will be made with its first news: %s", topic, error)

    async def subscribe(self, topics: list[str], queue: str) -> list[str]:
        """Subscribe a queue to topics in the engine; raises NotDelivered."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._post.subscribe, topics, queue)

    async def confirm(self, topics: Sequence[str], new_token: Callable[[], str]) -> None:
        """Ask the seller whether the topics' https subscriptions are wanted, as SNS does once.

        Raises:
            NotDelivered: the seller is away, or refused.
        """
        async with self._one_at_a_time:
            if self._https is None or self._roads is None:
                raise NotDelivered("There is no road by HTTPS.")
            for topic in topics:
                token = new_token()
                self._store.keep_https_token(topic, token)
                await asyncio.to_thread(self._https.confirm, topic, token, self._roads())

    def _leaving(self) -> list[tuple[KeptNews, NewsRule]]:
        """What leaves now, in its order; what is to be lost is lost here."""
        now, rules = self._clock.now(), self._store.news_rules()
        leaving = []
        for kept in self._store.due_news(now):
            rule = rule_for(kept.news, rules)
            if rule.drop_next > 0:
                with self._store.transaction():
                    self._store.mark_dropped(kept.sequence)
                    self._store.keep_news_rule(replace(rule, drop_next=rule.drop_next - 1))
                    rules = self._store.news_rules()
                log.info("News %s of agreement %s was dropped.", kept.news.name, kept.news.agreement_id)
            elif rule.leaves_at(kept.news) <= now:
                leaving.append((kept, rule))
        return _shuffled(
            sorted(leaving, key=lambda item: (item[1].leaves_at(item[0].news), item[0].sequence))
        )

    async def _deliver(self, kept: KeptNews, rule: NewsRule) -> bool:
        for _ in range(2 if rule.double else 1):
            try:
                await self._deliver_once(kept.news)
            except NotDelivered as error:
                if str(error) != kept.last_error:
                    log.warning("News %s waits: %s", kept.news.name, error)
                self._store.mark_failed(kept.sequence, str(error))
                return False
        self._store.mark_delivered(kept.sequence)
        log.info("News %s of agreement %s went out.", kept.news.name, kept.news.agreement_id)
        return True

    async def _deliver_once(self, news: News) -> None:
        roads = self._roads() if self._roads else None
        if roads is None or roads.queues:
            await asyncio.to_thread(self._post.deliver, news, self._store.subscribed_queues())
        if roads and self._https and roads.lead_for(news):
            if news.channel == "sns" and not self._store.https_topics().get(str(news.topic)):
                raise NotDelivered(f"the subscription of {news.topic} is not confirmed")
            await asyncio.to_thread(self._https.deliver, news, roads)


def _shuffled(leaving: list[tuple[KeptNews, NewsRule]]) -> list[tuple[KeptNews, NewsRule]]:
    """What is to be shuffled changes places among itself; the rest keeps its own."""
    places = [index for index, (_, rule) in enumerate(leaving) if rule.shuffle_seed is not None]
    drawn = sorted((leaving[index] for index in places), key=lambda item: item[1].place(item[0].sequence))
    for index, item in zip(places, drawn, strict=True):
        leaving[index] = item
    return leaving
