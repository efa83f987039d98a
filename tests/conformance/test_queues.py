"""At least once, and to the dead-letter queue after too many tries. All of the house's signals stand on
this."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tools.engine_fixture import Account

PATIENCE = 30.0  # seconds until a condition that must come counts as one that never will


@pytest.fixture
def sqs(account: Account) -> Any:
    return account.client("sqs")


def arn_of(sqs: Any, url: str) -> str:
    answer: str = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    return answer


def receive(sqs: Any, url: str, **more: Any) -> list[dict[str, Any]]:
    answer = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
        **more,
    )
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    return messages


def receive_until(sqs: Any, url: str, enough: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """Receives until the condition holds of all that came; fails when it never does."""
    messages: list[dict[str, Any]] = []
    deadline = time.monotonic() + PATIENCE
    while not enough(messages):
        assert time.monotonic() < deadline, f"waited {PATIENCE:.0f} s; so far came {messages}"
        messages += receive(sqs, url, WaitTimeSeconds=1)
    return messages


def test_a_message_keeps_its_body_and_attributes(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="work")["QueueUrl"]
    sent = sqs.send_message(
        QueueUrl=url,
        MessageBody='{"café": 1}',
        MessageAttributes={"kind": {"DataType": "String", "StringValue": "signal"}},
    )

    [message] = receive_until(sqs, url, lambda messages: len(messages) == 1)

    assert message["MessageId"] == sent["MessageId"]
    assert message["Body"] == '{"café": 1}'
    assert message["MessageAttributes"]["kind"]["StringValue"] == "signal"
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"


def test_a_received_message_is_hidden_until_it_is_released(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="work", Attributes={"VisibilityTimeout": "3600"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="one")
    [first] = receive_until(sqs, url, lambda messages: len(messages) == 1)
    assert receive(sqs, url) == []

    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)

    [second] = receive_until(sqs, url, lambda messages: len(messages) == 1)
    assert second["MessageId"] == first["MessageId"]
    assert second["Attributes"]["ApproximateReceiveCount"] == "2"


def test_a_received_message_comes_again_after_its_time_out(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="work", Attributes={"VisibilityTimeout": "1"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="one")
    twice = receive_until(sqs, url, lambda messages: len(messages) == 2)
    assert {message["MessageId"] for message in twice} == {twice[0]["MessageId"]}


def test_a_deleted_message_never_comes_again(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="work", Attributes={"VisibilityTimeout": "3600"})["QueueUrl"]
    for body in ("gone", "stays"):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    messages = receive_until(sqs, url, lambda messages: len(messages) == 2)
    handles = {message["Body"]: message["ReceiptHandle"] for message in messages}

    sqs.delete_message(QueueUrl=url, ReceiptHandle=handles["gone"])
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handles["stays"], VisibilityTimeout=0)

    [left] = receive_until(sqs, url, lambda messages: len(messages) == 1)
    assert left["Body"] == "stays"
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["ApproximateNumberOfMessages"] == "0"
    assert attributes["ApproximateNumberOfMessagesNotVisible"] == "1"


def test_too_many_tries_lead_to_the_dead_letter_queue(sqs: Any) -> None:
    dead = sqs.create_queue(QueueName="work-dlq")["QueueUrl"]
    policy = {"deadLetterTargetArn": arn_of(sqs, dead), "maxReceiveCount": "2"}
    url = sqs.create_queue(
        QueueName="work", Attributes={"VisibilityTimeout": "0", "RedrivePolicy": json.dumps(policy)}
    )["QueueUrl"]
    sent = sqs.send_message(
        QueueUrl=url,
        MessageBody="whole",
        MessageAttributes={"kind": {"DataType": "String", "StringValue": "signal"}},
    )

    tries = receive_until(sqs, url, lambda messages: len(messages) == 2)
    assert {message["MessageId"] for message in tries} == {sent["MessageId"]}
    assert receive(sqs, url) == []  # the third try moves it

    [buried] = receive_until(sqs, dead, lambda messages: len(messages) == 1)
    assert buried["MessageId"] == sent["MessageId"]
    assert buried["Body"] == "whole"
    assert buried["MessageAttributes"]["kind"]["StringValue"] == "signal"


def test_a_batch_of_ten_is_the_limit(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="work")["QueueUrl"]
    entries = [{"Id": str(number), "MessageBody": str(number)} for number in range(11)]
    assert len(sqs.send_message_batch(QueueUrl=url, Entries=entries[:10])["Successful"]) == 10
    with pytest.raises(ClientError, match="TooManyEntriesInBatchRequest"):
        sqs.send_message_batch(QueueUrl=url, Entries=entries)


def test_a_batch_may_be_done_in_part_and_says_which(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="work", Attributes={"VisibilityTimeout": "3600"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="one")
    [message] = receive_until(sqs, url, lambda messages: len(messages) == 1)

    answer = sqs.delete_message_batch(
        QueueUrl=url,
        Entries=[
            {"Id": "good", "ReceiptHandle": message["ReceiptHandle"]},
            {"Id": "bad", "ReceiptHandle": "not a handle"},
        ],
    )

    assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
    assert [entry["Id"] for entry in answer["Failed"]] == ["bad"]


def test_making_a_queue_twice_gives_the_same_one(sqs: Any) -> None:
    attributes = {"VisibilityTimeout": "30"}
    first = sqs.create_queue(QueueName="work", Attributes=attributes)["QueueUrl"]
    assert sqs.create_queue(QueueName="work", Attributes=attributes)["QueueUrl"] == first
    assert sqs.get_queue_url(QueueName="work")["QueueUrl"] == first


def test_a_queue_that_is_not_there_is_named_so(sqs: Any) -> None:
    with pytest.raises(ClientError, match=r"NonExistentQueue|QueueDoesNotExist"):
        sqs.get_queue_url(QueueName="absent")


@pytest.mark.parametrize("raw", [False, True], ids=["enveloped", "raw"])
def test_a_topic_delivers_to_a_queue(sqs: Any, account: Account, raw: bool) -> None:
    sns = account.client("sns")
    topic = sns.create_topic(Name="aws-mp-subscription-notification")["TopicArn"]
    url = sqs.create_queue(QueueName="work")["QueueUrl"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn_of(sqs, url),
        Attributes={"RawMessageDelivery": str(raw).lower()},
    )

    published = sns.publish(TopicArn=topic, Message='{"action": "subscribe-success"}')

    [message] = receive_until(sqs, url, lambda messages: len(messages) == 1)
    if raw:
        assert json.loads(message["Body"]) == {"action": "subscribe-success"}
        return
    envelope = json.loads(message["Body"])
    assert envelope["Type"] == "Notification"
    assert envelope["TopicArn"] == topic
    assert envelope["MessageId"] == published["MessageId"]
    assert json.loads(envelope["Message"]) == {"action": "subscribe-success"}
    assert {"Timestamp", "SignatureVersion", "Signature", "SigningCertURL", "UnsubscribeURL"} <= set(envelope)
