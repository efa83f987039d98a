"""Endpoints on the real engine: metered by the cycle, to the second, whatever befalls it."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from house import ENDPOINTS, Clients, House, at, empty_tables
from test_killed_at_every_call import Befall, Killed, die_after, lose_the_answer, never_arrive
from wire import Call, Wire

from chassis.clock import FrozenClock
from chassis.problems import Unavailable
from metering.callers import Asker
from metering.endpoint_life import EndedBecause, Endpoint
from metering.endpoint_tracker import EndpointTracker
from metering.endpoint_wishes import AccessNotGranted, Wish
from metering.quantities import MICRO
from metering.settings import Settings
from metering.tables.models import CustomerRow, EndpointRow
from metering.usage_columns import UsageColumns

SERVICE = Asker(service="key:gateway")
OPERATOR = Asker(is_operator=True)


def start(house: House, sub: str, who: Asker = SERVICE, accelerator: str = "GPU") -> Endpoint:
    return house.endpoint_desk.create(who, Wish("A name", "acme/model", accelerator, sub))


def delete(house: House, endpoint: Endpoint) -> Endpoint:
    return house.endpoint_desk.delete(SERVICE, endpoint.endpoint_id)


def again(house: House, endpoint: Endpoint) -> Endpoint:
    return house.endpoints.again(endpoint)


def micro(seconds: float) -> int:
    return int(seconds) * MICRO // 3600


def ran(house: House, sub: str, name: str, quantity: int, dimension: str = "gpu_hours") -> None:
    """What an endpoint has run, as the truth that the books are held to."""
    house.truth[sub, dimension][name, ""] = quantity


def billed(house: House, sub: str, dimension: str = "gpu_hours") -> int:
    return house.aws.bill().get((house.identities[sub], dimension), 0)


# By the hour
# ----------------------------------------------------------------------------------------------


def test_each_hour_is_metered_once_it_is_over_and_the_last_part_when_it_ends(house: House) -> None:
    sub = house.buy(ENDPOINTS)
    house.clock.advance(minutes=15, seconds=7.9)
    endpoint = start(house, sub)
    assert endpoint.created_at == at("22T10:15:07")
    house.run()
    assert again(house, endpoint).metered_until == endpoint.created_at
    house.clock.advance(hours=2)
    house.run(2)
    assert again(house, endpoint).metered_until == at("22T12:00")
    house.clock.advance(minutes=30)
    deleted = delete(house, endpoint)
    assert deleted.deleted_at == at("22T12:45:07")
    assert deleted.ended_because is EndedBecause.DELETED_BY_OWNER
    house.clock.advance(hours=1)
    house.run(2)
    assert house.hours(sub) == {"22T10": "0.748055", "22T11": "1", "22T12": "0.751945"}
    assert billed(house, sub) == micro(9_000)
    settled = again(house, endpoint)
    assert settled.is_settled
    assert house.endpoints.unsettled() == []
    ran(house, sub, endpoint.endpoint_id, micro(9_000))
    house.must_be_exact()


def test_several_of_one_subscription_are_one_record_an_hour_for_each_dimension(house: House) -> None:
    sub = house.buy(ENDPOINTS)
    for number, accelerator in enumerate(("GPU", "GPU", "CPU")):
        start(house, sub, accelerator=accelerator)
        house.clock.advance(minutes=number + 1)
    house.use(sub, "2")
    house.clock.advance(hours=1)
    house.run(2)
    hour = micro(3_600) + micro(3_540) + 2 * MICRO
    assert billed(house, sub) == hour
    assert billed(house, sub, "cpu_hours") == micro(57 * 60)
    assert len(house.records(sub)) == 1


def test_a_worker_that_was_away_for_days_catches_up(house: House) -> None:
    sub = house.buy(ENDPOINTS)
    endpoint = start(house, sub)
    house.clock.advance(hours=50, minutes=10)
    house.run(3)
    ran(house, sub, endpoint.endpoint_id, 50 * MICRO)
    house.must_be_exact()
    assert again(house, endpoint).metered_until == at("24T12:00")
    assert house.balance(sub).accepted == 50 * MICRO


def test_whoever_deletes_it_again_changes_nothing(house: House) -> None:
    sub = house.buy(ENDPOINTS)
    endpoint = start(house, sub)
    house.clock.advance(minutes=10)
    first = delete(house, endpoint)
    house.clock.advance(minutes=10)
    assert delete(house, endpoint) == first
    assert house.endpoint_desk.delete(OPERATOR, endpoint.endpoint_id) == first
    house.run()
    assert delete(house, endpoint).deleted_at == at("22T10:10")


def test_it_is_renamed_while_it_is_metered(house: House, wire: Wire) -> None:
    """The tracker finds another version than it read, and looks again."""
    sub = house.buy(ENDPOINTS)
    endpoint = start(house, sub)
    house.clock.advance(hours=1)

    def rename() -> None:
        house.endpoint_desk.change(SERVICE, endpoint.endpoint_id, {"name": "Another"})

    for position in range(3, 9):
        assert wire.interrupt(position, rename, house.run)
        house.clock.advance(hours=1)
    house.run()
    found = again(house, endpoint)
    assert (found.name, found.metered_until) == ("Another", at("22T17:00"))
    ran(house, sub, endpoint.endpoint_id, 7 * MICRO)
    house.must_be_exact()


# Access
# -------------------------------------------------------------------------------------------------


def test_what_loses_access_between_the_look_and_the_write_is_not_created(house: House, wire: Wire) -> None:
    sub = house.buy(ENDPOINTS)
    act: Callable[[], Any] = lambda: house.end(sub, at("22T11:00"))  # noqa: E731
    with pytest.raises(AccessNotGranted):
        wire.interrupt(1, act, lambda: start(house, sub))
    assert wire.operations[:2] == ["GetItem", "TransactWriteItems"]
    assert list(EndpointRow.scan()) == []


# The subscription ends
# -----------------------------------------------------------------------------------


def test_the_end_stops_it_and_its_last_part_is_in_the_final_hour_s_record(house: House) -> None:
    sub, other = house.buy(ENDPOINTS), house.buy(ENDPOINTS)
    endpoint, going_on = start(house, sub), start(house, other)
    house.use(sub, "2")
    house.clock.advance(minutes=40)
    house.end(sub, at("22T11:40"))
    house.run()
    assert house.hours(sub) == {"22T10": "2.666666"}
    stopped = again(house, endpoint)
    assert (stopped.deleted_at, stopped.ended_because) == (at("22T10:40"), EndedBecause.SUBSCRIPTION_ENDED)
    assert again(house, going_on).deleted_at is None
    house.clock.advance(hours=3)
    house.run()
    assert house.hours(sub) == {"22T10": "2.666666"}
    ran(house, sub, endpoint.endpoint_id, micro(2_400))
    ran(house, other, going_on.endpoint_id, 3 * MICRO)
    house.must_be_exact()


def test_an_end_that_is_told_at_any_moment_of_a_cycle_loses_no_second(
    stage: Callable[[], tuple[House, Wire]],
) -> None:
    """The planner reads the subscription later than the tracker did: the running hour waits for the next
    cycle, so that it is not frozen without the endpoint's part."""
    house, wire = stage()
    position, whole = 0, {}
    while True:
        sub = house.buy(ENDPOINTS)
        endpoint = start(house, sub)
        house.use(sub, "2")
        house.clock.advance(minutes=10)
        until = house.clock.now() + timedelta(minutes=30)
        hit = wire.interrupt(position, lambda sub=sub, until=until: house.end(sub, until), house.run)
        if not hit:
            break
        house.run()
        whole[position] = (len(house.records(sub)), billed(house, sub))
        assert again(house, endpoint).is_settled
        position += 1
        house.clock.advance(hours=1)
    assert position > 6
    assert set(whole.values()) == {(1, micro(600) + 2 * MICRO)}


