"""A batch is tried quickly, then by the client; who writes learns whether the first was perhaps made."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from chassis.quick_calls import Answer, QuickCalls
from metering.quick_writes import QuickWrites

BATCH = {"usage-log": [{"PutRequest": {"Item": {"data": {"B": b"\0\1"}}}}]}


class Quick(QuickCalls):
    """Answers as the test says."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    def attempt(self, operation: str, request: dict[str, Any]) -> Answer:
        self.asked.append((operation, request))
        return self.answer


class Client:
    """boto3's: answers or raises what the test says."""

    def __init__(self, answer: dict[str, Any] | Exception) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    def batch_write_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(RequestItems)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_what_is_done_at_the_first_try_is_done() -> None:
    left = {"usage-log": [{"PutRequest": {"Item": {"data": {"B": "AAE="}}}}]}
    quick, client = Quick(Answer({"UnprocessedItems": left})), Client({})
    assert QuickWrites(quick, client).batch_write_item(RequestItems=BATCH) == {"UnprocessedItems": BATCH}
    assert quick.asked == [("BatchWriteItem", {"RequestItems": BATCH})]
    assert client.asked == []


@pytest.mark.parametrize("first", [Answer(None), Answer(None, is_refusal=True)])
def test_what_gets_no_plain_answer_is_asked_of_the_client(first: Answer) -> None:
    client = Client({"UnprocessedItems": {}})
    assert QuickWrites(Quick(first), client).batch_write_item(RequestItems=BATCH) == {"UnprocessedItems": {}}
    assert client.asked == [BATCH]


@pytest.mark.parametrize(("by_client", "told"), [({}, 1), ({"ResponseMetadata": {"RetryAttempts": 2}}, 3)])
def test_a_refusal_after_a_try_that_was_perhaps_made_says_so(by_client: Any, told: int) -> None:
    refusal = ClientError({"Error": {"Code": "AccessDeniedException"}, **by_client}, "BatchWriteItem")
    with pytest.raises(ClientError) as refused:
        QuickWrites(Quick(Answer(None)), Client(refusal)).batch_write_item(RequestItems=BATCH)
    assert refused.value.response["ResponseMetadata"]["RetryAttempts"] == told


def test_a_refusal_after_a_refusal_is_as_it_came() -> None:
    refusal = ClientError({"Error": {"Code": "ValidationException"}}, "BatchWriteItem")
    with pytest.raises(ClientError) as refused:
        QuickWrites(Quick(Answer(None, is_refusal=True)), Client(refusal)).batch_write_item(
            RequestItems=BATCH
        )
    assert refused.value.response == {"Error": {"Code": "ValidationException"}}


def test_an_outage_is_the_clients_to_tell() -> None:
    gone = ReadTimeoutError(endpoint_url="http://nowhere.invalid")
    with pytest.raises(ReadTimeoutError):
        QuickWrites(Quick(Answer(None)), Client(gone)).batch_write_item(RequestItems=BATCH)
