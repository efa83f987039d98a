"""What is written of a call's records is written of several at the same time: each note still comes before
the call, each outcome after it, and what befalls one record holds up no other."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import EndpointConnectionError
from house import Clients, House
from pynamodb.exceptions import UpdateError
from shelf_marketplace import URL, Fault, Refused
from wire import Call, Wire

from chassis.quick_calls import QuickCalls
from chassis.tables import bind
from metering import tables
from metering.app import build_cycle
from metering.records import MeteringRecord
from metering.sender import Sender
from metering.tables.record_store import RecordStore

AT_ONCE = 5
PATIENCE_SECONDS = 20
AWAY = UpdateError("away", cause=EndpointConnectionError(endpoint_url=URL))

Write = Callable[[], Any]


class Killed(BaseException):
    """The process is gone: no `except Exception` of ours sees it."""


class WatchedStore(RecordStore):
    """Notes what is written of each record, once it is; `meddle` may do something else."""

    def __init__(self, house: House) -> None:
        super().__init__(house.connection)
        self.seen: list[tuple[str, str]] = []
        self.meddle: Callable[[str, str, Write], Any] = lambda _what, _of, write: write()

    def begin_attempt(self, record: MeteringRecord, *more: Any) -> Any:
        return self._do("begun", record, lambda: RecordStore.begin_attempt(self, record, *more))

    def certainly_not_counted(self, record: MeteringRecord, *more: Any) -> None:
        self._do("cleared", record, lambda: RecordStore.certainly_not_counted(self, record, *more))

    def settle(self, record: MeteringRecord, *more: Any, **named: Any) -> Any:
        return self._do("settled", record, lambda: RecordStore.settle(self, record, *more, **named))

    def _do(self, what: str, record: MeteringRecord, write: Write) -> Any:
        done = self.meddle(what, record.subscription_id, write)
        self.seen.append((what, record.subscription_id))
        return done

    def befall(self, what: str, sub: str, error: BaseException, *, is_done: bool = False) -> None:
        """The write of that kind of one record fails from now on: before it does anything, or once it did."""

        def meddle(this: str, of: str, write: Write) -> Any:
            if (this, of) != (what, sub):
                return write()
            if is_done:
                write()
            raise error

        self.meddle = meddle


@pytest.fixture
def store(house: House) -> WatchedStore:
    return WatchedStore(house)


@pytest.fixture(params=[1, AT_ONCE], ids=["one_by_one", "together"])
def sender(request: pytest.FixtureRequest, house: House, store: WatchedStore) -> Sender:
    return new_sender(house, store, request.param)


def new_sender(house: House, store: RecordStore, at_once: int) -> Sender:
    limits = house.settings.limits
    return Sender(store, house.published, house.marketplace, house.clock, limits, lambda: None, at_once)


def due(house: House, count: int = 25) -> list[str]:
    """So many buyers, each with a record that is due."""
    subs = [house.buy() for _ in range(count)]
    house.report(*[house.event(sub, "1") for sub in subs])
    house.clock.advance(hours=1, minutes=5)
    house.cycle.fold_open_hours()
    house.cycle.plan_unbilled()
    return subs


def test_no_call_is_made_before_each_of_its_records_is_noted_and_none_is_settled_before_it(
    house: House, store: WatchedStore, sender: Sender
) -> None:
    subs = due(house, 60)

    def told(call: Call) -> AWSResponse:
        store.seen.append(("told", ""))
        return call()

    house.aws.through = told
    assert sender.send_due() == []
    position = 0
    for sent in house.aws.sent():
        of_call = store.seen[position : position + 2 * len(sent) + 1]
        kinds = [what for what, _ in of_call]
        assert kinds == ["begun"] * len(sent) + ["told"] + ["settled"] * len(sent)
        identities = {record["LicenseArn"] for record in sent}
        for what in ("begun", "settled"):
            assert {house.identities[sub] for kind, sub in of_call if kind == what} == identities
        position += len(of_call)
    assert [len(sent) for sent in house.aws.sent()] == [25, 25, 10]
    assert {house.billed(sub) for sub in subs} == {"1"}


def test_so_many_are_written_at_the_same_time_and_no_more(house: House, store: WatchedStore) -> None:
    """None of five is done before all five are under way: one by one they would wait for ever."""
    subs = due(house)
    five = threading.Barrier(AT_ONCE)
    under_way: list[str] = []
    most: list[int] = []

    def wait_for_the_others(_: str, of: str, write: Write) -> Any:
        under_way.append(of)
        most.append(len(under_way))
        five.wait(timeout=PATIENCE_SECONDS)
        done = write()
        under_way.remove(of)
        return done

    store.meddle = wait_for_the_others
    sender = new_sender(house, store, AT_ONCE)
    assert sender.send_due() == []
    assert max(most) == AT_ONCE
    assert {house.billed(sub) for sub in subs} == {"1"}
    assert (sender.settled, sender.due) == ({"billed": 25}, 0)


def test_one_at_a_time_is_in_the_callers_thread(house: House, store: WatchedStore) -> None:
    due(house, 3)
    threads = set()

    def note(_: str, __: str, write: Write) -> Any:
        threads.add(threading.current_thread())
        return write()

    store.meddle = note
    assert new_sender(house, store, 1).send_due() == []
    assert threads == {threading.current_thread()}


@pytest.mark.parametrize("is_done", [False, True], ids=["never_arrived", "answer_lost"])
def test_a_record_whose_note_fails_is_left_out_and_the_others_are_sent(
    house: House, store: WatchedStore, sender: Sender, is_done: bool
) -> None:
    subs = due(house)
    store.befall("begun", subs[7], AWAY, is_done=is_done)
    assert sender.send_due() == [AWAY]
    (sent,) = house.aws.sent()
    assert {one["LicenseArn"] for one in sent} == {
        house.identities[sub] for sub in subs if sub is not subs[7]
    }
    (record,) = house.records(subs[7])
    assert (record.outcome, record.in_doubt, record.attempts) == ("planned", is_done, int(is_done))
    assert (sender.settled, sender.due) == ({"billed": 24}, 1)
    house.must_be_exact()
    store.meddle = lambda _what, _of, write: write()
    assert sender.send_due() == []
    assert [len(sent) for sent in house.aws.sent()] == [24, 1]
    assert {house.billed(sub) for sub in subs} == {"1"}
    house.must_be_exact()


@pytest.mark.parametrize("is_done", [False, True], ids=["never_arrived", "answer_lost"])
def test_a_record_whose_outcome_is_lost_stays_due_and_the_others_are_settled(
    house: House, store: WatchedStore, sender: Sender, is_done: bool
) -> None:
    subs = due(house)
    store.befall("settled", subs[7], AWAY, is_done=is_done)
    assert sender.send_due() == [AWAY]
    assert (sender.settled, sender.due) == ({"billed": 24}, 1)
    assert [house.outcomes(sub) for sub in subs].count(["billed"]) == 24 + is_done
    store.meddle = lambda _what, _of, write: write()
    assert sender.send_due() == []
    # The identical record, and that only.
    first, *again = house.aws.sent()
    assert again == (
        [] if is_done else [[one for one in first if one["LicenseArn"] == house.identities[subs[7]]]]
    )
    assert {house.billed(sub) for sub in subs} == {"1"}
    house.must_be_exact()


def test_where_nothing_can_be_noted_nothing_is_sent(
    house: House, store: WatchedStore, sender: Sender
) -> None:
    def away(*_: Any) -> None:
        raise AWAY

    subs = due(house)
    store.meddle = away
    assert sender.send_due() == [AWAY] * 25
    assert (house.aws.requests, sender.due) == ([], 25)
    assert not any(record.in_doubt for sub in subs for record in house.records(sub))


def test_aws_is_obeyed_although_a_doubt_cannot_be_cleared(
    house: House, store: WatchedStore, sender: Sender
) -> None:
    """It asks to slow down: the second call is not made. The one record is in doubt for nothing."""
    subs = due(house, 30)
    house.aws.next_calls(Fault(before=Refused("ThrottlingException")))

    def fail_for_the_third(what: str, of: str, write: Write) -> Any:
        if what == "cleared" and house.identities[of] == house.aws.sent()[0][2]["LicenseArn"]:
            raise AWAY
        return write()

    store.meddle = fail_for_the_third
    assert sender.send_due() == [AWAY]
    assert len(house.aws.requests) == 1
    assert ["ThrottlingException" in one for one in sender.left] == [True]
    third = house.aws.sent()[0][2]["LicenseArn"]
    doubted = [house.identities[sub] for sub in subs if house.records(sub)[0].in_doubt]
    assert doubted == [third]
    house.must_be_exact()
    assert sender.send_due() == []
    assert {house.billed(sub) for sub in subs} == {"1"}
    house.must_be_exact()


def test_a_poison_record_and_an_unprocessed_one_are_found_among_25(
    house: House, store: WatchedStore, sender: Sender
) -> None:
    subs = due(house)
    house.aws.poison[house.identities[subs[7]]] = "InvalidLicenseException"
    house.aws.always = Fault(unprocessed=lambda place: place == 2)
    sender.send_due()
    house.aws.always = None
    outcomes = [house.outcomes(sub)[0] for sub in subs]
    assert outcomes[7] == "rejected"
    assert sender.settled == {"rejected": 1, "billed": outcomes.count("billed")}
    assert sender.due == outcomes.count("planned") == len(sender.left) > 0
    assert sender.send_due() == []
    assert [house.billed(sub) for sub in subs] == ["1"] * 7 + ["0"] + ["1"] * 17
    house.must_be_exact()


def test_killed_at_a_note_nothing_is_sent(house: House, store: WatchedStore, sender: Sender) -> None:
    subs = due(house)
    store.befall("begun", subs[7], Killed(), is_done=True)
    with pytest.raises(Killed):
        sender.send_due()
    assert house.aws.requests == []
    house.run()
    assert {house.billed(sub) for sub in subs} == {"1"}
    house.must_be_exact()


@pytest.mark.parametrize("threads", [1, 2])
def test_the_assembled_worker_has_as_many_threads_as_the_setting_says(
    house: House, wire: Wire, clients: Clients, threads: int
) -> None:
    names: set[str] = set()
    both = threading.Barrier(threads)
    subs = due(house, 2)

    def note(name: str, call: Call) -> AWSResponse:
        if name == "UpdateItem" and (of := threading.current_thread().name).startswith("sender"):
            names.add(of)
            both.wait(timeout=PATIENCE_SECONDS)
        return call()

    wire.meddle = note
    settings = house.settings.model_copy(update={"sender_threads": threads})
    build_cycle(settings, house.clock, clients.marketplace).run()
    assert len(names) == (0 if threads == 1 else threads)
    assert {house.billed(sub) for sub in subs} == {"1"}


@pytest.mark.parametrize(("attempts", "quickly"), [(1, False), (2, True)])
def test_the_assembled_worker_asks_quickly_where_a_call_may_be_tried_again(
    house: House, clients: Clients, monkeypatch: pytest.MonkeyPatch, attempts: int, quickly: bool
) -> None:
    asked: list[str] = []
    ask = QuickCalls.ask

    def note(self: QuickCalls, operation: str, request: dict[str, Any]) -> dict[str, Any] | None:
        asked.append(operation)
        return ask(self, operation, request)

    monkeypatch.setattr(QuickCalls, "ask", note)
    subs = due(house, 2)
    try:
        settings = house.settings.model_copy(update={"aws_attempts": attempts})
        build_cycle(settings, house.clock, clients.marketplace).run()
    finally:
        bind([*tables.OWN, *tables.READ], house.settings)
    assert ("UpdateItem" in asked) is quickly
    assert {house.billed(sub) for sub in subs} == {"1"}
    house.must_be_exact()