def test_one_that_is_created_while_a_cycle_runs_holds_the_final_hour_back(house: House, wire: Wire) -> None:
    sub = house.buy(ENDPOINTS)
    created: list[Endpoint] = []

    def create_and_end() -> None:
        created.append(start(house, sub))
        house.clock.advance(minutes=1)
        house.end(sub, at("22T11:40"))

    house.use(sub, "2")
    house.clock.advance(minutes=40)
    # After the tracker has looked, and before the planner does.
    assert wire.interrupt(2, create_and_end, house.run)
    assert house.hours(sub) == {}
    house.run()
    assert house.hours(sub) == {"22T10": "2.016666"}
    assert again(house, created[0]).is_settled


def test_where_endpoints_cannot_be_read_only_the_last_hours_of_ends_wait(house: House, wire: Wire) -> None:
    sub, ending = house.buy(ENDPOINTS), house.buy(ENDPOINTS)
    house.use(sub, "1")
    house.clock.advance(hours=1, minutes=20)
    house.use(ending, "2")
    house.end(ending, at("22T12:20"))
    asked: list[str] = []

    def away_at_first(_: str, call: Call) -> AWSResponse:
        asked.append("")
        return never_arrive(call) if len(asked) == 1 else call()

    wire.meddle = away_at_first
    house.run_and_fail()
    wire.meddle = None
    assert (house.hours(sub), house.hours(ending)) == ({"22T10": "1"}, {})
    house.run()
    assert house.hours(ending) == {"22T11": "2"}
    house.must_be_exact()


