"""No service waits for another: with one down the others go on, and all is right once it is back."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.journeys.house import DONE, GENERATIONS, SIGNALS_QUEUE, UNTIL_ACTIVE, UNTIL_ENDING, House, together
from tools.ports import free_port
from tools.stack import ROOT

REGISTRATION = ("registration-web", "registration-worker")
NOTIFICATIONS = ("notifications-web", "notifications-worker")
METERING = ("metering-web", "metering-worker")


@pytest.fixture
def down(house: House) -> Iterator[Callable[..., object]]:
    """Takes processes down for a while; what is down after a failed test is started again."""

    @contextmanager
    def without(*names: str) -> Iterator[None]:
        for name in names:
            house.stack.kill(name)
        yield
        house.start(*(name for name in names if not house.stack.is_running(name)))

    yield without
    house.start(*(name for name in house.stack.names if not house.stack.is_running(name)))


def test_a_buyer_registers_while_all_others_are_down(house: House, down: Callable[..., object]) -> None:
    house.begin_hour()
    with down(*NOTIFICATIONS, *METERING):
        buyers = []
        for generation in GENERATIONS:
            for door in ("html", "json"):
                buyer = house.buy(generation)
                landing = house.land(door, buyer)
                assert landing.submit(buyer.email).status_code in DONE
                assert landing.is_registered()
                landing.close()
                buyers.append(buyer)
        house.advance(UNTIL_ACTIVE)
        for buyer in buyers:
            # What cannot be known yet is not guessed.
            (customer,) = house.customers_of(buyer)
            assert customer["access"] == "denied"
    house.until_status("active", *buyers)
    for buyer in buyers:
        (customer,) = house.customers_of(buyer)
        assert customer["access"] == "granted"
        house.report(buyer)
    house.seal_hour()
    house.assert_billed_exactly(*buyers)


def test_usage_is_accepted_while_all_others_are_down(house: House, down: Callable[..., object]) -> None:
    house.begin_hour()
    known = [house.buy_active(generation) for generation in GENERATIONS]
    with down(*NOTIFICATIONS, *REGISTRATION, "metering-worker"):
        unknown = [house.buy(generation) for generation in GENERATIONS]
        house.advance(UNTIL_ACTIVE)
        for buyer in (*known, *unknown):
            house.report(buyer)
        house.stack.start("metering-worker")
        for buyer in unknown:
            held = house.until(lambda buyer=buyer: house.balance(buyer), "the fold")
            assert (held["held"], held["open"], held["balanced"]) == (held["accepted"], "0", True)
            assert [reason["reason"] for reason in held["reasons"]] == ["subscription_unknown"]
        # Billing of who is known does not wait for notifications either.
        house.seal_hour()
        house.assert_billed_exactly(*known)
    house.until_status("active", *unknown)
    house.assert_billed_exactly(*known, *unknown)


def test_news_is_applied_while_metering_is_down(house: House, down: Callable[..., object]) -> None:
    house.begin_hour()
    buyers = [house.buy_active(generation) for generation in GENERATIONS]
    for buyer in buyers:
        house.report(buyer)
    with down(*METERING, *REGISTRATION):
        fresh = [house.buy(generation) for generation in GENERATIONS]
        house.advance(UNTIL_ACTIVE)
        house.until_status("active", *fresh)
        for buyer in buyers:
            house.cancel(buyer)
        house.advance(UNTIL_ENDING)
        house.until_status("ending", *buyers)
        # The signals wait where metering will find them.
        house.until(lambda: house.engine.queue(SIGNALS_QUEUE).depth() >= 4, "the signals")
    # Back in time, it bills the final hour before AWS closes the book.
    house.assert_billed_exactly(*buyers)
    for buyer in fresh:
        house.report(buyer)
    house.seal_hour()
    house.assert_billed_exactly(*fresh)


def test_aws_is_away(house: House, down: Callable[..., object]) -> None:
    """The simulator is AWS Marketplace, and here the clock too: without it nothing is promised."""
    house.begin_hour()
    buyer = house.buy_active("concurrent_agreements")
    late = house.buy("legacy")
    events = house.events(buyer)
    web = house.stack.urls["registration-web"]
    with down("simulator"):
        for answer in (
            house.http.post(f"{web}/v1/registrations", json={"registration_token": late.token}),
            house.http.post(f"{web}/register", data={"x-amzn-marketplace-token": late.token}),
            house.post(events),
        ):
            assert_asked_to_wait(answer)
            assert late.token not in answer.text
    # The same token and the same events are good for the next try.
    landing = house.land("json", late)
    assert landing.submit(late.email).status_code == 201
    assert house.post(events).status_code == 202
    house.seal_hour()
    house.assert_billed_exactly(buyer)


def assert_asked_to_wait(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) > 0
    if not answer.headers["content-type"].startswith("text/html"):
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"].endswith("/unavailable")


@contextmanager
def second_worker(house: House) -> Iterator[None]:
    """One more metering worker, on the same tables."""
    variables = house.stack.environment_of("metering-worker") | {"PORT": str(free_port())}
    python = ROOT / ".venv" / "metering" / "bin" / "python"
    process = subprocess.Popen(
        [python, "-m", "metering", "worker"], cwd=ROOT, env=variables, stdout=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def test_a_worker_that_stands_still(house: House) -> None:
    """Frozen in mid-flight while another does its work, then woken: nothing is done twice."""
    house.begin_hour()
    buyers = [house.buy_active(generation) for generation in [*GENERATIONS] * 5]
    together(*(lambda buyer=buyer: house.report(buyer) for buyer in buyers))
    frozen = house.stack.pid("metering-worker")
    house.seal_hour()
    house.until(lambda: any(house.billed(buyer) for buyer in buyers), "the first bill")
    os.kill(frozen, signal.SIGSTOP)
    try:
        with second_worker(house):
            house.assert_billed_exactly(*buyers)
    finally:
        os.kill(frozen, signal.SIGCONT)
    for buyer in buyers:
        house.report(buyer)
    house.seal_hour()
    house.assert_billed_exactly(*buyers)
