"""A dry run writes nothing, and says what the cycle then does."""

import random

import pytest
from house import CONSUMPTION, LEGACY, OLDEST, ZEROS, House, at
from shelf_marketplace import Fault, Refused

from metering import tables
from metering.dry_run import DryRun
from metering.tables.models import EntitlementMap


@pytest.fixture
def dry_run(house: House) -> DryRun:
    return DryRun(
        house.ledger,
        house.record_store,
        house.published,
        house.catalogue,
        house.settings.limits,
        house.clock,
    )


def whole_tables() -> list[str]:
    return sorted(repr(row.serialize()) for model in tables.OWN for row in model.scan())


def a_busy_world(house: House, seed: int) -> None:
    """Subscriptions of every kind, usage of every kind, some of it late, and one who leaves."""
    chance = random.Random(seed)
    plan = [EntitlementMap(dimension="plan", type="integer", value="4")]  # type: ignore[no-untyped-call]
    subs = [house.buy(), house.buy(LEGACY), house.buy(CONSUMPTION), house.buy(known=False)]
    house.publish(subs[2], entitlements=plan)
    old, young = house.buy(OLDEST), house.buy(OLDEST, since=at("20T10:00"))
    customers = [house.register(subs[0]), house.register(old, young), "cus_" + "n" * 26]
    for hour in range(5):
        for sub in subs:
            ago = chance.choice([0, 0, 0, 1, 2])
            moment = house.clock.now().replace(hour=10 + max(hour - ago, 0))
            house.use(sub, str(chance.randint(-2, 5)), time=moment, tags={"t": chance.choice("ab")})
        for customer, product in zip(customers, ("74concurrent", OLDEST, OLDEST), strict=True):
            house.report(house.customers_event(customer, str(chance.randint(-1, 3)), product))
        if hour == 3:
            house.end(subs[0], house.clock.now().replace(hour=14))
        house.clock.advance(hours=1)
        if chance.random() < 0.5:
            house.run()
    house.cycle.fold_open_hours()


@pytest.mark.parametrize("seed", range(6))
def test_it_says_what_the_cycle_then_does(house: House, dry_run: DryRun, seed: int) -> None:
    a_busy_world(house, seed)
    for _ in range(3):
        before = whole_tables()
        found = dry_run.look()
        assert whole_tables() == before
        known = {record.metering_record_id for sub in house.identities for record in house.records(sub)}
        house.run()
        frozen = {
            record.metering_record_id: record.quantity
            for sub in house.identities
            for dimension in ("gpu_hours", "requests")
            for record in house.records(sub, dimension)
            if record.metering_record_id not in known
        }
        assert frozen == {record.metering_record_id: record.quantity for record in found.frozen}
        house.clock.advance(hours=1)
        house.cycle.fold_open_hours()
    house.must_be_exact()


def test_everything_unbilled_has_a_fate(house: House, dry_run: DryRun) -> None:
    sub, ended, pending = house.buy(), house.buy(), house.buy(status="pending")
    house.end(ended, at("22T10:30"))
    for one in (sub, ended, pending):
        house.use(one, "2")
    house.use(sub, "-0.5")
    house.clock.advance(minutes=45)
    house.use(sub, "1", dimension="requests")
    customer = house.register(sub, house.buy())
    house.report(house.customers_event(customer, "3"))
    house.cycle.fold_open_hours()
    fates = {
        (one.row.holder, one.row.dimension, one.becomes): (one.quantity, one.reason)
        for one in dry_run.look().rest
    }
    assert fates == {
        (sub, "gpu_hours", "corrected"): (500_000, "corrected"),
        (sub, "gpu_hours", "waits"): (1_500_000, "hour_not_over"),
        (sub, "requests", "waits"): (1_000_000, "hour_not_over"),
        (ended, "gpu_hours", "written_off"): (2_000_000, "after_final_hour"),
        (pending, "gpu_hours", "held"): (2_000_000, "subscription_pending"),
        (f"{customer}/74concurrent", "gpu_hours", "held"): (3_000_000, "several_subscriptions"),
    }
    house.clock.advance(minutes=16)
    found = dry_run.look(sub)
    assert {one.reason for one in found.rest} == {"corrected", "hour_not_sealed"}
    house.clock.advance(minutes=10)
    assert {record.subscription_id for record in dry_run.look(sub).frozen} == {sub}


def test_what_finds_no_free_hour_waits(house: House, dry_run: DryRun) -> None:
    sub = house.buy()
    house.use(sub, "3")
    house.clock.advance(hours=1, minutes=5)
    house.run()
    house.use(sub, "4", time=at("22T10:59"))
    house.cycle.fold_open_hours()
    (fate,) = dry_run.look(sub).rest
    assert (fate.becomes, fate.reason, fate.quantity) == ("waits", "no_free_hour", 4_000_000)


def test_what_is_due_is_named(house: House, dry_run: DryRun) -> None:
    sub, other = house.buy(), house.buy()
    house.report(house.event(sub), house.event(other))
    house.clock.advance(hours=2)
    house.aws.next_calls(Fault(before=Refused("ThrottlingException")))
    house.run()
    assert {record.subscription_id for record in dry_run.look().due} == {sub, other}
    assert [record.subscription_id for record in dry_run.look(sub).due] == [sub]


def test_of_one_subscription_it_names_no_other(house: House, dry_run: DryRun) -> None:
    """Nor an hour without usage of another that AWS is about to close."""
    wanted, other = house.buy(), house.buy()
    idle = house.buy(ZEROS, since=at("22T10:00"))
    house.report(house.event(wanted, "1"), house.event(other, "2"))
    house.clock.advance(hours=23, minutes=50)
    house.cycle.fold_open_hours()
    assert {one.subscription_id for one in dry_run.look().frozen} == {wanted, other, idle}
    found = dry_run.look(wanted)
    assert ({one.subscription_id for one in found.frozen}, found.rest) == ({wanted}, [])
