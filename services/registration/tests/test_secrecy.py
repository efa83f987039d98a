"""Where token, session and e-mail address are after a full journey: only where they belong."""

import io
import logging
import re
from collections.abc import Iterator
from contextlib import redirect_stdout

import boto3
import pytest
import structlog
from conftest import House, concurrent_answer

from chassis import logs
from registration.resolve_refusals import Refusal, TokenNotResolved

TOKEN = "AQICAHgTheTokenItself"
EMAIL = "ada.secret@example.com"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Everything that the process logs, at the most talkative level, as production writes it."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    text = io.StringIO()
    with redirect_stdout(text):
        logs.configure("registration-web", "DEBUG")
    yield text
    root.handlers[:], _ = before
    root.setLevel(before[1])
    structlog.reset_defaults()


def every_item_of_every_table() -> str:
    client = boto3.client("dynamodb", region_name="us-east-1")
    return str([client.scan(TableName=name)["Items"] for name in client.list_tables()["TableNames"]])


def test_after_a_journey_the_secrets_are_only_where_they_belong(house: House, written: io.StringIO) -> None:
    house.marketplace.answers[TOKEN] = concurrent_answer()
    answers = [house.client.post("/register", data={"x-amzn-marketplace-token": TOKEN})]
    cookie = house.client.cookies["registration"]
    answers.append(house.client.get("/register"))
    csrf = re.search(r'name="csrf_token" value="([^"]+)"', answers[-1].text)
    assert csrf
    form = {"csrf_token": csrf.group(1), "email": EMAIL}
    answers.append(house.client.post("/register/customer", data=form))
    answers.append(house.client.get("/register"))
    by_api = house.arrive(TOKEN)
    answers.append(house.register(by_api, email=EMAIL))
    answers.append(house.register(by_api, email="not an address"))
    answers.append(house.client.post("/v1/registrations", json={"registration_token": [TOKEN]}))
    house.marketplace.answers[TOKEN] = TokenNotResolved(Refusal.EXPIRED_TOKEN, "ExpiredTokenException")
    answers.append(house.client.post("/register", data={"x-amzn-marketplace-token": TOKEN}))
    answers.append(house.client.post("/v1/registrations", json={"registration_token": TOKEN}))

    said = written.getvalue()
    assert "A buyer arrived; the token was resolved." in said
    assert "A buyer registered; the subscription is claimed." in said
    for secret in (TOKEN, cookie, cookie.split(".")[1], by_api["session_secret"], EMAIL, "not an address"):
        assert secret not in said

    kept = every_item_of_every_table()
    assert EMAIL in kept
    for secret in (TOKEN, cookie, cookie.split(".")[1], by_api["session_secret"].split(".")[1]):
        assert secret not in kept

    for answer in answers:
        shown = str(answer.headers) + answer.text + str(answer.request.url)
        assert TOKEN not in shown, answer.text
        assert EMAIL not in str(answer.headers)
        assert EMAIL not in str(answer.request.url)
