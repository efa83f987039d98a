"""The worker's loops on real tables and a real queue of the local engine, and the process as it is run."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import orjson
import pytest
import yaml
from conftest import CONCURRENT, LICENSE_ARN, OPENAPI, START, House, a_license, news

from chassis.queues import Queue, Unreadable, create_queue_with_dlq
from chassis.tables import bind
from registration import subscription_ids
from registration.claims import Claim
from registration.customers import CustomerDetails, new_customer
from registration.settings import Settings
from registration.tables import ALL_MODELS, ClaimRow, CustomerRow, IdentityRow, OutboxRow
from registration.tables.rows import claim_row, customer_row
from registration.worker import loops, read_signal

Problem = Callable[[Any], tuple[int, str]]

SUBSCRIPTION_ID = subscription_ids.of_license(LICENSE_ARN)
QUEUE = "registration-signals-in-tests"


class Rounds(threading.Event):
    """Stops a loop after so many rounds, so that no test waits for one to notice."""

    def __init__(self, rounds: int) -> None:
        super().__init__()
        self._left = rounds

    def is_set(self) -> bool:
        self._left -= 1
        return self._left < 0

    def wait(self, timeout: float | None = None) -> bool:
        return False


@pytest.fixture(scope="module")
def sqs(shared_house: House) -> Any:
    client = boto3.session.Session().client("sqs", region_name="us-east-1")
    create_queue_with_dlq(client, QUEUE)
    return client


@pytest.fixture
def queue(house: House, sqs: Any) -> Iterator[Queue]:
    """The queue of signals, empty."""
    queue = Queue(sqs, QUEUE)
    yield queue
    for one in (queue, queue.dead_letters()):
        sqs.purge_queue(QueueUrl=one.url)


def run(house: House, queue: Queue, loop: str, rounds: int = 1) -> None:
    """Some rounds of one of the worker's loops."""
    parts = house.parts
    loops(parts.tables, parts.outbox, parts.catalogue, queue, house.clock.now, sweep_seconds=300)[loop](
        Rounds(rounds)
    )


def signal_of(subscription_id: str) -> dict[str, Any]:
    return {
        "id": "sig_1",
        "type": "subscription.activated",
        "time": "2026-11-22T10:00:00.000000Z",
        "subscription_id": subscription_id,
        "version": 1,
    }


