"""All the news of one subject, folded into the subscriptions that it amounts to.

Order of arrival plays no part: each time a piece of news comes in, everything known of its subject is sorted
by event time and run through the table again from the start. So news that comes late, twice or out of turn
leads to the same subscription, and a life is short enough (some ten facts) for that to cost nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime

from notifications import subscription_ids
from notifications.lifecycle import TABLE, Life, step
from notifications.news import Facts, Generation, News
from notifications.subscription import Subscription

# Two things of the same instant (EventBridge's `time` has whole seconds): the table's order of rows decides,
# in which what begins a life stands before what ends it.
RANK = {kind: rank for rank, kind in enumerate(TABLE)}


def in_order(news: Iterable[News]) -> list[News]:
    """The order in which things happened, each once; ties go by kind, then by id, so that there is one order
    only."""
    once = {one.notification_id: one for one in news}
    return sorted(once.values(), key=lambda one: (one.event_time, RANK[one.kind], one.notification_id))


def fold(news: Iterable[News], now: datetime) -> list[Subscription]:
    """The subscriptions that all the news of one subject amounts to.

    Args:
        news: every fact of one subject, in any order, doubled or not.
        now: aware. A last hour that is over by then has ended the subscription: for concurrent agreements
            nothing announces it.

    Returns:
        Nothing for an agreement whose licence is not known yet; else one. (Should AWS ever put a second
        licence on one agreement, each has a subscription of its own: access and metering hang on the
            licence.)
    """
    ordered = in_order(news)
    if not ordered:
        return []
    if ordered[0].generation == Generation.LEGACY:
        return [_live(ordered).expired(now)]
    licenses = sorted({license_id for one in ordered if (license_id := _license_id(one))})
    return [
        _live([one for one in ordered if _license_id(one) in (None, license_id)]).expired(now)
        for license_id in licenses
    ]


def subscription_ids_of(news: Iterable[News]) -> set[str]:
    """The ids of the subscriptions that all the news of one subject amounts to."""
    named = (one.facts for one in news if one.facts.license_arn or one.facts.customer_identifier)
    return {_subscription_id(facts) for facts in named}


def _live(ordered: Sequence[News]) -> Subscription:
    """One life from its first news to its last."""
    whole = Facts()
    for news in ordered:
        whole = _learn(whole, news.facts)

    life, known = Life(), Facts()
    subscription: Subscription | None = None
    for news in ordered:
        life, known = step(life, news), _learn(known, news.facts)
        after = _subscription(life, known, whole, news)
        if subscription is None or not after.says_the_same_as(subscription):
            subscription = after
    assert subscription is not None
    return subscription


def _subscription(life: Life, known: Facts, whole: Facts, news: News) -> Subscription:
    assert whole.product_code is not None
    return Subscription(
        subscription_id=_subscription_id(whole),
        generation=news.generation,
        product_code=whole.product_code,
        status=life.status,
        customer_identifier=known.customer_identifier,
        license_arn=known.license_arn,
        agreement_id=known.agreement_id,
        customer_aws_account_id=known.customer_aws_account_id,
        offer_id=known.offer_id,
        free_trial=known.free_trial,
        active_since=life.active_since,
        ended_at=life.ended_at,
        end_reason=life.end_reason,
        meter_until=life.meter_until,
        previous_subscription_id=_of_license(known.previous_license_arn),
        next_subscription_id=_of_license(known.next_license_arn),
        changed_at=news.event_time,
        changed_by=news.notification_id,
    )


def _of_license(license_arn: str | None) -> str | None:
    return None if license_arn is None else subscription_ids.of_license(license_arn)


def _subscription_id(whole: Facts) -> str:
    if whole.license_arn is not None:
        return subscription_ids.of_license(whole.license_arn)
    assert whole.product_code is not None
    assert whole.customer_identifier is not None
    return subscription_ids.of_customer(whole.product_code, whole.customer_identifier)


def _license_id(news: News) -> str | None:
    arn = news.facts.license_arn
    return subscription_ids.license_id(arn) if arn else None


def _learn(known: Facts, facts: Facts) -> Facts:
    """The newest word on each matter, and the older one where the news is silent."""
    return Facts(
        **{
            f.name: getattr(known, f.name) if (new := getattr(facts, f.name)) is None else new
            for f in fields(Facts)
        }
    )
