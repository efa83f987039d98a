"""The control API's part for news: what went out, how the road misbehaves, how SNS wraps and signs."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, cast, get_args

from marketplace_simulator.clock import Clock
from marketplace_simulator.control_bodies import Fields
from marketplace_simulator.https_roads import HttpsRoads
from marketplace_simulator.news_rules import NewsRule, rule_for
from marketplace_simulator.settings import Envelope, SignatureVersion
from marketplace_simulator.sns import SnsSettings
from marketplace_simulator.sns_desk import SnsDesk
from marketplace_simulator.store import KeptNews, Store
from marketplace_simulator.times import rfc3339

LONGEST_DELAY = 366 * 24 * 3600


def news_items(store: Store, clock: Clock) -> list[dict[str, Any]]:
    """All news by its due moment, each with where it is."""
    now, rules = clock.now(), store.news_rules()
    return [
        {
            "message_id": kept.news.message_id,
            "agreement_id": kept.news.agreement_id,
            "channel": kept.news.channel,
            "topic": kept.news.topic,
            "name": kept.news.name,
            "due_at": rfc3339(kept.news.due_at),
            "state": _state(kept, rule_for(kept.news, rules), now),
            "attempts": kept.attempts,
            "last_error": kept.last_error,
            "body": kept.news.body,
        }
        for kept in store.news()
    ]


def _state(kept: KeptNews, rule: NewsRule, now: datetime) -> str:
    state = kept.state(now)
    return "delayed" if state == "due" and rule.leaves_at(kept.news) > now else state


def read_rule(fields: Fields) -> NewsRule:
    """A rule for news, as the body gives it."""
    rule = NewsRule(
        agreement_id=fields.text("agreement_id"),
        name=fields.text("name"),
        double=fields.boolean("double"),
        delay_seconds=fields.number_within("delay_seconds", 0, LONGEST_DELAY) or 0,
        shuffle_seed=fields.whole_number("shuffle_seed", 0, 2**31 - 1),
        drop_next=fields.whole_number("drop", 0, 2**31 - 1) or 0,
    )
    fields.finish()
    return rule


def rule_item(rule: NewsRule) -> dict[str, Any]:
    item = asdict(rule)
    item["drop"] = item.pop("drop_next")
    return item


def read_sns_settings(fields: Fields, current: SnsSettings) -> SnsSettings:
    """SNS's settings, as the body changes them."""
    envelope = fields.text("envelope", choices=get_args(Envelope)) or current.envelope
    version = (
        fields.text("signature_version", choices=get_args(SignatureVersion)) or current.signature_version
    )
    fields.finish()
    return SnsSettings(cast(Envelope, envelope), cast(SignatureVersion, version))


def read_https_roads(fields: Fields) -> HttpsRoads:
    """The roads by HTTPS, as the body gives them."""
    queues = fields.optional_boolean("queues")
    roads = HttpsRoads(
        sns_url=fields.http_address("sns_url"),
        eventbridge_url=fields.http_address("eventbridge_url"),
        api_key_name=fields.text("api_key_name", pattern=r"[-A-Za-z0-9]+"),
        api_key_value=fields.text("api_key_value"),
        queues=True if queues is None else queues,
    )
    fields.finish()
    return roads


def https_item(store: Store) -> dict[str, Any]:
    """Without the API key's value."""
    roads = asdict(HttpsRoads(**store.https_roads()))
    del roads["api_key_value"]
    return {**roads, "topics": store.https_topics()}


def sns_item(desk: SnsDesk) -> dict[str, Any]:
    return {**asdict(desk.settings), "certificate_url": desk.certificate_url}
