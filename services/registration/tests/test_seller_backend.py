"""The signed question to the seller's own back end, as it goes over the wire."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from conftest import HAND_OVER_ADDRESS, HAND_OVER_SECRET
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from registration.handing_over import NotAnswered
from registration.seller_backend import SellerBackend

BODY = {"type": "registration.hand_over", "email": "ada@example.com", "name": "Åda ✓"}
Answer = Callable[[httpx.Request], httpx.Response]


def backend(answer: Answer, now: datetime | None = None, secrets: list[str] | None = None) -> SellerBackend:
    http = httpx.Client(transport=httpx.MockTransport(answer))
    return SellerBackend(http, secrets or [HAND_OVER_SECRET], lambda: now or datetime.now(UTC))


def test_the_question_is_signed_as_standard_webhooks_says() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"account_id": "acct-1"})

    assert backend(answer).ask(HAND_OVER_ADDRESS, BODY, "hand-over-1") == (200, {"account_id": "acct-1"})

    (request,) = asked
    assert (request.method, str(request.url)) == ("POST", HAND_OVER_ADDRESS)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == "hand-over-1"
    headers = dict(request.headers)
    assert Webhook(HAND_OVER_SECRET).verify(request.content, headers) == BODY
    for spoilt in (
        {"webhook-id": "other"},
        {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)},
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(HAND_OVER_SECRET).verify(request.content, headers | spoilt)
    with pytest.raises(WebhookVerificationError):
        Webhook(HAND_OVER_SECRET).verify(request.content + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 32).verify(request.content, headers)


def test_while_the_secret_is_replaced_the_back_end_may_know_either() -> None:
    other = "whsec_" + "A" * 32
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    backend(answer, secrets=[HAND_OVER_SECRET, other]).ask(HAND_OVER_ADDRESS, BODY, "hand-over-1")
    for known in (HAND_OVER_SECRET, other):
        assert Webhook(known).verify(asked[0].content, dict(asked[0].headers)) == BODY
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "B" * 32).verify(asked[0].content, dict(asked[0].headers))


def test_the_signature_bears_the_time_of_this_try() -> None:
    times = []

    def answer(request: httpx.Request) -> httpx.Response:
        times.append(int(request.headers["webhook-timestamp"]))
        return httpx.Response(200)

    # Not the second before: who judges it allows five minutes to either side.
    at = datetime(2026, 11, 22, 10, 0, 0, 999_999, tzinfo=UTC)
    for moment in (at, at + timedelta(hours=1)):
        backend(answer, moment).ask(HAND_OVER_ADDRESS, BODY, "hand-over-1")
    assert times == [int(at.timestamp()), int(at.timestamp()) + 3600]


@pytest.mark.parametrize("content", [b"", b"<html>", b"{", b"\xff", b"null"])
def test_what_is_no_json_is_none(content: bytes) -> None:
    assert backend(lambda _: httpx.Response(502, content=content)).ask(HAND_OVER_ADDRESS, BODY, "id") == (
        502,
        None,
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(status, headers={"Location": "https://evil.example/"})

    assert backend(answer).ask(HAND_OVER_ADDRESS, BODY, "id") == (status, None)
    assert asked == [HAND_OVER_ADDRESS]


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectTimeout("ada@example.com"),
        httpx.ReadTimeout("ada@example.com"),
        httpx.ConnectError("ada@example.com"),
        httpx.RemoteProtocolError("ada@example.com"),
        httpx.DecodingError("ada@example.com"),
    ],
)
def test_no_answer_is_told_without_personal_data(error: httpx.HTTPError) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(NotAnswered) as away:
        backend(answer).ask(HAND_OVER_ADDRESS, BODY, "id")
    assert away.value.reason == f"the seller's back end did not answer ({type(error).__name__})"
    assert away.value.__suppress_context__


def test_an_endless_answer_is_left_after_64_kib() -> None:
    given = 0

    class Endless(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            nonlocal given
            while True:
                given += 1
                yield b" " * 1024

    with pytest.raises(NotAnswered, match="more than 64 KiB"):
        backend(lambda _: httpx.Response(200, stream=Endless())).ask(HAND_OVER_ADDRESS, BODY, "id")
    assert given == 65


def test_the_largest_answer_that_is_taken() -> None:
    body = {"account_id": "a", "more": "x" * (64 * 1024 - len(json.dumps({"account_id": "a", "more": ""})))}
    content = json.dumps(body).encode()
    assert len(content) == 64 * 1024
    assert backend(lambda _: httpx.Response(200, content=content)).ask(HAND_OVER_ADDRESS, BODY, "id") == (
        200,
        body,
    )