def test_a_log_that_takes_nothing_leaves_the_part_claimed_for_the_next_cycle(house: House) -> None:
    sub = house.buy(ENDPOINTS)
    endpoint = start(house, sub)
    house.clock.advance(hours=1)

    def refuse(_: UsageColumns) -> None:
        raise Unavailable("The usage log takes no more writes at the moment.")

    failed = EndpointTracker(house.endpoints, house.published, refuse).turn(house.clock.now())
    assert [type(one) for one in failed.failures] == [Unavailable]
    assert failed.may_be_used(sub)
    assert again(house, endpoint).is_claimed
    house.run()
    ran(house, sub, endpoint.endpoint_id, MICRO)
    house.must_be_exact()
    assert again(house, endpoint).metered_until == at("22T11:00")


def test_a_worker_that_was_away_for_the_end_writes_off_in_sight_of_all(house: House) -> None:
    sub = house.buy(ENDPOINTS)
    endpoint = start(house, sub)
    house.clock.advance(minutes=30)
    house.end(sub, at("22T11:30"))
    house.clock.advance(hours=4)
    house.run(2)
    assert again(house, endpoint).deleted_at == at("22T11:30")
    assert house.balance(sub).reasons == {("written_off", "after_final_hour"): micro(5_400)}
    ran(house, sub, endpoint.endpoint_id, micro(5_400))
    house.must_be_exact()


def test_a_customer_s_are_stopped_when_the_customer_is_deleted(house: House) -> None:
    sub = house.buy(ENDPOINTS)
    customer_id = house.register(sub)
    endpoint = start(house, sub)
    row = EndpointRow.get(endpoint.owner, endpoint.endpoint_id)
    row.delete()
    row.owner = customer_id
    row.save()
    house.clock.advance(minutes=30)
    house.run()
    assert house.endpoints.find(customer_id, endpoint.endpoint_id).deleted_at is None
    CustomerRow(customer_id, status="deleted", subscription_ids=[sub]).save()
    house.run()
    found = house.endpoints.find(customer_id, endpoint.endpoint_id)
    assert (found.deleted_at, found.ended_because) == (at("22T10:30"), EndedBecause.CUSTOMER_DELETED)
    assert found.is_settled


def renew(house: House, sub: str, meter_until: datetime) -> str:
    """The buyer's agreement is renewed: both give access through the old one's last hour."""
    following = house.buy(ENDPOINTS, since=house.clock.now())
    house.aws.buyers[house.identities[sub]].until = meter_until
    house.publish(sub, status="ending", access="granted", next_subscription_id=following)
    return following


def test_a_renewal_takes_it_along_and_no_second_is_lost_or_doubled(house: House) -> None:
    sub = house.buy(ENDPOINTS)
    endpoint = start(house, sub)
    house.clock.advance(minutes=20, seconds=10)
    following = renew(house, sub, at("22T11:20"))
    house.run()
    assert house.hours(sub) == {"22T10": "0.336111"}
    moved = again(house, endpoint)
    assert (moved.subscription_id, moved.deleted_at) == (following, None)
    house.clock.advance(hours=1)
    house.run(2)
    delete(house, endpoint)
    house.run()
    house.clock.advance(hours=1)
    house.run()
    assert billed(house, sub) + billed(house, following) == micro(80 * 60 + 10)
    ran(house, sub, endpoint.endpoint_id, micro(80 * 60 + 10))
    house.must_be_exact()


def test_a_renewed_one_without_a_follower_holds_the_running_hour_only_and_is_stopped_in_time(
    house: House,
) -> None:
    sub = house.buy(ENDPOINTS)
    endpoint = start(house, sub)
    house.use(sub, "2")
    house.clock.advance(minutes=50)
    house.aws.buyers[house.identities[sub]].until = at("22T11:50")
    house.publish(sub, status="ending", access="granted")
    house.run()
    assert house.hours(sub) == {}
    assert again(house, endpoint).deleted_at is None
    house.clock.advance(minutes=16)
    house.run(2)
    assert house.hours(sub) == {"22T10": "3"}
    house.clock.advance(minutes=40)
    house.run(2)
    assert again(house, endpoint).deleted_at == at("22T11:46")
    assert house.hours(sub) == {"22T10": "3", "22T11": "0.766666"}


# Whatever befalls it
# --------------------------------------------------------------------------------------