def counts(sqs: Any, queue: Queue) -> tuple[int, int]:
    """How many messages wait, and how many are in somebody's hands or come back later."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=names)["Attributes"]
    return int(found[names[0]]), int(found[names[1]])


# -- signals -------------------------------------------------------------------------------------------------


def test_a_signal_leads_to_the_access_letter(house: House, queue: Queue, sqs: Any) -> None:
    house.customer_of("token-1")
    run(house, queue, "outbox")
    news(SUBSCRIPTION_ID, "active", "granted")
    for _ in range(2):  # SQS may deliver twice.
        queue.send(signal_of(SUBSCRIPTION_ID))

    run(house, queue, "signals")
    run(house, queue, "outbox", rounds=2)

    assert [letter.subject for letter, *_ in house.mail.sent] == [
        "Your account for Endpoints is confirmed",
        "You have access to Endpoints now",
    ]
    assert counts(sqs, queue) == (0, 0)
    assert OutboxRow.count() == 0


def test_the_signal_is_only_a_hint(house: House, queue: Queue, sqs: Any) -> None:
    """What it says does not matter: the table does. Signals of subscriptions that nobody claimed are done."""
    house.customer_of("token-1")
    news(SUBSCRIPTION_ID, "pending", "denied")
    queue.send(signal_of(SUBSCRIPTION_ID) | {"type": "subscription.activated"})
    queue.send(signal_of("sub_" + "a" * 26))
    run(house, queue, "signals")
    assert counts(sqs, queue) == (0, 0)
    assert {row.kind for row in OutboxRow.scan()} == {"welcome_letter"}


def test_a_signal_during_a_hand_over_waits_for_the_customer(house: House, queue: Queue) -> None:
    claim = Claim(SUBSCRIPTION_ID, None, "reg_a", CONCURRENT, START)
    claim_row(claim).save()
    news(SUBSCRIPTION_ID, "active", "granted")
    queue.send(signal_of(SUBSCRIPTION_ID))
    run(house, queue, "signals")
    assert OutboxRow.count() == 0
    assert ClaimRow.get(SUBSCRIPTION_ID).access_told_at is None


BAD = ["not json", "[]", "7", "{}", '{"subscription_id": 7}', '{"subscription_id": null}']


def test_what_cannot_be_read_goes_to_the_dead_letters_and_the_rest_is_done(
    house: House, queue: Queue, sqs: Any
) -> None:
    house.customer_of("token-1")
    run(house, queue, "outbox")
    news(SUBSCRIPTION_ID, "active", "granted")
    for body in (*BAD, orjson.dumps(signal_of(SUBSCRIPTION_ID)).decode()):
        sqs.send_message(QueueUrl=queue.url, MessageBody=body)

    run(house, queue, "signals")

    assert counts(sqs, queue) == (0, 0)
    letters = queue.dead_letters().receive(wait_seconds=0)
    assert sorted(letter.body for letter in letters) == sorted(BAD)
    for letter in letters:
        assert letter.attributes["reason"]["StringValue"]
        assert letter.attributes["original_message_id"]["StringValue"]
    assert {row.kind for row in OutboxRow.scan()} == {"access_letter"}


@pytest.mark.parametrize("body", BAD)
def test_what_is_no_signal(body: str) -> None:
    with pytest.raises(Unreadable):
        read_signal(body)


def test_a_signal_is_read_as_its_promise_says() -> None:
    schema = json.loads((OPENAPI / "events" / "subscription-signal.schema.json").read_text(encoding="utf-8"))
    assert schema["examples"]
    for example in schema["examples"]:
        assert read_signal(json.dumps(example | {"news_of_tomorrow": 1})) == example["subscription_id"]


def test_while_the_tables_are_away_a_signal_is_kept(
    house: House, queue: Queue, sqs: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.send(signal_of(SUBSCRIPTION_ID))
    assert queue.url
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    bind(ALL_MODELS, settings)
    try:
        run(house, queue, "signals")
    finally:
        monkeypatch.undo()
        bind(ALL_MODELS, settings)
    assert counts(sqs, queue) == (0, 1)
    assert counts(sqs, queue.dead_letters()) == (0, 0)


# -- the sweep -----------------------------------------------------------------------------------------------


def test_a_lost_signal_costs_time_only(house: House, queue: Queue) -> None:
    house.customer_of("token-1")
    run(house, queue, "outbox")
    news(SUBSCRIPTION_ID, "active", "granted")
    run(house, queue, "sweep", rounds=3)
    assert {row.kind for row in OutboxRow.scan()} == {"access_letter"}
    run(house, queue, "outbox")
    run(house, queue, "sweep")
    assert OutboxRow.count() == 0


def test_the_sweep_looks_at_every_claim(house: House, queue: Queue) -> None:
    """Three pages of them, with each kind of work on some page."""
    last = new_customer("cus_last", CustomerDetails("ada@example.com"), "sub_last", START)
    with ClaimRow.batch_write() as batch:
        for number in range(230):
            batch.save(claim_row(Claim(f"sub_{number}", "cus_other", f"reg_{number}", CONCURRENT, START)))
        batch.save(claim_row(Claim("sub_last", "cus_last", "reg_last", CONCURRENT, START)))
    customer_row(last).save()
    told = ["sub_last", "sub_7", "sub_117", "sub_227"]
    for subscription_id in told:
        news(subscription_id, "active", "granted")
    run(house, queue, "sweep")
    assert {row.subscription_id for row in OutboxRow.scan()} == set(told)


# -- the end of a customer -----------------------------------------------------------------------------------


def deleted(house: House) -> str:
    """A customer of two subscriptions, deleted."""
    customer_id = house.buys("user-1", 1)
    assert house.buys("user-1", 2) == customer_id
    house.work()
    assert house.client.delete(f"/v1/customers/{customer_id}", headers=house.operator).status_code == 204
    return customer_id


FIRST, SECOND = (subscription_ids.of_license(a_license(number)) for number in (1, 2))


@pytest.mark.parametrize("loop", ["signals", "sweep"])
def test_a_tombstone_goes_once_nothing_runs_any_more(
    house: House, queue: Queue, problem: Problem, loop: str
) -> None:
    customer_id = deleted(house)
    news(FIRST, "ended", "denied")
    news(SECOND, "active", "granted")

    def look() -> None:
        for subscription_id in (FIRST, SECOND):
            queue.send(signal_of(subscription_id))
        run(house, queue, loop)
        run(house, queue, "outbox")

    look()
    (tombstone,) = CustomerRow.scan()
    assert (tombstone.customer_id, tombstone.status) == (customer_id, "deleted")
    assert (tombstone.email, tombstone.name, tombstone.identity_ids) == (None, None, None)
    assert ClaimRow.count() == 2
    assert IdentityRow.count() == 0
    taken = house.register(house.arrive("taken", license_arn=a_license(1)))
    assert problem(taken) == (409, "subscription-already-claimed")

    news(SECOND, "failed", "denied")
    look()
    assert CustomerRow.count() == ClaimRow.count() == 0
    # Whoever proves the purchase now is somebody new.
    assert house.customer_of("free", license_arn=a_license(1)) != customer_id
    assert len(house.mail.sent) == 2


def test_without_news_of_all_subscriptions_the_tombstone_stays(house: House, queue: Queue) -> None:
    deleted(house)
    news(FIRST, "ended", "denied")
    run(house, queue, "sweep")
    assert (CustomerRow.count(), ClaimRow.count()) == (1, 2)


def test_who_was_not_deleted_stays(house: House, queue: Queue) -> None:
    house.customer_of("token-1")
    news(SUBSCRIPTION_ID, "ended", "denied")
    run(house, queue, "sweep")
    assert (CustomerRow.count(), ClaimRow.count()) == (1, 1)


# -- the process ---------------------------------------------------------------------------------------------


def test_the_process_works_tells_its_health_and_stops_when_told(
    house: House, queue: Queue, engine_url: str, tmp_path: Path
) -> None:
    """`python -m registration worker`: a signal comes in, a letter goes out."""
    products = {
        "products": [
            {
                "product_code": CONCURRENT,
                "product_id": "prod-1",
                "title": "Endpoints",
                "generation": "concurrent_agreements",
                "pricing_model": "subscription",
                "support": {"email": "support@seller.example"},
                "dimensions": [{"key": "seats", "title": "Seats", "unit": "Users"}],
            }
        ]
    }
    (tmp_path / "products.yaml").write_text(yaml.safe_dump(products), encoding="utf-8")
    letters = tmp_path / "letters"
    house.customer_of("token-1")
    OutboxRow(f"welcome-letter-{SUBSCRIPTION_ID}").delete()
    news(SUBSCRIPTION_ID, "active", "granted")
    port = _free_port()
    output = tmp_path / "output"
    with output.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "registration", "worker"],
            env={
                **os.environ,
                "ENVIRONMENT": "test",
                "PORT": str(port),
                "PRODUCTS_FILE": str(tmp_path / "products.yaml"),
                "CONTRACTS_DIR": str(OPENAPI),
                "REGISTRATION_SIGNALS_QUEUE": QUEUE,
                "SWEEP_SECONDS": "3600",
                "MAIL": "directory",
                "MAIL_DIRECTORY": str(letters),
            },
            stdout=said,
            stderr=subprocess.STDOUT,
        )

    def until(holds: Callable[[], bool]) -> None:
        """Wait for a condition; the deadline only ends a test that has failed."""
        deadline = time.monotonic() + 60
        while not holds():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.05)

    try:
        queue.send(signal_of(SUBSCRIPTION_ID))
        until(lambda: [one.name for one in letters.glob("*.eml")] != [])
        until(lambda: OutboxRow.count() == 0)
        assert _get(port, "/healthz")["status"] == "alive"
        until(lambda: _get(port, "/readyz")["status"] == "ready")
        assert set(_get(port, "/readyz")["parts"]) >= {"signals queue", "outbox table", "clock"}
    finally:
        process.send_signal(signal.SIGTERM)
        # Ends the queue's long wait.
        queue.send(signal_of("sub_" + "a" * 26))
        process.wait(timeout=60)
    assert process.returncode == 0, output.read_text()
    assert "The worker has stopped." in output.read_text()
    assert "ada@example.com" not in output.read_text()
    (letter,) = letters.glob("*.eml")
    assert letter.name == f"access-letter-{SUBSCRIPTION_ID}.eml"


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _get(port: int, path: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        with error:
            return dict(json.load(error))
