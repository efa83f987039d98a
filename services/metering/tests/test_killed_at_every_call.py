"""Each single call to DynamoDB and to AWS Marketplace goes wrong, one after the other: the bill stays exact.

Three things can befall a call: the process dies right after it (which is the same as dying before the next),
it never arrives, or it does its work and the answer is lost. Then a new process goes on until all is quiet.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import BotoCoreError, EndpointConnectionError, ReadTimeoutError
from house import LEGACY, SWITCHED, ZEROS, Clients, House, at, empty_tables
from pynamodb.exceptions import PynamoDBException
from shelf_marketplace import URL, Fault, Refused
from wire import Call, Wire

from chassis.clock import FrozenClock
from chassis.problems import Unavailable
from metering.settings import Settings

Befall = Callable[[Call], AWSResponse]


class Killed(BaseException):
    """The process is gone: no `except Exception` of ours sees it."""


def die_after(call: Call) -> AWSResponse:
    call()
    raise Killed


def never_arrive(_: Call) -> AWSResponse:
    raise EndpointConnectionError(endpoint_url=URL)


def lose_the_answer(call: Call) -> AWSResponse:
    call()
    raise ReadTimeoutError(endpoint_url=URL)


Step = Callable[[House], None]


def ordinary() -> list[Step]:
    """A batch of usage and its bill; late usage of the hour that is billed, and its bill."""

    def first_hour(house: House) -> None:
        subs = list(house.identities)
        report_until_taken(house, *[house.event(sub, "1.5", event_id=f"a {sub}") for sub in subs])

    def late(house: House) -> None:
        sub = next(iter(house.identities))
        report_until_taken(house, house.event(sub, "2", event_id="b", time=at("22T10:20")))

    return [first_hour, advance(hours=1), cycle, late, advance(hours=1), cycle]


def unlucky() -> list[Step]:
    """A day of throttling: a record expires and is billed later; a final hour; usage after it; retirement."""

    def use(house: House) -> None:
        subs = list(house.identities)
        report_until_taken(house, *[house.event(sub, "1.5", event_id=f"a {sub}") for sub in subs])

    def throttled(house: House) -> None:
        house.aws.always = Fault(before=Refused("ThrottlingException"))
        cycle(house)
        house.aws.always = None

    def end(house: House) -> None:
        sub = next(iter(house.identities))
        report_until_taken(house, house.event(sub, "4", event_id="c", time=at("23T10:15")))
        house.end(sub, at("23T11:20"))

    def after_the_end(house: House) -> None:
        sub = next(iter(house.identities))
        report_until_taken(house, house.event(sub, "8", event_id="d", time=at("23T11:30")))

    return [
        use,
        advance(hours=1),
        throttled,
        advance(hours=22, minutes=50),
        cycle,
        end,
        cycle,
        advance(hours=1, minutes=10),
        after_the_end,
        cycle,
        advance(hours=2),
        cycle,
    ]


def switched() -> list[Step]:
    """Usage under the identity that has no hours any more goes to the other one; an idle hour is told as
    zero."""

    def buy(house: House) -> None:
        legacy, licence = house.buy(SWITCHED, legacy=True), house.buy(SWITCHED)
        account = house.aws.buyers[house.identities[licence]].account
        house.publish(legacy, customer_aws_account_id=account)
        house.buy(ZEROS, since=at("22T10:00"))

    def use(house: House) -> None:
        legacy = list(house.identities)[-3]
        report_until_taken(house, house.event(legacy, "1.5", event_id="e"))

    return [
        buy,
        advance(hours=2, minutes=10),
        use,
        advance(hours=1),
        cycle,
        cycle,
        advance(hours=20, minutes=1),
        cycle,
        cycle,
    ]


def advance(**amount: float) -> Step:
    def step(house: House) -> None:
        house.clock.advance(**amount)

    return step


def cycle(house: House) -> None:
    with suppress(ExceptionGroup):
        house.cycle.run()


def report_until_taken(house: House, *events: dict[str, str]) -> None:
    """What a reporter does: whatever was not acknowledged it sends again, to whichever process there is."""
    for _ in range(3):
        try:
            house.report(*events)
        except (BotoCoreError, PynamoDBException, Unavailable):
            continue
        except Killed:
            house.restart()
            continue
        return
    raise AssertionError("The events were never taken.")


def play(house: House, wire: Wire, story: list[Step], position: int, befall: Befall) -> int:
    """Play a story in which one call goes wrong; answers how many calls there were."""
    wire.operations.clear()

    def meddle(_: str, call: Call) -> AWSResponse:
        if len(wire.operations) == position + 1:
            return befall(call)
        return call()

    wire.meddle = meddle
    for step in story:
        try:
            step(house)
        except Killed:
            # Killed in the midst of a cycle; the next one is a new process's.
            house.restart()
            cycle(house)
    calls = len(wire.operations)
    wire.meddle = None
    house.restart()
    house.run()
    return calls


def amounts(house: House) -> list[int]:
    """What each buyer owes, in the order of their coming."""
    return [house.aws.bill().get((identity, "gpu_hours"), 0) for identity in house.identities.values()]


@pytest.fixture
def stage(
    settings: Settings, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], tuple[House, Wire]]]:
    """Sets the stage anew: empty tables, two buyers, half past ten."""

    def build() -> tuple[House, Wire]:
        monkeypatch.undo()
        empty_tables()
        # One shard: reading four times as many would tell nothing new, four times as slowly.
        house = House(settings.model_copy(update={"log_shards": 1}), FrozenClock(at("22T10:30")), clients)
        house.buy()
        house.buy(LEGACY)
        return house, Wire(house.aws, monkeypatch)

    yield build
    monkeypatch.undo()
    empty_tables()


@pytest.mark.parametrize("befall", [die_after, never_arrive, lose_the_answer])
@pytest.mark.parametrize(("story", "stride"), [(ordinary, 1), (unlucky, 6), (switched, 4)])
def test_prior_art_01_02_11_one_call_goes_wrong(
    stage: Callable[[], tuple[House, Wire]], story: Callable[[], list[Step]], stride: int, befall: Befall
) -> None:
    """Of the long story every second call goes wrong, each of the three things befalling other calls."""
    house, wire = stage()
    calls = play(house, wire, story(), -1, befall)
    assert calls >= 40
    whole = amounts(house)
    house.must_be_exact()
    first = 2 * [die_after, never_arrive, lose_the_answer].index(befall) % stride
    for position in range(first, calls, stride):
        house, wire = stage()
        play(house, wire, story(), position, befall)
        house.must_be_exact()
        if story is switched:
            house.run()
            assert amounts(house) == whole, position
            assert "0" in house.hours(list(house.identities)[-1]).values(), position
        if story is ordinary:
            # Nothing of it had to be held or written off: after one more cycle at the most everything is
            # billed.
            if amounts(house) != whole:
                house.run()
                house.must_be_exact()
            assert amounts(house) == whole, position