class Story:
    """Two endpoints of two subscriptions; one is deleted, the other's subscription is renewed, then ends."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.subs = [house.buy(ENDPOINTS) for _ in range(2)]
        self.endpoints = [start(house, sub) for sub in self.subs]
        self.following = ""

    def scenes(self) -> Iterator[None]:
        """Between two scenes the worker has its cycles."""
        house = self.house
        house.clock.advance(minutes=59, seconds=59)
        yield
        house.clock.advance(minutes=10)
        yield
        delete(house, self.endpoints[0])
        self.following = renew(house, self.subs[1], at("22T12:00"))
        yield
        house.clock.advance(minutes=5)
        house.end(self.following, at("22T12:14:59"))
        yield

    def must_have_come_true(self) -> None:
        """Every second stands in the log once, whoever died."""
        house = self.house
        house.restart()
        house.run(2)
        assert [again(house, one).is_settled for one in self.endpoints] == [True, True]
        ends = [again(house, one).deleted_at for one in self.endpoints]
        assert ends[0] == at("22T11:09:59")
        for one, end in zip(self.endpoints, ends, strict=True):
            assert end
            ran(house, one.subscription_id, one.endpoint_id, micro((end - one.created_at).total_seconds()))
        house.must_be_exact()
        conflicts = [balance.conflicting for sub in self.subs for balance in [house.balance(sub)]]
        assert conflicts == [0, 0]


@pytest.fixture
def stage(
    settings: Settings, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], tuple[House, Wire]]]:
    """Sets the stage anew: empty tables, ten o'clock."""

    def build() -> tuple[House, Wire]:
        monkeypatch.undo()
        empty_tables()
        house = House(settings.model_copy(update={"log_shards": 1}), FrozenClock(at("22T10:00")), clients)
        return house, Wire(house.aws, monkeypatch)

    yield build
    monkeypatch.undo()
    empty_tables()


def turn(house: House) -> None:
    """A worker's turn, with nothing remembered."""
    with suppress(Exception):
        house.new_tracker().turn(house.clock.now())


def play(house: House, wire: Wire, meddle: Callable[[int, Call], AWSResponse]) -> int:
    """Play the story; every call of the worker goes through `meddle`, numbered from 0. Answers how many there
    were."""
    story = Story(house)
    calls = 0

    def through(_: str, call: Call) -> AWSResponse:
        nonlocal calls
        calls += 1
        return meddle(calls - 1, call)

    for _ in story.scenes():
        wire.meddle = through
        with suppress(Killed):
            turn(house)
        wire.meddle = None
        turn(house)
    story.must_have_come_true()
    return calls


@pytest.mark.parametrize("befall", [die_after, never_arrive, lose_the_answer])
def test_the_tracker_is_killed_at_each_step(stage: Callable[[], tuple[House, Wire]], befall: Befall) -> None:
    calls = play(*stage(), lambda _, call: call())
    assert calls >= 30
    # Each of the three befalls every third call, another one each.
    for position in range([die_after, never_arrive, lose_the_answer].index(befall), calls, 3):
        play(*stage(), lambda number, call, at=position: befall(call) if number == at else call())


def test_another_worker_takes_its_turn_between_any_two_calls(
    stage: Callable[[], tuple[House, Wire]],
) -> None:
    calls = play(*stage(), lambda _, call: call())
    for position in range(0, calls, 2):
        house, wire = stage()

        def meddle(
            number: int, call: Call, house: House = house, wire: Wire = wire, at: int = position
        ) -> AWSResponse:
            if number == at:
                through, wire.meddle = wire.meddle, None
                turn(house)
                wire.meddle = through
            return call()

        play(house, wire, meddle)


def test_a_deletion_between_any_two_calls_by_a_clock_that_is_behind_the_worker_s(
    house: House, wire: Wire
) -> None:
    """Either the hour was claimed before, and the endpoint ends with it; or it ends before, and so does the
    claim."""
    ends = set()
    for position in range(12):
        sub = house.buy(ENDPOINTS)
        house.clock.advance(minutes=60 - house.clock.now().minute % 60, seconds=-house.clock.now().second)
        endpoint = start(house, sub)
        house.clock.advance(minutes=59, seconds=58)
        workers_now = house.clock.now() + timedelta(seconds=5)
        hit = wire.interrupt(
            position,
            lambda endpoint=endpoint: delete(house, endpoint),
            lambda now=workers_now: house.new_tracker().turn(now),
        )
        if not hit:
            break
        house.clock.advance(seconds=10)
        turn(house)
        found = again(house, endpoint)
        assert found.is_settled
        assert found.deleted_at
        lived = found.deleted_at - endpoint.created_at
        ends.add(lived.total_seconds())
        ran(house, sub, endpoint.endpoint_id, micro(lived.total_seconds()))
        house.run()
        house.must_be_exact()
    assert ends == {3598, 3600}
