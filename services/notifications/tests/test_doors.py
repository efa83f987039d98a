"""The doors by HTTPS: what SNS and EventBridge send is taken once it is proven, and kept before it is thanked
for."""

import base64
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
import samples
from conftest import World
from played_sns import CERTIFICATE, CONFIRM, TOPIC, as_body, certificate_of, make_key
from pydantic import SecretStr, ValidationError
from samples import after, cancelled_life

from notifications.settings import Settings
from notifications.sns_messages import NotProven, Rules, read_post

SECRET, NEXT_SECRET = samples.EVENTBRIDGE_SECRETS


def post_sns(world: World, post: dict[str, str] | bytes, expect: int = 200) -> dict[str, Any]:
    body = post if isinstance(post, bytes) else as_body(post)
    answer = world.client.post("/v1/sns", content=body, headers={"Content-Type": "text/plain; charset=UTF-8"})
    assert answer.status_code == expect, answer.text
    return dict(answer.json())


def refused(world: World, post: dict[str, str], slug: str) -> None:
    """Refused by name, and kept nowhere."""
    problem = post_sns(world, post, 403)
    assert problem["type"] == f"https://marketplane.dev/problems/{slug}"
    assert world.queue.receive(wait_seconds=0) == []
    assert world.dead_letters() == []


def post_event(world: World, body: str | bytes, expect: int = 200, secret: str | None = SECRET) -> Any:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    if secret is not None:
        headers["X-EventBridge-Secret"] = secret
    content = body.encode() if isinstance(body, str) else body
    answer = world.client.post("/v1/eventbridge", content=content, headers=headers)
    assert answer.status_code == expect, answer.text
    return answer.json()


# -- SNS -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_signed_message_goes_the_way_of_all_others(world: World, version: str) -> None:
    post = world.sns.post(version=version)
    assert post_sns(world, post) == {"outcome": "accepted", "notification_id": post["MessageId"]}
    world.work_off()
    assert world.row(samples.LEGACY_ID).status == "active"
    kept = world.inbox(post["MessageId"])
    assert (kept.door, kept.source, kept.outcome) == ("https", "sns", "applied")
    assert kept.whole_body == as_body(post).decode()
    assert world.sns.asked == [CERTIFICATE]


def test_a_subject_is_signed_too(world: World) -> None:
    post = world.sns.post(Subject="AWS Marketplace")
    refused(world, post | {"Subject": "Another"}, "sns-forged-signature")
    post_sns(world, post)


def test_the_certificate_is_fetched_once(world: World) -> None:
    for number in range(3):
        post_sns(world, world.sns.post(MessageId=f"m{number}"))
    assert world.sns.asked == [CERTIFICATE]


def test_a_message_that_came_by_the_queue_too_counts_once(world: World) -> None:
    post = world.sns.post()
    world.send(as_body(post).decode())
    post_sns(world, post)
    world.work_off()
    assert world.counts()["LogRow"] == 1


@pytest.mark.parametrize("member", ["Message", "MessageId", "Timestamp", "TopicArn", "Type"])
def test_a_forged_signature(world: World, member: str) -> None:
    forged = {
        "Message": samples.ENTITLEMENT_UPDATED,
        "MessageId": "another",
        "Timestamp": samples.stamp(after(1)),
        "TopicArn": TOPIC.replace("subscription", "entitlement"),
        "Type": "UnsubscribeConfirmation",
    }[member]
    post = world.sns.post() | {"SubscribeURL": CONFIRM, "Token": "abc"}
    refused(world, post | {member: forged}, "sns-forged-signature")


@pytest.mark.parametrize("signature", ["", "!!!", "AAAA", base64.b64encode(b"x" * 256).decode()])
def test_a_signature_that_is_none(world: World, signature: str) -> None:
    refused(world, world.sns.post() | {"Signature": signature}, "sns-forged-signature")


def test_a_signature_by_another_key(world: World) -> None:
    refused(world, world.sns.post(key=make_key()), "sns-forged-signature")


@pytest.mark.parametrize("version", ["0", "3", "", "1 "])
def test_a_signature_of_an_unknown_version(world: World, version: str) -> None:
    refused(world, world.sns.post(version=version), "sns-forged-signature")


def test_version_1_is_not_taken_for_version_2(world: World) -> None:
    post = world.sns.post(version="1")
    refused(world, post | {"SignatureVersion": "2"}, "sns-forged-signature")


PEM = "SimpleNotificationService-0123456789abcdef.pem"


