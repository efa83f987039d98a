"""A run that a person asks for: the same cycle, at once, of one subscription or of all; what came of it."""

from dataclasses import replace

import pytest
from house import ZEROS, House, at
from shelf_marketplace import Fault, Refused

from chassis.clock import Clock
from metering import app
from metering.cycle import MeteringCycle
from metering.run_now import RequestedRuns
from metering.runs import MOST_SENTENCES, TAKEN_OVER_AFTER, MeteringRun, RunState
from metering.settings import Settings
from metering.tables.models import RunRow
from metering.tables.run_store import RunStore


@pytest.fixture
def runs() -> RunStore:
    return RunStore()


def take(house: House, runs: RunStore) -> None:
    """A worker's beat, without the cycle that follows."""
    RequestedRuns(runs, house.new_cycle(), house.clock).take_all()


def ask(house: House, runs: RunStore, subscription_id: str | None = None) -> str:
    return runs.ask(subscription_id, "the console", house.clock.now()).metering_run_id


def ended(runs: RunStore, metering_run_id: str) -> MeteringRun:
    run = runs.run(metering_run_id)
    assert run
    assert run.state is RunState.FINISHED
    return run


def test_of_all(house: House, runs: RunStore) -> None:
    subs = [house.buy(), house.buy()]
    house.report(*[house.event(sub, "1.5") for sub in subs])
    house.clock.advance(hours=2)
    asked = ask(house, runs)
    waiting = runs.run(asked)
    assert waiting
    assert (waiting.state, waiting.requested_by, waiting.started_at) == ("waiting", "the console", None)
    take(house, runs)
    run = ended(runs, asked)
    assert (run.outcomes, run.due, run.left, run.failures) == ({"billed": 2}, 0, (), ())
    assert run.requested_at <= run.started_at <= run.finished_at  # type: ignore[operator]
    assert [house.billed(sub) for sub in subs] == ["1.5", "1.5"]
    house.must_be_exact()


def test_of_one_subscription_it_touches_no_other(house: House, runs: RunStore) -> None:
    """Nor an hour without usage of another that AWS is about to close."""
    wanted, other = house.buy(), house.buy()
    house.buy(ZEROS, since=at("22T10:00"))
    house.report(house.event(wanted, "1"), house.event(other, "2"))
    house.clock.advance(hours=2)
    frozen_already = house.buy()
    house.use(frozen_already, "4", time=at("22T11:00"))
    house.cycle.fold_open_hours()
    house.aws.always = Fault(before=Refused("ThrottlingException"))
    house.run()
    house.aws.always = None
    house.use(wanted, "8", time=at("22T11:30"))
    house.clock.advance(hours=21, minutes=50)
    asked = ask(house, runs, wanted)
    take(house, runs)
    run = ended(runs, asked)
    assert (run.outcomes, run.due) == ({"billed": 2}, 0)
    assert {record["LicenseArn"] for call in house.aws.sent()[1:] for record in call} == {
        house.identities[wanted]
    }
    assert house.records(other)[0].outcome == "planned"
    house.must_be_exact()
    house.run()
    assert (house.billed(other), house.billed(frozen_already)) == ("2", "4")
    house.must_be_exact()


def test_what_is_left_is_said(house: House, runs: RunStore) -> None:
    sub = house.buy()
    house.use(sub, "1")
    house.clock.advance(hours=2)
    house.aws.next_calls(Fault(after=Refused("InternalServiceErrorException", 500)))
    asked = ask(house, runs)
    take(house, runs)
    run = ended(runs, asked)
    assert (run.outcomes, run.due, run.failures) == ({}, 1, ())
    assert run.left[0].startswith("A call of BatchMeterUsage failed (InternalServiceErrorException")


def test_what_failed_is_said(house: House, runs: RunStore) -> None:
    sub = house.buy()
    house.use(sub, "1")
    house.clock.advance(hours=2)
    house.aws.next_calls(Fault(before=Refused("AccessDeniedException")))
    asked = ask(house, runs, sub)
    take(house, runs)
    run = ended(runs, asked)
    assert (run.outcomes, run.due, run.left) == ({}, 1, ())
    assert run.failures[0].startswith("SenderStopped: AWS refuses us, not a record")
    house.run()
    assert house.billed(sub) == "1"
    house.must_be_exact()


def test_no_more_sentences_than_a_person_reads(house: House, runs: RunStore) -> None:
    for _ in range(MOST_SENTENCES + 1):
        house.use(house.buy(), "1")
    house.clock.advance(hours=2)
    house.aws.next_calls(Fault(unprocessed=lambda _: True))
    asked = ask(house, runs)
    take(house, runs)
    run = ended(runs, asked)
    assert (len(run.left), run.due) == (MOST_SENTENCES, MOST_SENTENCES + 1)


def test_a_run_is_taken_by_one_worker(house: House, runs: RunStore) -> None:
    asked = ask(house, runs)
    now = house.clock.now()
    assert [runs.take_next(now) is not None for _ in range(2)] == [True, False]
    assert runs.run(asked).state is RunState.RUNNING  # type: ignore[union-attr]


def test_two_workers_that_see_the_same_run_do_not_both_take_it(house: House, runs: RunStore) -> None:
    """The second has read it before the first took it."""
    ask(house, runs)
    now = house.clock.now()
    seen = list(RunRow.scan(consistent_read=True))
    assert runs.take_next(now)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunRow, "scan", lambda *_, **__: iter(seen))
        assert runs.take_next(now) is None


def test_what_a_dead_worker_had_in_hand_is_taken_over(house: House, runs: RunStore) -> None:
    asked = ask(house, runs)
    assert runs.take_next(house.clock.now())
    house.clock.advance(seconds=TAKEN_OVER_AFTER.total_seconds() - 1)
    take(house, runs)
    assert runs.run(asked).state is RunState.RUNNING  # type: ignore[union-attr]
    house.clock.advance(seconds=1)
    take(house, runs)
    assert ended(runs, asked).finished_at == house.clock.now()


def test_of_two_who_end_the_same_run_the_first_stands(house: House, runs: RunStore) -> None:
    asked = ask(house, runs)
    run = runs.take_next(house.clock.now())
    assert run
    runs.finish(replace(run, finished_at=house.clock.now(), due=0))
    runs.finish(replace(run, finished_at=house.clock.now(), due=7))
    assert ended(runs, asked).due == 0


def test_they_go_in_the_order_in_which_they_were_asked_for(house: House, runs: RunStore) -> None:
    asked = []
    for _ in range(3):
        asked.append(ask(house, runs))
        house.clock.advance(seconds=1)
    taken = [runs.take_next(house.clock.now()) for _ in range(3)]
    assert [run.metering_run_id for run in taken if run] == asked


def test_told_to_stop_it_takes_none(house: House, runs: RunStore) -> None:
    asked = ask(house, runs)
    RequestedRuns(runs, house.new_cycle(), house.clock).take_all(lambda: True)
    assert runs.run(asked).state is RunState.WAITING  # type: ignore[union-attr]


def test_submit_takes_it_too(house: House, runs: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def with_the_shelf(_: Settings, __: Clock) -> MeteringCycle:
        return house.new_cycle()

    monkeypatch.setattr(app, "build_cycle", with_the_shelf)
    monkeypatch.setattr(app, "clock_for", lambda _: house.clock)
    sub = house.buy()
    house.use(sub, "1")
    house.clock.advance(hours=2)
    asked = ask(house, runs, sub)
    app.submit(house.settings)
    assert ended(runs, asked).outcomes == {"billed": 1}
