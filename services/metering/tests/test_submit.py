"""`python -m metering submit --once`: one cycle, for cron; and what it leaves when it is told to stop."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from botocore.awsrequest import AWSResponse
from house import Clients, House
from shelf_marketplace import Fault, Refused
from wire import Call

from chassis.clock import FrozenClock
from metering.settings import Settings


def submit(settings: Settings, *words: str) -> subprocess.CompletedProcess[str]:
    """The process as cron starts it. Nobody answers where it looks for AWS Marketplace (conftest)."""
    environment = os.environ | {
        "ENVIRONMENT": "test",
        "PRODUCTS_FILE": str(settings.products_file),
        "CONTRACTS_DIR": str(settings.contracts_dir),
    }
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "metering", "submit", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_where_nothing_is_to_be_done_all_went_well(house: House) -> None:
    done = submit(house.settings, "--once")
    assert (done.returncode, done.stderr) == (0, "")


def test_what_could_not_be_sent_is_said_in_a_sentence(house: House, clients: Clients) -> None:
    """The process has the system's clock, so the usage is of two hours ago by that."""
    house = House(house.settings, FrozenClock(datetime.now(UTC) - timedelta(hours=2)), clients)
    sub = house.buy()
    house.use(sub, "2")
    done = submit(house.settings, "--once")
    assert done.returncode == 1
    assert done.stderr.startswith("AWS cannot now (EndpointConnectionError: ")
    assert done.stderr.endswith("; the next cycle tries again.\n")
    record = house.records(sub)[0]
    assert (record.outcome, record.in_doubt, record.attempts) == ("planned", False, 1)
    house.clock.advance(hours=2)
    house.run()
    assert house.billed(sub) == "2"
    house.must_be_exact()


def test_a_cycle_that_is_told_to_stop_ends_after_the_call_in_hand(house: House) -> None:
    subs = [house.buy() for _ in range(60)]
    house.report(*[house.event(sub, "1") for sub in subs])
    house.clock.advance(hours=1, minutes=5)
    told = False

    def tell(call: Call) -> AWSResponse:
        nonlocal told
        told = True
        return call()

    house.aws.through = tell
    assert house.cycle.run(lambda: told) == ["The cycle was told to stop; the next one goes on from there."]
    assert len(house.aws.requests) == 1
    assert sum(house.outcomes(sub) == ["billed"] for sub in subs) == 25
    assert house.cycle.run() == []
    assert {house.billed(sub) for sub in subs} == {"1"}
    house.must_be_exact()


def test_told_to_stop_before_it_begins_it_does_nothing(house: House) -> None:
    sub = house.buy()
    house.use(sub, "2")
    house.clock.advance(hours=2)
    house.cycle.run(lambda: True)
    assert (house.records(sub), house.aws.requests) == ([], [])
    house.run()
    assert house.billed(sub) == "2"


def test_a_lost_answer_and_an_unprocessed_record_are_said(house: House) -> None:
    sub = house.buy()
    house.use(sub, "2")
    house.clock.advance(hours=2)
    house.aws.next_calls(Fault(after=Refused("InternalServiceErrorException", 500)))
    assert house.cycle.run() == [
        "A call of BatchMeterUsage failed (InternalServiceErrorException: As the test wishes.); the records "
        "are sent again."
    ]
    house.aws.next_calls(Fault(unprocessed=lambda _: True))
    record = house.records(sub)[0]
    assert house.cycle.run() == [f"AWS left {record.metering_record_id} unprocessed; it is sent again."]
    assert house.cycle.run() == []
    house.must_be_exact()
