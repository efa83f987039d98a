"""Where token, session and e-mail address are after a full journey: only where they belong."""

import io
import logging
import re
from collections.abc import Iterator
from contextlib import redirect_stdout

import boto3
import httpx
import pytest
import structlog
from conftest import DEPLOYMENT_SECRET, HAND_OVER_SECRET, HANDING_OVER, House, concurrent_answer

from chassis import logs
from registration.mail import MailAway, MailRefused, Reason
from registration.marketplace import ParameterNotPut
from registration.resolve_refusals import Refusal, TokenNotResolved
from registration.tables import CustomerRow

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
    for refusal in (Refusal.EXPIRED_TOKEN, Refusal.AWAY, Refusal.OUR_FAULT):
        house.marketplace.answers[TOKEN] = TokenNotResolved(refusal, "SomeException")
        answers.append(house.client.post("/register", data={"x-amzn-marketplace-token": TOKEN}))
        answers.append(house.client.post("/v1/registrations", json={"registration_token": TOKEN}))
    house.marketplace.answers[TOKEN] = RuntimeError("a surprise")
    answers.append(house.client.post("/register", data={"x-amzn-marketplace-token": TOKEN}))
    house.mail.refusals = [MailAway("away"), MailRefused(Reason.BAD_ADDRESS, "MessageRejected")]
    for _ in range(2):
        house.work()
        house.clock.advance(seconds=1)

    said = written.getvalue()
    assert "A buyer arrived; the token was resolved." in said
    assert "A buyer registered; the subscription is claimed." in said
    assert "A letter cannot be delivered" in said
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


def test_signing_in_and_handing_over_leave_no_secrets_either(house: House, written: io.StringIO) -> None:
    no = {"detail": f"{EMAIL} is not welcome"}
    house.sellers_system.answers = [httpx.ReadTimeout(EMAIL), httpx.Response(409, json=no)]
    house.marketplace.refusals = [ParameterNotPut("ThrottlingException")]
    browser = house.land(ProductCode=HANDING_OVER)
    sent = browser.get("/register/sign-in/oidc")
    (trip,) = house.oidc.trips
    code = house.oidc.code_for("subject-4711", email=EMAIL, name="Ada Secret")
    browser.come_back(house.oidc, trip["state"], code)
    browser.come_back(house.oidc, trip["state"], code)
    browser.come_back(house.oidc, trip["state"] + "x", code)
    page = browser.get()
    for _ in range(2):
        browser.submit(EMAIL, name="Ada Secret", purpose="Purpose Secret")
        for _ in range(3):
            house.clock.advance(minutes=1)
            house.work()
    assert "Your account is set up" in browser.get().text
    (customer,) = CustomerRow.scan()
    for path in ("", "/access", "/export"):
        assert house.client.get(f"/v1/customers/{customer.customer_id}{path}", headers=house.operator).text
    assert house.outbox() == []

    said = written.getvalue()
    assert "A buyer signed in." in said
    assert "The seller's back end refused the account" in said
    assert "The seller's back end named the account." in said
    secrets = {trip["state"], trip["nonce"], trip["code_verifier"], code, DEPLOYMENT_SECRET, HAND_OVER_SECRET}
    for secret in (*secrets, "subject-4711", EMAIL, "Ada Secret", "Purpose Secret", "not welcome"):
        assert secret not in said
    kept = every_item_of_every_table()
    for secret in secrets:
        assert secret not in kept
    # The browser carries the state, and neither the other halves nor who somebody is goes into an address.
    for secret in (trip["nonce"], trip["code_verifier"], "subject-4711", EMAIL):
        assert secret not in sent.headers["location"]
    for secret in (trip["nonce"], trip["code_verifier"], code, "subject-4711"):
        assert secret not in page.text
