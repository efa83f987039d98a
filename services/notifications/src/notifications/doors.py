"""AWS's doors by HTTPS, for sellers without a queue between AWS and us.

1. Prove who sends: SNS by its signature, EventBridge by our secret (the contract's guard has checked that).
   What is not proven is kept nowhere: a stranger could fill our tables.
2. Read it, as the worker will. What cannot be read lies in the dead letters, and 400 is answered: AWS does
   not send it again.
3. Put it on our own queue, then answer 200. *Killed before:* AWS sends it again. *Killed after:* it comes
   again too, and is known by its id.

On the queue, and not straight into the tables: SNS gives a message up after an hour, EventBridge after a day.
Whatever fails on our side for longer than that (a table, a release) would lose it. The queue keeps it for
two weeks, its dead letters for two more, and every message goes one way.
"""

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import flask
import structlog
from prometheus_client import Counter

from chassis.auth import Caller
from chassis.clock import Clock
from chassis.problems import Problem
from chassis.rates import RateLimit
from chassis.web import json_answer, parts, sender_address
from notifications import inbox
from notifications.inbox import UnreadableMessage
from notifications.news import Door
from notifications.queues import Inlet
from notifications.sns_certificates import Sns
from notifications.sns_messages import NotFromSns, NotProven, Rules, SnsPost, SnsType, read_post
from notifications.sns_signatures import verify

log = structlog.get_logger()

SECRET_HEADER = "X-EventBridge-Secret"  # nosec B105 # the header's name

POSTS = Counter(
    "marketplane_notifications_posts_total",
    "Messages that came by HTTPS, by what was answered.",
    ["door", "outcome"],
)


@dataclass(frozen=True)
class Doors:
    """What the handlers below need.

    Args:
        inlet: where messages go.
        rules: which messages of SNS are for us.
        sns: who is asked for certificates.
        clock: says what is old.
        rate: how often one address may come.
    """

    inlet: Inlet
    rules: Rules
    sns: Sns
    clock: Clock
    rate: RateLimit


def receive_sns() -> flask.Response:
    doors: Doors = parts().doors
    doors.rate.take(sender_address())
    body = flask.request.get_data()
    now = doors.clock.now()
    try:
        post = read_post(body)
        doors.rules.check(post, now)
        verify(post, doors.sns.certificate(post.members["SigningCertURL"]), now)
    except NotFromSns as error:
        POSTS.labels("sns", "not_sns").inc()
        raise _unreadable(str(error)) from error
    except NotProven as error:
        raise _refused(error) from error
    if post.type == SnsType.NOTIFICATION:
        return _taken(doors, "sns", body, now)
    return _confirmed(doors, post)


def receive_event() -> flask.Response:
    doors: Doors = parts().doors
    return _taken(doors, "eventbridge", flask.request.get_data(), doors.clock.now())


class SharedSecrets:
    """The secrets that EventBridge may send; two at once while they are changed.

    Args:
        secrets: none: nobody is let in.
    """

    def __init__(self, secrets: Collection[str]) -> None:
        self._hashes = [sha256(secret.encode()).digest() for secret in secrets]

    def check(self, secret: str) -> Caller | None:
        # Hashes, so that not even a secret's length shows in the time; and always all of them.
        offered = sha256(secret.encode(errors="replace")).digest()
        fits = [hmac.compare_digest(offered, known) for known in self._hashes]
        return Caller(name="eventbridge", scopes=frozenset()) if any(fits) else None


def _taken(doors: Doors, door: str, body: bytes, now: datetime) -> flask.Response:
    try:
        text = body.decode()
        # The id that raw delivery would need SQS to give; these two roads bring one of their own.
        entry = inbox.read(text, "", now, Door.HTTPS)
        if not entry.notification_id:
            raise UnreadableMessage("The message has no id: raw delivery comes by a queue only.")
    except (UnreadableMessage, UnicodeDecodeError) as error:
        reason = str(error) if isinstance(error, UnreadableMessage) else "The message is not UTF-8."
        doors.inlet.bury(body, reason)
        POSTS.labels(door, "unreadable").inc()
        log.error("A message that came by HTTPS cannot be read; it lies in the dead letters.", reason=reason)
        raise _unreadable(reason) from error
    doors.inlet.put(text)
    POSTS.labels(door, "accepted").inc()
    log.info("A message came by HTTPS.", door=door, notification_id=entry.notification_id, name=entry.name)
    return json_answer({"outcome": "accepted", "notification_id": entry.notification_id})


def _confirmed(doors: Doors, post: SnsPost) -> flask.Response:
    if post.type == SnsType.UNSUBSCRIBE_CONFIRMATION:
        POSTS.labels("sns", "unsubscribed").inc()
        log.error(
            "SNS no longer sends a topic's news here; subscribe it again if that is a mistake.",
            topic=post.topic,
        )
        return json_answer({"outcome": "unsubscribed", "notification_id": None})
    try:
        doors.sns.confirm(post.members["SubscribeURL"])
    except NotProven as error:
        raise _refused(error) from error
    POSTS.labels("sns", "confirmed").inc()
    log.info("A topic's news comes by HTTPS from now on.", topic=post.topic)
    return json_answer({"outcome": "confirmed", "notification_id": None})


def _refused(error: NotProven) -> Problem:
    POSTS.labels("sns", error.slug.removeprefix("sns-").replace("-", "_")).inc()
    log.warning("A message is not proven to come from SNS; it is refused.", why=error.slug)
    return Problem(403, error.slug, "The message is not proven to come from SNS.", error.detail)


def _unreadable(reason: str) -> Problem:
    return Problem(
        400,
        "invalid-request",
        "The request does not fit the contract.",
        reason,
        errors=[{"in": "body", "path": "/", "reason": reason}],
    )