@pytest.mark.parametrize(
    "address",
    [
        f"http://sns.us-east-1.amazonaws.com/{PEM}",
        f"https://sns.us-east-1.amazonaws.com.evil.example/{PEM}",
        f"https://evil.example/sns.us-east-1.amazonaws.com/{PEM}",
        f"https://evil-sns.us-east-1.amazonaws.com/{PEM}",
        f"https://x.sns.us-east-1.amazonaws.com/{PEM}",
        f"https://sns.evil.example/{PEM}",
        f"https://sns.amazonaws.com/{PEM}",
        f"https://s3.us-east-1.amazonaws.com/{PEM}",
        f"https://sns.us-east-1.amazonaws.com:444/{PEM}",
        f"https://user@sns.us-east-1.amazonaws.com/{PEM}",
        f"https://evil.example\\@sns.us-east-1.amazonaws.com/{PEM}",
        f"https://evil.example#@sns.us-east-1.amazonaws.com/{PEM}",
        f"https://evil.example?x=sns.us-east-1.amazonaws.com/{PEM}",
        f"https://sns.us-east-1.amazonaws.com/folder/{PEM}",
        f"https://sns.us-east-1.amazonaws.com/../{PEM}",
        f"https://sns.us-east-1.amazonaws.com/{PEM}?x=1",
        f"https://sns.us-east-1.amazonaws.com/{PEM}#x",
        "https://sns.us-east-1.amazonaws.com/",
        "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-xyz.pem",
        f"https://sns.us-east-1.amazonaws.com\n.evil.example/{PEM}",
        f"https://sns.us-east-1.amazonaws.co/{PEM}",
        f"HTTPS://sns.us-east-1.amazonaws.com/{PEM}",
        f"https://SNS.us-east-1.amazonaws.com/{PEM}",
        f"https://[sns.us-east-1.amazonaws.com/{PEM}",
        "",
    ],
)
def test_a_certificate_from_elsewhere(world: World, address: str) -> None:
    refused(world, world.sns.post(SigningCertURL=address), "sns-foreign-certificate")
    assert world.sns.asked == []


@pytest.mark.parametrize("host", ["sns.cn-north-1.amazonaws.com.cn", "sns.eusc-de-east-1.amazonaws.eu"])
def test_a_certificate_of_another_partition(world: World, host: str) -> None:
    address = f"https://{host}/{PEM}"
    world.sns.answers[address] = world.sns.answers[CERTIFICATE]
    post_sns(world, world.sns.post(SigningCertURL=address))


def test_a_redirect_is_not_followed(world: World) -> None:
    elsewhere = httpx.Response(302, headers={"Location": CERTIFICATE}, content=world.sns.certificate)
    address = CERTIFICATE.replace("0123", "9999")
    world.sns.answers[address] = lambda: elsewhere
    refused(world, world.sns.post(SigningCertURL=address), "sns-foreign-certificate")
    assert world.sns.asked == [address]


@pytest.mark.parametrize("content", [b"", b"<html>", b"x" * 70_000])
def test_what_is_no_certificate(world: World, content: bytes) -> None:
    world.sns.answers[CERTIFICATE] = lambda: httpx.Response(200, content=content)
    refused(world, world.sns.post(), "sns-foreign-certificate")


@pytest.mark.parametrize(("begins", "ends"), [(-30, -1), (1, 30)])
def test_a_certificate_that_is_not_valid_now(world: World, begins: int, ends: int) -> None:
    old = certificate_of(world.sns.key, after(days=begins), after(days=ends))
    world.sns.answers[CERTIFICATE] = lambda: httpx.Response(200, content=old)
    refused(world, world.sns.post(), "sns-expired-certificate")


@pytest.mark.parametrize("minutes", [-60 * 24 * 365, -121, 6, 60 * 24])
def test_an_old_message_again(world: World, minutes: int) -> None:
    refused(world, world.sns.post(at=after(minutes=minutes)), "sns-old-message")
    assert world.sns.asked == []


@pytest.mark.parametrize("minutes", [-119, 0, 4])
def test_a_message_of_late(world: World, minutes: int) -> None:
    post_sns(world, world.sns.post(at=after(minutes=minutes)))


@pytest.mark.parametrize(
    "topic",
    [
        TOPIC.replace("287250355862", "666666666666"),
        TOPIC.replace(samples.LEGACY_CODE, "not-ours"),
        TOPIC.replace("subscription", "other"),
        TOPIC + "x",
        "x" + TOPIC,
        f"{TOPIC}\n",
        "arn:aws:sns:us-east-1:287250355862:anything",
    ],
)
def test_a_foreign_topic(world: World, topic: str) -> None:
    """Signed by SNS all the same: anybody can make a topic in an account of theirs."""
    refused(world, world.sns.post(TopicArn=topic), "sns-foreign-topic")


def test_a_topic_that_the_settings_name() -> None:
    rules = Rules(set(), ["arn:aws:sns:us-east-1:1:mine"], [], timedelta(hours=1))
    assert rules._is_our_topic("arn:aws:sns:us-east-1:1:mine")
    assert not rules._is_our_topic("arn:aws:sns:us-east-1:1:mine2")


