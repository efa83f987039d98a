"""A message is told by its shape, and one that cannot be read says why."""

import json
from datetime import UTC, datetime

import pytest
import samples
from hypothesis import given
from hypothesis import strategies as st

from notifications.inbox import MAX_BYTES, UnreadableMessage, read
from notifications.news import Generation, Kind, Source

SENT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def test_the_recorded_agreement_event() -> None:
    entry = read(samples.CREATED, "sqs-1", SENT)
    assert (entry.source, entry.notification_id) == (Source.EVENTBRIDGE, "84a4f48b-…")
    assert entry.name == "Purchase Agreement Created - Proposer"
    assert entry.body == samples.CREATED
    news = entry.news
    assert news is not None
    assert (news.kind, news.subject) == (Kind.AGREEMENT_CREATED, "agmt-EXAMPLE")
    # The event's time orders news; the time of acceptance is a fact in it.
    assert news.event_time == datetime(2026, 8, 20, 14, 23, 22, tzinfo=UTC)
    assert news.facts.accepted_at == datetime(2026, 8, 20, 14, 23, 11, 13000, tzinfo=UTC)
    assert news.facts.ends_at == datetime(9999, 1, 1, tzinfo=UTC)
    assert (news.facts.intent, news.facts.offer_id) == ("NEW", "offer-EXAMPLE")
    assert news.facts.customer_aws_account_id == "444455556666"
    assert (news.facts.license_arn, news.facts.product_code) == (None, None)


def test_the_recorded_end_has_no_offer() -> None:
    news = samples.news_of(samples.ended(samples.after(95), "e3"))
    assert news.kind == Kind.AGREEMENT_ENDED
    assert (news.facts.agreement_status, news.facts.offer_id) == ("CANCELLED", None)


def test_the_recorded_licence_event_joins_all_three_ids() -> None:
    news = samples.news_of(samples.license_updated(samples.after(61), "e2"))
    assert news.kind == Kind.LICENSE_UPDATED
    assert news.facts.license_arn == samples.ARN
    assert news.facts.product_code == "74az0EXAMPLE"
    assert (news.subject, news.facts.agreement_id) == ("agmt-EXAMPLE", "agmt-EXAMPLE")


def test_the_documented_sns_message_in_its_envelope() -> None:
    entry = read(samples.envelope(samples.SUBSCRIBE_SUCCESS, samples.T0, "m-1"), "sqs-1", SENT)
    assert (entry.source, entry.notification_id, entry.name) == (Source.SNS, "m-1", "subscribe-success")
    news = entry.news
    assert news is not None
    assert (news.generation, news.kind) == (Generation.LEGACY, Kind.SUBSCRIBE_SUCCESS)
    assert (news.event_time, news.subject) == (samples.T0, "n0123EXAMPLEXXXXXXXXXXXX/X01EXAMPLEX")
    assert news.facts.free_trial is True
    assert news.facts.offer_id == "offer-abcexample123"


def test_raw_delivery_goes_by_the_ids_of_sqs() -> None:
    entry = read(samples.ENTITLEMENT_UPDATED, "sqs-1", SENT)
    assert (entry.source, entry.notification_id, entry.event_time) == (Source.SNS_RAW, "sqs-1", SENT)
    assert entry.news is not None
    assert entry.news.kind == Kind.ENTITLEMENT_UPDATED


def test_an_event_that_came_through_a_topic_keeps_its_own_id() -> None:
    entry = read(samples.envelope(samples.CREATED, SENT, "m-1"), "sqs-1", SENT)
    assert (entry.source, entry.notification_id) == (Source.EVENTBRIDGE, "84a4f48b-…")


@pytest.mark.parametrize("suffix", ["Proposer", "Manufacturer"])
def test_both_copies_of_an_event_are_the_same_fact(suffix: str) -> None:
    news = samples.news_of(samples.event(f"Purchase Agreement Ended - {suffix}", samples.T0, "e1"))
    assert (news.kind, news.subject) == (Kind.AGREEMENT_ENDED, "agmt-EXAMPLE")


@pytest.mark.parametrize(
    ("flag", "free_trial"),
    [("true", True), ("false", False), (True, True), ("maybe", None), (None, None), (7, None)],
)
def test_the_trial_flag_is_a_string_and_never_costs_the_access(flag: object, free_trial: bool | None) -> None:
    message = json.loads(samples.SUBSCRIBE_SUCCESS) | {"isFreeTrialTermPresent": flag}
    assert samples.news_of(json.dumps(message)).facts.free_trial is free_trial


