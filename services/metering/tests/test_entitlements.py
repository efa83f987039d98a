"""A contract with consumption: what it entitles to is used up first, and only what is above it is billed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from house import CONSUMPTION, House, at
from hypothesis import given
from hypothesis import strategies as st
from wire import Wire

from chassis.times import rfc3339
from metering.entitlements import OPEN_END, Allowance, Entitlement, Unclear, allowances, next_covering
from metering.ledger import LedgerRow
from metering.tables.models import EntitlementMap

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NEXT_YEAR = datetime(2027, 6, 1, tzinfo=UTC)


def entitled(value: str, kind: str = "integer", until: datetime | None = NEXT_YEAR) -> list[Any]:
    """As notifications publishes it."""
    return [EntitlementMap(dimension="plan", type=kind, value=value, expires_at=until)]  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("kind", "value", "quantity"),
    [
        ("integer", "20", 20_000_000),
        ("integer", "0", 0),
        ("double", "1.5", 1_500_000),
        ("double", "0.0000001", 1),
        ("double", "1e3", 1_000_000_000),
        ("boolean", "true", None),
        ("boolean", "false", 0),
        ("string", "Unlimited", None),
    ],
)
def test_how_much_an_entitlement_pays_for(kind: str, value: str, quantity: int | None) -> None:
    assert Entitlement("plan", kind, value).quantity == quantity


@pytest.mark.parametrize(
    ("kind", "value"), [("string", "gold"), ("string", "20"), ("double", "NaN"), ("integer", "-1")]
)
def test_an_entitlement_that_says_no_quantity_is_unclear(kind: str, value: str) -> None:
    with pytest.raises(Unclear):
        Entitlement("plan", kind, value).quantity  # noqa: B018


def test_periods() -> None:
    last = Allowance("sub", "plan", rfc3339(NOW - timedelta(days=1)), 10, 10)
    now = Allowance("sub", "plan", rfc3339(NEXT_YEAR), 5, 3)
    named = [Entitlement("plan", "integer", "7", NEXT_YEAR), Entitlement("other", "integer", "9")]

    def found(entitlements: list[Entitlement], is_over: bool = False) -> list[Allowance]:
        return allowances("sub", "plan", entitlements, [now, last], is_over, NOW)

    # AWS's last answer counts for its period; one that is past stands as it was.
    assert found(named) == [last, replace(now, entitled=7_000_000)]
    # What AWS names no more pays for nothing more; but of an agreement that is over AWS names nothing at all.
    assert found([]) == [last, replace(now, entitled=0)]
    assert found([], is_over=True) == [last, now]
    without_end = Entitlement("plan", "integer", "1")
    assert [one.period for one in found([*named, without_end])] == [last.period, now.period, OPEN_END]


@given(
    st.lists(st.tuples(st.integers(0, 23), st.integers(0, 9)), unique_by=lambda one: one[0], max_size=8),
    st.one_of(st.none(), st.integers(0, 40)),
    st.integers(0, 20),
)
def test_exactly_what_is_left_is_used_up_the_oldest_first(
    hours: list[tuple[int, int]], limit: int | None, used: int
) -> None:
    rows = [LedgerRow("sub", "gpu", f"2026-11-21T{hour:02d}", metered) for hour, metered in hours]
    allowance = Allowance("sub", "plan", OPEN_END, limit, used)
    left = allowance.left
    while covering := next_covering(rows, [allowance]):
        assert covering.quantity > 0
        assert not any(row.unbilled > 0 and row.hour < covering.row.hour for row in rows)
        rows[rows.index(covering.row)] = covering.row_after
        allowance = covering.allowance_after
    usage = sum(metered for _, metered in hours)
    assert sum(row.included for row in rows) == (usage if left is None else min(usage, left))
    assert all(row.unbilled >= 0 for row in rows)


def test_only_what_is_above_the_entitlement_is_billed(house: House) -> None:
    sub = house.buy(CONSUMPTION)
    house.publish(sub, entitlements=entitled("5"))
    house.use(sub, "3", tags={"team": "a"})
    house.use(sub, "2", dimension="requests")
    house.clock.advance(hours=1, minutes=5)
    house.use(sub, "4", tags={"team": "b"})
    house.run()
    assert house.balance(sub).included == 3_000_000
    # Another dimension draws on an entitlement of its own; there is none.
    assert house.billed(sub, "requests") == "2"
    house.must_be_exact()
    house.clock.advance(hours=1)
    house.run(2)
    assert house.hours(sub) == {"22T11": "2"}
    assert house.balance(sub).included == 5_000_000
    house.must_be_exact()


def test_an_hour_that_still_fills_is_not_used_up(house: House) -> None:
    sub = house.buy(CONSUMPTION)
    house.publish(sub, entitlements=entitled("5"))
    house.use(sub, "3")
    house.run()
    assert house.balance(sub).open == 3_000_000
    house.use(sub, "-1")
    house.clock.advance(hours=2)
    house.run()
    assert house.balance(sub).included == 2_000_000
    house.must_be_exact()


def test_it_changes_in_mid_period(house: House) -> None:
    sub = house.buy(CONSUMPTION)

    def an_hour(usage: str, entitlement: str) -> None:
        house.publish(sub, entitlements=entitled(entitlement))
        house.use(sub, usage)
        house.clock.advance(hours=1, minutes=5)
        house.run(2)
        house.must_be_exact()

    an_hour("5", "3")
    assert (house.billed(sub), house.balance(sub).included) == ("2", 3_000_000)
    an_hour("5", "7")
    assert (house.billed(sub), house.balance(sub).included) == ("3", 7_000_000)
    # Less than is used already: nothing is taken back, nothing more is paid for.
    an_hour("5", "2")
    assert (house.billed(sub), house.balance(sub).included) == ("8", 7_000_000)


def test_a_renewed_contract_begins_anew(house: House) -> None:
    sub = house.buy(CONSUMPTION)
    ends = at("22T12:00")
    house.publish(sub, entitlements=entitled("3", until=ends))
    house.use(sub, "5")
    house.clock.advance(hours=1, minutes=5)
    house.run(2)
    assert house.billed(sub) == "2"
    house.clock.advance(hours=2)
    house.publish(sub, entitlements=entitled("3", until=NEXT_YEAR))
    house.use(sub, "4")
    # Late usage of the period before has nothing left to draw on.
    house.use(sub, "1", time=at("22T11:30"))
    house.clock.advance(hours=1, minutes=5)
    house.run(2)
    assert house.hours(sub) == {"22T10": "2", "22T11": "1", "22T13": "1"}
    assert house.balance(sub).included == 6_000_000
    house.must_be_exact()


@pytest.mark.parametrize(("kind", "value"), [("boolean", "true"), ("string", "unlimited")])
def test_without_a_limit_nothing_is_billed(house: House, kind: str, value: str) -> None:
    sub = house.buy(CONSUMPTION)
    house.publish(sub, entitlements=entitled(value, kind))
    house.use(sub, "9999999999")
    house.clock.advance(hours=2)
    house.run(2)
    assert house.aws.requests == []
    assert house.balance(sub).included == 9_999_999_999_000_000
    house.must_be_exact()


@pytest.mark.parametrize(
    ("entitlements", "reason"),
    [(None, "entitlement_unknown"), (entitled("gold", "string"), "entitlement_unclear")],
)
def test_what_nobody_can_say_is_held(house: House, entitlements: Any, reason: str) -> None:
    sub = house.buy(CONSUMPTION)
    house.publish(sub, entitlements=entitlements)
    house.use(sub, "5")
    house.clock.advance(hours=2)
    house.run(2)
    assert house.balance(sub).reasons == {("held", reason): 5_000_000}
    house.must_be_exact()
    house.publish(sub, entitlements=entitled("4"))
    house.run(2)
    assert house.billed(sub) == "1"
    house.must_be_exact()


def test_the_end_of_a_contract_does_not_make_its_last_usage_an_excess(house: House) -> None:
    """AWS says that there are no entitlements as soon as the contract is over."""
    sub = house.buy(CONSUMPTION)
    house.publish(sub, entitlements=entitled("5"))
    house.use(sub, "3")
    house.clock.advance(hours=1, minutes=5)
    house.run()
    house.use(sub, "3")
    house.end(sub, at("22T12:05"))
    house.publish(sub, status="ending", entitlements=[])
    house.run(2)
    assert house.balance(sub).included == 5_000_000
    assert house.billed(sub) == "1"
    house.must_be_exact()


def test_two_workers_never_use_it_up_twice(house: House, wire: Wire) -> None:
    position = 0
    while True:
        sub = house.buy(CONSUMPTION)
        house.publish(sub, entitlements=entitled("5"))
        house.use(sub, "3")
        house.use(sub, "4", time=house.clock.now() - timedelta(hours=1))
        house.clock.advance(hours=1, minutes=5)
        if not wire.interrupt(position, house.new_cycle().run, around=house.run):
            break
        house.run(2)
        assert house.balance(sub).included == 5_000_000, position
        assert house.billed(sub) == "2", position
        house.must_be_exact()
        position = position * 2 + 1
    assert position > 4