@pytest.mark.parametrize("status", [500, 503, 429])
def test_while_sns_is_away_it_is_to_send_again(world: World, status: int) -> None:
    there = world.sns.answers[CERTIFICATE]
    world.sns.answers[CERTIFICATE] = lambda: httpx.Response(status)
    post_sns(world, world.sns.post(), 503)

    def cut() -> httpx.Response:
        raise httpx.ConnectTimeout("")

    world.sns.answers[CERTIFICATE] = cut
    post_sns(world, world.sns.post(), 503)
    world.sns.answers[CERTIFICATE] = there
    post_sns(world, world.sns.post())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"Type": "Notification"}',
        b'{"Type": "Other"}',
        b'{"Type": {}}',
        b"[" * 100_000,
    ],
)
def test_what_is_not_from_sns_is_kept_nowhere(world: World, body: bytes) -> None:
    problem = post_sns(world, body, 400)
    assert problem["errors"][0]["in"] == "body"
    assert world.dead_letters() == []
    assert world.sns.asked == []


@pytest.mark.parametrize("member", ["MessageId", "TopicArn", "Timestamp", "Signature", "SigningCertURL"])
def test_a_member_that_is_missing_or_no_text(world: World, member: str) -> None:
    post = world.sns.post()
    for wrong in (None, 7, {}, "\ud800"):
        post_sns(world, json.dumps(post | {member: wrong}).encode(), 400)
    del post[member]
    post_sns(world, post, 400)


def test_a_proven_message_that_cannot_be_read_is_a_dead_letter(world: World) -> None:
    post = world.sns.post(message="hello")
    assert post_sns(world, post, 400)["detail"] == "The message is not JSON."
    (letter,) = world.dead_letters()
    assert letter.body == as_body(post).decode()
    assert letter.attributes["reason"]["StringValue"] == "The message is not JSON."
    assert letter.attributes["door"]["StringValue"] == "https"


def test_a_confirmation_is_answered_by_our_own_request(world: World) -> None:
    post = world.sns.post("You have chosen to subscribe", type_="SubscriptionConfirmation")
    assert post_sns(world, post) == {"outcome": "confirmed", "notification_id": None}
    assert world.sns.asked == [CERTIFICATE, CONFIRM]
    assert world.queue.receive(wait_seconds=0) == []


@pytest.mark.parametrize(
    "address",
    [
        CONFIRM.replace("https", "http"),
        CONFIRM.replace("sns.us-east-1.amazonaws.com", "evil.example"),
        CONFIRM.replace("sns.us-east-1.amazonaws.com", "169.254.169.254"),
        CONFIRM.replace("ConfirmSubscription", "Unsubscribe"),
        CONFIRM.replace(samples.LEGACY_CODE, "other"),
        CONFIRM.replace("/?", "/path?"),
        CONFIRM + "&Action=DeleteTopic",
    ],
)
def test_a_confirmation_that_leads_elsewhere(world: World, address: str) -> None:
    post = world.sns.post("x", type_="SubscriptionConfirmation", SubscribeURL=address)
    refused(world, post, "sns-foreign-confirmation")
    assert world.sns.asked == []


def test_a_forged_confirmation_asks_nobody(world: World) -> None:
    post = world.sns.post("x", type_="SubscriptionConfirmation") | {"Token": "other"}
    refused(world, post, "sns-forged-signature")
    assert CONFIRM not in world.sns.asked


def test_while_sns_is_away_a_confirmation_waits(world: World) -> None:
    world.sns.answers[CONFIRM] = lambda: httpx.Response(503)
    post_sns(world, world.sns.post("x", type_="SubscriptionConfirmation"), 503)


def test_a_subscription_that_was_taken_away_is_only_noted(world: World) -> None:
    post = world.sns.post("x", type_="UnsubscribeConfirmation")
    assert post_sns(world, post)["outcome"] == "unsubscribed"
    assert world.sns.asked == [CERTIFICATE]


def test_too_many_posts_of_one_address(world: World) -> None:
    from notifications.app import build_web

    settings = world.settings.model_copy(update={"sns_rate": "2/minute"})
    client = build_web(settings, world.clock, world.sqs, world.sns.sns).test_client()
    statuses = [
        client.post("/v1/sns", content=b"{", headers={"Content-Type": "text/plain"}).status_code
        for _ in range(3)
    ]
    assert statuses == [400, 400, 429]


def test_another_media_type(world: World) -> None:
    answer = world.client.post("/v1/sns", content=b"{}", headers={"Content-Type": "application/xml"})
    assert answer.status_code == 415