@pytest.mark.parametrize(
    "name",
    [
        "Purchase Agreement Advisory Issued - Acceptor",
        "Purchase Agreement Renewal Upcoming",
        "Purchase Agreement Created - Acceptor",
        "Purchase Agreement Created",
        "Something New",
    ],
)
def test_an_event_of_an_unknown_kind_is_kept_without_news(name: str) -> None:
    entry = read(samples.event(name, samples.T0, "e1"), "sqs-1", SENT)
    assert entry.news is None
    assert (entry.name, entry.subject) == (name, "agmt-EXAMPLE")


def test_an_unknown_kind_need_not_name_an_agreement() -> None:
    body = samples.event("Something New", samples.T0, "e1", agreement=None)
    assert read(body, "sqs-1", SENT).subject is None


def test_an_unknown_action_is_kept_without_news() -> None:
    entry = read(samples.action("subscribe-maybe", samples.T0, "m-1"), "sqs-1", SENT)
    assert entry.news is None
    assert entry.name == "subscribe-maybe"


UNREADABLE = {
    "not json": ("{", "The message is not JSON."),
    "empty": ("", "The message is not JSON."),
    "deep": ("[" * 100_000, "The message is not JSON."),
    "a list": ("[]", "The message is JSON, but not an object."),
    "null": ("null", "The message is JSON, but not an object."),
    "no shape": ('{"hello": "world"}', "none of the known shapes"),
    "a confirmation": ('{"Type": "SubscriptionConfirmation", "Message": "x"}', "none of the known shapes"),
    "envelope around nothing": (samples.envelope("hello", samples.T0, "m-1"), "The message is not JSON."),
    "envelope without id": ('{"Type": "Notification", "Message": "{}"}', "MessageId"),
    "no customer": ('{"action": "subscribe-success", "product-code": "p"}', "customer-identifier"),
    "empty customer": (
        '{"action": "subscribe-success", "product-code": "p", "customer-identifier": ""}',
        "customer-identifier",
    ),
    "half a surrogate pair": (
        '{"action": "subscribe-success", "product-code": "p", "customer-identifier": "\\ud800"}',
        "customer-identifier",
    ),
    "another source": (samples.CREATED.replace("aws.agreement-marketplace", "my.app"), "source"),
    "no time zone": (samples.CREATED.replace("2026-08-20T14:23:22Z", "2026-08-20T14:23:22"), "time"),
    "no agreement": (samples.created(samples.T0, "e1", agreement=None), "agreement"),
    "no licence": (samples.license_updated(samples.T0, "e1", license=None), "license"),
    "no product": (samples.license_updated(samples.T0, "e1", product={"id": "prod-1"}), "code"),
    "too large": (samples.CREATED + " " * MAX_BYTES, f"more than {MAX_BYTES} bytes"),
}


@pytest.mark.parametrize(("body", "why"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_read_says_why(body: str, why: str) -> None:
    with pytest.raises(UnreadableMessage) as refusal:
        read(body, "sqs-1", SENT)
    assert why in str(refusal.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3),
    max_leaves=10,
)
RECORDED = [
    samples.CREATED,
    samples.ended(samples.T0, "e1"),
    samples.license_updated(samples.T0, "e1"),
    samples.action("subscribe-success", samples.T0, "m-1"),
    samples.SUBSCRIBE_SUCCESS,
]


@given(data=st.data(), recorded=st.sampled_from(RECORDED), put=JSON)
def test_a_message_with_anything_anywhere_is_read_or_refused(
    data: st.DataObject, recorded: str, put: object
) -> None:
    message = json.loads(recorded)
    target = message
    while True:
        name = data.draw(st.sampled_from(sorted(target)))
        if isinstance(target[name], dict) and data.draw(st.booleans()):
            target = target[name]
            continue
        target[name] = put
        break
    try:
        entry = read(json.dumps(message), "sqs-1", SENT)
    except UnreadableMessage:
        return
    assert entry.event_time.tzinfo is not None
    if entry.news is not None:
        assert entry.news.subject
        entry.news.subject.encode()
