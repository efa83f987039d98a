"""When metering last ran: noted by every worker, told to whoever asks, and never in the way of billing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from house import House
from wire import Wire

from metering import app
from metering.health import STEPS
from metering.tables.health_store import HealthStore
from metering.tables.models import HealthRow


@pytest.fixture
def health(house: House) -> HealthStore:
    for row in HealthRow.scan():
        row.delete()
    return HealthStore(house.clock)


@pytest.fixture
def noting(house: House, health: HealthStore) -> House:
    """Its cycle and its auditor note what they did, as a worker's do."""
    house.cycle._note = health.note_steps
    return house


def test_before_anything_has_run(house: House, health: HealthStore) -> None:
    found = health.read()
    assert found.as_of == house.clock.now()
    assert found.steps == [(step, None) for step in STEPS]
    assert (found.all_ended_well_at, found.audited_at, found.imbalances) == (None, None, None)


def test_a_cycle_without_usage_has_run(noting: House, health: HealthStore) -> None:
    noting.run()
    ran_at = noting.clock.now()
    noting.clock.advance(hours=3)
    found = health.read()
    assert dict(found.steps) == dict.fromkeys(STEPS, ran_at)
    assert (found.as_of, found.all_ended_well_at) == (ran_at + timedelta(hours=3), ran_at)


def test_a_step_that_fails_is_told_from_those_that_do_not(
    noting: House, health: HealthStore, wire: Wire
) -> None:
    noting.run()
    first = noting.clock.now()
    noting.use(noting.buy(), "5")
    noting.clock.advance(hours=1, minutes=10)

    def no_aws(name: str, call: Callable[[], Any]) -> Any:
        if name == "BatchMeterUsage":
            raise RuntimeError("as the test wishes")
        return call()

    wire.meddle = no_aws
    noting.run_and_fail()
    found = health.read()
    later = noting.clock.now()
    assert dict(found.steps) == {"endpoints": later, "fold": later, "plan": later, "send": first}
    assert found.all_ended_well_at == first


def test_a_run_of_one_subscription_says_nothing_of_the_others(noting: House, health: HealthStore) -> None:
    sub = noting.buy()
    noting.cycle.go_round(subscription_id=sub)
    assert [step for step, moment in health.read().steps if moment] == ["endpoints", "fold"]


def test_a_cycle_that_cannot_say_so_has_billed_all_the_same(noting: House, health: HealthStore) -> None:
    def away(steps: list[str]) -> None:
        raise RuntimeError("as the test wishes")

    noting.cycle._note = away
    sub = noting.buy()
    noting.use(sub, "5")
    noting.clock.advance(hours=1, minutes=10)
    noting.run()
    assert noting.billed(sub) == "5"
    assert health.read().all_ended_well_at is None


def test_an_audit_is_noted_with_what_it_found(house: House, health: HealthStore) -> None:
    auditor = house.new_auditor()
    auditor._note = health.note_audit
    auditor.audit()
    found = health.read()
    assert (found.audited_at, found.imbalances) == (house.clock.now(), 0)

    def away(imbalances: int) -> None:
        raise RuntimeError("as the test wishes")

    auditor._note = away
    house.clock.advance(hours=1)
    assert auditor.audit() == set()
    assert health.read().audited_at == house.clock.now() - timedelta(hours=1)


def test_the_worker_and_the_single_run_note_it(
    house: House, health: HealthStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they are plugged together."""
    monkeypatch.setattr(app, "clock_for", lambda settings: house.clock)
    app.submit(house.settings)
    assert health.read().all_ended_well_at == house.clock.now()
    app.build_auditor(house.settings, house.clock).audit()
    assert health.read().audited_at == house.clock.now()