def test_a_simulator_is_taken_for_sns_only_where_the_settings_say_so(world: World) -> None:
    address = "http://127.0.0.1:8700/_simulator/sns/certificate.pem"
    post = read_post(as_body(world.sns.post(SigningCertURL=address)))
    accounts = ["287250355862"]
    strict = Rules({samples.LEGACY_CODE}, [], accounts, timedelta(hours=1))
    with pytest.raises(NotProven):
        strict.check(post, samples.T0)
    Rules({samples.LEGACY_CODE}, [], accounts, timedelta(hours=1), ["127.0.0.1:8700"]).check(post, samples.T0)


# -- EventBridge ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", [SECRET, NEXT_SECRET])
def test_an_event_goes_the_way_of_all_others(world: World, secret: str) -> None:
    for number, body in enumerate(cancelled_life(), 1):
        answer = post_event(world, body, secret=secret)
        assert answer == {"outcome": "accepted", "notification_id": f"e{number}"}
    world.work_off()
    assert world.row().status == "ending"
    assert {world.inbox(f"e{number}").door for number in range(1, 5)} == {"https"}


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET[:-1], SECRET + "x", f"{SECRET},{NEXT_SECRET}"])
def test_a_wrong_secret(world: World, secret: str | None) -> None:
    problem = post_event(world, cancelled_life()[0], 401, secret)
    assert problem["type"] == "https://marketplane.dev/problems/unauthorized"
    assert world.queue.receive(wait_seconds=0) == []


def test_an_operator_s_key_opens_no_door_of_aws(world: World) -> None:
    answer = world.client.post("/v1/eventbridge", json={}, headers=world.key("operator"))
    assert answer.status_code == 401


def test_without_secrets_nobody_gets_in(world: World) -> None:
    from notifications.app import build_web

    settings = world.settings.model_copy(update={"eventbridge_secrets": SecretStr("")})
    client = build_web(settings, world.clock, world.sqs, world.sns.sns).test_client()
    for secret in ("", SECRET):
        answer = client.post("/v1/eventbridge", json={}, headers={"X-EventBridge-Secret": secret})
        assert answer.status_code == 401


@pytest.mark.parametrize(
    ("body", "kept", "encoding"),
    [
        (b"{", "{", None),
        (b'{"detail-type": "x"}', '{"detail-type": "x"}', None),
        (samples.SUBSCRIBE_SUCCESS.encode(), samples.SUBSCRIBE_SUCCESS, None),
        (b"\xff\xfe", base64.b64encode(b"\xff\xfe").decode(), "base64"),
        (b"a\x00b", base64.b64encode(b"a\x00b").decode(), "base64"),
        (b"", "(empty)", "base64"),
    ],
)
def test_an_event_that_cannot_be_read_is_a_dead_letter(
    world: World, body: bytes, kept: str, encoding: str | None
) -> None:
    post_event(world, body, 400)
    (letter,) = world.dead_letters()
    assert letter.body == kept
    assert letter.attributes.get("encoding", {}).get("StringValue") == encoding
    assert letter.attributes["reason"]["StringValue"]


# -- nothing is lost -----------------------------------------------------------------------------------------


def test_failed_before_the_queue_has_it_aws_sends_it_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No 200 was said."""

    def fail(*_args: Any) -> None:
        raise RuntimeError

    body = cancelled_life()[1]
    inlet = world.client.app.app.extensions["marketplane"].parts.doors.inlet
    with monkeypatch.context() as killed:
        killed.setattr(type(inlet), "put", fail)
        post_event(world, body, 500)
    assert world.queue.receive(wait_seconds=0) == []
    post_event(world, body)
    world.work_off()
    assert world.row().status == "active"


def test_a_queue_that_is_away_is_503(world: World) -> None:
    from notifications.app import build_web

    away = world.settings.model_copy(update={"notifications_queue": "not-there"})
    client = build_web(away, world.clock, world.sqs, world.sns.sns).test_client()
    headers = {"X-EventBridge-Secret": SECRET, "Content-Type": "application/json"}
    assert client.post("/v1/eventbridge", content=cancelled_life()[0], headers=headers).status_code >= 500
    # One that could not be buried is not refused for good either.
    assert client.post("/v1/eventbridge", content=b"{", headers=headers).status_code >= 500


# -- settings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"environment": "production", "sns_certificate_hosts": "127.0.0.1:8700"}, "SNS_CERTIFICATE_HOSTS"),
        ({"eventbridge_secrets": f"{SECRET},short"}, "shorter than 32 characters"),
        (
            {
                "environment": "production",
                "eventbridge_secrets": Settings.model_fields["webhook_key"].default.get_secret_value(),
            },
            "EVENTBRIDGE_SECRETS has the one for local use",
        ),
        ({"sns_topic_accounts": "123"}, "12 digits"),
        ({"sns_window_seconds": 60}, "greater than or equal to 3600"),
    ],
)
def test_settings_that_open_a_door_too_far_stop_the_start(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Settings(**({"webhook_key": "x" * 40} | wrong))
